"""Which objects a session may have signed: blocks and snapshots of its own workspace, new blocks to write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jupyterhub_notebooks.contract import SignedUrl, UrlRequest, Urls, UrlsRequest
from jupyterhub_notebooks.errors import Unchecked
from jupyterhub_notebooks.ledger import Session

from . import reading, storage
from .beginning import limit_bytes
from .signing import LIFETIME_SECONDS, Signer

if TYPE_CHECKING:
    from .app import Agents

MOST_URLS = 1000
MOST_BLOCK_BYTES = 8 * 2**20 + 2**16
_HEX = re.compile(r"[0-9a-f]{64}")


def signed(agents: Agents, session: Session, body: UrlsRequest, counted: int = 0) -> Urls:
    """The URLs in the order asked. Raises Unchecked, or TooMuch where the bound is reached.

    counted: as how many this request was counted already.
    """
    if len(body.urls) > MOST_URLS:
        raise Unchecked(f"At most {MOST_URLS:,} URLs are signed at once", field="urls")
    for place, one in enumerate(body.urls):
        check(one, f"urls[{place}]")
    puts = [(one.hash or "", one.length or 0) for one in body.urls if one.method == "PUT"]
    agents.allowance.take(
        session.workspace,
        len(body.urls) - counted,
        puts,
        limit_bytes(agents.settings, session),
        agents.clock.monotonic(),
    )
    return Urls(tuple(_sign(agents.signer, session.workspace, one) for one in body.urls), LIFETIME_SECONDS)


def check(one: UrlRequest, where: str) -> None:
    """Raises Unchecked for what is never signed."""
    if one.method not in ("GET", "PUT"):
        raise Unchecked("This must be GET or PUT", field=f"{where}.method")
    if one.kind == "snapshot" and one.method == "GET":
        if reading.number(one.number, f"{where}.number") < 1:
            raise Unchecked("Snapshots are numbered from 1 on", field=f"{where}.number")
        return
    if one.kind != "block":
        raise Unchecked("This must be block, or snapshot with GET", field=f"{where}.kind")
    if one.hash is None or not _HEX.fullmatch(one.hash):
        raise Unchecked("This must be 64 hex digits", field=f"{where}.hash")
    if one.method == "PUT":
        if one.length is None or not 0 < one.length <= MOST_BLOCK_BYTES:
            raise Unchecked(f"A block has 1 to {MOST_BLOCK_BYTES:,} bytes", field=f"{where}.length")
        if one.sha256 is None or not _HEX.fullmatch(one.sha256):
            raise Unchecked("This must be 64 hex digits", field=f"{where}.sha256")


def _sign(signer: Signer, workspace: str, one: UrlRequest) -> SignedUrl:
    if one.kind == "snapshot":
        return signer.get(storage.snapshot_key(workspace, one.number or 0))
    key = storage.block_key(workspace, one.hash or "")
    if one.method == "GET":
        return signer.get(key)
    return signer.put(key, one.length or 0, one.sha256 or "")
