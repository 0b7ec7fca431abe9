"""The bodies themselves. Addresses and meaning of each stand in its docstring."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .checked import Body
from .shown import Clock, Part

PROTOCOL = 1

#: Where a session is, as its agent says it.
PHASES = ("hello", "restoring", "initializing", "starting", "running", "saving", "ended")
SIGNAL_STATES = ("busy", "idle", "unknown")


@dataclass(frozen=True)
class Progress(Body):
    """How far the present phase is; total 0 where it is not known yet."""

    done_bytes: int = 0
    total_bytes: int = 0
    done_files: int = 0
    total_files: int = 0


@dataclass(frozen=True)
class Signal(Body):
    """One reading: name (``kernel``, ``terminal``, ``cpu``, ``gpu``, ``browser``, …), state, since when, evidence."""

    name: str
    state: str = "unknown"
    since: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class Saved(Body):
    """The last save: its number (0: none yet), when, what has changed since as far as known, what went wrong."""

    number: int = 0
    at: str | None = None
    pending_bytes: int = 0
    pending_files: int = 0
    error: str | None = None


@dataclass(frozen=True)
class Ended(Body):
    """Why the session ends. cause is a label: ``stopped``, ``server_died``, ``not_restored``, …; detail a sentence."""

    cause: str
    detail: str = ""


@dataclass(frozen=True)
class Lease(Body):
    """The right to write the workspace: its number only grows."""

    number: int
    ends_in_seconds: float


@dataclass(frozen=True)
class Hello(Body):
    """POST v1/hello. volume: ``empty`` (no files, no state), ``kept`` (files with state: base and lease are
    set), ``restoring`` (an unfinished restore), ``unknown`` (files without state)."""

    agent_version: str
    protocol: int = PROTOCOL
    python: str = ""
    volume: str = "empty"
    base: int | None = None
    lease: int | None = None
    marker: str | None = None


@dataclass(frozen=True)
class HelloAnswer(Body):
    """lease is None where another session holds it (``held_by`` says which, in words).

    head: number of the newest snapshot of kind save, 0 where there is none. next_number: what the next
    snapshot would be called. secret_key: the workspace's key (hex) where it is encrypted. store_authority:
    certificates (PEM) that storage's addresses are checked with, beside the system's. title and profile: the notebook's,
    as its user knows them. memory_bytes and cpus: what the profile gives, 0 for no limit. head_at and head_size_bytes:
    of the newest save. last_stop: how the session before ended, where its user did not ask for it.
    repo: the address of a repository that is cloned or updated before the server starts; '' for none.
    variables_bytes, variables_seconds: how much of the kernels' variables is kept before a stop, and within what time;
    0: none. held_volume: the volume with the newest files, where that is why there is no lease. set_aside: the notebook
    goes on from a save without what lies on this volume, which may only become a recovery snapshot.
    """

    workspace: str
    limit_bytes: int = 0
    lease: Lease | None = None
    held_by: str = ""
    head: int = 0
    next_number: int = 1
    startup_script: str = ""
    startup_script_seconds: float = 120.0
    save_interval_seconds: float = 300.0
    save_timeout_seconds: float = 3600.0
    next_in_seconds: float = 30.0
    never_saved: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    secret_key: str | None = field(default=None, repr=False)
    store_authority: str = ""
    server_time: str = ""
    protocol: int = PROTOCOL
    title: str = ""
    profile: str = ""
    memory_bytes: int = 0
    cpus: float = 0.0
    head_at: str | None = None
    head_size_bytes: int = 0
    last_stop: Notice | None = None
    variables_bytes: int = 500_000_000
    variables_seconds: float = 60.0
    held_volume: str = ""
    set_aside: bool = False
    repo: str = ""


@dataclass(frozen=True)
class LostVariable(Body):
    """One that could not be kept, or a whole kernel's (name is then ""). notebook: its file; why: a sentence's end."""

    notebook: str = ""
    name: str = ""
    why: str = ""


@dataclass(frozen=True)
class KeptVariables(Body):
    """What became of the kernels' variables before a stop. seconds: by how much that put the stop off."""

    saved: int = 0
    notebooks: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    lost: tuple[LostVariable, ...] = ()


@dataclass(frozen=True)
class Heartbeat(Body):
    """POST v1/heartbeat, up. sequence grows by one a heartbeat; an older one than the last is ignored.

    made_anew: sentences about what the agent had to make again in the workspace. warnings: what the user
    must know though the session runs (a startup script that ended with an error). done_orders: ids of
    orders that were carried out since the last heartbeat that was answered; outcomes: what came of some of them, by id
    (``error``: a sentence, where one could not be carried out). shown_notices: ids of notices that
    were on a screen where somebody could have seen them, since the last heartbeat that was answered. variables: what
    became of them, once an order ``checkpoint`` was carried out. blocked: hosts that the rule for the network refused
    (``host``, with ``:port`` where that is not one of the web), and how often so far.
    """

    sequence: int
    phase: str
    protocol: int = PROTOCOL
    agent_version: str = ""
    progress: Progress = Progress()
    signals: tuple[Signal, ...] = ()
    saved: Saved = Saved()
    ended: Ended | None = None
    made_anew: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    done_orders: tuple[str, ...] = ()
    outcomes: dict[str, Any] = field(default_factory=dict)
    shown_notices: tuple[str, ...] = ()
    size_bytes: int | None = None
    variables: KeptVariables | None = None
    blocked: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict(Body):
    """working, present, quiet or unknown, since when, and the sentence that explains it."""

    value: str = "unknown"
    since: str | None = None
    sentence: str = ""


