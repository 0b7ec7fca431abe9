"""The rule for the network that a workspace's files ran under, and the hosts that a session was refused.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "workspace_rules",
        sa.Column("workspace", sa.String(length=26), nullable=False),
        sa.Column("hosts", sa.JSON(), nullable=False),
        sa.Column("session", sa.String(length=26), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("workspace", name="pk_workspace_rules"),
    )
    op.create_table(
        "blocked_hosts",
        sa.Column("session", sa.String(length=26), nullable=False),
        sa.Column("host", sa.String(length=300), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session", "host", name="pk_blocked_hosts"),
    )
