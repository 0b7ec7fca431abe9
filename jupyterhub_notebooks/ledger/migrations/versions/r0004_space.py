"""What snapshots and workspaces take in the store, when they were pruned, and names that keep a snapshot.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("stored_bytes", sa.BigInteger(), nullable=True))
    op.add_column("workspaces", sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("snapshots", sa.Column("shared_bytes", sa.BigInteger(), nullable=True))
    op.add_column("snapshots", sa.Column("name", sa.String(length=200), nullable=True))
