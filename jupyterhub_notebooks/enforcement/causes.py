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
    **{
        name: Cause(title, next=("Choose another profile", "Start it again"))
        for name, title in {
            "image_missing": "Its image is not in its registry",
            "image_login": "Its image could not be fetched: the registry wants a login",
            "image_denied": "Its image could not be fetched: the registry does not give it to this Hub",
            "image_limited": "Its image could not be fetched: the registry limits downloads",
            "image_name": "Its profile names no image",
            "image_without_agent": "Its image cannot run a notebook",
            "registry_away": "Its image could not be fetched: the registry does not answer",
            "no_place": "No machine had a place for it",
            "no_gpu": "No machine had a GPU for it",
            "no_machine": "No machine of its flavor exists",
            "machine_full": "Its machine's disk was full",
            "config_missing": "Its profile is not complete",
            "profile_field": "Its profile cannot run as it is written",
            "policy": "The cluster does not let its profile run",
            "limit_of_namespace": "Its profile is outside the cluster's limits",
            "quota_of_namespace": "The quota of the cluster was used up",
            "missing_there": "The cluster is not set up for its profile",
            "cluster_login": "This Hub may not use its cluster",
            "cluster_rights": "This Hub may not use its cluster",
            "cluster_away": "The cluster did not take anything new",
        }.items()
    },
    "not_created": Cause("It could not be set up on its machine"),
    "ended_at_once": Cause("The server ended at once", next=("Start it again", "Start it in safe mode")),
    "volume_missing": Cause("Its volume cannot be opened"),
    "volume_elsewhere": Cause(messages.title("volume offline"), next=tuple(messages.steps("volume offline"))),
    "volume_not_attached": Cause("Its volume could not be attached"),
    "evicted": Cause("Its machine made room and ended it"),
    "evicted_disk": Cause(
        "Too much was written outside of the workspace", next=("Keep less there", "Start it again")
    ),
    "preempted": Cause("A more urgent job took its place"),
    "drained": Cause("Its machine was emptied for maintenance"),
    "deadline": Cause("A time limit of the cluster ended it"),
    "lease_held": Cause(
        "It still runs or is saved elsewhere; only one session may write a workspace",
        next=("Wait until it has ended, then start it again",),
    ),
}


def cause_of(label: str) -> Cause:
    """The words of a label; one that is not known is an end that nobody wanted."""
    known = CAUSES.get(label)
    return known if known is not None else Cause(label.replace("_", " ").capitalize() or "Ended")
