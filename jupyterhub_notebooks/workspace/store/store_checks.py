"""The checks of a store that go through it as the service uses it: what is written is there, once and for good.

Each function answers what was seen, in words; it raises Failed where that is not what must be.
"""

from __future__ import annotations

import os
import time

from ...errors import ConfigError, NotFound
from .probe import WRITERS, Failed, Probe

ODD = "odd é +&=%' key"
MANY = 1001
BIG_BYTES = 8 * 2**20
BIG, LEAST_BIG = 50, 8
BIG_SECONDS = 20.0


def round_trip(probe: Probe) -> str:
    """(1) What was put is got, listed at once, and gone once it was deleted."""
    names = ["plain", ODD] if probe.place else ["plain"]
    for name in names:
        key, body = probe.key(f"one/{name}"), os.urandom(1000)
        probe.store.replace(key, body)
        if [found for found in probe.store.list(probe.key("one/")) if found[0] == key] != [(key, len(body))]:
            raise Failed(f"A list does not show {name!r} right after it was written", harmless=False)
        if probe.store.get(key) != body or probe.store.size(key) != len(body):
            raise Failed(f"{name!r} was read back with other bytes", harmless=False)
        probe.store.delete(key)
        if probe.store.exists(key) or list(probe.store.list(probe.key("one/"))):
            raise Failed(f"{name!r} is still there after it was deleted", harmless=False)
    return "written, listed, read and deleted" + (", also under an odd name" if probe.place else "")


def created_once(probe: Probe) -> str:
    """(2) The second creation is refused and the first bytes stay."""
    key = probe.key("two")
    try:
        probe.strict.put_new(key, b"first " + os.urandom(16).hex().encode())
        first = probe.strict.get(key)
        again = probe.strict.put_new(key, b"other " + os.urandom(16).hex().encode())
    except ConfigError as error:
        raise Failed(f"It does not know If-None-Match: {error.why}") from None
    if again or probe.strict.get(key) != first:
        raise Failed("It overwrote an object that it was asked to create only where there is none")
    return "the second creation was refused, the first bytes stayed"


def one_winner(probe: Probe) -> str:
    """(3) Of twenty writers of a key exactly one wins, and its bytes are there."""
    bodies = [f"writer {number} ".encode() + os.urandom(500) for number in range(WRITERS)]
    for number in range(10):
        key = probe.key(f"three/{number}")
        try:
            won = probe.together(lambda writer, key=key: probe.strict.put_new(key, bodies[writer]), WRITERS)  # type: ignore[misc]
        except ConfigError as error:
            raise Failed(f"It does not know If-None-Match: {error.why}") from None
        if won.count(True) != 1:
            raise Failed(f"Of {WRITERS} writers of one object {won.count(True)} were told that theirs it is")
        if probe.strict.get(key) != bodies[won.index(True)]:
            raise Failed("The object holds other bytes than those of the writer who was told so")
    return f"of {WRITERS} writers exactly one, ten times"


def many_deleted(probe: Probe) -> str:
    """(10) More keys than one page of a list holds are listed, deleted, and gone."""
    keys = [probe.key(f"ten/{number:04d}") for number in range(MANY)]
    probe.together(lambda place: probe.store.replace(keys[place], b"x"), MANY)
    found = [key for key, _ in probe.store.list(probe.key("ten/"))]
    if found != keys:
        raise Failed(f"Of {MANY} objects its list shows {len(found)}", harmless=False)
    probe.together(lambda place: probe.store.delete(keys[place]), MANY)
    left = sum(1 for _ in probe.store.list(probe.key("ten/")))
    if left:
        raise Failed(f"Of {MANY} deleted objects {left} are still listed", harmless=False)
    return f"{MANY} objects were listed, deleted, and gone"


def big_ones(probe: Probe) -> str:
    """(11) Objects of a block's size arrive whole, many at once; over a slow line as many as BIG_SECONDS let through."""
    body = os.urandom(BIG_BYTES - 16)
    end = time.monotonic() + BIG_SECONDS
    done = []

    def write(number: int) -> None:
        if number >= LEAST_BIG and time.monotonic() > end:
            return
        key = probe.key(f"eleven/{number}")
        probe.store.replace(key, number.to_bytes(16, "big") + body)
        if probe.store.size(key) != BIG_BYTES:
            raise Failed("An object of 8 MiB is stored with another length", harmless=False)
        done.append(key)

    probe.together(write, BIG, LEAST_BIG)
    if probe.store.get(probe.key("eleven/7")) != (7).to_bytes(16, "big") + body:
        raise Failed("An object of 8 MiB was read back with other bytes", harmless=False)
    probe.together(lambda place: probe.store.delete(done[place]), len(done))
    return f"{len(done)} × 8 MiB were stored whole"


def gone(probe: Probe, name: str) -> bool:
    """Whether there is no such object."""
    try:
        probe.store.size(probe.key(name))
    except NotFound:
        return True
    return False
