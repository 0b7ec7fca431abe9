"""Asks the kernels of a server to keep their variables, all at once, and comes back in time whatever they do.

Promises: never takes longer than the bound; a kernel that is busy, hung or dead costs its own variables only; what
was not kept is named, with why. A cell that runs is interrupted where the session ends in any case, and so is one that
waits for a person.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...clock import to_text
from ...contract import BringBack, BroughtBack, Checkpoint, KeptVariables, LostVariable, VariablesOffer
from ...errors import Conflict, NotFound
from ...units import show_duration, show_size
from ..kernels import Kernels
from . import in_r
from .offers import MOST_LOST, Offers, id_of, offer_of, python_code, r_entries, read_manifest

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
#: The part of the time that a cell has to end after it was interrupted, and that kernels have to store.
INTERRUPT_PART, STORE_PART = 0.25, 0.9
BRING_SECONDS = 600.0
#: A kernel that has just started is busy for a moment.
BUSY_SECONDS = 10.0
LANGUAGES = ("python", "R")


@dataclass(frozen=True)
class Asked:
    """One kernel. path: its notebook's, '' where it has none."""

    id: str
    path: str
    language: str


class Keeping:
    """paths: which notebook each kernel belongs to, asked when it is needed."""

    def __init__(
        self, manager: Any, kernels: Kernels, home: Path, paths: Callable[[], Any], log: Log
    ) -> None:
        self._manager, self._kernels, self._paths, self._log = manager, kernels, paths, log
        self.offers = Offers(home)
        self._busy = asyncio.Lock()

    async def keep(self, wanted: Checkpoint) -> KeptVariables:
        """Within ``wanted.seconds``. Raises nothing that a kernel or a disk may cause."""
        began = time.monotonic()
        async with self._busy:
            try:
                kept = await self._kept(wanted, began)
            except OSError as error:
                why = f"the workspace cannot be written: {error.strerror or error}"
                kept = KeptVariables(lost=(LostVariable("", "", why),))
        return replace(kept, seconds=round(time.monotonic() - began, 3), lost=kept.lost[:MOST_LOST])

    async def _kept(self, wanted: Checkpoint, began: float) -> KeptVariables:
        if wanted.seconds <= 0 or wanted.size_bytes <= 0 or not self._kernels.followed:
            return KeptVariables()
        asked = [one for one in await self._asked() if self._kernels.state_of(one.id)[0] != "dead"]
        if not asked:
            return KeptVariables()
        new = await asyncio.to_thread(self.offers.begin)
        whys = await asyncio.gather(*(self._one(one, wanted, new / one.id, began) for one in asked))
        return await asyncio.to_thread(self._taken_in, asked, whys, wanted, new)

    async def _asked(self) -> list[Asked]:
        try:
            paths: Mapping[str, str] = await self._paths()
        except Exception as error:  # a name is a kindness
            self._log.debug("The kernels' notebooks could not be listed", exc_info=error)
            paths = {}
        return [
            Asked(id, paths.get(id, ""), self._language(id)) for id in list(self._manager.list_kernel_ids())
        ]

    def _language(self, kernel: str) -> str:
        try:
            manager = self._manager.get_kernel(kernel)
            return str(manager.kernel_spec_manager.get_kernel_spec(manager.kernel_name).language)
        except Exception as error:  # a kernel whose description is gone says nothing of itself
            self._log.debug("A kernel's language is not known", exc_info=error)
            return ""

    async def _one(self, one: Asked, wanted: Checkpoint, folder: Path, began: float) -> str:
        """Asks one kernel; '' where it was asked, else why not."""
        if one.language not in LANGUAGES:
            return f"variables of a kernel for {one.language or 'an unknown language'} are not kept"
        end = began + wanted.seconds
        try:
            why = await self._at_rest(one.id, wanted, end)
            if why:
                return why
            await asyncio.to_thread(folder.mkdir)
            seconds = max(0.1, STORE_PART * (end - time.monotonic()))
            given = {"folder": str(folder), "seconds": seconds, "size_bytes": wanted.size_bytes}
            code = (
                in_r.keep_code(str(folder), seconds, wanted.size_bytes)
                if one.language == "R"
                else python_code({"do": "keep", **given})
            )
            await self._execute(one.id, code, end)
        except TimeoutError:
            return ""  # what it wrote until then counts
        except Exception as error:  # whatever a kernel's manager says of one that ends in this moment
            self._log.warning("The variables of a kernel were not kept: %s", error)
            return f"its kernel could not be asked: {error}"[:200]
        return ""

    async def _at_rest(self, kernel: str, wanted: Checkpoint, end: float) -> str:
        """'' once it takes requests, else what it does instead."""
        state, waits = self._kernels.state_of(kernel)
        if state != "busy":
            return ""
        if not wanted.interrupt and not waits:
            return "a cell still ran"
        await asyncio.wait_for(self._manager.interrupt_kernel(kernel), max(0.1, end - time.monotonic()))
        until = min(end, time.monotonic() + INTERRUPT_PART * wanted.seconds)
        while self._kernels.state_of(kernel)[0] == "busy":
            if time.monotonic() >= until:
                return f"its cell {waits}" if waits else "its cell did not end when it was interrupted"
            await asyncio.sleep(0.05)
        return ""

    async def _execute(self, kernel: str, code: str, end: float) -> None:
        """Runs code, without a trace in the history. Raises TimeoutError at end."""
        client = self._manager.get_kernel(kernel).client()
        client.start_channels(shell=True, iopub=False, stdin=False, hb=False, control=False)
        try:
            async with asyncio.timeout(max(0.1, end - time.monotonic())):
                id = client.execute(code, silent=True, store_history=False, allow_stdin=False)
                while True:
                    message = await client.get_shell_msg(timeout=None)
                    if message["parent_header"].get("msg_id") == id:
                        return
        finally:
            client.stop_channels()

    def _taken_in(self, asked: list[Asked], whys: list[str], wanted: Checkpoint, new: Path) -> KeptVariables:
        """Makes offers of what kernels wrote."""
        within, saved, notebooks, size = show_duration(wanted.seconds), 0, 0, 0
        lost: list[LostVariable] = []
        for one, why in zip(asked, whys, strict=True):
            manifest = read_manifest(new / one.id, within)
            if not manifest.heard:
                why = why or f"its kernel did not answer within {within}"
                lost.append(LostVariable(one.path, "", why))
                continue
            id, now = id_of(one.path, one.id), to_text(datetime.now(UTC))
            offer = offer_of(manifest, id, one.path, one.language, now, wanted.cause)
            lost += offer.lost
            if offer.saved:
                self.offers.add(new / one.id, offer)
                saved, notebooks, size = saved + len(offer.saved), notebooks + 1, size + offer.size_bytes
        self._log.info("%s variables kept, %s, %s not", saved, show_size(size), len(lost))
        return KeptVariables(saved, notebooks, size, 0.0, tuple(lost))

    async def bring(self, wanted: BringBack) -> BroughtBack:
        """Raises NotFound for an offer or a kernel that is not there, Conflict for one that is busy."""
        began = time.monotonic()
        offer = await asyncio.to_thread(self.offers.get, wanted.id)
        if offer is None:
            raise NotFound("There is nothing to bring back", field="id")
        if wanted.kernel not in self._manager.list_kernel_ids():
            raise NotFound("There is no such kernel", field="kernel")
        if self._language(wanted.kernel) != offer.language:
            raise Conflict(f"This kernel is not one for {offer.language}", field="kernel")
        if not await self._idle(wanted.kernel, began + BUSY_SECONDS):
            raise Conflict("A cell runs in this kernel", next=["Wait until it has ended"], field="kernel")
        folder = self.offers.root / offer.id
        names = list(wanted.names)
        if offer.language == "R":
            code = in_r.bring_code(str(folder), r_entries(self.offers.entries(offer.id), names), names)
        else:
            code = python_code({"do": "bring", "folder": str(folder), "names": names})
        (folder / "brought.json").unlink(missing_ok=True)
        try:
            await self._execute(wanted.kernel, code, began + BRING_SECONDS)
        except TimeoutError:
            raise Conflict("The kernel does not answer", next=["Restart it"], field="kernel") from None
        return await asyncio.to_thread(self._brought, offer, began)

    async def _idle(self, kernel: str, until: float) -> bool:
        while self._kernels.state_of(kernel)[0] == "busy":
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(0.05)
        return True

    def _brought(self, offer: VariablesOffer, began: float) -> BroughtBack:
        id = offer.id
        try:
            raw = json.loads((self.offers.root / id / "brought.json").read_text(encoding="utf-8"))
            back = tuple(str(one) for one in raw["back"])
            lost = tuple(LostVariable(offer.notebook, str(name), str(why)) for name, why in raw["lost"])
        except (OSError, ValueError, KeyError, TypeError):
            raise Conflict("The kernel ended while it read them", next=["Try it in a new kernel"]) from None
        self.offers.brought(id, back)
        return BroughtBack(back, lost, round(time.monotonic() - began, 3))
