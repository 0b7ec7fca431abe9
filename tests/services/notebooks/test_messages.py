"""The table of messages: each situation comes about by a real cause, in plain words, and nothing is said past the table."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.services.auth import HubOAuth

from jupyterhub_notebooks import messages
from jupyterhub_notebooks.agent import begin, safe, startup_script
from jupyterhub_notebooks.agent.egress import Egress
from jupyterhub_notebooks.agent.memory import Held, ended_notice
from jupyterhub_notebooks.agent.space import SpaceWords
from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.contract import HelloAnswer, LocalKernel
from jupyterhub_notebooks.errors import Damaged, Refusal
from jupyterhub_notebooks.ledger import Session, intents, sessions, users
from jupyterhub_notebooks.profiles.catalog import SHIPPED, CatalogFile
from jupyterhub_notebooks.profiles.choosing import Abilities, choose
from jupyterhub_notebooks.spawners import engine, progress
from jupyterhub_notebooks.workspace import Volume
from jupyterhub_notebooks.workspace.restoring import restore as engine_restore

from .conftest import CREATED, Site
from .saved import Saved
from .test_clocks import quiet, running

ROOT = Path(__file__).parents[3]
GROUPED = """
  risk-only:
    title: Risk models
    use: Scoring
    flavor: std-2x8
    who: {groups: [risk]}
    contact: risk@example.org
"""


async def of_choosing(site: Site, folder: Path, profile: str) -> str:
    path = folder / "profiles.yaml"
    path.write_text(SHIPPED.read_text() + GROUPED)
    with pytest.raises(Refusal) as met:
        choose(
            CatalogFile(path).current(), {"profile": profile}, groups=(), user="mara", abilities=Abilities()
        )
    return met.value.sentence()


async def not_allowed(site: Site, folder: Path) -> str:
    return await of_choosing(site, folder, "risk-only")


async def not_possible_here(site: Site, folder: Path) -> str:
    return await of_choosing(site, folder, "notebook-gpu-t4")


async def name_taken(site: Site, folder: Path) -> str:
    token = site.hub.add("mara")
    body = {"name": "churn", "profile": "notebook-cpu-small", "start": False}
    assert (await site.api(token, "notebooks", "POST", body)).code == 201
    answer = await site.api(token, "notebooks", "POST", body)
    assert answer.code == 409
    return answer.body.decode()


async def volume_offline(site: Site, folder: Path) -> str:
    held = "12 files of it are on the machine node-3"
    return begin.refused(HelloAnswer("w", held_by=held, held_volume="local:a")).sentence()


async def open_elsewhere(site: Site, folder: Path) -> str:
    return begin.refused(HelloAnswer("w", held_by="It answered 20 s ago")).sentence()


async def startup(site: Site, folder: Path) -> str:
    script = "echo no such package; exit 4"
    told = startup_script.run(script, dict(os.environ), folder, folder, 10, lambda line: None, lambda: False)
    return told or ""


async def page_of(site: Site, limits: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """The list of a person with one running notebook."""
    token = site.hub.add("mara")
    start = sessions.begin
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sessions,
            "begin",
            lambda ledger, id, notebook, launch, *rest, **more: start(
                ledger, id, notebook, {**launch, **limits}, *rest, **more
            ),
        )
        await running(site, token, **values)
    return (await site.page(token, "")).body.decode()


async def idle_soon(site: Site, folder: Path) -> str:
    return await page_of(site, {"idle_stop_seconds": 1800}, quiet(22))


async def limit_soon(site: Site, folder: Path) -> str:
    begun = SYSTEM_CLOCK.now() - timedelta(hours=7.9)
    values = {"verdict": "working", "verdict_sentence": "A cell runs.", "ready_at": begun}
    return await page_of(site, {"max_session_seconds": 8 * 3600}, values)


async def not_saved(site: Site, folder: Path) -> str:
    token = site.hub.add("mara")
    saved = Saved(site, folder)
    saved.save({"a.txt": "one"})
    session = saved.begin()
    values = {"save_error": "Storage does not answer. It is away", "pending_files": 12, "verdict": "working"}
    now = SYSTEM_CLOCK.now()
    sessions.report(site.ledger, [sessions.Report(session.id, {"heard_at": now, **values})])
    return (await site.page(token, "")).body.decode()


async def ended(site: Site, folder: Path, cause: str, limits: Mapping[str, Any], actor: bool = False) -> str:
    token = site.hub.add("mara")
    saved = Saved(site, folder)
    saved.save({"a.txt": "one"})
    session = saved.begin()
    if limits:
        _launched(site, session.id, limits)
    if actor:
        boss = users.seen(site.ledger, "petra", CREATED, SYSTEM_CLOCK.now())
        intents.ask(site.ledger, session.id, "stop", "admin", boss.id, SYSTEM_CLOCK.now(), {})
        sessions.stop_asked(site.ledger, session.id, SYSTEM_CLOCK.now())
    saved.close(session, cause)
    return (await site.page(token, "")).body.decode()


def _launched(site: Site, id: str, limits: Mapping[str, Any]) -> None:
    from sqlalchemy import update

    from jupyterhub_notebooks.ledger.tables import sessions as table

    row = sessions.get(site.ledger, id)
    with site.ledger.write() as connection:
        connection.execute(update(table).where(table.c.id == id).values(launch={**row.launch, **limits}))


async def was_stopped(site: Site, folder: Path) -> str:
    return await ended(site, folder, "idle", {"idle_stop_seconds": 1800})


async def session_over(site: Site, folder: Path) -> str:
    return await ended(site, folder, "session_limit", {"max_session_seconds": 8 * 3600})


async def by_somebody(site: Site, folder: Path) -> str:
    return await ended(site, folder, "admin", {}, actor=True)


async def machine_lost(site: Site, folder: Path) -> str:
    return await ended(site, folder, "lost", {})


async def image_missing(site: Site, folder: Path) -> str:
    """What Docker's registry answers; tests/spawners/docker asks a real engine for one."""
    return engine.told("manifest unknown: manifest unknown", "team/base:1", "the platform team").sentence()


