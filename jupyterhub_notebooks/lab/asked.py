"""What is asked of kernels over their connections: somebody's cell, a program's, or a refresh that nobody waits for.

A refresh is a message of a widget, a completion, or code that is run silently or without history, as a plot in a page
does by a timer. A program without a browser that runs the same code again in a kernel is no person; where each cell is
another one it may be an editor on somebody's desktop, and counts as its person.
"""

from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass
from typing import Any

#: So many messages, and cells of a kernel, are known at a time.
MOST = 256
_RUNS = re.compile(rb'"msg_type"\s*:\s*"execute_request"')
_KIND = re.compile(rb'"msg_type"\s*:\s*"([^"]{1,60})"')
_ID = re.compile(rb'"msg_id"\s*:\s*"([^"]{1,200})"')


@dataclass(frozen=True)
class Request:
    """A message that runs code. unseen: silently or without history, so that it is no cell."""

    id: str
    code: str
    unseen: bool


def request_of(message: str | bytes) -> Request | None:
    """The code that a message of a page or a program runs; None where it runs none, or cannot be read."""
    raw = message.encode() if isinstance(message, str) else bytes(message)
    if not _RUNS.search(raw):
        return None
    try:
        header, content = _parts(raw, isinstance(message, str))
        if header["msg_type"] != "execute_request":
            return None
        unseen = bool(content.get("silent")) or not content.get("store_history", True)
        return Request(str(header["msg_id"]), str(content.get("code", "")), unseen)
    except (ValueError, KeyError, IndexError, AttributeError, struct.error):
        return None


def _parts(raw: bytes, is_text: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """(header, content) in each of the three forms that a message has on its way."""
    if not is_text and int.from_bytes(raw[:8], "little") < 64:
        number = int.from_bytes(raw[:8], "little")
        at = [int.from_bytes(raw[8 * n : 8 * (n + 1)], "little") for n in range(1, number + 1)]
        return json.loads(raw[at[1] : at[2]]), json.loads(raw[at[4] : at[5]])
    if not is_text:
        number = struct.unpack("!i", raw[:4])[0]
        ends = [*struct.unpack(f"!{number}I", raw[4 : 4 * (number + 1)]), len(raw)]
        raw = raw[ends[0] : ends[1]]
    whole = json.loads(raw)
    return whole["header"], whole["content"]


def kind_and_id(header: bytes) -> tuple[str, str]:
    """(type, id) of a message by its header as it is sent; '' where there is none."""
    kind, id = _KIND.search(header), _ID.search(header)
    return kind[1].decode() if kind else "", id[1].decode("utf-8", "replace") if id else ""


class Asked:
    """``note`` as requests come; what a kernel does for one is told by the id."""

    def __init__(self) -> None:
        self._unseen: dict[str, None] = {}
        self._programs: dict[str, None] = {}
        self._codes: dict[str, dict[int, None]] = {}

    def note(self, kernel_id: str, request: Request, is_browser: bool) -> None:
        """That was asked of a kernel."""
        if request.unseen:
            _put(self._unseen, request.id)
        elif not is_browser:
            codes = self._codes.setdefault(kernel_id, {})
            if hash(request.code) in codes:
                _put(self._programs, request.id)
            _put(codes, hash(request.code))

    def is_somebodys(self, id: str) -> bool:
        """Whether the cell that this message runs is a person's."""
        return id not in self._unseen and id not in self._programs

    def is_refresh(self, kind: str, id: str) -> bool:
        """Whether a kernel that works for this message does something that nobody waits for."""
        if kind == "execute_request":
            return id in self._unseen
        return kind.startswith("comm_") or kind.endswith("_request")

    def forget(self, kernel_id: str) -> None:
        """A kernel is gone."""
        self._codes.pop(kernel_id, None)


def _put(known: dict[Any, None], one: Any) -> None:
    known.pop(one, None)
    known[one] = None
    while len(known) > MOST:
        known.pop(next(iter(known)))
