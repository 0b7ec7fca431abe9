"""What a page shows of a notebook, as values: one ``Row`` for the list and the notebook's own page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.enforcement.rules import IDLE, Ends, Limits
from jupyterhub_notebooks.enforcement.safe import is_safe
from jupyterhub_notebooks.enforcement.state import RUNNING, STARTING, Facts, Moment, State, plain, state_of
from jupyterhub_notebooks.enforcement.telling import ends_of
from jupyterhub_notebooks.ledger import (
    Intent,
    Ledger,
    NotebookView,
    Session,
    clocks,
    intents,
    sessions,
    users,
)
from jupyterhub_notebooks.names import address_part, repository_folder
from jupyterhub_notebooks.profiles.choosing import Launch
from jupyterhub_notebooks.profiles.model import Flavor
from jupyterhub_notebooks.profiles.words import show_limits, show_price
from jupyterhub_notebooks.units import show_size

from . import after_saving
from .context import Context
from .people import Person

#: Order of rows on load: those that need you, running, moving, stopped.
_ORDER = {"ERROR": 0, "RUNNING": 1, "STARTING": 2, "STOPPING": 2, "STOPPED": 3, "TRASHED": 4, "DELETING": 5}
SHOWS = ("all", "needs", "running", "stopped")
TRASH = "trash"


@dataclass(frozen=True)
class Row:
    """page: its own address. open_url: its server. owner: '' where it is the reader's own."""

    id: str
    title: str
    server: str
    owner: str
    page: str
    open_url: str
    state: State
    profile: str
    limits: str
    price: str
    saved_at: datetime | None
    saved_size: str
    search: str
    unsaved: bool = False
    being_saved: bool = False
    called: str = ""
    project: str = ""
    session: str = ""
    lands: str = ""

    @property
    def is_running(self) -> bool:
        return self.state.state == RUNNING

    @property
    def can_start(self) -> bool:
        return self.state.state in ("STOPPED", "ERROR") and self.state.cause != "not_answering"

    @property
    def can_save(self) -> bool:
        """Whether a save can be asked for: files are not saved, and nothing saves them yet."""
        return (self.is_running or self.unsaved) and not self.being_saved

    @property
    def can_stop(self) -> bool:
        return self.state.state in (RUNNING, STARTING)

    @property
    def in_trash(self) -> bool:
        return self.state.state == "TRASHED"

    @property
    def can_dismiss(self) -> bool:
        """Whether the error that it shows can be put aside."""
        return self.state.state == "ERROR" and not self.unsaved and self.state.cause != "not_answering"

    @property
    def ask_first(self) -> str:
        """What a stop would end, '' where nothing is at work."""
        if not self.is_running or self.state.sub != "working":
            return ""
        return "It is at work. Files are saved first; what runs is ended, and variables are gone."

    @property
    def mark(self) -> str:
        """``err`` or ``wait`` where the row needs its owner, else ''."""
        return self.state.badge.colour if self.state.needs_you else ""

    @property
    def order(self) -> tuple[int, int]:
        return (0 if self.state.needs_you else 1, _ORDER[self.state.state])


def row_of(context: Context, person: Person, view: NotebookView, state: State) -> Row:
    """The row of one notebook for one reader."""
    notebook, owner = view.notebook, view.owner.hub_name
    flavor = _flavor(context, view)
    part = address_part(notebook.server_name)
    own = view.owner.id == person.user.id
    limits = show_limits(flavor) if flavor else ""
    return Row(
        id=notebook.id,
        title=notebook.title,
        server=notebook.server_name,
        owner="" if own else owner,
        page=page_of(context, view),
        open_url=open_url(context, owner, notebook.server_name),
        state=state,
        profile=_profile(view),
        limits=limits,
        price=show_price(flavor, context.settings.currency) if flavor else "",
        saved_at=view.head.at if view.head else None,
        saved_size=show_size(view.head.size_bytes) if view.head else "",
        search=" ".join((notebook.title, part, _profile(view), limits, owner, notebook.project))
        .replace("\u00a0", " ")
        .casefold(),
        unsaved=view.workspace.unsaved_on is not None,
        being_saved=view.saving is not None,
        called=part if own else f"{owner}/{part}",
        project=notebook.project,
        session=view.session.id if view.session else "",
        lands=lands_at(context, view),
    )


