"""One start and one stop of a notebook, the same on every backend; a backend adds its few named steps.

Promises: what is started was chosen here again, from names only; the session's row, its token and the names
of what will be made are in the ledger and the Hub's database before anything runs; a start that comes to
nothing leaves no process and a row with the reason; ``stop`` never raises and waits while the agent saves;
after a Hub restart a running session is found again. Nothing here waits for a database in the event loop.

A backend is a subclass, alone or in front of another spawner, that has the steps of ``Backend``.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from inspect import isawaitable
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.spawner import Spawner
from traitlets import Callable as CallableTrait
from traitlets import Unicode, default

from ..clock import to_text
from ..errors import NotebooksError, NotFound
from ..ledger import Ledger, Notebook, Session, sessions
from ..profiles.choosing import Launch
from ..settings import Settings
from . import beginning, checking, ending, hooks, opening, progress, waiting
from .backend import Backend
from .choosing import Choosing
from .refusing import NotStarted, Refused, cause_and_detail, evidence_of
from .shared import Shared, shared

START_TIMEOUT_SECONDS = 6 * 3600
HTTP_TIMEOUT_SECONDS = 120
#: Under this name our part of the spawner's state is kept in the Hub's database.
STATE = "notebook_session"


class NotebookSpawner(Backend, Choosing, Spawner):
    """The algorithm. See the module."""

    settings_json = Unicode(
        help="The settings that all processes of this Hub share. Set by jupyterhub_notebooks.configure.notebooks."
    ).tag(config=True)

    post_start_hook = CallableTrait(
        hooks.workspace_ready,
        help="""Awaited after the backend has started a session, with (spawner, session).

        Returns once the workspace is ready; the server is then waited for. The default waits for the agent to
        say so, and gives up when nothing moves for `no_progress_seconds`. May raise `spawners.refusing.Refused`
        or any of our errors, whose words the person then reads. To add to the default:

            from jupyterhub_notebooks.spawners.hooks import workspace_ready

            async def hook(spawner, session):
                await workspace_ready(spawner, session)
                spawner.log.info("%s is ready", session.id)

            c.NotebookSpawner.post_start_hook = hook
        """,
    ).tag(config=True)

    pre_stop_hook = CallableTrait(
        hooks.save_first,
        help="""Awaited before a session's processes are told to end, with (spawner, session).

        The default orders a save and waits for it as long as it moves. What it raises is written to the log and
        never fails a stop; the agent saves once more when it ends.
        """,
    ).tag(config=True)

    _notebook: Notebook | None = None
    _session: Session | None = None
    _session_id = ""
    _seen: Session | None = None
    _token = ""
    _bringing_up = False
    _was_ready = False
    _ending: asyncio.Task[None] | None = None
    _movement: progress.Movement

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        checking.at_hub_start(cls)

    # -- what all share

    @property
    def shared(self) -> Shared:
        return shared(self.settings_json)

    @property
    def settings(self) -> Settings:
        return self.shared.settings

    @property
    def ledger(self) -> Ledger:
        return self.shared.ledger

    @property
    def place(self) -> opening.Place:
        created = self.user.orm_user.created.replace(tzinfo=UTC)
        return opening.Place(self.user.name, to_text(created), self.name)

    @default("start_timeout")
    def _default_start_timeout(self) -> int:
        return START_TIMEOUT_SECONDS

    @default("http_timeout")
    def _default_http_timeout(self) -> int:
        return HTTP_TIMEOUT_SECONDS

    # -- starting

    async def start(self) -> str:
        """The one start. Raises ``Refused`` with what the person reads."""
        self._bringing_up = True
        self._ending = None
        try:
            if (
                self._launch is None
            ):  # an apply_user_options of the administrator's own that does not call ours
                await self.choose(self.user_options)
            assert self._launch is not None
            session = await self._begin(self._launch)
            return await self._bring_up(session)
        except asyncio.CancelledError:
            await self._give_up("cancelled", "The start was cancelled.")
            raise
        except Refused as refused:
            await self._give_up_for(refused.error)
            raise
        except NotebooksError as error:
            await self._give_up_for(error)
            raise Refused(error) from None
        except Exception as error:
            self.log.exception("The start of %s ended with an error", self._log_name)
            told = NotStarted(
                "The notebook could not be started",
                f"{type(error).__name__}: {error}",
                ("Start it again", f"Ask {self.settings.contact}"),
            )
            await self._give_up_for(told)
            raise Refused(told) from error
        finally:
            self._bringing_up = False
            self._token, self._launch = "", None

    async def _begin(self, launch: Launch) -> Session:
        """The session's row, its token, and the names of both in the Hub's database."""
        self._token = secrets.token_hex(32)
        self._notebook, session = await beginning.begin(self, launch, self._asked, self._token, _now())
        self._session = self._seen = session
        self._session_id, self._was_ready = session.id, False
        for name, value in self.translate(launch).items():
            there = getattr(self, name)
            setattr(self, name, {**there, **value} if isinstance(value, dict) else value)
        self._persist()
        self.log.info("Session %s of notebook %s begins for %s", session.id, session.notebook, self._log_name)
        return session

    async def _bring_up(self, session: Session) -> str:
        url = self._whole_url(await self.backend_start(session))
        self._persist()
        await self.ledger.run(sessions.allocated, session.id, _now())
        await self.post_start_hook(self, session)
        await self._until_answers(session, url)
        return url

    def _whole_url(self, where: str | tuple[str, int]) -> str:
        if isinstance(where, str):
            return where
        host, port = where
        proto = "https" if self.internal_ssl else "http"
        return f"{proto}://[{host}]:{port}" if ":" in host else f"{proto}://{host}:{port}"

    async def _until_answers(self, session: Session, url: str) -> None:
        """The server answers: the user can work, and the time of the session begins to count."""
        address = url.rstrip("/") + self.server.base_url + "api"
        restored = False
        async with aclosing(self.watch(session)) as rows:
            async for row in rows:
                if not restored and row.phase in ("starting", "running"):
                    restored = True
                    await self.backend_restored(session)
                    self._movement = progress.Movement(time.monotonic())
                ready = (
                    row.phase == "running"
                    if self.internal_ssl or self.backend_says_running(session)
                    else await waiting.answers(address)
                )
                if ready:
                    break
        self._was_ready = True
        await self.ledger.run(sessions.ready, session.id, _now())

    async def watch(self, session: Session) -> AsyncGenerator[Session, None]:
        """The session's row as it changes, for hooks. Raises NotStarted when it is stuck or its agent ended."""
        settings = self.settings
        asked_at = time.monotonic()
        self._movement = progress.Movement(asked_at)
        async with aclosing(waiting.rows(self.ledger, session)) as rows:
            async for row in rows:
                self._seen = row
                now = time.monotonic()
                code = None
                if row.phase == "ended" or row.closed_at is not None or now - asked_at >= 1.0:
                    asked_at, code = now, await self._exit_status()
                if code is not None or row.closed_at is not None:
                    row = await self.ledger.run(sessions.get, session.id)
                    death = await self.backend_death(session)
                    raise progress.ended(row, code, await self.backend_log(), settings.contact, death)
                quiet = self._movement.quiet_seconds(row, now)
                if quiet >= settings.no_progress_seconds:
                    raise progress.stuck(row, quiet, settings.contact)
                yield row

    async def _give_up_for(self, error: NotebooksError) -> None:
        await self._give_up(*cause_and_detail(error), evidence_of(error))

    async def _give_up(self, cause: str, detail: str, evidence: Mapping[str, Any] | None = None) -> None:
        """A start came to nothing: its reason stands in the row, its processes are ended."""
        session = self._session
        if session is None or not self._bringing_up:
            return
        await self._once(lambda: ending.give_up(self, session, cause, detail, evidence))

    async def progress(self) -> AsyncGenerator[dict[str, Any], None]:
        """For the Hub's own page, from what the start itself reads."""
        last: dict[str, Any] | None = None
        while True:
            now_at = progress.event(self._notebook, self._seen, _now())
            if now_at != last:
                yield dict(now_at)
                last = now_at
            await asyncio.sleep(0.3)

    # -- running

    async def poll(self) -> int | None:
        """None while a start is under way or its agent runs."""
        if self._bringing_up:
            return None
        return await self._exit_status() if self._session_id else 0

    async def _exit_status(self) -> int | None:
        """A backend that cannot be asked says nothing of what runs there: it is taken to run on."""
        try:
            return await self.backend_poll()
        except Exception as error:
            self.log.warning(
                "Whether %s runs cannot be asked now: %s: %s", self._log_name, type(error).__name__, error
            )
            return None

    async def get_url(self) -> str:
        """Where an adopted server answers. A start or a stop that the Hub's death cut off is finished."""
        url = await super().get_url()
        session = await self.known_session()
        if session is None or session.closed_at is not None:
            return url
        if session.stop_asked_at is not None:
            self.log.warning("The stop of session %s goes on", session.id)
            self._ending = ending.keep(asyncio.create_task(ending.stop(self, session, now=False)))
        elif session.ready_at is None:
            await self._finish_start(session)
            url = str(self.server.url)
        return url

    async def _finish_start(self, session: Session) -> None:
        self._bringing_up = True
        try:
            where = await self.backend_goes_on(session)
            if where is not None:
                found = urlsplit(self._whole_url(where))
                self.server.ip, self.server.port = found.hostname, found.port
                await self.ledger.run(sessions.allocated, session.id, session.allocated_at or _now())
            await self._until_answers(session, self.server.url.split(self.server.base_url)[0])
        except NotebooksError as error:
            self.log.error("%s did not come up: %s", self._log_name, error.sentence())
            await self._give_up_for(error)
            self.http_timeout = 1  # the Hub asks the server once more, then ends its part
        finally:
            self._bringing_up = False
        self._persist()

    async def known_session(self) -> Session | None:
        """The session that this spawner runs; after a Hub restart it is read again. None where there is none."""
        if self._session is None and self._session_id:
            try:
                self._session = await self.ledger.run(sessions.get, self._session_id)
            except NotFound:
                self.log.error("The ledger has no session %s", self._session_id)
        return self._session

    # -- ending

    async def stop(self, now: bool = False) -> None:
        """The one stop. Never raises: the Hub would forget a server that still runs."""
        try:
            session = await self.known_session()
            if session is not None:
                await self._once(lambda: ending.stop(self, session, now))
        except Exception:
            self.log.exception("The stop of %s ended with an error", self._log_name)

    async def _once(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Whoever ends a session first does it; all others wait for that."""
        if self._ending is None:
            self._ending = ending.keep(asyncio.create_task(make()))
        await asyncio.shield(self._ending)

    def run_post_stop_hook(self) -> Awaitable[None]:
        """The only exit that the Hub always calls, also when a server died by itself."""
        return self._after_stop(super().run_post_stop_hook())

    async def _after_stop(self, given: Any) -> None:
        try:
            if isawaitable(given):
                await given
        except Exception:
            self.log.exception("post_stop_hook of %s ended with an error", self._log_name)
        session = await self.known_session()
        if session is not None:
            await ending.over(self, session)
        self._forget()

    async def delete_forever(self) -> None:
        """Removing a server at the Hub moves its notebook to the trash."""
        await self.ledger.run(opening.trash, self.place, _now())

    async def rename(self, old_name: str, new_name: str) -> None:
        """The notebook keeps its id and files under the new address."""
        place = opening.Place(self.place.hub_name, self.place.hub_created, old_name)
        try:
            await self.ledger.run(opening.rename, place, new_name, _now())
        except NotebooksError as error:
            raise Refused(error) from None

    # -- what a Hub restart must find again

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state()
        if self._session_id:
            options = dict(self.user_options)
            state[STATE] = {"id": self._session_id, "ready": self._was_ready, "options": options}
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        kept = state.get(STATE) or {}
        self._session_id = str(kept.get("id", ""))
        self._was_ready = bool(kept.get("ready"))
        self._session = None
        if kept.get("options"):
            self.user_options = dict(kept["options"])

    def clear_state(self) -> None:
        super().clear_state()
        if not self._stop_pending:  # some backends clear it before the post-stop hook, which needs it
            self._forget()

    def _forget(self) -> None:
        self._session_id, self._session, self._seen, self._was_ready = "", None, None, False

    def _persist(self) -> None:
        """The state into the Hub's database now: the Hub itself writes it only after a start."""
        self.orm_spawner.state = self.get_state()
        self.user.db.commit()


def _now() -> datetime:
    return datetime.now(UTC)
