"""The checks of a store's signed URLs, clock and doors: what somebody who holds a URL, or none, can do there.

Each function answers what was seen, in words; it raises Failed where that is not what must be.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

from .probe import Failed, Probe, Said
from .store_checks import gone

SKEW_SECONDS = 60
LONG_AGO = timedelta(hours=2)
CUT_BYTES = 3 * 2**20


def condition_signed(probe: Probe) -> str:
    """(4) A signed condition cannot be left out."""
    body = os.urandom(100)
    probe.store.replace(probe.key("four"), b"first")
    signed = probe.signed_put("four", body)
    without = {name: value for name, value in signed.headers.items() if name != "if-none-match"}
    said = probe.raw("PUT", signed.url, without, body)
    if probe.store.get(probe.key("four")) != b"first":
        raise Failed("Without the signed condition an object was overwritten")
    if not said.refused:
        raise Failed(f"Without the signed condition it answered {said.status}")
    said = probe.send(signed, body)
    if said.status != 412 or probe.store.get(probe.key("four")) != b"first":
        raise Failed(f"With the condition and an object there it answered {said.status}")
    return f"left out: refused; object there: {said.status}"


def url_for_one(probe: Probe) -> str:
    """(5) A URL opens its own object, for its method, for its time."""
    mine, other = os.urandom(50), os.urandom(50)
    probe.store.replace(probe.key("five-a"), mine)
    probe.store.replace(probe.key("five-b"), other)
    good = probe.signer.get(probe.key("five-a")).url
    said = probe.raw("GET", good)
    if said.status != 200 or said.body != mine:
        raise Failed(
            f"A signed GET was answered with {said.status}: check region and addressing", harmless=False
        )
    old = probe.signer.sign("GET", probe.key("five-a"), at=probe.now() - LONG_AGO).url
    tries = {
        "for another key": probe.raw("GET", good.replace("five-a", "five-b")),
        "after its time": probe.raw("GET", old),
        "for PUT": probe.raw("PUT", good, {"content-length": "3"}, b"new"),
        "for DELETE": probe.raw("DELETE", good),
        "with another signature": probe.raw("GET", good[:-4] + ("0000" if good[-4:] != "0000" else "1111")),
        "without a signature": probe.raw("GET", probe.signer.plain(probe.key("five-a"))),
    }
    wrong = [f"{what} ({said.status})" for what, said in tries.items() if not said.refused]
    if wrong or probe.store.get(probe.key("five-a")) != mine:
        raise Failed(f"A URL was taken {', '.join(wrong) or 'for a change'}", harmless=False)
    return f"refused {', '.join(tries)}"


def body_as_signed(probe: Probe) -> str:
    """(6) Bytes other than those signed are refused and nothing of them is there."""
    body = os.urandom(64)
    signed = probe.signed_put("six", body)
    short = {**signed.headers, "content-length": str(len(body) - 1)}
    said = probe.raw("PUT", signed.url, short, body[:-1])
    if not said.refused or not gone(probe, "six"):
        raise Failed(f"A body of another length than signed was answered with {said.status}", harmless=False)
    said = probe.send(signed, os.urandom(64))
    if not said.refused or not gone(probe, "six"):
        raise Failed(f"Bytes with another sha256 than signed were stored ({said.status})")
    said = probe.send(signed, body)
    if said.status not in (200, 201, 204) or probe.store.get(probe.key("six")) != body:
        raise Failed(f"The bytes that were signed were answered with {said.status}", harmless=False)
    return "another length and another sha256 were refused, nothing was stored"


def cut_off(probe: Probe) -> str:
    """(7) A PUT that ends half way leaves no object, and an older one as it was."""
    body, old = os.urandom(CUT_BYTES), b"old bytes"
    probe.store.replace(probe.key("seven-old"), old)
    for reset, how in ((False, "ends"), (True, "breaks")):
        name = f"seven-{how}"
        probe.raw.cut(probe.signed_put(name, body), body, reset=reset)
        probe.raw.cut(probe.signed_put("seven-old", body, replacing=True), body, reset=reset)
        for _ in range(3):
            time.sleep(0.2)  # what is stored late would be seen here
            if not gone(probe, name):
                raise Failed(f"A PUT whose connection {how} half way left an object", harmless=False)
            if probe.store.get(probe.key("seven-old")) != old:
                raise Failed(f"A PUT whose connection {how} half way changed an older object", harmless=False)
    return "ended and broken half way: nothing there, the older object as it was"


def no_copy(probe: Probe) -> str:
    """(8) A signed PUT cannot be turned into a copy of another object."""
    assert probe.place is not None
    secret, body = b"of somebody else " + os.urandom(32), os.urandom(64)
    probe.store.replace(probe.key("eight-secret"), secret)
    said = probe.send(probe.signed_put("eight-own", body), body)
    if said.status not in (200, 201, 204):
        raise Failed(
            f"The identity that signs PUTs may not write: it was answered with {said.status}", harmless=False
        )
    whole = "/".join(part for part in (probe.place.prefix, probe.key("eight-secret")) if part)
    signed = probe.signed_put("eight-copy", body)
    said = probe.raw(
        "PUT", signed.url, {**signed.headers, "x-amz-copy-source": f"/{probe.place.bucket}/{whole}"}, body
    )
    if not gone(probe, "eight-copy") and probe.store.get(probe.key("eight-copy")) == secret:
        raise Failed(
            "An added x-amz-copy-source copied another object into the one that was signed", harmless=False
        )
    return f"an added x-amz-copy-source was answered with {said.status}, nothing was copied"


def part_of(probe: Probe) -> str:
    """(9) A part of an object is answered as such."""
    body = os.urandom(1000)
    probe.store.replace(probe.key("nine"), body)
    said = probe.raw("GET", probe.signer.get(probe.key("nine")).url, {"Range": "bytes=100-199"})
    if said.status != 206 or said.body != body[100:200]:
        raise Failed(f"A GET of 100 bytes was answered with {said.status} and {len(said.body)} bytes")
    return "206 with the bytes that were asked for"


def clock(probe: Probe) -> str:
    """(12) The server's clock and ours agree."""
    said = _anybody(probe, "")
    probe.server = next((value for name, value in said.headers.items() if name.lower() == "server"), "")[:100]
    date = next((value for name, value in said.headers.items() if name.lower() == "date"), "")
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        raise Failed("Its answers have no date") from None
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    apart = (theirs - probe.now()).total_seconds()
    if abs(apart) >= SKEW_SECONDS:
        raise Failed(
            f"Its clock is {abs(apart):.0f} s {'before' if apart > 0 else 'behind'} ours", harmless=False
        )
    return f"{abs(apart):.0f} s apart" if abs(apart) >= 1 else "less than a second apart"


def closed_doors(probe: Probe) -> str:
    """(13) Without a signature nothing is listed, read or written."""
    probe.store.replace(probe.key("thirteen"), b"private")
    url = probe.signer.plain("").removesuffix(
        "/" + probe.place.prefix if probe.place and probe.place.prefix else ""
    )
    tries = {
        "list": probe.raw("GET", f"{url}?list-type=2"),
        "read": _anybody(probe, probe.key("thirteen")),
        "write": probe.raw(
            "PUT", probe.signer.plain(probe.key("thirteen-new")), {"content-length": "1"}, b"x"
        ),
    }
    open_to_all = [what for what, said in tries.items() if not said.refused]
    if open_to_all:
        raise Failed(f"Anybody on the network can {' and '.join(open_to_all)} there", harmless=False)
    return "refused to list, read and write without a signature"


def _anybody(probe: Probe, key: str) -> Said:
    return probe.raw("GET", probe.signer.plain(key))