@dataclass(frozen=True)
class Notice(Body):
    """Something the user must read: a label, title, why, next steps.

    head and body: title and why for a screen that counts times itself. keep: words of the button that moves a
    deadline. colour: ``wait`` (amber), ``err`` (red) or ``work`` (blue).
    """

    id: str
    reason: str
    title: str
    why: str = ""
    next: tuple[str, ...] = ()
    head: tuple[Part, ...] = ()
    body: tuple[Part, ...] = ()
    keep: str = ""
    colour: str = "wait"


@dataclass(frozen=True)
class Order(Body):
    """What the agent shall do: ``report`` (a heartbeat at once), ``save``, ``checkpoint``, ``finish`` (save and end), or
    ``restore``: bring files back, with details ``number`` (of the snapshot), ``paths``, and ``into`` for copies."""

    id: str
    do: str
    cause: str = ""
    actor: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HeartbeatAnswer(Body):
    """POST v1/heartbeat, down. lease is None when it was lost: stop committing, keep the files."""

    server_time: str
    protocol: int = PROTOCOL
    verdict: Verdict = Verdict()
    idle_ends_at: str | None = None
    session_ends_at: str | None = None
    notices: tuple[Notice, ...] = ()
    quota: dict[str, Any] = field(default_factory=dict)
    lease: Lease | None = None
    orders: tuple[Order, ...] = ()
    next_in_seconds: float = 30.0
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True)
class Orders(Body):
    """GET v1/orders?after=ID, held open up to 25 s."""

    orders: tuple[Order, ...] = ()


@dataclass(frozen=True)
class UrlRequest(Body):
    """One object. kind ``block`` with hash (64 hex) or ``snapshot`` with number; method GET, or PUT with
    length (bytes as stored) and sha256 (64 hex, of the bytes as stored). PUT is for blocks only."""

    kind: str
    method: str = "GET"
    hash: str | None = None
    number: int | None = None
    length: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class UrlsRequest(Body):
    """POST v1/urls, at most 1,000 at once."""

    urls: tuple[UrlRequest, ...]


@dataclass(frozen=True)
class SignedUrl(Body):
    """A URL good for ends_in_seconds; every header in headers must be sent exactly as given.

    PUT answers 200, or 412 where the object is there already.
    """

    url: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Urls(Body):
    """Answer of v1/urls, in the order asked."""

    urls: tuple[SignedUrl, ...]
    ends_in_seconds: float = 900.0


@dataclass(frozen=True)
class Commit(Body):
    """POST v1/commit: the snapshot object (base64 of its bytes, at most 64 kB) as number, under a lease.

    present: blocks (hex names) that the save did not write because a PUT answered 412; they are taken off
    the list of what is to be removed. kind: save or recovery. size_bytes and files: logical size.
    """

    number: int
    lease: int
    body: str
    kind: str = "save"
    size_bytes: int = 0
    files: int = 0
    stored_bytes: int = 0
    present: tuple[str, ...] = ()


@dataclass(frozen=True)
class Committed(Body):
    """Answer of v1/commit. missing: blocks of ``present`` that are gone: write them again and commit again
    (then number is 0 and nothing was committed)."""

    number: int
    at: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release(Body):
    """POST v1/release: the session is over and its row closes. number: last snapshot; cause as in Ended.

    pending_files: above 0 when files on the volume are newer than the last snapshot (unsaved_on is set).
    """

    number: int = 0
    cause: str = "stopped"
    detail: str = ""
    pending_files: int = 0
    pending_bytes: int = 0


@dataclass(frozen=True)
class SnapshotRow(Body):
    """One snapshot of the workspace."""

    number: int
    kind: str = "save"
    at: str = ""
    size_bytes: int = 0
    files: int = 0


@dataclass(frozen=True)
class Snapshots(Body):
    """GET v1/snapshots, newest first."""

    snapshots: tuple[SnapshotRow, ...] = ()


@dataclass(frozen=True)
class Extend(Body):
    """POST v1/extend: somebody works on. Moves the end that comes first; who is a Hub user name.

    seconds: by how much, for the session's end; 0: by as much as one extension has. Answers ``Extended``.
    """

    seconds: float = 0.0
    who: str = ""


@dataclass(frozen=True)
class Extended(Body):
    """Answer of v1/extend. moved: ``idle`` or ``session_limit``; extensions_left: of the session's end."""

    moved: str
    idle_ends_at: str | None = None
    session_ends_at: str | None = None
    extensions_left: int = 0


@dataclass(frozen=True)
class Log(Body):
    """POST v1/log: lines of the session's log, numbered from ``first`` (a line sent twice is kept once)."""

    first: int
    lines: tuple[str, ...] = ()
