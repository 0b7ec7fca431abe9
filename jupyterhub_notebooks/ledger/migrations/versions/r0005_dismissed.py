"""When a person took note of an error that a session ended with.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True))
