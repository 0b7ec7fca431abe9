"""What people are told when something does not go as they wished: one table, by situation, of title, why and next step.

Promises: pages, REST API, commands and JupyterLab take these words from here; each situation that stands here comes about
(tests/services/notebooks/test_messages.py names its cause). ``{name}`` are values. Standard library only, pure.

What is not told yet, because there is nothing that it could come about by: a quota that is used up, ends first or stands at
80 %, and the most notebooks at once (no quotas); all places in use and a queue that is over (no queue); a full GPU's
memory by notebook file (no kernel's part of it is read).
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """Templates: a title without its end, why in one sentence, and what to do, best first."""

    title: str
    why: str = ""
    next: tuple[str, ...] = ()


MESSAGES: Mapping[str, Message] = {
    "not allowed": Message(
        "Only for the group {group}", "You are not in it; {address} decides", ("Ask {address}",)
    ),
    "not possible here": Message("{profile} cannot run on this Hub", "{needs}", ("Start with {other}", "Ask {address}")),
    "name taken": Message("You already have a notebook {name}", "It is {where}", ("Use {free}",)),
    "volume offline": Message(
        "The volume does not open",
        "{kept}, and they are not here.",
        ("Start from the last save", "Wait until the volume is there again"),
    ),
    "image missing": Message(
        "The image {image} is not in its registry",
        "The registry answered “{said}”",
        ("Choose another profile", "Ask {contact}"),
    ),
    "registry silent": Message(
        "The image could not be fetched", "Its registry has sent nothing for {time}", ("Start it again", "Ask {contact}")
    ),
    "restore stuck": Message("The workspace could not be fetched", "nothing was overwritten", ("Start it again",)),
    "snapshot damaged": Message(
        "Snapshot {number} cannot be read in full",
        "{what}; nothing was overwritten",
        ("Restore an earlier snapshot, then start it",),
    ),
    "open elsewhere": Message(
        "This notebook still runs on another machine",
        "Only one session may write a workspace. {held}",
        ("Open it there, or stop it there and start again",),
    ),
    "server slow": Message("The editor has not answered for {time}", "Your workspace is there", ("Start it again",)),
    "startup script": Message("Running, but the startup script ended with an error", "{line} (exit status {status})"),
    "idle soon": Message("Idle stop in {left}", "Nothing has run or been typed since {since}.", ("Keep working",)),
    "limit soon": Message("Session ends in {left}", "at {at}.", ("Extend by {by} ({number})",)),
    "was stopped": Message("Idle for {limit}, stopped"),
    "session over": Message("The session's {limit} were over, stopped"),
    "stopped by somebody": Message("{who} stopped it"),
    "out of memory": Message("The kernel ran out of memory"),
    "disk full": Message(
        "No space is left on the disk of the workspace",
        "new files are not written. Delete what can go, or stop it and start it in safe mode, which needs no space there"
        " and names what can go",
        ("Start in safe mode",),
    ),
    "not saved": Message(
        "Not saved since {at}",
        "{reason}; {files} {be} kept on the volume, and it is tried again by itself.",
        ("Save now",),
    ),
    "machine lost": Message("The machine was lost", "Everything of the last save of {at} is there.", ("Start it again",)),
    "Hub away": Message("Not updating since {at}", "Running notebooks go on and are saved."),
    "login broken": Message(
        "The login did not come back",
        "The browser sent no cookie of {host}: it blocks cookies, or the login took too long",
        ("Log in again", "Allow cookies of {host} in the browser's settings"),
    ),
    "host blocked": Message(
        "Blocked: {host}", "{profile} has no public internet.{packages}", ("Ask your administrator for {host}",)
    ),
    "log in again": Message("Log in again", "Your login has ended, or this page was open too long"),
}  # fmt: skip


def title(situation: str, **values: str) -> str:
    """The title of a situation. Raises KeyError for one that is not in the table, or a value that is missing."""
    return MESSAGES[situation].title.format(**values)


def why(situation: str, **values: str) -> str:
    """Its reason."""
    return MESSAGES[situation].why.format(**values)


def steps(situation: str, **values: str) -> list[str]:
    """What to do, best first; a step whose value is not given is left out."""
    return [step.format(**values) for step in MESSAGES[situation].next if names(step) <= set(values)]


def names(template: str) -> set[str]:
    """The values that a template has."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def parts(template: str, **values: object) -> tuple[object, ...]:
    """A template in pieces, with its values as they are: for sentences whose times a page writes in its reader's zone."""
    made: list[object] = []
    for text, name, _, _ in string.Formatter().parse(template):
        made += [text] if text else []
        made += [values[name]] if name else []
    return tuple(made)
