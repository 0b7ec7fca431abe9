"""Blocks and snapshots of the session's workspace: signed addresses straight to storage, commits through the service.

Promises: a URL is asked for in batches (what several threads want at once, and what ``expect`` named, travels in one
request); every body is sent with its SHA-256; trouble that may pass is tried again until ``Patience`` ends, then it
is StorageAway. A commit is sent only while the lease is ours by a margin.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..contract import Commit, Committed, SignedUrl, UrlRequest, Urls, UrlsRequest
from ..contract import Snapshots as SnapshotList
from ..errors import Damaged, NotFound, StorageAway
from ..retrying import delays
from ..workspace.keys import OPEN, Keys
from ..workspace.layout import block_path, most_bytes_of, numbered, too_large
from ..workspace.pool import in_order
from ..workspace.ports import CommitFacts, MissingBlocks
from .errors import Contested, LeaseLost
from .lease import HeldLease
from .service import Service, in_words
from .wire import BROKEN, Answer, TooLong, Wire

T = TypeVar("T")
BATCH = 1000
#: A URL is not used in its last seconds: the request must still arrive in time.
SPARE_SECONDS = 60.0
_FIRST_BYTE = {"Range": "bytes=0-0"}
#: By which a store says that it takes no more.
FULL = ("disk_full", "QuotaExceeded", "XMinioStorageFull", "InsufficientStorage")


class Patience:
    """How long one request that meets trouble is tried again. ``cancelled`` ends it early."""

    def __init__(self, seconds: float, cancelled: Callable[[], bool] = lambda: False) -> None:
        self.seconds = seconds
        self.cancelled = cancelled

    def insist(self, act: Callable[[], T]) -> T:
        """act's result, tried again while it raises StorageAway (or ServiceAway)."""
        end = time.monotonic() + self.seconds
        for wait in delays(0.2, 5.0):
            try:
                return act()
            except StorageAway:
                if self.cancelled() or time.monotonic() + wait >= end:
                    raise
            _sleep(wait, self.cancelled)
        raise AssertionError("delays never ends")


