"""A repository that a notebook clones or updates at its start, and the file that it opens.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    for name in ("repo", "opens"):
        op.add_column("notebooks", sa.Column(name, sa.String(length=300), nullable=False, server_default=""))
