"""One person's running server in either Hub of tests/benchmarks/activity.py, and what a person or a program does there.

Scenarios do the same in both, through Jupyter's own addresses.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from .activity_hubs import Ours, Peer, belonging

#: A page tells at once of an input after a pause: 20 s there, where somebody counts as present for 60 s and here for 12.
PAUSE_SECONDS = 4.0


@dataclass
class Place:
    """One person's server. ``later`` is what goes on until the look is over; ``data`` is the scenario's own."""

    side: Ours | Peer
    user: str
    profile: str = "plain"
    token: str = ""
    later: list[asyncio.Task[Any]] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        return isinstance(self.side, Ours)

    async def ask(
        self, path: str, method: str = "GET", body: Any = None, hub: bool = False, **headers: str
    ) -> Any:
        """A request to the server, or with hub to the Hub; its JSON. Raises HTTPClientError."""
        base = f"{self.side.url}/hub/api/" if hub else f"{self.side.url}/user/{self.user}/"
        token = self.side.token if hub else self.token
        answer = await AsyncHTTPClient().fetch(
            HTTPRequest(
                base + path,
                method,
                headers={"Authorization": f"token {token}", **headers},
                body=None if body is None else json.dumps(body),
                allow_nonstandard_methods=True,
                request_timeout=120,
            )
        )
        return json.loads(answer.body) if answer.body[:1] in (b"{", b"[") else answer.body

    async def start(self) -> None:
        await self.ask(f"users/{self.user}", "POST", hub=True)
        self.token = (await self.ask(f"users/{self.user}/tokens", "POST", {}, hub=True))["token"]
        body = {"user_options": {"profile": self.profile}} if self.ours else {}
        for _ in range(3):
            try:
                await self.ask(f"users/{self.user}/server", "POST", body, hub=True)
                break
            except HTTPClientError as error:
                if error.code not in (429, 599):
                    raise
                await asyncio.sleep(3)
        end = time.monotonic() + 600
        while not await self.is_ready():
            if time.monotonic() > end:
                raise AssertionError(f"{self.side.name} {self.user} did not start")
            await asyncio.sleep(0.5)

    async def is_ready(self) -> bool:
        model = await self.ask(f"users/{self.user}", hub=True)
        return bool((model["servers"].get("") or {}).get("ready"))

    async def outcome(self) -> tuple[str, str]:
        """(verdict, what became of it)."""
        if isinstance(self.side, Ours):
            return self.side.outcome(self.user)
        return "", "runs" if await self.is_ready() else "stopped"

    async def end(self) -> None:
        """What the scenario left running is ended, and its server."""
        for task in self.later:
            task.cancel()
        await asyncio.gather(*self.later, return_exceptions=True)
        for undo in self.data.get("undo", ()):
            undo()
        try:
            await self.ask(f"users/{self.user}/server", "DELETE", hub=True)
        except HTTPClientError:
            pass  # it was stopped before, which is what is measured
        if not self.ours:
            for one in belonging(f"{self.side.folder}/home/{self.user}"):
                if one.pid != self.side.process.pid:  # type: ignore[union-attr]
                    one.kill()

    # -- what a person does

    async def open_kernel(self, name: str = "work.ipynb", browser: bool = True) -> Channel:
        body = {"path": name, "type": "notebook", "name": name, "kernel": {"name": "python3"}}
        made = await self.ask("api/sessions", "POST", body)
        return await self.connect(made["kernel"]["id"], browser)

    async def connect(self, kernel: str, browser: bool = True) -> Channel:
        id = uuid.uuid4().hex
        url = f"{self.side.url}/user/{self.user}/api/kernels/{kernel}/channels?session_id={id}".replace(
            "http", "ws", 1
        )
        headers = {"Authorization": f"token {self.token}"}
        if browser:
            headers["User-Agent"] = "Mozilla/5.0 (scenario)"
        if browser and self.ours:  # JupyterLab's page says so when it is opened
            body = {"visible": True, "last_input_seconds": None, "page": id}
            await self.ask("notebooks/presence", "POST", body, **{"User-Agent": "Mozilla/5.0 (scenario)"})
        return Channel(kernel, id, await websocket_connect(HTTPRequest(url, headers=headers)))

    async def run(
        self, code: str, *, wait: str = "busy", name: str = "work.ipynb", close: bool = True
    ) -> Channel:
        """Runs code in a new kernel of that notebook until it is ``busy`` or ``idle`` again, and closes the tab."""
        page = await self.open_kernel(name)
        await page.run(code, wait)
        if close:
            page.socket.close()
        return page

    async def write(self, path: str, text: str) -> None:
        await self.ask(f"api/contents/{path}", "PUT", {"type": "file", "format": "text", "content": text})

    async def terminal(self, *lines: str, close: bool = True, pause: float = 0.0, then: str = "") -> str:
        """Types lines into a new terminal, and then after a pause in seconds; answers its name. The tab is closed."""
        name: str = (await self.ask("api/terminals", "POST"))["name"]
        url = f"{self.side.url}/user/{self.user}/terminals/websocket/{name}".replace("http", "ws", 1)
        socket = await websocket_connect(HTTPRequest(url, headers={"Authorization": f"token {self.token}"}))
        await asyncio.sleep(2)
        for line in lines:
            await socket.write_message(json.dumps(["stdin", line]))
            await asyncio.sleep(0.7)
        if then:
            await asyncio.sleep(pause)
            await socket.write_message(json.dumps(["stdin", then]))
            await asyncio.sleep(0.7)
        if close:
            socket.close()
        return name

    def tab(
        self,
        *,
        visible: bool,
        input_every: float | None = None,
        page: str = "p",
        kernel: Channel | None = None,
    ) -> None:
        """A JupyterLab tab that stays open: polls while visible, holds a kernel's connection, tells of input.

        input_every None: nobody touches it.
        """
        self.later.append(asyncio.create_task(self._tab(visible, input_every, page)))
        if kernel is not None:
            self.later.append(asyncio.create_task(kernel.read_on()))

    async def _tab(self, visible: bool, input_every: float | None, page: str) -> None:
        began = last = time.monotonic()
        told = -100.0
        while True:
            now = time.monotonic()
            if input_every is not None and now - last >= input_every:
                if now - last >= PAUSE_SECONDS:
                    told = -100.0
                last = now
            try:
                if (
                    self.ours and now - told >= 6
                ):  # every 30 s in a browser; no shorter than a look at it needs
                    told = now
                    seconds = None if input_every is None else now - last
                    body = {"visible": visible, "last_input_seconds": seconds, "page": page}
                    await self.ask(
                        "notebooks/presence", "POST", body, **{"User-Agent": "Mozilla/5.0 (scenario)"}
                    )
                if visible:
                    for path in ("kernels", "sessions", "terminals"):
                        at = f"api/{path}?{int(now - began)}&no_track_activity=1"
                        await self.ask(at, **{"User-Agent": "Mozilla/5.0 (scenario)"})
            except (HTTPClientError, OSError):
                pass  # the notebook was stopped: the tab asks on, as one does
            await asyncio.sleep(2)

    def every(self, seconds: float, act: Callable[[], Any]) -> None:
        """Does act again and again until the look is over."""

        async def on() -> None:
            while True:
                try:
                    await act()
                except (HTTPClientError, OSError):
                    pass  # the notebook was stopped: whoever asks, asks on
                await asyncio.sleep(seconds)

        self.later.append(asyncio.create_task(on()))


class Channel:
    """A connection to a kernel, as a page or a program has it."""

    def __init__(self, kernel: str, session: str, socket: Any) -> None:
        self.kernel, self.session, self.socket = kernel, session, socket

    async def send(self, channel: str, kind: str, content: dict[str, Any]) -> str:
        id = uuid.uuid4().hex
        header = {
            "msg_id": id,
            "msg_type": kind,
            "session": self.session,
            "username": "u",
            "version": "5.3",
            "date": "",
        }
        header["date"] = datetime.now(UTC).isoformat()
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": channel,
        }
        await self.socket.write_message(json.dumps({**message, "buffers": []}))
        return id

    async def run(self, code: str, wait: str = "busy") -> None:
        content = {"code": code, "silent": False, "allow_stdin": True, "stop_on_error": True}
        id = await self.send("shell", "execute_request", content)
        while True:
            message = await self.heard()
            parent = message.get("parent_header", {}).get("msg_id")
            if message["msg_type"] == wait or (
                parent == id
                and message["msg_type"] == "status"
                and message["content"]["execution_state"] == wait
            ):
                return

    async def heard(self) -> dict[str, Any]:
        text = await asyncio.wait_for(self.socket.read_message(), 90)
        if text is None:
            raise OSError("the connection was closed")
        found: dict[str, Any] = json.loads(text)
        return found

    async def waits_for(self, kind: str) -> dict[str, Any]:
        while True:
            message = await self.heard()
            if message["msg_type"] == kind:
                return message

    async def read_on(self) -> None:
        """Answers pings and reads what comes, as an open page does, until the server closes it."""
        while await self.socket.read_message() is not None:
            pass
