"""Volumes whose unsaved files were left behind, and recovery snapshots that a person is done with.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column(
        "notebooks", sa.Column("volume_number", sa.Integer(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("snapshots", sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("snapshots", sa.Column("dismissed_by", sa.String(length=26), nullable=True))
    op.create_table(
        "set_aside",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("workspace", sa.String(length=26), nullable=False),
        sa.Column("volume", sa.Text(), nullable=False),
        sa.Column("session", sa.String(length=26), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=26), nullable=True),
        sa.Column("head", sa.Integer(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("snapshot", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_set_aside"),
    )
    op.create_index("ix_set_aside_workspace", "set_aside", ["workspace"])
