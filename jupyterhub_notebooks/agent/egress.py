"""Hosts that the profile's rule for the network refused: told to the user at once, counted for the administrator.

The proxy that enforces the rule says which (images/notebook-egress); what it says is not believed beyond its form. It is
asked in one held request after the other, so that a refusal is known the moment it happens.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from .. import messages
from ..contract import Notice

ASK_SECONDS, AGAIN_SECONDS = 40.0, 2.0
READ_SECONDS = 30.0
MOST_HOSTS, MOST_SHOWN, MOST_BYTES = 200, 3, 200_000
ID = "blocked-"


class Egress:
    """``start`` to ``stop``; ``notices`` at any time. took: the counts so far, whenever they changed."""

    def __init__(
        self,
        url: str,
        took: Callable[[dict[str, int]], None],
        say: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._host, self._port = urlsplit(url).hostname or "", urlsplit(url).port or 80
        self._took, self._say = took, say
        self._counts: dict[str, int] = {}
        self._waiting: list[str] = []
        self._shown: dict[str, float] = {}
        self._profile = self._mirror = ""
        self._stopping = threading.Event()

    def introduce(self, profile: str, environment: Mapping[str, str]) -> None:
        """What the profile is called, and what it sets for programs."""
        self._profile = profile
        self._mirror = urlsplit(environment.get("PIP_INDEX_URL", "")).hostname or ""

    def start(self) -> None:
        threading.Thread(target=self._listen, name="egress", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()

    def notices(self) -> tuple[Notice, ...]:
        """The newest host that was refused, until it was on a screen long enough to be read."""
        now = self._monotonic()
        left = [host for host in self._waiting if now - self._shown.get(host, now) < READ_SECONDS]
        return tuple(notice(host, self._profile, self._mirror) for host in left[:1])

    def shown(self, ids: Sequence[str]) -> None:
        """These were on a screen."""
        for host in self._waiting:
            if f"{ID}{host}" in ids:
                self._shown.setdefault(host, self._monotonic())

    def take(self, told: Any) -> None:
        """What the proxy said, all of it so far."""
        counts = counts_of(told)
        if counts == self._counts:
            return
        for host in counts:
            if host not in self._counts:
                self._waiting = [host, *self._waiting][:MOST_SHOWN]
                self._say(messages.title("host blocked", host=host))
        self._counts = counts
        self._took(counts)

    def _listen(self) -> None:
        number = -1
        while not self._stopping.is_set():
            try:
                told = self._ask(number)
                number = int(told["number"])
                self.take(told)
            except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
                self._stopping.wait(AGAIN_SECONDS)  # it is started again by itself

    def _ask(self, number: int) -> Any:
        asking = http.client.HTTPConnection(self._host, self._port, timeout=ASK_SECONDS)
        try:
            asking.request("GET", f"/blocked?after={number}")
            return json.loads(asking.getresponse().read(MOST_BYTES))
        finally:
            asking.close()


def counts_of(told: Any) -> dict[str, int]:
    """host -> how often, of what has that form."""
    found = told.get("hosts") if isinstance(told, dict) else None
    return {
        one["host"][:300]: one["count"]
        for one in (found if isinstance(found, list) else [])[:MOST_HOSTS]
        if isinstance(one, dict) and isinstance(one.get("host"), str) and type(one.get("count")) is int
    }


def notice(host: str, profile: str, mirror: str) -> Notice:
    """What a user reads of one refused host. mirror: where packages come from, '' where the profile says nothing of that."""
    packages = f" Packages come from {mirror}, already set up." if mirror else ""
    return Notice(
        f"{ID}{host}",
        "host_blocked",
        messages.title("host blocked", host=host),
        messages.why("host blocked", profile=profile or "This profile", packages=packages),
        tuple(messages.steps("host blocked", host=host)),
    )
