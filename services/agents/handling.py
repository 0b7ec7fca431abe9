"""What every address here shares: who asks, how much they may send, and how answers and errors look.

The token is checked and the length bounded before a body is read. Errors are ``errors.as_json``; what we
did not expect is logged and answered without its details.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from tornado.web import HTTPError, RequestHandler, stream_request_body

from jupyterhub_notebooks.contract import Body
from jupyterhub_notebooks.errors import NotebooksError, NotFound, Unchecked
from jupyterhub_notebooks.ledger import Session
from jupyterhub_notebooks.ledger.hearing import Known

from .refusals import TooBig, no_session

if TYPE_CHECKING:
    from .app import Agents

log = logging.getLogger("agents")

B = TypeVar("B", bound=Body)


@stream_request_body
class Handler(RequestHandler):
    """Base of all addresses: one method, ``act``, behind ``allowed``.

    A refused request's body is read away before the answer goes out: a client that is still sending would
    meet a closed connection instead of the answer.
    """

    method: ClassVar[str] = "POST"
    most_bytes: ClassVar[int] = 256_000
    agents: Agents

    def initialize(self, agents: Agents) -> None:
        self.agents = agents
        self._body = bytearray()
        self._too_big = False
        self._acting = False
        self._refused: NotebooksError | None = None

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    async def prepare(self) -> None:
        self.agents.began(self)
        try:
            if self.request.method not in self.method.split("|"):
                raise NotFound(f"There is nothing to {self.request.method} at this address")
            await self.allowed()
            length = self.request.headers.get("Content-Length", "0")
            if not length.isdigit() or int(length) > self.most_bytes:
                raise self._bound()
        except NotebooksError as error:
            self._refused = error

    async def allowed(self) -> None:
        """Raises where the request is not to be answered."""

    async def act(self) -> None:
        """Answers it."""
        raise NotImplementedError

    async def _go(self, *_path: str) -> None:
        self._acting = True
        if self._refused is not None:
            raise self._refused
        await self.act()

    get = post = put = head = delete = patch = options = _go

    def on_finish(self) -> None:
        self.agents.finished(self)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if not self._acting:  # what has begun is carried out, whether or not somebody waits for the answer
            self.agents.finished(self)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._refused is not None:
            return None
        if len(self._body) + len(chunk) > self.most_bytes:
            self._too_big = True
        else:
            self._body += chunk
        return None

    def _bound(self) -> TooBig:
        return TooBig("This is more than may be sent here", f"{self.most_bytes:,} bytes are the most.")

    def body(self, kind: type[B]) -> B:
        """The body as kind. Raises Unchecked."""
        if self._too_big:
            raise self._bound()
        try:
            raw = json.loads(bytes(self._body) or b"{}")
        except (ValueError, RecursionError):
            raise Unchecked("The body is not JSON", field=kind.__name__) from None
        return kind.from_json(raw)

    def answer(self, body: Body | Mapping[str, Any]) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(body.to_json() if isinstance(body, Body) else dict(body)))

    def write_error(self, status_code: int, **more: Any) -> None:
        error = more.get("exc_info", (None, None, None))[1]
        self.set_header("Content-Type", "application/json")
        if isinstance(error, NotebooksError):
            self.finish(json.dumps(error.as_json()))
            return
        reason = "not_found" if status_code == 404 else "error"
        title = "There is nothing at this address" if status_code == 404 else "This did not work"
        why = "" if status_code < 500 else "The service's log says what happened."
        error_json: dict[str, Any] = {"reason": reason, "title": title, "why": why, "next": [], "field": None}
        self.finish(json.dumps({"error": error_json}))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if isinstance(value, NotebooksError):
            if value.http_status >= 500:
                log.warning("%s %s: %s", self.request.method, self.request.path, value.sentence())
            return
        if isinstance(value, HTTPError):
            return
        log.error("%s %s", self.request.method, self.request.path, exc_info=(typ, value, tb))

    def _handle_request_exception(self, e: BaseException) -> None:
        if isinstance(e, NotebooksError) and not self._finished:
            self.log_exception(type(e), e, e.__traceback__)
            self.send_error(e.http_status, exc_info=(type(e), e, e.__traceback__))
            return
        super()._handle_request_exception(e)


class SessionHandler(Handler):
    """An address for agents: the bearer is the token of an open session, whose row is ``self.session``.

    known: its row with its lease and what is asked of it, as they were when the request came.
    """

    session: Session
    known: Known
    also_closed = False

    async def allowed(self) -> None:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise no_session()
        token_hash = hashlib.sha256(token.strip().encode()).hexdigest()
        found = await self.agents.heartbeats.known.of(token_hash)
        if found is None or (found.session.closed_at is not None and not self.also_closed):
            raise no_session()
        self.session, self.known = found.session, found
        self.agents.allowance.request(found.session.id, self.agents.clock.monotonic())


class Nothing(Handler):
    """Every other address."""

    method = "GET|POST|PUT|HEAD|DELETE|PATCH|OPTIONS"

    async def allowed(self) -> None:
        raise NotFound("There is nothing at this address")


class Health(Handler):
    """GET health: answers as long as the event loop turns; asks neither database nor store."""

    method = "GET"

    async def act(self) -> None:
        self.answer({"status": "ok"})