def _sleep(seconds: float, cancelled: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not cancelled():
        time.sleep(min(0.2, left))


@dataclass
class _Wish:
    """A URL that a thread waits for."""

    request: UrlRequest
    done: threading.Event
    url: SignedUrl | None = None
    error: Exception | None = None


class Signer:
    """Asks services/agents for signed URLs; what comes together goes together."""

    def __init__(self, service: Service, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._waiting: deque[_Wish] = deque()
        self._asking = False
        self._known: dict[str, tuple[SignedUrl, float]] = {}
        self._expected: deque[str] = deque()

    def expect(self, names: Sequence[str]) -> None:
        """Blocks that will be read soon, about in this order."""
        with self._lock:
            self._expected.extend(names)

    def to_read(self, name: str) -> SignedUrl:
        """A URL to GET block name; brings those of the next expected blocks with it."""
        with self._lock:
            kept = self._known.pop(name, None)
            if kept is not None and kept[1] > self._monotonic():
                return kept[0]
            ahead = self._ahead_of(name)
        got, ends_at = self._ask([UrlRequest("block", "GET", hash=one) for one in (name, *ahead)])
        with self._lock:
            self._known.update((one, (url, ends_at)) for one, url in zip(ahead, got[1:], strict=True))
        return got[0]

    def _ahead_of(self, name: str) -> list[str]:
        ahead: list[str] = []
        while self._expected and len(ahead) < BATCH - 1:
            one = self._expected.popleft()
            if one != name and one not in self._known:
                ahead.append(one)
        return ahead

    def sign(self, request: UrlRequest) -> SignedUrl:
        """One URL; several threads that ask at the same time share a request to the service."""
        wish = _Wish(request, threading.Event())
        with self._lock:
            self._waiting.append(wish)
            lead = not self._asking
            self._asking = self._asking or lead
        if lead:
            self._serve()
        wish.done.wait()
        if wish.error is not None:
            raise wish.error
        assert wish.url is not None
        return wish.url

    def _serve(self) -> None:
        while True:
            with self._lock:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                if not batch:
                    self._asking = False
                    return
            try:
                urls, _ = self._ask([wish.request for wish in batch])
                for wish, url in zip(batch, urls, strict=True):
                    wish.url = url
            except Exception as error:  # each waiting thread raises it as its own
                for wish in batch:
                    wish.error = error
            for wish in batch:
                wish.done.set()

    def _ask(self, requests: list[UrlRequest]) -> tuple[tuple[SignedUrl, ...], float]:
        asked_at = self._monotonic()
        answer = self._service.post("v1/urls", UrlsRequest(tuple(requests)), Urls)
        if len(answer.urls) != len(requests):
            raise StorageAway("The service that saves notebooks answered for other blocks than it was asked")
        return answer.urls, asked_at + answer.ends_in_seconds - SPARE_SECONDS


class RemoteBlocks:
    """``workspace.ports.Blocks`` over signed URLs."""

    def __init__(self, signer: Signer, wire: Wire, patience: Patience, keys: Keys = OPEN) -> None:
        self.keys = keys
        self._signer, self._wire, self._patience = signer, wire, patience

    def get(self, name: str) -> bytes:
        """The stored bytes. Raises NotFound, StorageAway, Damaged where there are more than any block has."""
        return self._patience.insist(lambda: self._answered(name)).body

    def get_into(self, name: str, room: memoryview) -> bytes | memoryview:
        """As ``get``; the bytes are the beginning of room where they fit."""
        answer = self._patience.insist(lambda: self._answered(name, room))
        return answer.body if answer.placed is None else answer.placed

    def _answered(self, name: str, room: memoryview | None = None) -> Answer:
        """An answer with a block's bytes. Raises NotFound, StorageAway, Damaged."""
        answer = self._asked(name, room=room)
        _body_of(answer, f"Block {name[:12]}")
        return answer

    def _asked(
        self, name: str, more: Mapping[str, str] | None = None, room: memoryview | None = None
    ) -> Answer:
        """What storage answers to who reads a block; more: headers."""
        answer = _fetch(self._wire, self._signer.to_read(name), block_path(name), more, room)
        if answer.status == 403:  # it ran out meanwhile, or this machine slept
            again = self._signer.sign(UrlRequest("block", "GET", hash=name))
            answer = _fetch(self._wire, again, block_path(name), more, room)
        return answer

    def put(self, name: str, body: bytes) -> bool:
        """True: written. False: present already. Raises StorageAway."""
        digest = hashlib.sha256(body).hexdigest()
        request = UrlRequest("block", "PUT", hash=name, length=len(body), sha256=digest)
        return self._patience.insist(lambda: self._put(request, body))

    def _put(self, request: UrlRequest, body: bytes) -> bool:
        answer = _send(self._wire, self._signer.sign(request), body)
        if answer.status == 403:
            answer = _send(self._wire, self._signer.sign(request), body)
        if answer.status == 412:
            return False
        if answer.status >= 300:
            raise _away(answer)
        return True

    def not_there(self, names: Sequence[str]) -> list[str]:
        """Those that are not there: the first byte of each is asked for. Raises StorageAway, Cancelled."""
        self.expect(names)
        there = in_order(
            lambda name: self._patience.insist(lambda: self._is_there(name)),
            names,
            self._patience.cancelled,
            "blocks-there",
        )
        return [name for name, found in zip(names, there, strict=True) if not found]

    def _is_there(self, name: str) -> bool:
        try:
            answer = self._asked(name, _FIRST_BYTE)
        except Damaged:  # more bytes than a block has: something is there
            return True
        if answer.status in (404, 416):  # 416: an empty object, of which nothing can be read
            return answer.status == 416
        _body_of(answer, f"Block {name[:12]}")
        return True

    def expect(self, names: Sequence[str]) -> None:
        """Their URLs are asked for together."""
        self._signer.expect(names)


class RemoteSnapshots:
    """``workspace.ports.Snapshots`` over services/agents. ``lease`` guards every commit."""

    def __init__(
        self,
        service: Service,
        signer: Signer,
        wire: Wire,
        patience: Patience,
        lease: HeldLease,
        keys: Keys = OPEN,
    ) -> None:
        self.keys = keys
        self._service, self._signer, self._wire = service, signer, wire
        self._patience, self._lease = patience, lease

    def numbers(self) -> list[int]:
        """All, ascending."""
        rows = self._patience.insist(lambda: self._service.get("v1/snapshots", SnapshotList)).snapshots
        return sorted(row.number for row in rows)

    def get(self, number: int) -> bytes:
        """The object's bytes. Raises NotFound, StorageAway."""
        request = UrlRequest("snapshot", "GET", number=number)
        return self._patience.insist(
            lambda: _body_of(
                _fetch(self._wire, self._signer.sign(request), numbered("snapshots", number)),
                f"Snapshot {number}",
            )
        )

    def commit(self, number: int, body: bytes, facts: CommitFacts) -> None:
        """Raises LeaseLost, Conflict (the number is taken), MissingBlocks, StorageAway."""
        encoded = base64.b64encode(body).decode()

        def act() -> Committed:
            commit = Commit(
                number=number,
                lease=self._lease.check(),
                body=encoded,
                kind=facts.kind,
                size_bytes=facts.size_bytes,
                files=facts.files,
                stored_bytes=facts.stored_bytes,
                present=tuple(facts.present),
            )
            return self._service.post("v1/commit", commit, Committed, timeout_seconds=60)

        try:
            answer = self._patience.insist(act)
        except Contested as error:
            if error.field == "lease":
                self._lease.lose()
                raise LeaseLost(error.title, error.why, error.next) from None
            raise
        if answer.missing:
            raise MissingBlocks(answer.missing)


def _fetch(
    wire: Wire,
    signed: SignedUrl,
    key: str,
    more: Mapping[str, str] | None = None,
    room: memoryview | None = None,
) -> Answer:
    most_bytes, headers = most_bytes_of(key), {**signed.headers, **(more or {})}
    try:
        return wire.request("GET", signed.url, headers, most_bytes=most_bytes, room=room)
    except TooLong:
        raise too_large(key, most_bytes) from None
    except BROKEN as error:
        raise StorageAway("Storage does not answer", in_words(error)) from None


def _send(wire: Wire, signed: SignedUrl, body: bytes) -> Answer:
    try:
        return wire.request("PUT", signed.url, signed.headers, body)
    except BROKEN as error:
        raise StorageAway("Storage does not answer", in_words(error)) from None


def _body_of(answer: Answer, what: str) -> bytes:
    if answer.status == 404:
        raise NotFound(f"{what} is not in storage")
    if answer.status >= 300:
        raise _away(answer)
    return answer.body


def _away(answer: Answer) -> StorageAway:
    """What storage could not do now, as a person reads it; its own words come after that."""
    said = " ".join(answer.body[:300].decode("utf-8", "replace").split())
    if answer.status == 507 or any(code in said for code in FULL):
        return StorageAway("Storage is full", f"It answered {answer.status}. {said}")
    if answer.status >= 500 or answer.status in (408, 429):
        return StorageAway("Storage does not answer", f"It answered {answer.status}. {said}")
    return StorageAway(f"Storage answered {answer.status}", said)
