"""One action of ``client.actions`` from a command: asked for by REST, followed to its end, said as the page says it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from ..client.actions import call, command_line
from ..client.rest import Rest
from ..contract import Progress
from ..errors import NotebooksError, Refusal
from .asking import Where
from .finding import find, label
from .progress_bar import Bar

LOOK_SECONDS = 0.5
MOST_SECONDS = 6 * 3600.0
SOON = ("STARTING", "STOPPING", "DELETING")


class NotStarted(NotebooksError):
    """A start that was asked for came to nothing."""

    exit_code = 5


def act(
    hub: Where,
    name: str,
    notebook: str,
    values: Mapping[str, Any] | None = None,
    *,
    number: int | None = None,
    as_json: bool = False,
    until: str = "",
    trashed: bool = False,
) -> dict[str, Any]:
    """Does an action and says it. until: the state that is waited for, with a bar; '' is not waiting."""
    rest = hub.rest()
    one = find(rest, notebook, trashed=trashed)
    given = {field: value for field, value in (values or {}).items() if value is not None}
    method, path = call(name, one["user"], one["server"], number)
    done: dict[str, Any] = rest.ask(method, path, given if method == "POST" else None)
    shown = follow(rest, one, until, as_json) if until else done
    if as_json:
        click.echo(json.dumps(shown if until else done))
        return done
    click.echo(shown["sentence"] if until else done["said"])
    say_undo(one, done)
    return done


def say_undo(one: Mapping[str, Any], done: Mapping[str, Any]) -> None:
    """How it is taken back, where that is more than the opposite word."""
    undo = done.get("undo")
    if undo and undo["action"] not in ("start", "stop"):
        values = dict(undo["body"]) | ({"number": undo["number"]} if undo.get("number") else {})
        target = done if "name" in done and done.get("id") != one.get("id") else one
        name = target["name"] if target.get("user") == one.get("user") else label(dict(target))
        click.echo(f"Undo: {command_line(undo['action'], name, values)}")


def follow(rest: Rest, one: Mapping[str, Any], until: str, as_json: bool) -> dict[str, Any]:
    """Looks until a notebook is in that state, with a bar. Raises NotStarted where it ends in another one."""
    _, path = call("start", str(one["user"]), str(one["server"]))
    path = path.removesuffix("/start")
    end = time.monotonic() + MOST_SECONDS
    with Bar(str(one["title"]), as_json) as bar:
        while True:
            found: dict[str, Any] = rest.get(path)
            progress = found.get("progress")
            if progress:
                bar.show(Progress(progress["done_bytes"], progress["total_bytes"]))
            if found["state"] == until:
                return found
            if found["state"] not in SOON:
                safe = str(found.get("safe") or "")
                raise NotStarted(
                    str(found["sentence"]).rstrip("."), safe, [f"See: session log {label(found)}"]
                )
            if bar.cancelled():
                raise Refusal("Not waited for any longer", "It goes on by itself", label="interrupted")
            if time.monotonic() > end:
                raise NotStarted(
                    f"It has not come about in {MOST_SECONDS / 3600:.0f} h", str(found["sentence"])
                )
            time.sleep(LOOK_SECONDS)


def wait_for(look: Callable[[], dict[str, Any]], done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Looks until it is done."""
    while True:
        found = look()
        if done(found):
            return found
        time.sleep(LOOK_SECONDS)
