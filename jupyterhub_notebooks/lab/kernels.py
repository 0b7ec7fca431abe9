"""What the kernels do: the signals ``kernel`` and ``cell``.

Read from the messages that kernels broadcast, whether a page is open or not: each change of state is seen when it
happens. That a kernel waits for ``input()`` is seen only while a page is connected to it, since the kernel asks
that page alone. What is over at once and nobody waits for, such as a plot that a page renews by a timer, is neither
work nor a sign of anybody (asked.py).
"""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..contract import LocalKernel, LocalSignal
from .asked import Asked, kind_and_id, request_of

DELIMITER = b"<IDS|MSG>"
#: Somebody who ran a cell is there for so long.
CELL_SECONDS = 60.0
#: What nobody waits for counts as work all the same once it takes so long.
BRIEF_SECONDS = 2.0
#: In front of the detail when no kernel computes and some wait for a person.
WAITS = "Waits for a person"


@dataclass(frozen=True)
class Kernel:
    """One kernel. state as Jupyter says it; since: monotonic; waits: what for, in words, "" where it does not; waits_since:
    when it began to wait, or when that was over; rested: while it does only what nobody waits for, since when it was at
    rest before."""

    state: str
    since: float
    waits: str = ""
    waits_since: float = 0.0
    rested: float | None = None

    @property
    def last(self) -> float:
        """When something last went on in it."""
        return max(self.since, self.waits_since)

    def at(self, now: float) -> Kernel:
        """As it counts: at rest while what it does is brief and nobody waits for it."""
        if self.rested is None or now - self.since >= BRIEF_SECONDS:
            return self
        return Kernel("idle", self.rested, self.waits, self.waits_since)


def followed_by(had: Kernel | None, state: str, now: float, refresh: bool | None) -> Kernel:
    """A kernel after another word of its state. refresh: whether it is at work for what nobody waits for; None: not known."""
    if had is None:
        return Kernel(state, now)
    if had.state == state:
        other = had.rested is not None and refresh is False
        return Kernel(state, now, had.waits, had.waits_since) if other else had
    if state == "busy" and had.state == "idle" and refresh:
        return Kernel(state, now, rested=had.last)
    if had.rested is not None and state == "idle" and now - had.since < BRIEF_SECONDS:
        return Kernel(state, had.rested)
    return Kernel(state, now)


def kernel_signal(
    kernels: Mapping[str, Kernel], names: Mapping[str, str], last_end: float, now: float
) -> LocalSignal:
    """names: of the notebooks that the kernels belong to. last_end: when a kernel that is gone was last seen.

    A kernel that waits for a person computes nothing: it is at rest from when it began to wait.
    """
    computing = {id: one for id, one in kernels.items() if one.state == "busy" and not one.waits}
    waiting = [f"{names.get(id, 'a notebook')} {one.waits}" for id, one in kernels.items() if one.waits]
    if not computing:
        since = max([last_end, *(one.last for one in kernels.values())])
        words = f"{WAITS}: {_listed(waiting)}" if waiting else _resting(kernels)
        return LocalSignal("kernel", "idle", max(0.0, now - since), words)
    parts = [f"A cell runs in {_listed([names.get(id, 'a notebook') for id in computing])}"]
    if waiting:
        parts.append(_listed(waiting))
    since = min(one.last for one in computing.values())
    return LocalSignal("kernel", "busy", max(0.0, now - since), "; ".join(parts))


def _resting(kernels: Mapping[str, Kernel]) -> str:
    dead = sum(1 for one in kernels.values() if one.state == "dead")
    rest = len(kernels) - dead
    words = "No kernel runs" if not rest else "1 kernel is idle" if rest == 1 else f"{rest} kernels are idle"
    return words if not dead else f"{words}, {dead} {'is' if dead == 1 else 'are'} dead"


def _listed(names: Sequence[str]) -> str:
    shown = sorted(set(names))
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")


def cell_signal(
    last: float | None, name: str, began: float, now: float, present_seconds: float
) -> LocalSignal:
    """last: when somebody last ran a cell; None: not since began."""
    if last is None:
        return LocalSignal("cell", "idle", now - began, "No cell was run yet")
    state = "busy" if now - last < present_seconds else "idle"
    return LocalSignal("cell", state, now - last, f"A cell was run in {name}")


