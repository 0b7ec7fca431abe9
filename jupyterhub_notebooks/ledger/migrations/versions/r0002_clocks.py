"""What a session's clocks must not lose: verdict with its time and evidence, deadlines, warnings, extensions.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TIMES = (
    "verdict_since",
    "verdict_at",
    "quiet_since",
    "idle_ends_at",
    "session_ends_at",
    "warned_at",
    "reached_at",
    "delayed_at",
    "observed_idle_at",
    "observed_limit_at",
)


def upgrade() -> None:
    for name in TIMES:
        op.add_column("sessions", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("sessions", sa.Column("verdict_sentence", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("signals", sa.JSON(), nullable=True))
    for name in ("extended_seconds", "extensions"):
        op.add_column("sessions", sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False))
