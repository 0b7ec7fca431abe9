"""The state of a notebook: the only place that decides it, and the words and badge that go with it.

Pure: (notebook, workspace, session, heartbeat, now) in, a ``State`` (shown.py) out. A sentence is a tuple of texts and
``Moment``s, so that a page can write times in its reader's zone; ``plain`` joins it.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from .. import messages
from ..contract import Heartbeat
from ..units import be, count, show_ago, show_duration, show_progress, show_size
from . import telling, variables
from .causes import Cause, cause_of
from .sentences import Moment as Moment
from .sentences import Sentence as Sentence
from .shown import DELETING as DELETING
from .shown import ERROR as ERROR
from .shown import RUNNING as RUNNING
from .shown import STARTING as STARTING
from .shown import STOPPED as STOPPED
from .shown import STOPPING as STOPPING
from .shown import TRASHED as TRASHED
from .shown import Facts as Facts
from .shown import NotebookRow, WorkspaceRow
from .shown import Progress as Progress
from .shown import SessionRow as SessionRow
from .shown import State as State
from .words import BADGES

#: No word from a running session for this long: its verdict is not known. Three heartbeats.
SILENT_SECONDS = 90.0
#: So long after a start nothing is made of a verdict that is not known: the signals are means over 30 s.
SETTLING_SECONDS = 60.0
#: No word from an ended, unsaved session for this long: it is told as not saved.
LOST_SECONDS = 240.0


def state_of(
    notebook: NotebookRow,
    session: SessionRow | None,
    heartbeat: Heartbeat | None,
    now: datetime,
    workspace: WorkspaceRow | None = None,
    facts: Facts | None = None,
) -> State:
    """The state now. session: the open or last one; heartbeat: its newest, where somebody keeps it."""
    facts = facts or Facts()
    if notebook.emptied_at is not None:
        return State(DELETING, "", BADGES[DELETING], ("Being emptied.",))
    if notebook.trashed_at is not None:
        until = notebook.trashed_at + timedelta(days=facts.trash_days)
        return State(TRASHED, "", BADGES[TRASHED], ("Kept until ", Moment(until, "ago"), "."))
    if session is None:
        return State(STOPPED, "new", BADGES[STOPPED], ("Not started yet.",))
    if session.closed_at is not None and facts.start_asked and facts.being_saved:
        first = ("Its files are saved first; it starts right after that.",)
        return State(STARTING, "waiting", BADGES["waiting"], first)
    if session.closed_at is not None:
        return _closed(session, workspace, facts)
    phase = heartbeat.phase if heartbeat is not None else session.phase
    if session.ended_at is not None and _silent(session, now) > LOST_SECONDS:
        return _not_answering(session, facts)
    if session.stop_asked_at is not None or session.ended_at is not None or phase in ("saving", "ended"):
        return _stopping(session, heartbeat, facts)
    if session.ready_at is not None:
        return _running(session, heartbeat, now, facts)
    return _starting(session, heartbeat, phase, now)


def plain(sentence: Sentence, now: datetime, zone: tzinfo) -> str:
    """A sentence as text, its times in zone."""
    return "".join(show_moment(part, now, zone) if isinstance(part, Moment) else part for part in sentence)


def show_moment(moment: Moment, now: datetime, zone: tzinfo) -> str:
    """``14:25`` today, with the day before it on another day; or how long ago."""
    at, here = moment.at.astimezone(zone), now.astimezone(zone)
    if moment.form == "clock":
        return f"{at:%H:%M}" if at.date() == here.date() else f"{at.day}\u00a0{at:%b} {at:%H:%M}"
    if at <= here:
        return show_ago(at, here)
    return f"{at.day}\u00a0{at:%b}" + (f"\u00a0{at.year}" if at.year != here.year else "")


def _silent(session: SessionRow, now: datetime) -> float:
    last = max(at for at in (session.asked_at, session.heard_at, session.ended_at) if at is not None)
    return (now - last).total_seconds()


def _progress(session: SessionRow, heartbeat: Heartbeat | None, label: str) -> Progress | None:
    done, total = session.done_bytes, session.total_bytes
    if heartbeat is not None:
        done, total = heartbeat.progress.done_bytes, heartbeat.progress.total_bytes
    if total <= 0:
        return None
    return Progress(min(done, total), total, label, show_progress(done, total))


#: (sub-state, sentence) of a start by its phase.
_STEPS = {
    "waiting": ("waiting", "Waiting for a machine."),
    "attaching": ("opening volume", "Opening the volume."),
    "pulling": ("fetching image", "Fetching the image."),
    "hello": ("opening volume", "Opening the volume."),
    "restoring": ("restoring", "Fetching the workspace."),
    "initializing": ("restoring", "Preparing the workspace."),
    "starting": ("starting server", "The server is starting."),
    "running": ("starting server", "The server is starting."),
}

#: Phases before there is an agent: the backend says what is waited for.
_TOLD_BY_BACKEND = ("waiting", "attaching", "pulling")

#: What is fetched in a phase, as its progress is labelled.
_FETCHED = {"pulling": "Image", "restoring": "Workspace"}


def _starting(session: SessionRow, heartbeat: Heartbeat | None, phase: str, now: datetime) -> State:
    if phase in _STEPS:
        sub, text = _STEPS[phase]
    elif session.allocated_at is not None:
        sub, text = "opening volume", "The place is there; waiting for the notebook to report."
    else:
        sub, text = "waiting", "Asked for; making a place to run."
    waits_for = tuple(heartbeat.warnings if heartbeat else session.warnings or ())
    if phase in _TOLD_BY_BACKEND and waits_for:
        text = f"{waits_for[-1].rstrip('.')}."
    elif sub == "opening volume" and waits_for:
        text = f"{text} {waits_for[-1].rstrip('.')}."
    label = _FETCHED.get(phase, "")
    progress = _progress(session, heartbeat, label) if label else None
    if progress is not None:
        text = f"{label} {progress.text}."
    elif now - session.asked_at > timedelta(seconds=60):
        text = f"{text} {show_duration((now - session.asked_at).total_seconds())} so far."
    badge = BADGES["waiting" if phase == "waiting" else STARTING]
    return State(STARTING, sub, badge, (text,), progress=progress)


def _stopping(session: SessionRow, heartbeat: Heartbeat | None, facts: Facts) -> State:
    progress = _progress(session, heartbeat, "Saving")
    at = session.stop_asked_at or session.ended_at
    who: Sentence = ()
    if session.stop_asked_at is not None and at is not None:
        who = (f" {facts.actor or 'It was'} stopped it at ", Moment(at), ".")
        if not facts.actor:
            who = (" Asked for at ", Moment(at), ".")
    elif at is not None:
        who = (" The server ended at ", Moment(at), ".")
    if session.save_error:
        head = f"{_reason(session.save_error)}; the files are kept, and it is tried again."
        return State(STOPPING, "saving", BADGES[STOPPING], (head, *who), progress=progress)
    if progress is not None:
        percent = 100 * progress.done_bytes // progress.total_bytes
        head = f"Saving {percent}\u00a0%, {progress.text}."
    else:
        head = "Saving."
    return State(STOPPING, "saving", BADGES[STOPPING], (head, *who), progress=progress)


def _running(session: SessionRow, heartbeat: Heartbeat | None, now: datetime, facts: Facts) -> State:
    assert session.ready_at is not None
    warnings = tuple(heartbeat.warnings if heartbeat else session.warnings or ())
    warnings += tuple(heartbeat.made_anew if heartbeat else session.made_anew or ())
    heard = session.heard_at or session.ready_at
    since: Sentence = ("Since ", Moment(session.ready_at), ".")
    if heartbeat is None and (now - heard).total_seconds() > SILENT_SECONDS:
        end = telling.ends_of(session, facts.limits)
        silent: Sentence = ("No heartbeat since ", Moment(heard), ".", *telling.not_stopped(end))
        return State(RUNNING, "unknown", BADGES["unknown"], silent, warnings=warnings)
    verdict = session.verdict or ""
    badge = BADGES.get(verdict, BADGES[RUNNING])
    if session.save_error:
        return State(RUNNING, verdict, BADGES["unsaved"], _unsaved(session, facts), since, warnings=warnings)
    if verdict == "unknown" and (now - session.ready_at).total_seconds() < SETTLING_SECONDS:
        return State(RUNNING, verdict, BADGES[RUNNING], since, _pending(session), warnings=warnings)
    clock = telling.clock_of(session, facts.limits, now)
    return State(
        RUNNING,
        verdict,
        BADGES[clock.badge] if clock.badge else badge,
        clock.sentence or since,
        (*clock.detail, *_pending(session)),
        warnings=warnings,
        keep=clock.keep,
        moves_clock=clock.moves,
    )


def _unsaved(session: SessionRow, facts: Facts) -> Sentence:
    """Since when, why, what is kept, and what happens next."""
    at = facts.saved_at
    head: Sentence = ("Not saved since ", Moment(at), ". ") if at is not None else ("Nothing is saved yet. ",)
    files = count(session.pending_files, "file") if session.pending_files else "the files"
    size = f" ({show_size(session.pending_bytes)})" if session.pending_files and session.pending_bytes else ""
    return (
        *head,
        messages.why(
            "not saved",
            reason=_reason(session.save_error),
            files=f"{files}{size}",
            be=be(session.pending_files),
        ),
    )


def _reason(error: str | None) -> str:
    """What a save met, without its details and its end."""
    return (error or "").partition(". ")[0].strip().rstrip(".") or "Saving does not get on"


def _pending(session: SessionRow) -> Sentence:
    if not session.pending_files:
        return ()
    return (
        f" {count(session.pending_files, 'file')} ({show_size(session.pending_bytes)}) changed since the last save.",
    )


def _not_answering(session: SessionRow, facts: Facts) -> State:
    since = session.heard_at or session.ended_at or session.asked_at
    return State(
        ERROR,
        "not saved",
        BADGES["not saved"],
        ("It has not answered since ", Moment(since), ", before its last save ended."),
        safe=("Files changed after the last save", *_last_save(facts), " are kept on the volume."),
        cause=session.cause or "not_answering",
    )


def _last_save(facts: Facts) -> Sentence:
    return (" of ", Moment(facts.saved_at)) if facts.saved_at is not None else ()


def _closed(session: SessionRow, workspace: WorkspaceRow | None, facts: Facts) -> State:
    cause = cause_of(session.cause or "")
    unsaved = workspace is not None and workspace.unsaved_on is not None
    detail: Sentence = (_stopped(session.detail),) if session.detail else ()
    if facts.being_saved:
        detail = ("It is being saved now.",)
    elif unsaved and facts.save_asked:
        detail = ("It is saved as soon as storage answers.",)
    ended = session.ended_at or session.closed_at
    assert ended is not None
    if unsaved and workspace is not None and (facts.volume_away or session.cause == "volume_away"):
        return _volume_away(workspace, facts, detail if facts.being_saved else ())
    if unsaved and workspace is not None:
        met = f"{_reason(session.save_error)}. " if session.save_error else ""
        if not facts.being_saved and not facts.save_asked:
            detail = (*detail, " " if detail else "", "It is saved by itself as soon as storage answers.")
        return State(
            ERROR,
            "not saved",
            BADGES["not saved"],
            (met, *_why(cause, session, facts), " at ", Moment(ended), ", before everything was saved."),
            detail,
            (_kept(workspace), *_last_save(facts), "."),
            cause=session.cause or "",
        )
    if session.ready_at is None and not cause.wanted and not facts.dismissed:
        return State(
            ERROR,
            "did not start",
            BADGES["did not start"],
            (_stopped(session.detail) if session.detail else _stopped(cause.title),),
            safe=("Your workspace was not touched", *_saved_brackets(facts), "."),
            cause=session.cause or "",
        )
    if not cause.wanted and not facts.dismissed:
        return State(
            ERROR,
            "ended",
            BADGES["ended"],
            (*_why(cause, session, facts), " at ", Moment(ended), "."),
            detail,
            _safe(facts),
            cause=session.cause or "",
        )
    said = "; everything is saved." if cause.by_somebody and facts.actor else " and saved."
    saved: Sentence = (said,) if facts.saved_at is not None and session.ready_at else (".",)
    sentence = (*_why(cause, session, facts), " at ", Moment(ended), *saved)
    kept = variables.in_words(session.variables)
    detail = (*detail, *((" ",) if detail and kept else ()), *((kept,) if kept else ()))
    return State(STOPPED, "", BADGES[STOPPED], sentence, detail, _safe(facts), cause=session.cause or "")


def _volume_away(workspace: WorkspaceRow, facts: Facts, detail: Sentence) -> State:
    safe: Sentence = ("Nothing had been saved before.",)
    if facts.saved_at is not None:
        safe = ("Your last save of ", Moment(facts.saved_at), " is safe. Start from it, or wait.")
    return State(
        ERROR,
        "not saved",
        BADGES["not saved"],
        (f"The volume does not open. On it: {unsaved_files(workspace)}.",),
        detail or ("It is tried again by itself.",),
        safe,
        cause="volume_away",
    )


def unsaved_files(workspace: WorkspaceRow) -> str:
    """What lies on the volume and is not saved: ``12 files (38 MB) that are not saved``."""
    number = max(1, workspace.unsaved_files)
    size = f" ({show_size(workspace.unsaved_bytes)})" if workspace.unsaved_bytes else ""
    return f"{count(number, 'file')}{size} that {be(number)} not saved"


def _why(cause: Cause, session: SessionRow, facts: Facts) -> Sentence:
    limits = facts.limits
    if session.cause == "idle" and limits is not None and limits.idle_seconds:
        return (messages.title("was stopped", limit=show_duration(limits.idle_seconds)),)
    if session.cause == "session_limit" and limits is not None and limits.max_seconds:
        return (messages.title("session over", limit=show_duration(limits.max_seconds)),)
    if cause.by_somebody and facts.actor:
        if session.ready_at is None:
            return (f"{facts.actor} cancelled the start",)
        return (messages.title("stopped by somebody", who=facts.actor),)
    return (cause.title,)


def _kept(workspace: WorkspaceRow) -> str:
    number = max(1, workspace.unsaved_files)
    size = f" ({show_size(workspace.unsaved_bytes)})" if workspace.unsaved_bytes else ""
    return f"{count(number, 'file')}{size} changed since {be(number)} kept on the volume, the rest in the last save"


def _saved_brackets(facts: Facts) -> Sentence:
    return (" (saved ", Moment(facts.saved_at, "ago"), ")") if facts.saved_at is not None else ()


def _safe(facts: Facts) -> Sentence:
    if facts.saved_at is None:
        return ("Nothing had been saved before.",)
    return ("Everything of the last save", *_last_save(facts), " is there.")


def _stopped(text: str | None) -> str:
    text = (text or "").strip()
    return text if not text or text[-1] in ".!?" else text + "."