class Kernels:
    """Follows a kernel manager from ``watch`` to ``unwatch``."""

    def __init__(
        self,
        manager: Any,
        monotonic: Callable[[], float] = time.monotonic,
        present_seconds: float = CELL_SECONDS,
    ) -> None:
        self._manager, self._monotonic, self._present = manager, monotonic, present_seconds
        self._began = self._last_end = monotonic()
        self._seen: dict[str, Kernel] = {}
        self._hooked: dict[str, Any] = {}
        self._cell: tuple[float, str] | None = None
        self.asked = Asked()
        self._original: Callable[[str], None] | None = None
        self.names: Mapping[str, str] = {}

    @property
    def followed(self) -> bool:
        """Whether this server's kernels can be followed: those behind a gateway cannot."""
        return self._original is not None

    def watch(self) -> None:
        """From now on, each kernel that starts; once."""
        original = getattr(self._manager, "start_watching_activity", None)
        if original is None:
            return
        self._original = original

        def start_watching(kernel_id: str) -> None:
            original(kernel_id)
            self._follow(kernel_id)

        self._manager.start_watching_activity = start_watching
        for kernel_id in self._manager.list_kernel_ids():
            self._follow(kernel_id)

    def unwatch(self) -> None:
        if self._original is not None:
            self._manager.start_watching_activity = self._original
            self._original = None
        for kernel in self._hooked.values():
            del kernel.restart_kernel
        self._hooked.clear()

    def unknown_names(self) -> bool:
        """Whether a kernel runs whose notebook is not known yet."""
        return any(id not in self.names for id in self._seen)

    def asked_for_input(self, kernel_id: str) -> None:
        """A page was asked for a line that ``input()`` waits for."""
        self._set_waits(kernel_id, "waits for input()")

    def got_input(self, kernel_id: str) -> None:
        self._set_waits(kernel_id, "")

    def state_of(self, kernel_id: str) -> tuple[str, str]:
        """(state as Jupyter says it now, what it waits for or '')."""
        self._note_state(kernel_id)
        one = self._seen.get(kernel_id)
        return (one.state, one.waits) if one is not None else ("dead", "")

    def is_waiting(self, kernel_id: str) -> bool:
        one = self._seen.get(kernel_id)
        return one is not None and bool(one.waits)

    def processes(self) -> tuple[LocalKernel, ...]:
        """The kernels that run, with their processes where they are on this machine."""
        if not self.followed:
            return ()
        found = []
        for id in self._manager.list_kernel_ids():
            provisioner = getattr(self._manager.get_kernel(id), "provisioner", None)
            pid = getattr(provisioner, "pid", None)
            found.append(LocalKernel(id, self.names.get(id, ""), pid if isinstance(pid, int) else 0))
        return tuple(found)

    def signals(self) -> tuple[LocalSignal, ...]:
        """``kernel`` and ``cell`` now."""
        now = self._monotonic()
        if not self.followed:
            return (LocalSignal("kernel", "unknown", None, "The kernels run on another machine"),)
        there = set(self._manager.list_kernel_ids())
        for gone in set(self._seen) - there:
            del self._seen[gone]
            self._hooked.pop(gone, None)
            self.asked.forget(gone)
            self._last_end = now
        for kernel_id in there:
            self._note_state(kernel_id)
        last, kernel_id = self._cell if self._cell is not None else (None, "")
        name = self.names.get(kernel_id, "a notebook")
        return (
            kernel_signal(
                {id: one.at(now) for id, one in self._seen.items()}, self.names, self._last_end, now
            ),
            cell_signal(last, name, self._began, now, self._present),
        )

    def _follow(self, kernel_id: str) -> None:
        """Reads along on the stream that the manager itself reads."""
        kernel = self._manager.get_kernel(kernel_id)
        stream = getattr(kernel, "_activity_stream", None)
        record = getattr(stream, "_recv_callback", None)
        self._note_state(kernel_id)
        self._hook_restarts(kernel_id, kernel)
        if stream is None or record is None:
            return  # changes are then seen at each report only

        def read_along(message: list[bytes]) -> None:
            record(message)
            self._read(kernel_id, message)

        stream.on_recv(read_along)

    def _hook_restarts(self, kernel_id: str, kernel: Any) -> None:
        """Sees that a kernel begins anew, whether a person asked for it or it had died.

        Jupyter learns a state from the kernel's own words alone. One that was killed in a cell says no more, and the first
        words of the next one are often gone before anybody is connected: it would be busy for ever.
        """
        if kernel_id in self._hooked or not hasattr(kernel, "restart_kernel"):
            return
        restart = kernel.restart_kernel

        def restarted(*arguments: Any, **named: Any) -> Any:
            ports = getattr(kernel, "ports", None)
            self._began_anew(kernel_id)
            answer = restart(*arguments, **named)
            if inspect.isawaitable(answer):
                return self._after(answer, kernel_id, ports)
            self._began_anew(kernel_id, ports)
            return answer

        kernel.restart_kernel = restarted
        self._hooked[kernel_id] = kernel

    async def _after(self, restart: Awaitable[Any], kernel_id: str, ports: Any) -> Any:
        answer = await restart
        self._began_anew(kernel_id, ports)
        return answer

    def _began_anew(self, kernel_id: str, ports: Any = None) -> None:
        """ports: those it had before; at others it is listened to anew, which Jupyter does for a person's restart only."""
        kernel = self._hooked.get(kernel_id)
        if kernel is None:
            return  # it ended meanwhile, or is no longer followed
        kernel.execution_state = "starting"
        self._note_state(kernel_id)
        if ports is not None and kernel.ports != ports:
            self._manager.stop_watching_activity(kernel_id)
            self._manager.start_watching_activity(kernel_id)

    def _note_state(self, kernel_id: str, refresh: bool | None = None) -> None:
        try:
            kernel = self._manager.get_kernel(kernel_id)
        except Exception:  # it ended just now, in whatever way its manager says so
            return
        state = str(getattr(kernel, "execution_state", "unknown"))
        had = self._seen.get(kernel_id)
        self._seen[kernel_id] = followed_by(had, state, self._monotonic(), refresh)

    def _read(self, kernel_id: str, message: list[bytes]) -> None:
        """One broadcast message, already recorded by the manager."""
        try:
            at = message.index(DELIMITER)
            header, parent = message[at + 2], message[at + 3]
        except (ValueError, IndexError):
            self._note_state(kernel_id)
            return
        kind, id = kind_and_id(parent)
        self._note_state(kernel_id, self.asked.is_refresh(kind, id) if kind else None)
        if b'"execute_input"' in header:
            if self.asked.is_somebodys(id):
                self._cell = (self._monotonic(), kernel_id)
        elif b'"debug_event"' in header:
            event = _event(message[at + 5 :])
            if event == "stopped":
                self._set_waits(kernel_id, "is stopped at a breakpoint")
            elif event in ("continued", "exited", "terminated"):
                self._set_waits(kernel_id, "")

    def _set_waits(self, kernel_id: str, waits: str) -> None:
        had = self._seen.get(kernel_id)
        if had is not None and had.waits != waits:
            self._seen[kernel_id] = Kernel(had.state, had.since, waits, self._monotonic())


