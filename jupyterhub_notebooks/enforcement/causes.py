"""Why a session ended, in words: one table for pages, commands and mails.

A cause is a label in the ledger. ``wanted``: the end was meant, the notebook is STOPPED; else it is ERROR.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import messages


@dataclass(frozen=True)
class Cause:
    """title: a sentence without its end, such as ``Idle, stopped``. next: what helps, best first."""

    title: str
    wanted: bool = False
    by_somebody: bool = False
    next: tuple[str, ...] = ("Start it again",)


CAUSES: dict[str, Cause] = {
    "stopped": Cause("Stopped", wanted=True, by_somebody=True),
    "cancelled": Cause("The start was cancelled", wanted=True, by_somebody=True),
    "idle": Cause("Idle, stopped", wanted=True),
    "max_session": Cause("Session limit reached, stopped", wanted=True),
    "session_limit": Cause("Session limit reached, stopped", wanted=True),
    "quota": Cause("Quota used up, stopped", wanted=True),
    "admin": Cause("Stopped by an administrator", wanted=True, by_somebody=True),
    "shutdown": Cause("Stopped with the Hub", wanted=True),
    "hub_stopped": Cause("Stopped with the Hub", wanted=True),
    "saved": Cause("Saved and stopped", wanted=True),
    "finished": Cause("Finished", wanted=True),
    "server_died": Cause("The server ended by itself"),
    "agent_died": Cause("The notebook's process ended by itself"),
    "killed": Cause("The notebook's process was ended from outside"),
    "lost": Cause(messages.title("machine lost")),
    "silent": Cause("It did not answer any more and was ended"),
    "out_of_memory": Cause("Out of memory", next=("Start it with a larger profile", "Start it again")),
    "disk_full": Cause("No space left", next=("Free some space, then start it again",)),
    "no_progress": Cause(
        "The start did not get on",
        next=("Start it again", "If it happens again, send the log to the administrators"),
    ),
    "not_restored": Cause(
        f"{messages.title('restore stuck')}; {messages.why('restore stuck')}",
        next=("Start it again", "If it happens again, send the log to the administrators"),
    ),
    "snapshot_damaged": Cause(
        "The newest save cannot be read in full", next=tuple(messages.steps("snapshot damaged"))
    ),
    "did_not_start": Cause("The server did not start"),
    "volume_away": Cause(messages.title("volume offline"), next=tuple(messages.steps("volume offline"))),
    "lease_held": Cause(
        "It still runs or is saved elsewhere; only one session may write a workspace",
        next=("Wait until it has ended, then start it again",),
    ),
}


def cause_of(label: str) -> Cause:
    """The words of a label; one that is not known is an end that nobody wanted."""
    known = CAUSES.get(label)
    return known if known is not None else Cause(label.replace("_", " ").capitalize() or "Ended")
