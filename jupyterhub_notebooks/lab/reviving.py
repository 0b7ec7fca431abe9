"""Cells go on after their kernel began anew: what the server still waits for from a kernel that is gone is given up.

jupyter_server_nbmodel follows no kernel's end: without this each cell that is run after one that killed its kernel (out of
memory) or that was restarted in its middle waits for ever, behind an answer that never comes.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

GIVE_UP_SECONDS = 3.0


def watch_restarts(manager: Any, modules: Mapping[str, Any]) -> Callable[[], None]:
    """Gives up what kernels of that manager are asked for, when they begin anew; what is returned undoes it.

    modules: those that are loaded; without jupyter_server_nbmodel nothing is done.
    """
    stack: Any = getattr(modules.get("jupyter_server_nbmodel.execution_stack"), "ExecutionStack", None)
    original = getattr(manager, "start_watching_activity", None)
    if original is None or not (hasattr(stack, "put") and hasattr(stack, "cancel")):
        return lambda: None
    stacks: weakref.WeakSet[Any] = weakref.WeakSet()
    tasks: set[asyncio.Task[None]] = set()
    put, restart = stack.put, manager.restart_kernel

    def noted(self: Any, *arguments: Any, **named: Any) -> Any:
        stacks.add(self)
        return put(self, *arguments, **named)

    def began_anew(kernel_id: str) -> None:
        for one in list(stacks):
            task = asyncio.ensure_future(given_up(one, kernel_id))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    def started(kernel_id: str) -> None:
        original(kernel_id)
        for event in ("restart", "dead"):
            manager.add_restart_callback(kernel_id, partial(began_anew, kernel_id), event)

    async def restarted(kernel_id: str, *arguments: Any, **named: Any) -> Any:
        began_anew(kernel_id)
        return await restart(kernel_id, *arguments, **named)

    stack.put, manager.start_watching_activity, manager.restart_kernel = noted, started, restarted

    def undo() -> None:
        stack.put, manager.start_watching_activity, manager.restart_kernel = put, original, restart

    return undo


async def given_up(stack: Any, kernel_id: str) -> None:
    """The cells that wait for that kernel end with an error, and the next one gets a new connection."""
    with suppress(asyncio.CancelledError, TimeoutError):  # the worker ends by being cancelled
        await stack.cancel(kernel_id, GIVE_UP_SECONDS)


__all__ = ["given_up", "watch_restarts"]
