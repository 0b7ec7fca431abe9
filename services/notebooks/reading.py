"""What the pages read of a workspace in the store, asked of a process of its own (``looking``): bounded in number and time.

Promises: at most ``AT_ONCE`` such processes; one that does not answer in time is ended and told as such; its errors come
back as the errors they are. A browser that goes away ends the process that reads for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from jupyterhub_notebooks import errors
from jupyterhub_notebooks.errors import Damaged, NotebooksError, StorageAway
from jupyterhub_notebooks.services.keys import key_of

from .context import Context

AT_ONCE = 6
LOOK_SECONDS = 60.0
LINE_BYTES = 32 * 2**20
PIECE = 2**18

_KINDS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}


class Reader:
    """Questions to ``looking`` about workspaces of one Hub."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._room = asyncio.Semaphore(AT_ONCE)

    @classmethod
    def of(cls, context: Context) -> Reader:
        """The one reader of a context."""
        if not isinstance(context.reader, Reader):
            context.reader = cls(context)
        return context.reader

    async def ask(self, op: str, workspace: str, **question: Any) -> dict[str, Any]:
        """The one answer. Raises NotFound, BadInput, Damaged, StorageAway, or what else it says."""
        async with self._process(op, workspace, question) as process:
            try:
                return _answer(await asyncio.wait_for(_line(process), LOOK_SECONDS))
            except TimeoutError:
                raise StorageAway(
                    "The snapshot could not be read in time",
                    f"Storage has not answered for {LOOK_SECONDS:.0f} s",
                    ["Try again in a moment"],
                ) from None

    async def follow(
        self, op: str, workspace: str, tell: Callable[[int, int], None], **question: Any
    ) -> dict[str, Any]:
        """As ``ask`` for what takes long; tell: bytes done and in total, on the way."""
        async with self._process(op, workspace, question) as process:
            while True:
                line = await _line(process)
                raw = _parsed(line)
                if "done_bytes" in raw:
                    tell(int(raw["done_bytes"]), int(raw["total_bytes"]))
                else:
                    return _answer(line)

    @contextlib.asynccontextmanager
    async def stream(
        self, op: str, workspace: str, **question: Any
    ) -> AsyncIterator[tuple[dict[str, Any], AsyncIterator[bytes]]]:
        """(what it is, its bytes). The bytes raise Damaged where they do not come to their end."""
        async with self._process(op, workspace, question) as process:
            try:
                head = _answer(await asyncio.wait_for(_line(process), LOOK_SECONDS))
            except TimeoutError:
                raise StorageAway(
                    "The file could not be read in time", "", ["Try again in a moment"]
                ) from None
            yield head, _pieces(process)

    @contextlib.asynccontextmanager
    async def _process(
        self, op: str, workspace: str, question: dict[str, Any]
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        context, settings = self._context, self._context.settings
        key = await key_of(context.ledger, settings.encryption_key, workspace)
        asked = {
            "op": op,
            "store": settings.store,
            "options": dict(settings.store_options),
            "workspace": workspace,
            "key": key.hex() if key else None,
            **question,
        }
        async with self._room:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "jupyterhub_notebooks.services.notebooks.looking",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_BYTES,
                env={
                    name: value for name, value in os.environ.items() if not name.startswith("JUPYTERHUB_API")
                },
            )
            try:
                assert process.stdin is not None
                process.stdin.write(json.dumps(asked).encode() + b"\n")
                with contextlib.suppress(ConnectionError):
                    await process.stdin.drain()
                process.stdin.close()
                yield process
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                await process.wait()


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    try:
        return await process.stdout.readline()
    except ValueError:
        raise Damaged(
            "The answer about this snapshot is too long", "It holds more than can be shown"
        ) from None


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        raw = json.loads(line)
        if isinstance(raw, dict):
            return raw
    except ValueError:
        pass  # told below
    raise Damaged(
        "This snapshot cannot be looked into",
        "What reads it was ended: it took more memory or time than is allowed",
        ["Take another snapshot"],
    )


def _answer(line: bytes) -> dict[str, Any]:
    raw = _parsed(line)
    if "ok" in raw:
        return dict(raw["ok"])
    raise _error(raw)


def _error(raw: dict[str, Any]) -> NotebooksError:
    told = raw.get("error") or {}
    kind = _KINDS.get(str(raw.get("kind")), Damaged)
    steps: Sequence[str] = [str(one) for one in told.get("next") or ()]
    made: NotebooksError = kind(
        str(told.get("title")), str(told.get("why") or ""), steps, field=told.get("field")
    )
    return made


async def _pieces(process: asyncio.subprocess.Process) -> AsyncIterator[bytes]:
    assert process.stdout is not None
    while piece := await process.stdout.read(PIECE):
        yield piece
    if await process.wait() != 0:
        raise Damaged("The file was cut off", "Storage stopped answering, or a block of it is damaged")


__all__ = ["Reader"]
