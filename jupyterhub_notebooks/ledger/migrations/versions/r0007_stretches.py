"""The stretches of each verdict, so that a session's clock has a history; what became of the kernels' variables.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("variables", sa.JSON(), nullable=True))
    op.create_table(
        "stretches",
        sa.Column("session", sa.String(length=26), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session", "since", name="pk_stretches"),
    )
