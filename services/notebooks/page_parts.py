"""Parts of a notebook's page with addresses of their own: its snapshots, one of them, what a change means, a session's log."""

from __future__ import annotations

from .handling import Handler


class LogHandler(Handler):
    """GET sessions/ID/log."""


class SnapshotsHandler(Handler):
    """GET n/USER/SERVER/snapshots."""


class SnapshotHandler(Handler):
    """GET n/USER/SERVER/snapshots/N."""


class ChangeHandler(Handler):
    """GET n/USER/SERVER/change."""
