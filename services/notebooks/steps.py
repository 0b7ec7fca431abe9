"""The steps of a start, as its page shows them: pure, from the session's row and the state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jupyterhub_notebooks.enforcement.state import ERROR, STARTING, Progress, State
from jupyterhub_notebooks.ledger import Session
from jupyterhub_notebooks.units import show_duration

NAMES = ("Place to run", "Volume", "Workspace", "Server")
#: The step that a phase of the agent belongs to.
_OF_PHASE = {
    "waiting": 0,
    "pulling": 0,
    "attaching": 1,
    "hello": 1,
    "restoring": 2,
    "initializing": 2,
    "starting": 3,
    "running": 3,
}
_OF_CAUSE = {
    "not_restored": 2,
    "snapshot_damaged": 2,
    "lease_held": 1,
    "server_died": 3,
    "ended_at_once": 3,
    "volume_missing": 1,
    "volume_elsewhere": 1,
    "volume_not_attached": 1,
}


@dataclass(frozen=True)
class Step:
    """status: done, now, fail or todo."""

    name: str
    status: str
    sub: str = ""
    time: str = ""
    progress: Progress | None = None


def steps_of(session: Session, state: State, now: datetime) -> list[Step]:
    """The steps of a start that goes on or did not come about; none for any other state."""
    failed = state.state == ERROR and state.sub == "did not start"
    if state.state != STARTING and not failed:
        return []
    at = _failed_at(session) if failed else _present(session)
    made = []
    for number, name in enumerate(NAMES):
        if number < at:
            made.append(Step(name, "done", time=_time(session) if number == 0 else ""))
        elif number == at and failed:
            made.append(Step(name, "fail", sub=session.detail or ""))
        elif number == at:
            whole = show_duration((now - session.asked_at).total_seconds())
            shown = f"{name}, {state.progress.text}" if state.progress else name
            made.append(Step(shown, "now", _sub(session, state), whole, state.progress))
        else:
            made.append(Step(name, "todo", "not reached" if failed else _USUALLY.get(name, "")))
    return made


_USUALLY = {"Server": "JupyterLab"}


def _present(session: Session) -> int:
    return _OF_PHASE.get(session.phase, 1 if session.allocated_at else 0)


def _failed_at(session: Session) -> int:
    if session.cause in _OF_CAUSE:
        return _OF_CAUSE[session.cause]
    if session.phase in _OF_PHASE:
        return _OF_PHASE[session.phase]
    if session.total_bytes and session.done_bytes < session.total_bytes:
        return 2
    if session.total_bytes:
        return 3
    return 1 if session.allocated_at else 0


def _sub(session: Session, state: State) -> str:
    if session.phase == "restoring" and state.progress:
        files = f"{session.done_files:,} of {session.total_files:,} files. " if session.total_files else ""
        return files + "Your saved workspace is only read."
    script = "; the profile's startup script runs, and its lines are in the log"
    return {
        "": "",
        "waiting": "no place for it yet; it begins by itself",
        "pulling": "fetching the image",
        "attaching": "the machine opens it",
        "hello": "opening it",
        "restoring": "asking storage",
        "initializing": "making what is missing: environment, kernel, settings"
        + (script if session.launch.get("startup_script") else ""),
        "starting": "JupyterLab is starting",
        "running": "JupyterLab answers; opening the way to it",
    }.get(session.phase, "")


def _time(session: Session) -> str:
    if session.allocated_at is None:
        return ""
    return show_duration((session.allocated_at - session.asked_at).total_seconds())
