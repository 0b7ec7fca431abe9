"""How long everything that an agent's word goes through has been seen to answer, without a break.

A session is called lost only when this janitor watched all the time: an agent whose service was down, whose database
was away or whose machine slept has been silent too.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tornado.simple_httpclient import HTTPTimeoutError, SimpleAsyncHTTPClient

ANSWER_SECONDS = 5.0


class Watch:
    """Fed at each look. gap_seconds: looks further apart than this are a break: a janitor that was stuck, a machine that
    slept, a clock that was set."""

    def __init__(self, gap_seconds: float) -> None:
        self._gap = timedelta(seconds=gap_seconds)
        self._since: datetime | None = None
        self._last: datetime | None = None

    def seen(self, now: datetime, answered: bool) -> float:
        """answered: whether all of it did now. For how many seconds it has."""
        if not answered:
            self.broken()
            return 0.0
        if self._last is None or self._since is None or not timedelta(0) <= now - self._last <= self._gap:
            self._since = now
        self._last = now
        return (now - self._since).total_seconds()

    def broken(self) -> None:
        """Something did not answer: what was seen before counts no more."""
        self._since = self._last = None


async def agents_answer(agents_url: str) -> bool:
    """Whether services/agents takes requests."""
    client = SimpleAsyncHTTPClient(force_instance=True)
    try:
        said = await client.fetch(
            agents_url.rstrip("/") + "/health",
            raise_error=False,
            connect_timeout=ANSWER_SECONDS,
            request_timeout=ANSWER_SECONDS,
        )
    except (OSError, HTTPTimeoutError):
        return False
    finally:
        client.close()
    return said.code == 200
