"""The right to commit, as this machine may judge it: by its own monotonic clock, a margin before the end.

The margin is 20 s of the usual 120, and a sixth of a shorter lease.
An answer counts from the moment its question was sent, so a slow answer makes a lease shorter, never longer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..contract import Lease
from .errors import LeaseLost, ServiceAway

MARGIN_SECONDS = 20.0
MARGIN_PART = 1 / 6


class HeldLease:
    """The lease of this session. Once lost it stays lost."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._number: int | None = None
        self._ends_at = 0.0
        self._longest = 0.0
        self._lost = False

    @property
    def number(self) -> int:
        """The number of the lease. Only to be asked once there was one."""
        assert self._number is not None
        return self._number

    @property
    def lost(self) -> bool:
        return self._lost

    def renewed(self, lease: Lease, asked_at: float) -> None:
        """lease came as the answer to a question sent at asked_at (monotonic). Another number: ours is lost."""
        with self._lock:
            if self._number is not None and lease.number != self._number:
                self._lost = True
                return
            self._number = lease.number
            self._longest = max(self._longest, lease.ends_in_seconds)
            self._ends_at = max(self._ends_at, asked_at + lease.ends_in_seconds)

    def lose(self) -> None:
        """services/agents says that another session writes now."""
        with self._lock:
            self._lost = True

    def may_commit(self) -> bool:
        """Whether a commit sent now would still be ours by a margin."""
        return not self._lost and self._number is not None and self.seconds_left() > 0

    def seconds_left(self) -> float:
        """Until the agent stops committing; below 0: it has."""
        margin = min(MARGIN_SECONDS, self._longest * MARGIN_PART)
        return self._ends_at - margin - self._monotonic()

    def check(self) -> int:
        """The number to commit under. Raises LeaseLost, or ServiceAway when no heartbeat renewed it in time."""
        if self._lost:
            raise LeaseLost(
                "Another session writes this workspace now",
                "The files here are kept and become a recovery snapshot.",
            )
        if not self.may_commit():
            raise ServiceAway(
                "Nothing was saved",
                "The service that saves notebooks has not answered for a while; the files are kept here.",
            )
        return self.number
