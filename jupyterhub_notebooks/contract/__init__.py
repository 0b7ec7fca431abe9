"""Bodies of the agent's protocol, version 1: what agent and services/agents say to each other.

Standard library only, for any image's Python. Every body is a frozen dataclass with ``to_json`` (a dict)
and a checked ``from_json``. Unknown fields are ignored, missing ones have their defaults; a field of the
wrong type raises ``Unchecked`` that names it. Times are RFC 3339 text in UTC, sizes bytes, durations
seconds. Everything may arrive twice and is idempotent.
"""

from .bodies import (
    PHASES,
    PROTOCOL,
    SIGNAL_STATES,
    Commit,
    Committed,
    Ended,
    Extend,
    Extended,
    Heartbeat,
    HeartbeatAnswer,
    Hello,
    HelloAnswer,
    Lease,
    Log,
    Notice,
    Order,
    Orders,
    Progress,
    Release,
    Saved,
    Signal,
    SignedUrl,
    SnapshotRow,
    Snapshots,
    UrlRequest,
    Urls,
    UrlsRequest,
    Verdict,
)
from .checked import Body
from .local import MOST_LINE_BYTES, LocalSignal, SessionState, SignalsReport, socket_address

__all__ = [
    "MOST_LINE_BYTES",
    "PHASES",
    "PROTOCOL",
    "SIGNAL_STATES",
    "Body",
    "Commit",
    "Committed",
    "Ended",
    "Extend",
    "Extended",
    "Heartbeat",
    "HeartbeatAnswer",
    "Hello",
    "HelloAnswer",
    "Lease",
    "LocalSignal",
    "Log",
    "Notice",
    "Order",
    "Orders",
    "Progress",
    "Release",
    "Saved",
    "SessionState",
    "Signal",
    "SignalsReport",
    "SignedUrl",
    "SnapshotRow",
    "Snapshots",
    "UrlRequest",
    "Urls",
    "UrlsRequest",
    "Verdict",
    "socket_address",
]
