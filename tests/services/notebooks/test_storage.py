"""What a notebook's page and its change dialog say of space and of the snapshots that stay."""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import update

from jupyterhub_notebooks.cli.main import cli
from jupyterhub_notebooks.ledger import storage
from jupyterhub_notebooks.ledger.tables import snapshots as rows
from jupyterhub_notebooks.profiles.catalog import SHIPPED, CatalogFile

from .conftest import Site
from .saved import Saved

LARGE = "  notebook-cpu-large:\n"


def plain(answer) -> str:
    return answer.body.decode().replace("\u00a0", " ").replace("&nbsp;", " ")


def with_profile(site: Site, folder: Path, more: str) -> None:
    """The shipped profiles, and more in one of them."""
    path = folder / "profiles.yaml"
    path.write_text(SHIPPED.read_text().replace(LARGE, LARGE + more))
    object.__setattr__(site.context, "catalog_file", CatalogFile(path))


def older(site: Site, saved: Saved, number: int, days: float, **more) -> None:
    with site.ledger.write() as connection:
        here = (rows.c.workspace == saved.notebook.workspace) & (rows.c.number == number)
        at = site.context.now() - timedelta(days=days)
        connection.execute(update(rows).where(here).values(at=at, **more))


async def test_a_change_says_which_snapshots_would_go_and_how_much_it_may_hold(
    site: Site, tmp_path: Path
) -> None:
    token, saved = site.hub.add("mara"), Saved(site, tmp_path)
    with_profile(site, tmp_path, "    retention: {hours: 24, days: 3, weeks: 0}\n    workspace_size: 1MB\n")
    for number, days in ((1, 20), (2, 10), (3, 2), (4, 0)):
        saved.save({"a.bin": b"%d" % number * 1_200_000})
        older(site, saved, number, days)
    older(site, saved, 1, 20, name="before the talk")
    said = plain(await site.page(token, "n/mara/churn/change?profile=notebook-cpu-large"))
    assert "The workspace may hold 1 MB instead of 20 GB." in said
    assert "It holds 1.2 MB: all of it is saved all the same." in said
    assert (
        "Snapshots stay: all of 24 hours, one a day for 3 days; instead of all of 24 hours, one a day for 30 "
        "days, one a week for 12 weeks."
    ) in said
    assert "1 snapshot of 4 would go, 7 days after its first start there; those with a name stay" in said
    same = plain(await site.page(token, "n/mara/churn/change?profile=notebook-cpu-small"))
    assert "Snapshots stay" not in same and "may hold" not in same


async def test_what_a_save_added_and_what_a_snapshot_needs_are_told_apart(site: Site, tmp_path: Path) -> None:
    token, saved = site.hub.add("mara"), Saved(site, tmp_path)
    number = saved.save({"a.bin": os.urandom(5000)})
    saved.save({"b.bin": os.urandom(100)})
    [second, first] = json.loads((await site.api(token, "notebooks/mara/churn/snapshots")).body)["snapshots"]
    assert 5000 < first["stored_bytes"] < 6000 and second["stored_bytes"] < 6000
    assert (first["needed_bytes"], first["shared_bytes"]) == (None, None)
    assert "not measured yet" in plain(await site.page(token, "n/mara/churn/snapshots"))
    ledger = ["ledger", "space", "--ledger", str(site.ledger.url)]
    said = CliRunner().invoke(cli, ledger).output.replace("\u00a0", " ")
    assert "mara: 1 notebook, about " in said and "in the store (1 notebook not measured yet)" in said
    assert "0 B" not in said
    now, workspace = site.context.now(), saved.notebook.workspace
    storage.pruned(site.ledger, workspace, now, 7000, {number: (5200, 0), number + 1: (6900, 5100)})
    [second, first] = json.loads((await site.api(token, "notebooks/mara/churn/snapshots")).body)["snapshots"]
    assert (second["needed_bytes"], second["shared_bytes"]) == (6900, 5100)
    assert (first["needed_bytes"], first["shared_bytes"]) == (5200, 0)
    assert 5000 < first["stored_bytes"] < 6000
    page = plain(await site.page(token, "n/mara/churn/snapshots"))
    assert "5.1 kB shared with earlier ones" in page and "not measured yet" not in page
    assert "7 kB in the store\n" in CliRunner().invoke(cli, ledger).output.replace("\u00a0", " ")


async def test_a_snapshot_that_an_earlier_version_measured_in_part_answers_neither(
    site: Site, tmp_path: Path
) -> None:
    token, saved = site.hub.add("mara"), Saved(site, tmp_path)
    saved.save({"a.bin": os.urandom(5000)})
    with site.ledger.write() as connection:
        connection.execute(update(rows).values(shared_bytes=12, measured_bytes=None))
    [one] = json.loads((await site.api(token, "notebooks/mara/churn/snapshots")).body)["snapshots"]
    assert (one["needed_bytes"], one["shared_bytes"]) == (None, None)


async def test_the_page_says_how_full_it_is_of_what_and_which_snapshots_stay(
    site: Site, tmp_path: Path
) -> None:
    token, saved = site.hub.add("mara"), Saved(site, tmp_path)
    saved.save({"a.bin": bytes(970)})
    page = plain(await site.page(token, "n/mara/churn"))
    assert "970 B of 20 GB, in 1 file." in page
    assert "nearly full" not in page
    assert "Snapshots stay: all of 24 hours, one a day for 30 days, one a week for 12 weeks;" in page
    small = dataclasses.replace(site.context.settings, workspace_limit_bytes=1000)
    object.__setattr__(site.context, "settings", small)
    page = plain(await site.page(token, "n/mara/churn"))  # stopped
    assert "970 B of 1 kB, in 1 file." in page
    assert "The workspace is nearly full: 970 B of 1 kB." in page
    saved.close(saved.begin(workspace_bytes=900, retention={"days": 365}))
    page = plain(await site.page(token, "n/mara/churn"))
    assert "The workspace is over its size: 970 B of 900 B." in page
    assert "one a day for 365 days, one a week for 12 weeks; those with a name always." in page
    saved.close(saved.begin(retention={"days": 5}))
    page = plain(await site.page(token, "n/mara/churn"))
    assert "one a day for 365 days, one a week for 12 weeks; those with a name always. From " in page
    assert "on: all of 24 hours, one a day for 5 days, one a week for 12 weeks." in page
    guide = plain(await site.page(token, "help/guide"))
    assert "Snapshots stay: all of 24 hours, one a day for 30 days, one a week for 12 weeks;" in guide