def _is_browser(connection: Any) -> bool:
    """Whether a browser has made that connection; one that cannot be told is taken for one."""
    request = getattr(getattr(connection, "websocket_handler", None), "request", None)
    return request is None or str(request.headers.get("User-Agent", "")).startswith("Mozilla/")


def _event(parts: Sequence[bytes]) -> str:
    try:
        return str(json.loads(parts[0]).get("event"))
    except (IndexError, ValueError, AttributeError):
        return ""


def watch_input(connection: Any, kernels: Callable[[], Kernels | None]) -> Callable[[], None]:
    """Sees questions of ``input()`` and their answers, and code that is run, pass on connections of that class;
    what is returned undoes it."""
    outgoing, incoming = connection.handle_outgoing_message, connection.handle_incoming_message

    def handle_outgoing_message(self: Any, stream: Any, message: list[Any]) -> None:
        watched = kernels()
        channel = stream if isinstance(stream, str) else getattr(stream, "channel", None)
        if watched is not None and channel == "stdin":
            watched.asked_for_input(self.kernel_id)
        outgoing(self, stream, message)

    def handle_incoming_message(self: Any, message: Any) -> None:
        watched = kernels()
        request = request_of(message) if watched is not None else None
        if watched is not None and request is not None:
            watched.asked.note(self.kernel_id, request, _is_browser(self))
        if watched is not None and watched.is_waiting(self.kernel_id):
            part = message if isinstance(message, str) else bytes(message)
            mark: Any = "input_reply" if isinstance(part, str) else b"input_reply"
            if mark in part:
                watched.got_input(self.kernel_id)
        incoming(self, message)

    connection.handle_outgoing_message = handle_outgoing_message
    connection.handle_incoming_message = handle_incoming_message

    def undo() -> None:
        connection.handle_outgoing_message = outgoing
        connection.handle_incoming_message = incoming

    return undo


def watch_server_side_input(
    modules: Mapping[str, Any], kernels: Callable[[], Kernels | None]
) -> Callable[[], None]:
    """The same where jupyter_server_nbmodel runs cells in the server: it is asked in place of the page.

    modules: those that are loaded; without that one nothing is done.
    """
    actions: Any = modules.get("jupyter_server_nbmodel.actions")
    stack: Any = getattr(modules.get("jupyter_server_nbmodel.execution_stack"), "ExecutionStack", None)
    if not hasattr(actions, "_stdin_hook") or not hasattr(stack, "send_input"):
        return lambda: None
    hook, send = actions._stdin_hook, stack.send_input

    def asked(kernel_id: str, *arguments: Any, **named: Any) -> Any:
        watched = kernels()
        if watched is not None:
            watched.asked_for_input(kernel_id)
        return hook(kernel_id, *arguments, **named)

    async def answered(self: Any, kernel_id: str, *arguments: Any, **named: Any) -> Any:
        done = await send(self, kernel_id, *arguments, **named)
        watched = kernels()
        if watched is not None:
            watched.got_input(kernel_id)
        return done

    actions._stdin_hook, stack.send_input = asked, answered

    def undo() -> None:
        actions._stdin_hook, stack.send_input = hook, send

    return undo