def lands_at(context: Context, view: NotebookView) -> str:
    """Where a start leads: the file that the notebook was made with, else its server."""
    base = open_url(context, view.owner.hub_name, view.notebook.server_name)
    if not view.notebook.opens:
        return base
    folder = f"{repository_folder(view.notebook.repo)}/" if view.notebook.repo else ""
    return f"{base}lab/tree/{quote(folder + view.notebook.opens)}"


def page_of(context: Context, view: NotebookView) -> str:
    """A notebook's own page."""
    owner, part = quote(view.owner.hub_name, safe="@~"), address_part(view.notebook.server_name)
    return f"{context.prefix}n/{owner}/{part}"


def open_url(context: Context, owner: str, server: str) -> str:
    """A notebook's server. Where users have hosts of their own the Hub leads there."""
    inside = f"user/{quote(owner, safe='@~')}/" + (f"{server}/" if server else "")
    if context.hub_host:
        return f"{context.hub_host}{context.base_url}hub/{inside}"
    return context.base_url + inside


def _profile(view: NotebookView) -> str:
    if view.session is not None and view.session.closed_at is None:
        return view.session.profile
    return view.notebook.profile or (view.session.profile if view.session else "")


def _flavor(context: Context, view: NotebookView) -> Flavor | None:
    """What the open session has, or the next start would get."""
    if view.session is not None and view.session.closed_at is None and "resources" in view.session.launch:
        return Launch.from_json(view.session.launch).resources
    catalog = context.catalog
    profile = catalog.profiles.get(_profile(view))
    if profile is None:
        return None
    name = view.notebook.options.get("flavor", profile.flavors[0])
    return catalog.flavors.get(name) or catalog.flavors[profile.flavors[0]]


async def states(context: Context, person: Person, views: Sequence[NotebookView]) -> list[State]:
    """The state of each, with who asked for its end."""
    asked = [view.session.id for view in views if view.session and view.session.stop_asked_at]
    actors = await context.ledger.run(_actors, asked)
    unsaved = [view.notebook.id for view in views if view.workspace.unsaved_on is not None]
    waiting, away = await context.ledger.run(_of_unsaved, unsaved)
    wished = await context.ledger.run(after_saving.wished, views)
    return [
        _state(
            context,
            person,
            view,
            actors,
            view.notebook.id in waiting,
            view.notebook.id in wished,
            view.notebook.id in away,
        )
        for view in views
    ]


def _of_unsaved(ledger: Ledger, unsaved: Sequence[str]) -> tuple[set[str], set[str]]:
    """Those of the notebooks whose next save is asked for and has not begun; those whose last run did not find the volume."""
    last = {notebook: sessions.of_notebook(ledger, notebook, 1) for notebook in unsaved}
    asked = {
        notebook
        for notebook, found in last.items()
        if found and intents.open_of(ledger, found[0].id, "save_only")
    }
    return asked, {notebook for notebook, found in last.items() if found and found[0].cause == "volume_away"}


def _actors(ledger: Ledger, asked: Sequence[str]) -> dict[str, tuple[str, str]]:
    """(user id, name) of who asked for the end of each session."""
    found = {}
    for session in asked:
        last: Intent | None = intents.last_stop(ledger, session)
        if last is not None and last.actor is not None:
            found[session] = (last.actor, users.get(ledger, last.actor).hub_name)
    return found


def limits_of(context: Context, session: Session | None) -> Limits | None:
    """The limits of a session, as it started with them."""
    settings = context.settings
    if session is None or session.kind != "work":
        return None
    return Limits.of(session.launch, settings.enforcement, settings.unsaved_idle_seconds)