async def registry_silent(site: Site, folder: Path) -> str:
    """Nothing has come of the image for two minutes."""
    return progress.stuck(_starting(site, folder, "pulling"), 120, "the platform team").sentence()


async def server_slow(site: Site, folder: Path) -> str:
    return progress.stuck(_starting(site, folder, "starting"), 120, "the platform team").sentence()


def _starting(site: Site, folder: Path, phase: str) -> Session:
    site.hub.add("mara")
    session = Saved(site, folder).begin(ready=False)
    sessions.report(site.ledger, [sessions.Report(session.id, {"phase": phase})])
    return sessions.get(site.ledger, session.id)


async def snapshot_damaged(site: Site, folder: Path) -> str:
    """A block of it is cut off; what the engine says of it is what the agent tells."""
    saved = Saved(site, folder)
    number = saved.save({"a.txt": "one " * 1000})
    for block in (folder / "store" / "workspaces" / saved.notebook.workspace / "blocks").rglob("*"):
        if block.is_file():
            block.write_bytes(block.read_bytes()[:20])
    with pytest.raises(Damaged) as met:
        engine_restore(Volume(folder / "new", folder / "its"), saved.space, saved.space, number)
    error = begin.damaged(number, met.value)
    token = site.hub.add("mara")
    saved.close(saved.begin(ready=False), error.reason, error.sentence())
    page = (await site.page(token, "n/mara/churn")).body.decode()
    assert "Restore an earlier snapshot</a>" in page
    return page


async def login_broken(site: Site, folder: Path) -> str:
    """Back from the login without the cookie that was set before it."""
    state = HubOAuth.instance().generate_state("/services/notebooks/")
    answer = await site.ask(f"oauth_callback?code=given&state={state}")
    assert answer.code == 403 and "default-src" in answer.headers["Content-Security-Policy"]
    return answer.body.decode()


async def restore_stuck(site: Site, folder: Path) -> str:
    token = site.hub.add("mara")
    saved = Saved(site, folder)
    saved.close(saved.begin(ready=False), "not_restored")
    return (await site.page(token, "n/mara/churn")).body.decode()


async def log_in_again(site: Site, folder: Path) -> str:
    answer = await site.ask("rows", headers={"Sec-Fetch-Mode": "cors", "Accept": "application/json"})
    return answer.body.decode()


async def hub_away(site: Site, folder: Path) -> str:
    """The words that the page shows by itself; a browser sees them in tests/end_to_end/test_actions.py."""
    token = site.hub.add("mara")
    Saved(site, folder)
    return (await site.page(token, "")).body.decode()


async def out_of_memory(site: Site, folder: Path) -> str:
    """The biggest kernel is the cause; tests/agent/test_memory.py ends a real one."""
    held = Held(LocalKernel("k", name="features.ipynb"), 9 * 10**9)
    return ended_notice(1, 8 * 10**9, held).title


