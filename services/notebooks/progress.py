"""…/progress: how a start or a stop gets on, as a stream of events made from the ledger.

It works for a start that somebody else asked for, and after it is over (one event, then the end). Each event is
one JSON object; for our own page it also holds the moving part of the page as HTML.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

from tornado.iostream import StreamClosedError

from jupyterhub_notebooks.errors import NotFound
from jupyterhub_notebooks.ledger import NotebookView, notebooks

from .handling import Handler, JsonHandler
from .listing import as_json
from .pages import is_asked, is_open, notebook_values
from .people import notebook_of

QUICK_SECONDS = 10.0
QUICKLY_EVERY = 0.1
EVERY_SECONDS = 1.0
KEPT_ALIVE_SECONDS = 15.0
MOST_SECONDS = 6 * 3600.0
#: From the server's first answer to the Hub's route to it.
OPENING_SECONDS = 120.0


class Stream(Handler):
    """GET, held open while something moves. ``?html=1``: with the page's moving part."""

    _left = False

    def on_connection_close(self) -> None:
        self._left = True

    async def get(self, owner: str, part: str) -> None:
        view = await notebook_of(self.context, self.person, owner, part)
        if view is None:
            raise NotFound("There is no such notebook")
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        html = self.get_argument("html", "") == "1"
        clock = self.context.clock
        begun = said_at = clock.monotonic()
        last = ""
        try:
            while not self._left:
                event, moves = await self._event(view.notebook.id, html)
                text = json.dumps(event, ensure_ascii=False)
                if text != last:
                    last, said_at = text, clock.monotonic()
                    await self._send(f"data: {text}\n\n")
                elif clock.monotonic() - said_at > KEPT_ALIVE_SECONDS:
                    said_at = clock.monotonic()
                    await self._send(": still here\n\n")
                ran = clock.monotonic() - begun
                if not moves or ran > MOST_SECONDS:
                    return
                await asyncio.sleep(QUICKLY_EVERY if ran < QUICK_SECONDS else EVERY_SECONDS)
        except StreamClosedError:
            return

    async def _send(self, text: str) -> None:
        self.write(text)
        await self.flush()

    async def _event(self, id: str, html: bool) -> tuple[dict[str, Any], bool]:
        views: list[NotebookView] = await self.context.ledger.run(notebooks.views, notebook=id, trashed=None)
        if not views:
            return {"state": "DELETING"}, False
        values = await notebook_values(self.context, self.person, views[0])
        row = values["row"]
        event = as_json(self.context, row, views[0])
        moves = row.state.moves
        if row.is_running:
            event["ready"] = await is_open(self.context, views[0])
            moves = not event["ready"] and _just_ready(views[0], self.context.now())
        elif not moves:
            moves = event["asked"] = await is_asked(self.context, views[0])
        if html:
            event["html"] = self.pages.page("live.html", self.shared_values(), values)
        return event, moves


def _just_ready(view: NotebookView, now: datetime) -> bool:
    """Whether the Hub may still be opening the way to a server that answers already."""
    ready_at = view.session.ready_at if view.session is not None else None
    return ready_at is not None and (now - ready_at).total_seconds() < OPENING_SECONDS


class ApiStream(Stream, JsonHandler):
    """The same of the REST API."""