def warned(
    context: Context, person: Person, views: Sequence[NotebookView], told: Sequence[State]
) -> list[str]:
    """Sessions of this person whose idle warning they see now and had not seen before."""
    found = []
    for view, state in zip(views, told, strict=True):
        row = view.session
        if state.moves_clock != IDLE or row is None or row.quiet_since is None:
            continue
        if row.user == person.user.id and (row.reached_at is None or row.reached_at < row.quiet_since):
            found.append(row.id)
    return found


def _state(
    context: Context,
    person: Person,
    view: NotebookView,
    actors: dict[str, tuple[str, str]],
    save_asked: bool = False,
    start_asked: bool = False,
    volume_away: bool = False,
) -> State:
    actor = actors.get(view.session.id) if view.session else None
    name = "" if actor is None else "You" if actor[0] == person.user.id else actor[1]
    facts = Facts(
        name,
        view.head.at if view.head else None,
        context.settings.trash_days,
        view.saving is not None,
        save_asked,
        limits_of(context, view.session),
        start_asked,
        view.session is not None and view.session.dismissed_at is not None,
        volume_away,
    )
    return state_of(view.notebook, view.session, None, context.now(), view.workspace, facts)


async def rows(context: Context, person: Person, views: Sequence[NotebookView]) -> list[Row]:
    """All of them, those that need you first."""
    told = await states(context, person, views)
    await context.ledger.run(clocks.reached, warned(context, person, views, told), context.now())
    made = [row_of(context, person, view, state) for view, state in zip(views, told, strict=True)]
    return sorted(made, key=lambda row: row.order)


def shown(made: Sequence[Row], show: str, find: str) -> list[Row]:
    """Those that a filter lets through. show: one of SHOWS."""
    wanted = {
        "needs": lambda row: row.state.needs_you,
        "running": lambda row: row.state.state in (RUNNING, STARTING, "STOPPING"),
        "stopped": lambda row: row.state.state in ("STOPPED", "ERROR"),
    }.get(show, lambda row: True)
    return [row for row in made if wanted(row) and find.casefold() in row.search]


def as_json(context: Context, row: Row, view: NotebookView) -> dict[str, object]:
    """A notebook as the REST API says it."""
    state, session, now = row.state, view.session, context.now()
    progress = state.progress
    return {
        "id": row.id,
        "user": view.owner.hub_name,
        "name": address_part(row.server),
        "server": row.server,
        "title": row.title,
        "project": view.notebook.project,
        "state": state.state,
        "sub_state": state.sub,
        "sentence": plain(state.sentence, now, context.zone),
        "safe": plain(state.safe, now, context.zone) or None,
        "cause": state.cause or None,
        "warnings": list(state.warnings),
        "profile": row.profile,
        "session": session.id if session and session.closed_at is None else None,
        "verdict": session.verdict if row.is_running and session else None,
        "keep": state.keep or None,
        **ends_json(context, session if row.is_running else None),
        "last_session": session.id if session else None,
        "safe_mode": is_safe(session) if session and session.closed_at is None else False,
        "progress": {
            "label": progress.label,
            "done_bytes": progress.done_bytes,
            "total_bytes": progress.total_bytes,
        }
        if progress
        else None,
        "saved": {"number": view.head.number, "at": to_text(view.head.at), "size_bytes": view.head.size_bytes}
        if view.head
        else None,
        "created_at": to_text(view.notebook.created_at),
        "trashed_at": to_text(view.notebook.trashed_at) if view.notebook.trashed_at else None,
        "page": row.page,
        "url": row.open_url,
        "lands": row.lands,
        "repo": view.notebook.repo or None,
    }


def ends_json(context: Context, session: Session | None) -> dict[str, str | None]:
    """The deadlines that people are told of."""
    end = ends_of(session, limits_of(context, session)) if session is not None else Ends(None, None)
    return {
        "idle_ends_at": to_text(end.idle_at) if end.idle_at else None,
        "session_ends_at": to_text(end.session_at) if end.session_at else None,
    }


__all__ = ["SHOWS", "TRASH", "Moment", "Row", "as_json", "open_url", "row_of", "rows", "shown", "states"]
