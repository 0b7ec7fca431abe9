"""Every action of the table by REST and by the page's form: what it does, its row in the audit, its undo."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_notebooks.cli.asking import TOKEN_VARIABLE, URL_VARIABLE
from jupyterhub_notebooks.client.actions import ACTIONS, call, command_line
from jupyterhub_notebooks.ledger import audit, intents, notebooks, sessions, snapshots
from jupyterhub_notebooks.services.notebooks import bodies
from jupyterhub_notebooks.services.notebooks.done import Undo
from jupyterhub_notebooks.services.notebooks.page_actions import address, undo_form

from .conftest import PREFIX, Site
from .saved import Saved


def told(answer: Any) -> Any:
    return json.loads(answer.body)


class Case:
    """A notebook prepared for one action, and the body that it is asked with."""

    def __init__(self, site: Site, folder: Path, name: str) -> None:
        self.site, self.name = site, name
        self.saved = Saved(site, folder)
        self.number: int | None = None
        self.body: dict[str, Any] = {}
        getattr(self, f"for_{name}", lambda: None)()

    def for_stop(self) -> None:
        self.saved.begin()

    for_save = for_stop

    def for_extend(self) -> None:
        self.saved.begin(max_session_seconds=8 * 3600, extend_seconds=7200, extensions=2)

    def for_create(self) -> None:
        self.body = {"name": "Second", "profile": "notebook-cpu-large"}

    def for_download(self) -> None:
        self.number = self.saved.save({"a.txt": "one"})
        self.body = {"path": "a.txt"}

    def for_rename(self) -> None:
        self.body = {"name": "Churn in spring"}

    def for_set(self) -> None:
        self.body = {"profile": "notebook-cpu-large"}

    def for_duplicate(self) -> None:
        self.saved.save({"a.txt": "one"})
        self.body = {"name": "Second"}

    def for_restore(self) -> None:
        now = self.site.context.now()
        notebooks.trash(self.site.ledger, self.saved.notebook.id, self.saved.user.id, now)

    for_empty = for_restore

    def for_dismiss(self) -> None:
        self.saved.close(self.saved.begin(), "server_died", "It ended with status 1")
        self.body = {"dismissed": True}

    def for_start_from_save(self) -> None:
        self.saved.save({"a.txt": "one"})
        now = self.site.context.now()
        sessions.close(self.site.ledger, self.saved.begin().id, now, "agent_died", pending_files=3)

    def for_dismiss_recovery(self) -> None:
        self.saved.save({"a.txt": "one"})
        self.number = self.saved.save({"a.txt": "two"}, kind="recovery")
        self.body = {"dismissed": True}

    def for_keep(self) -> None:
        self.number = self.saved.save({"a.txt": "one"})
        self.body = {"name": "before tuning"}

    def for_restore_files(self) -> None:
        self.number = self.saved.save({"a.txt": "one", "b.txt": "two"})
        self.saved.begin()
        self.body = {"paths": ["a.txt"]}

    def for_restore_all(self) -> None:
        self.number = self.saved.save({"a.txt": "one"})
        self.saved.save({"a.txt": "two"})

    def last_number(self) -> int:
        rows = audit.rows(self.site.ledger, limit=1)
        return rows[0].number if rows else 0

    def rows_since(self, number: int) -> list[tuple[str, str, bool, tuple[str, ...]]]:
        """(action, cause, whether it is hers, what its evidence names) of each row."""
        rows = [row for row in audit.rows(self.site.ledger) if row.number > number]
        mine = self.saved.user.id
        return sorted((row.action, row.cause, row.actor == mine, tuple(sorted(row.evidence))) for row in rows)

    async def by_rest(self, token: str) -> Any:
        method, path = call(self.name, "mara", "churn", self.number)
        body = self.body if method == "POST" else None
        path += "?path=a.txt" if self.name == "download" else ""
        return await self.site.api(token, path, method, body)

    async def by_page(self, token: str) -> Any:
        page = f"{PREFIX}n/mara/churn"
        if self.name == "download":
            return await self.site.page(token, f"n/mara/churn/snapshots/{self.number}/file?path=a.txt")
        if self.name == "create":
            answer = await self.site.post(token, "new", self.body)
            return HTTPResponseLike(answer.body, 200 if answer.code == 303 else answer.code)
        form = undo_form(page, Undo(self.name, self.body, self.number))
        path = form["url"].removeprefix(PREFIX)
        return await self.site.post(token, path, dict(form["fields"]), Accept="application/json")

    async def by_command(self, token: str) -> Any:
        """The very line that the page shows."""
        values = self.body | ({"number": self.number} if self.number else {})
        words = shlex.split(command_line(self.name, "" if self.name == "create" else "churn", values))[
            1:
        ] + QUIETLY.get(self.name, [])
        environment = {**os.environ, URL_VARIABLE: self.site.url, TOKEN_VARIABLE: token}
        done = await asyncio.to_thread(
            subprocess.run,
            [
                sys.executable,
                "-m",
                "jupyterhub_notebooks.cli",
                *words,
                *([] if self.name == "download" else ["--json"]),
            ],
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        return HTTPResponseLike(done.stdout.encode())


class HTTPResponseLike:
    def __init__(self, body: bytes, code: int = 200) -> None:
        self.body, self.code = body, code


#: What a person would be asked, or what would be waited for.
QUIETLY = {
    "create": ["--no-wait"],
    "start": ["--no-wait"],
    "start_from_save": ["--no-wait"],
    "stop": ["--no-wait"],
    "restore_files": ["--no-wait"],
    "empty": ["--yes"],
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """No agent carries out the orders of these tests."""
    from jupyterhub_notebooks.services.notebooks import keeping

    monkeypatch.setattr(keeping, "WAIT_SECONDS", 5.0)


@pytest.mark.parametrize("name", list(ACTIONS))
async def test_page_api_and_command_do_the_same_and_write_the_same_rows(
    site: Site, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyterhub_notebooks.services.notebooks import keeping

    if name == "restore_files":
        monkeypatch.setattr(keeping, "WAIT_SECONDS", 0.1)
    token = site.hub.add("mara")
    seen = []
    for way in ("by_rest", "by_page", "by_command"):
        for view in notebooks.views(site.ledger, trashed=None):
            for one in sessions.of_notebook(site.ledger, view.notebook.id):
                sessions.close(site.ledger, one.id, site.context.now(), "stopped")
            from jupyterhub_notebooks.ledger import trashing

            notebooks.trash(site.ledger, view.notebook.id, None, site.context.now())
            trashing.empty(site.ledger, view.notebook.id, None, site.context.now())
        case = Case(site, tmp_path / way, name)
        before = case.last_number()
        answer = await getattr(case, way)(token)
        assert answer.code < 300, answer.body
        if name == "download":
            assert answer.body == b"one"
        elif name != "create" or way != "by_page":  # that one leads to the page of the start
            said = told(answer)
            assert said["said"].endswith(".")
            if ACTIONS[name].undo:
                assert said["undo"] is not None or name == "restore_files"
        seen.append(case.rows_since(before))
    assert seen[0] == seen[1] == seen[2]
    assert ACTIONS[name].audit in [row[0] for row in seen[0]]


def test_every_action_has_a_body_an_address_and_a_command() -> None:
    for name, action in ACTIONS.items():
        assert set(bodies.BODIES[name].model_fields) == set(action.fields), name
        assert action.undo == "" or action.undo in ACTIONS
        assert action.command.split()[0] in ("notebook", "snapshot")
        assert name in ("create", "download") or address("/n/u/s", name, 3)


UNDO: dict[str, Callable[[Site, Case], Any]] = {
    "rename": lambda site, case: notebooks.get(site.ledger, case.saved.notebook.id).title,
    "set": lambda site, case: notebooks.get(site.ledger, case.saved.notebook.id).profile,
    "delete": lambda site, case: notebooks.get(site.ledger, case.saved.notebook.id).trashed_at,
    "keep": lambda site, case: [
        one.name for one in snapshots.of_workspace(site.ledger, case.saved.notebook.workspace)
    ],
    "dismiss_recovery": lambda site, case: (
        snapshots.of_workspace(site.ledger, case.saved.notebook.workspace)[0].dismissed_at
    ),
    "dismiss": lambda site, case: sessions.of_notebook(site.ledger, case.saved.notebook.id)[0].dismissed_at,
}


@pytest.mark.parametrize("name", sorted(UNDO))
async def test_an_undo_puts_back_what_was_there(site: Site, tmp_path: Path, name: str) -> None:
    token = site.hub.add("mara")
    case = Case(site, tmp_path, name)
    before = UNDO[name](site, case)
    done = told(await case.by_rest(token))
    assert UNDO[name](site, case) != before
    undo = done["undo"]
    method, path = call(undo["action"], "mara", "churn", undo["number"])
    assert (await site.api(token, path, method, undo["body"])).code == 200
    assert UNDO[name](site, case) == before


async def test_another_user_is_told_that_there_is_nothing_and_an_administrator_that_it_is_not_theirs(
    site: Site, tmp_path: Path
) -> None:
    site.hub.add("mara")
    bert, petra = site.hub.add("bert"), site.hub.add("petra", admin=True)
    saved = Saved(site, tmp_path)
    number = saved.save({"secret.txt": "x"})
    for name, action in ACTIONS.items():
        if name == "create":
            continue
        method, path = call(name, "mara", "churn", number)
        body = (
            {"paths": ["secret.txt"]}
            if name == "restore_files"
            else {"name": "x"}
            if name == "rename"
            else None
        )
        path += "?path=secret.txt" if name == "download" else ""
        sent = body if method == "POST" else None
        assert (await site.api(bert, path, method, sent)).code == 404, name
        if action.owner_only:
            answer = await site.api(petra, path, method, sent)
            assert (answer.code, told(answer)["error"]["title"]) == (403, "Only its owner may do this"), name
    for what in ("files", "diff", "zip"):
        assert (await site.api(petra, f"notebooks/mara/churn/snapshots/{number}/{what}")).code == 403


async def test_a_snapshot_is_browsed_compared_and_downloaded_with_hidden_files(
    site: Site, tmp_path: Path
) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    first = saved.save({"a.txt": "one", ".hidden": "h", "data/x.csv": "1,2", "<script>.txt": "s"})
    second = saved.save({"a.txt": "two!", ".hidden": None, "new.txt": "n"})
    at = f"notebooks/mara/churn/snapshots/{first}"
    names = [one["name"] for one in told(await site.api(token, f"{at}/files"))["entries"]]
    assert names == [".hidden", "<script>.txt", "a.txt", "data"]
    inner = told(await site.api(token, f"{at}/files?path=data"))["entries"]
    assert [(one["path"], one["size_bytes"]) for one in inner] == [("data/x.csv", 3)]
    diff = told(await site.api(token, f"notebooks/mara/churn/snapshots/{second}/diff"))
    assert {(one["path"], one["what"]) for one in diff["changes"]} == {
        (".hidden", "removed"),
        ("a.txt", "changed"),
        ("new.txt", "added"),
    }
    got = await site.api(token, f"{at}/file?path=a.txt")
    assert got.body == b"one" and got.headers["Content-Type"] == "application/octet-stream"
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert (await site.api(token, f"{at}/zip")).body[:2] == b"PK"
    assert (await site.api(token, f"{at}/file?path=nothing")).code == 404
    assert (await site.api(token, f"{at}/file?path=../../etc/passwd")).code == 400
    assert audit.rows(site.ledger, limit=1)[0].action == "snapshot.read"


async def test_a_name_that_is_no_text_is_listed_and_downloaded(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    odd = b"caf\xe9.txt"
    (tmp_path / "files").joinpath("x").write_text("")
    (tmp_path / "files" / os.fsdecode(odd)).write_text("odd")
    number = saved.save({})
    at = f"notebooks/mara/churn/snapshots/{number}"
    entries = told(await site.api(token, f"{at}/files"))["entries"]
    assert any(one["name"].encode("utf-8", "surrogateescape") == odd for one in entries)
    assert (await site.api(token, f"{at}/file?path=caf%E9.txt")).body == b"odd"


async def test_everything_of_a_snapshot_is_the_newest_again_and_the_state_before_stays(
    site: Site, tmp_path: Path
) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    first = saved.save({"a.txt": "one"})
    second = saved.save({"a.txt": "two", "b.txt": "b"})
    done = told(await site.api(token, f"notebooks/mara/churn/snapshots/{first}/restore-all", "POST"))
    assert done["saved"]["number"] == done["snapshot"] == second + 1
    at = f"notebooks/mara/churn/snapshots/{second + 1}"
    assert (await site.api(token, f"{at}/file?path=a.txt")).body == b"one"
    assert [one["name"] for one in told(await site.api(token, f"{at}/files"))["entries"]] == ["a.txt"]
    undo = done["undo"]
    method, path = call(undo["action"], "mara", "churn", undo["number"])
    again = told(await site.api(token, path, method, undo["body"]))
    at = f"notebooks/mara/churn/snapshots/{again['snapshot']}"
    assert (await site.api(token, f"{at}/file?path=a.txt")).body == b"two"


async def test_everything_is_restored_only_while_nothing_writes_the_files(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    first = saved.save({"a.txt": "one"})
    saved.save({"a.txt": "two"})
    saved.begin()
    refused = await site.api(token, f"notebooks/mara/churn/snapshots/{first}/restore-all", "POST")
    assert (refused.code, told(refused)["error"]["reason"]) == (409, "running")
    assert len(snapshots.of_workspace(site.ledger, saved.notebook.workspace, committed=False)) == 2


async def test_single_files_are_not_restored_while_it_starts(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    number = saved.save({"a.txt": "one"})
    saved.begin(ready=False)
    path = f"notebooks/mara/churn/snapshots/{number}/restore"
    refused = await site.api(token, path, "POST", {"paths": ["a.txt"]})
    assert (refused.code, told(refused)["error"]["reason"]) == (409, "not_running")


async def test_a_restore_says_what_its_agent_says(site: Site, tmp_path: Path, monkeypatch: Any) -> None:
    from jupyterhub_notebooks.services.notebooks import keeping

    monkeypatch.setattr(keeping, "WAIT_SECONDS", 0.1)
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    number = saved.save({"a.txt": "one"})
    session = saved.begin()
    asked = await site.api(
        token, f"notebooks/mara/churn/snapshots/{number}/restore", "POST", {"paths": ["a.txt"]}
    )
    assert asked.code == 202 and told(asked)["restore"]["done"] is False
    id = told(asked)["restore"]["id"]
    order = intents.open_of(site.ledger, session.id, "restore")[0]
    assert order.evidence == {"number": number, "paths": ["a.txt"]}
    outcome = {"before": 7, "files": 1, "replaced": [0]}
    intents.outcome(site.ledger, id, outcome, site.context.now())
    done = told(await site.api(token, f"notebooks/mara/churn/restores/{id}"))
    assert done["said"] == f"a.txt is back from snapshot {number}."
    assert done["undo"] == {"action": "restore_files", "body": {"paths": ["a.txt"]}, "number": 7}


async def test_a_duplicate_has_the_files_of_a_snapshot_and_no_history(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    first = saved.save({"a.txt": "one", "big.bin": b"x" * 300_000})
    saved.save({"a.txt": "two"})
    made = await site.api(token, "notebooks/mara/churn/duplicate", "POST", {"snapshot": first})
    assert made.code == 201, made.body
    assert (told(made)["title"], told(made)["saved"]["number"]) == ("Copy of churn", 1)
    at = f"notebooks/mara/{told(made)['name']}/snapshots/1"
    assert (await site.api(token, f"{at}/file?path=a.txt")).body == b"one"
    assert (await site.api(token, f"{at}/file?path=big.bin")).body == b"x" * 300_000


async def test_what_another_profile_means_is_said_before(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    saved.save({"a.txt": "one"})
    saved.begin()
    said = told(await site.api(token, "notebooks/mara/churn/change?profile=notebook-cpu-large"))["changes"]
    assert said[0].startswith("All files and installed packages stay")
    assert any("32" in one and "instead of" in one for one in said)
    assert any("a restart ends its kernels" in one for one in said)


async def test_a_name_that_is_taken_is_not_given_twice(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    Saved(site, tmp_path / "a")
    Saved(site, tmp_path / "b", server="other")
    answer = await site.api(token, "notebooks/mara/churn/rename", "POST", {"name": "OTHER"})
    assert (answer.code, told(answer)["error"]["field"]) == (409, "name")


async def test_an_error_that_was_read_is_shown_as_stopped(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    assert (await site.api(token, "notebooks/mara/churn/dismiss", "POST")).code == 409
    saved.close(saved.begin(), "server_died", "It ended with status 1")
    assert told(await site.api(token, "notebooks/mara/churn"))["state"] == "ERROR"
    done = await site.api(token, "notebooks/mara/churn/dismiss", "POST")
    assert told(done)["state"] == "STOPPED"
