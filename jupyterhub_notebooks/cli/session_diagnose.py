"""``session diagnose``: one answer to what is the matter, from the ledger or by the REST API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import click

from ..client.rest import Rest
from ..units import count
from .session_own import one_of

#: So many lines of its log stand beside it.
LINES = 5


def of_own(rest: Rest, which: str, as_json: bool) -> None:
    """About one of one's own, with a token."""
    row = one_of(rest, which)
    found = rest.get(f"sessions/{quote(row['id'], safe='')}/diagnosis")
    _print(found, row["id"], as_json)


def of_ledger(base: Any, which: str, as_json: bool) -> None:
    """About anybody's, on the Hub's machine, also while the Hub is down."""
    from ..ledger import audit, evidence, intents, sessions

    row = sessions.resolve(base, which)
    stop = intents.last_stop(base, row.id)
    stopped_on = evidence.lines(stop.evidence) if stop is not None else []
    failed = audit.of_session(base, row.id, audit.FAILED, row.asked_at)
    lines = [line for _, line in sessions.log(base, row.id, LINES)]
    _print(_of_rows(row, failed, stopped_on, lines), row.id, as_json)


def _of_rows(
    row: Any, failed: Mapping[str, Any] | None, stopped_on: Sequence[tuple[str, str]], lines: list[str]
) -> dict[str, Any]:
    """What the ledger alone knows, in the shape of the REST API's answer."""
    steps: list[str] = []
    if row.closed_at is None:
        state = "RUNNING" if row.ready_at else "STARTING"
        said = " ".join([row.verdict_sentence or "", *(row.warnings or [])]).strip()
        found = [
            *stopped_on,
            ("verdict", row.verdict or "not known") if row.ready_at else ("step", row.phase or "asked"),
        ]
        title, why, safe = ("It runs" if row.ready_at else "It is starting"), said, ""
    else:
        state, title = "ENDED", (row.cause or "ended").replace("_", " ").capitalize()
        why, found = row.detail or "", list(stopped_on)
        if failed is not None and row.ready_at is None:
            title, why, steps = str(failed["title"]), str(failed["why"]), list(failed["next"])
            found = [(str(one[0]), str(one[1])) for one in failed.get("signals") or ()]
        safe = "Its workspace was not touched" if row.ready_at is None else ""
        if row.pending_files:
            safe = f"{count(row.pending_files, 'file')} were not saved when it ended; they are kept on its volume"
    told = [{"what": what, "said": text} for what, text in found]
    return {
        "cause": row.cause, "state": state, "title": title, "why": why, "safe": safe, "next": steps, "evidence": told,
        "lines": lines if row.closed_at is not None and row.detail else [],
    }  # fmt: skip


def _print(found: dict[str, Any], session: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({**found, "session": session}))
        return
    click.echo(f"{found['title'].rstrip('.')}." if found["title"] else found["state"])
    for text in (found["why"], found["safe"]):
        if text:
            click.echo(text if text[-1] in ".!?" else f"{text}.")
    _listed("What to do", found["next"])
    _listed("Evidence", [f"{one['what']}: {one['said']}" for one in found["evidence"]])
    _listed("Its last lines", found["lines"])
    click.echo(
        f"Session {session}, {found['state'].lower()}"
        + (f", cause {found['cause']}" if found["cause"] else "")
    )


def _listed(title: str, lines: Sequence[str]) -> None:
    if lines:
        click.echo(f"{title}:")
    for line in lines:
        click.echo(f"  {line}")
