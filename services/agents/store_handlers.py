"""The directory store over HTTP: what a signed URL opens, and nothing else. No bearer, no listing.

File work runs in threads; a body is checked against what was signed while it comes in.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from pathlib import Path

from jupyterhub_notebooks.errors import NotebooksError, NotFound, Unchecked

from . import directory
from .handling import Handler
from .refusals import BadUrl
from .signing import BELOW, DirectorySigner, put_headers
from .storage import check_mounted
from .urls import MOST_BLOCK_BYTES

#: What a URL may name below ``v1/store/``.
KEYS = r"([0-9a-z]{26}/(?:blocks/[0-9a-f]{2}/[0-9a-f]{64}|snapshots/[0-9]{10}))"
_SPAN = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


class StoreHandler(Handler):
    """GET and PUT of one object of the directory store."""

    method = "GET|PUT"
    most_bytes = MOST_BLOCK_BYTES
    _incoming: directory.Incoming | None = None
    _error: NotebooksError | None = None

    async def allowed(self) -> None:
        method = self.request.method or ""
        signer = self.agents.signer
        if self.agents.root is None or not isinstance(signer, DirectorySigner):
            raise NotFound("There is nothing at this address", "This Hub keeps files elsewhere.")
        self._key = BELOW + self.path_args[0]
        query = {name: self.get_query_argument(name, "") for name in self.request.query_arguments}
        if not signer.holds(method, self._key, query):
            raise BadUrl(
                "This URL opens nothing", "It was changed, signed for something else, or is too old."
            )
        if method == "PUT":
            await self._begin_put(self.agents.root, int(query["length"]), query["sha256"])

    async def _begin_put(self, root: Path, length: int, sha256: str) -> None:
        for name, value in put_headers(length, sha256).items():
            if self.request.headers.get(name) != value:
                raise Unchecked("This header is not the one that was signed", field=name)
        await asyncio.to_thread(check_mounted, root)
        incoming = directory.Incoming(root, self._key, length, sha256)
        await asyncio.to_thread(incoming.open)
        self._incoming = incoming

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._add(chunk)

    async def _add(self, chunk: bytes) -> None:
        if self._incoming is None or self._error is not None:
            return
        try:
            await asyncio.to_thread(self._incoming.add, chunk)
        except NotebooksError as error:
            self._error = error

    async def act(self) -> None:
        await (self._put() if self.request.method == "PUT" else self._get())

    async def _put(self) -> None:
        if self._error is not None:
            raise self._error
        if self._incoming is None:
            raise Unchecked("There is no body")
        await asyncio.to_thread(self._incoming.keep)
        self.finish()

    async def _get(self) -> None:
        root = self.agents.root
        if root is None:
            raise NotFound("There is nothing at this address")
        span = _SPAN.fullmatch(self.request.headers.get("Range", ""))
        asked = (int(span[1]), int(span[2]) if span[2] else None) if span else None
        body, total = await asyncio.to_thread(directory.read, root, self._key, asked)
        self.set_header("Content-Type", "application/octet-stream")
        if asked is not None and body:
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {asked[0]}-{asked[0] + len(body) - 1}/{total}")
        elif asked is not None and total:
            self.set_status(416)
            self.set_header("Content-Range", f"bytes */{total}")
        self.finish(body)

    def on_finish(self) -> None:
        super().on_finish()
        self._drop()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._drop()

    def _drop(self) -> None:
        if self._incoming is not None:
            incoming, self._incoming = self._incoming, None
            self.agents.in_thread(incoming.drop)