async def disk_full(site: Site, folder: Path) -> str:
    """The disk is what the system says of it; the fault is planned."""
    said: list[str] = []
    standing = SimpleNamespace(tell=lambda warnings: said.extend(warnings), take_back=lambda words: None)
    log = SimpleNamespace(say=lambda words: None)
    context: Any = SimpleNamespace(
        volume=SimpleNamespace(files=folder), answer=HelloAnswer("w"), standing=standing, log=log
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            safe.os, "statvfs", lambda path: SimpleNamespace(f_bavail=0, f_frsize=4096, f_blocks=100)
        )
        SpaceWords(context).saved(1000)
    return " ".join(said)


async def host_blocked(site: Site, folder: Path) -> str:
    """What the proxy refused; tests/spawners/docker/test_egress.py has it refuse a real host."""
    egress = Egress("http://127.0.0.1:1", lambda counts: None, lambda line: None)
    egress.introduce("notebook-pii", {"PIP_INDEX_URL": "https://mirror.example.org/simple"})
    egress.take({"number": 1, "hosts": [{"host": "files.example.net", "count": 1}]})
    told = egress.notices()[0]
    return f"{told.title}. {told.why} {' '.join(told.next)}"


CAUSES: dict[str, Callable[[Site, Path], Awaitable[str]]] = {
    "not allowed": not_allowed,
    "not possible here": not_possible_here,
    "name taken": name_taken,
    "volume offline": volume_offline,
    "image missing": image_missing,
    "registry silent": registry_silent,
    "server slow": server_slow,
    "snapshot damaged": snapshot_damaged,
    "login broken": login_broken,
    "restore stuck": restore_stuck,
    "open elsewhere": open_elsewhere,
    "startup script": startup,
    "idle soon": idle_soon,
    "limit soon": limit_soon,
    "was stopped": was_stopped,
    "session over": session_over,
    "stopped by somebody": by_somebody,
    "out of memory": out_of_memory,
    "disk full": disk_full,
    "not saved": not_saved,
    "machine lost": machine_lost,
    "Hub away": hub_away,
    "host blocked": host_blocked,
    "log in again": log_in_again,
}


def test_every_situation_of_the_table_has_its_cause() -> None:
    assert set(CAUSES) == set(messages.MESSAGES)


@pytest.mark.parametrize("situation", list(messages.MESSAGES))
async def test_it_comes_about_and_says_the_words_of_the_table(
    site: Site, tmp_path: Path, situation: str
) -> None:
    said = as_text(await CAUSES[situation](site, tmp_path))
    title = messages.MESSAGES[situation].title
    pieces = [piece for piece in re.split(r"\{\w+\}", title) if piece.strip()]
    assert re.search(".+".join(re.escape(piece) for piece in pieces), said), said
    why = re.split(r"\{\w+\}", messages.MESSAGES[situation].why)
    found = [piece.strip(" .,;") for piece in why if len(piece.strip(" .,;")) > 6]
    if situation != "machine lost":  # its list says the last save, its page what is there
        assert all(piece in said for piece in found), (found, said)


def as_text(html: str) -> str:
    """Without tags, entities and the escapes of JSON."""
    if html.startswith("{"):
        error = json.loads(html)["error"]
        return f"{error['title']} {error['why']}"
    away = " ".join(re.findall(r'data-nb-away="([^"]*)"', html))
    return (
        (re.sub(r"<[^>]*>", "", html) + away)
        .replace("&#39;", "'")
        .replace("\u00a0", " ")
        .replace("{at}", "12:00")
    )


FORBIDDEN = re.compile(r"\b(please|sorry|oops|failed to|invalid|pod|pvc|cull\w*|spawn\w*)\b|!", re.IGNORECASE)


@pytest.mark.parametrize("situation", list(messages.MESSAGES))
def test_the_words_are_plain(situation: str) -> None:
    one = messages.MESSAGES[situation]
    for text in (one.title, one.why, *one.next):
        assert not FORBIDDEN.search(text), text
    assert not one.title.endswith(".") and "(s)" not in one.title + one.why


def test_what_the_table_says_stands_nowhere_else() -> None:
    """A title of the table is not written a second time in the code that tells it."""
    titles = {one.title for one in messages.MESSAGES.values() if "{" not in one.title and len(one.title) > 15}
    again = []
    for folder in ("jupyterhub_notebooks", "services"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name == "messages.py" or "migrations" in path.parts:
                continue
            texts = {
                node.value
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
            again += [(path.name, title) for title in titles if title in texts]
    assert not again, again
