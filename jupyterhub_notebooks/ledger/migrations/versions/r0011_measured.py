"""What a snapshot needs in the store, as it was measured.

Revision: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("snapshots", sa.Column("measured_bytes", sa.BigInteger(), nullable=True))
