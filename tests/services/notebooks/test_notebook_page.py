"""A notebook's page and what hangs on it: sessions, snapshots, files, settings, logs, the trash, as a browser gets them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

from jupyterhub_notebooks.ledger import notebooks, sessions, storage

from .conftest import PREFIX, Site
from .saved import Saved

BAD = "<script>alert(1)</script>"


def body(answer) -> str:
    return answer.body.decode()


async def test_a_snapshot_s_page_shows_what_changed_and_every_file_and_gives_them(
    site: Site, tmp_path: Path
) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    saved.save({"a.txt": "one", "data/.hidden": "h"})
    number = saved.save({"a.txt": "two!", "data/x.csv": "1"})
    at = f"n/mara/churn/snapshots/{number}"
    shown = body(await site.page(token, at))
    assert "1 new, 1 changed, since the snapshot before." in shown
    assert f'href="{PREFIX}{at}/file?path=a.txt"' in shown
    gone = saved.save({"data/x.csv": None})
    shown = body(
        await site.page(token, f"n/mara/churn/snapshots/{gone}")
    )  # what is deleted leads to where it still is
    assert f'href="{PREFIX}{at}?browse=1&amp;path=data">snapshot {number}</a>' in shown
    browsed = body(await site.page(token, f"{at}?browse=1&path=data"))
    assert ".hidden" in browsed and "x.csv" in browsed
    got = await site.page(token, f"{at}/file?path=data/x.csv")
    assert got.body == b"1" and got.headers["Content-Disposition"].startswith("attachment")
    zipped = await site.page(token, f"{at}/zip?paths={quote('a.txt')}")
    assert zipped.body[:2] == b"PK"
    assert "The next start has them. The present state stays as a snapshot" in shown
    saved.begin()
    assert "Put copies in restored/" in body(await site.page(token, at))


async def test_snapshots_say_whether_they_came_at_an_end(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    session = saved.begin()
    saved.save({"a.txt": "one"}, session)
    sessions.stop_asked(site.ledger, session.id, site.context.now())
    saved.save({"a.txt": "two"}, session)
    saved.close(session)
    running = saved.begin(ready=False)
    page = body(await site.page(token, "n/mara/churn"))
    told = re.findall(r'<span class="sub">(while running|stopped)</span>', page)
    assert told == ["stopped", "while running"]  # newest first
    assert "<td>Starting" in page and "not yet" in page
    saved.close(running)


async def test_names_of_files_and_snapshots_and_lines_of_logs_stay_text(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    session = saved.begin()
    number = saved.save({BAD.replace("/", "∕"): "x", "folder<b>/y": "y"}, session)
    sessions.add_log(site.ledger, session.id, 1, [BAD, "second"], site.context.now())
    saved.close(session, "server_died", BAD)
    await site.api(token, "notebooks/mara/churn/rename", "POST", {"name": BAD})
    await site.api(token, f"notebooks/mara/churn/snapshots/{number}/name", "POST", {"name": BAD})
    for path in (
        "",
        "rows",
        "?show=stopped",
        "n/mara/churn",
        "n/mara/churn/snapshots",
        f"n/mara/churn/snapshots/{number}",
        f"n/mara/churn/snapshots/{number}?browse=1",
        f"n/mara/churn/snapshots/{number}?browse=1&path={quote('folder<b>')}",
        f"n/mara/churn/snapshots/{number}?browse=1&path={quote(BAD)}",
        f"sessions/{session.id}/log",
        f"sessions/{session.id}/log?find={quote('<script>')}",
        f"n/mara/churn/change?profile={quote(BAD)}",
    ):
        answer = await site.page(token, path)
        text = body(answer)
        assert "<script>alert" not in text and "<b>" not in text, path
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], path
        assert "style=" not in text, path


async def test_a_log_is_read_searched_and_downloaded_also_of_a_session_that_never_started(
    site: Site, tmp_path: Path
) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    session = saved.begin(ready=False)
    sessions.add_log(
        site.ledger, session.id, 1, ["asking storage", "no such image", "ended"], site.context.now()
    )
    saved.close(session, "did_not_start", "There is no such image")
    shown = body(await site.page(token, f"sessions/{session.id}/log"))
    assert "asking storage" in shown and "3 of 3 lines" in shown
    found = body(await site.page(token, f"sessions/{session.id}/log?find=IMAGE"))
    assert "no such image" in found and "asking storage" not in found
    file = await site.page(token, f"sessions/{session.id}/log?download=1")
    assert file.headers["Content-Type"].startswith("text/plain") and body(file).count("\n") == 3
    page = body(await site.page(token, "n/mara/churn"))
    assert f"{PREFIX}sessions/{session.id}/log" in page


async def test_the_trash_lists_what_can_be_put_back_and_nothing_else_does(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    done = await site.post(token, "n/mara/churn/delete", {}, Accept="application/json")
    answer = json.loads(done.body)
    assert answer["said"] == "churn is in the trash for 30 days."
    assert answer["undo"] == {"url": f"{PREFIX}n/mara/churn/restore", "fields": []}
    assert "churn" not in body(await site.page(token, "rows"))
    trash = body(await site.page(token, "?show=trash"))
    assert "In the trash" in trash and "Put back" in trash and "Delete for good" in trash
    refused = await site.post(token, "n/mara/churn/start", {}, Accept="application/json")
    assert json.loads(refused.body)["error"]["reason"] == "in_the_trash"
    await site.post(token, "n/mara/churn/restore", {})
    assert notebooks.get(site.ledger, saved.notebook.id).trashed_at is None
    assert "churn" in body(await site.page(token, "rows"))


async def test_settings_say_what_a_choice_means_and_change_it_with_an_undo(
    site: Site, tmp_path: Path
) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    saved.save({"a.txt": "one"})
    said = body(await site.page(token, "n/mara/churn/change?profile=notebook-cpu-large"))
    assert "instead of" in said and "notebook set churn --profile notebook-cpu-large" in said
    denied = body(await site.page(token, "n/mara/churn/change?profile=notebook-gpu-t4"))
    assert "cannot run on this Hub" in denied
    form = {"profile": "notebook-cpu-large", "restart": "0"}
    done = json.loads((await site.post(token, "n/mara/churn/set", form, Accept="application/json")).body)
    assert notebooks.get(site.ledger, saved.notebook.id).profile == "notebook-cpu-large"
    undo = done["undo"]
    await site.post(token, undo["url"].removeprefix(PREFIX), dict(undo["fields"]))
    assert notebooks.get(site.ledger, saved.notebook.id).profile == "notebook-cpu-small"


async def test_another_user_s_page_shows_an_administrator_no_files(site: Site, tmp_path: Path) -> None:
    site.hub.add("mara")
    petra = site.hub.add("petra", admin=True)
    saved = Saved(site, tmp_path)
    number = saved.save({"a.txt": "one"})
    page = body(await site.page(petra, "n/mara/churn"))
    assert "Move to trash" not in page and "Settings" not in page
    for what in ("", "/file?path=a.txt", "/zip", "?browse=1"):
        assert (await site.page(petra, f"n/mara/churn/snapshots/{number}{what}")).code == 403


async def test_a_page_says_where_old_snapshots_stay_because_something_is_damaged(
    site: Site, tmp_path: Path
) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    saved.save({"a.txt": "one"})
    told = "Old snapshots are not removed: something of them is damaged."
    assert told not in body(await site.page(token, "n/mara/churn"))
    space, now = saved.notebook.workspace, site.context.now()
    storage.pruned(site.ledger, space, now, problem="Snapshot 1 is damaged")
    page = body(await site.page(token, "n/mara/churn"))
    assert told in page and "jupyterhub-notebooks notebook repair mara/churn" in page
    storage.pruned(site.ledger, space, now)  # a look that could not be: nothing new is known
    assert told in body(await site.page(token, "n/mara/churn"))
    storage.pruned(site.ledger, space, now, 1000)
    assert told not in body(await site.page(token, "n/mara/churn"))
