"""Why old snapshots of a workspace are not removed.

Revision: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("prune_problem", sa.Text(), nullable=True))
