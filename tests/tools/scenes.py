"""The scenes of tests.tools.screens: a product whose people have notebooks in every state, each come about as for a person.

Promises: no row is made up; what a scene shows was caused through the pages' own API, a kernel, a file, or a process that died.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page

from jupyterhub_notebooks.profiles.catalog import SHIPPED
from tests.end_to_end.configs import STORE, changed
from tests.end_to_end.product import Person, Product, until

API = "/services/notebooks/api/v1"
PAGES = "/services/notebooks/"
SMALL = "notebook-cpu-small"
BAD_CONFIG = ".jupyter/jupyter_server_config.py"
#: Short times, so that a stop which cannot save ends while one looks.
PATIENCE = " save_timeout_seconds=8.0, save_interval_seconds=20.0, save_again_seconds=600.0,"

MORE = """
  team-{number}:
    title: Team {number}, {words}
    use: {use}
    flavor: {flavor}
    framework: {framework}
"""
SPECIAL = """
  short-clock:
    title: Short clock
    use: Stops soon when nothing runs
    flavor: [std-2x8, mem-4x32]
    idle_stop: 8min
    warn_before: [7min, 2min]
  slow-start:
    title: Slow start
    use: Runs a long startup script
    flavor: nb-cpu-2
    startup_script: |
      echo Installing packages of the team
      echo 12 of 40 done
      sleep 3000
  risk-only:
    title: Risk models
    use: Scoring with the risk team's data
    flavor: mem-4x32
    who: {groups: [risk]}
    contact: risk@example.org
  old-base:
    title: Base of last year
    use: Kept until all have moved
    flavor: std-2x8
    deprecated: {replacement: notebook-cpu-small, after: 2027-06-30, why: Its Python is no longer maintained}
"""


def profiles_file(folder: Path) -> Path:
    """30 profiles: the shipped ones, some with a character, and many teams'."""
    text = SHIPPED.read_text() + SPECIAL
    kinds = (
        ("pandas", "Tables and reports", "std-2x8", "pandas 3, polars"),
        ("PyTorch", "Small models", "nb-cpu-8", "PyTorch 2.6"),
        ("geo", "Maps and rasters", "mem-4x32", "geopandas, rasterio"),
        ("vision", "Pictures on a GPU", "nb-gpu-l4", "PyTorch 2.6, torchvision"),
    )
    for number in range(1, 22):
        words, use, flavor, framework = kinds[number % len(kinds)]
        text += MORE.format(number=number, words=words, use=use, flavor=flavor, framework=framework)
    path = folder / "profiles.yaml"
    path.write_text(text)
    return path


@dataclass(frozen=True)
class Scene:
    """then: what is done on the page before the picture is taken."""

    name: str
    person: Person
    url: str
    then: Callable[[Page], None] = lambda page: None


class Scenes:
    """``begin`` brings everything about; ``all`` are the pages to look at."""

    def __init__(self, product: Product) -> None:
        self.product = product

    def begin(self) -> None:
        """Takes two minutes: about a dozen notebooks are started."""
        folder = Path(tempfile.mkdtemp(prefix="scenes-", dir=self.product.state.parent))
        config = changed(folder, {STORE: STORE + PATIENCE})
        self.product.start("--profiles", str(profiles_file(folder)), "--config", config)
        self.mara, self.nele, self.lena = (self.product.add_user(name) for name in ("mara", "nele", "lena"))
        self.admin = self.product.admin()
        self._notebooks()

    def call(self, path: str, method: str = "GET", body: Any = None, person: Person | None = None) -> Any:
        """Our API; what it answered."""
        answer = (person or self.mara).api(path, method, body, base=API)
        assert answer.status < 400, (path, answer.status, answer.text)
        return answer.json()

    def make(self, title: str, profile: str = SMALL, start: bool = True, person: Person | None = None) -> str:
        """A notebook; the last part of its address."""
        body = {"name": title, "profile": profile, "start": start}
        return str(self.call("/notebooks", "POST", body, person)["name"])

    def told(self, name: str, person: Person | None = None) -> dict[str, Any]:
        who = person or self.mara
        return dict(self.call(f"/notebooks/{who.name}/{name}", person=who))

    def until_state(
        self, name: str, *states: str, seconds: float = 120, person: Person | None = None
    ) -> None:
        until(lambda: self.told(name, person)["state"] in states, seconds, 0.5, f"{states} of {name}")

    def ready(self, name: str, person: Person | None = None) -> None:
        who = person or self.mara
        until(lambda: (who.server(name) or {}).get("ready"), 120, 0.5, f"{name} to be ready")

    def stop(self, name: str) -> None:
        self.call(f"/notebooks/mara/{name}/stop", "POST", {})

    def files(self, name: str, person: Person | None = None) -> Path:
        return self.product.state / "volumes" / self.told(name, person)["id"] / "files"

    def saved(self, name: str) -> None:
        before = len(self.call(f"/notebooks/mara/{name}/snapshots")["snapshots"])
        self.call(f"/notebooks/mara/{name}/save", "POST", {})
        until(
            lambda: len(self.call(f"/notebooks/mara/{name}/snapshots")["snapshots"]) > before,
            90,
            0.5,
            f"a save of {name}",
        )

    def busy(self, name: str) -> None:
        """A silent cell that goes on for an hour."""
        code = "import time\nwhile True:\n    time.sleep(0.01)\n    sum(range(1000))"

        def run() -> None:
            with contextlib.suppress(AssertionError):  # its end is the product's
                asyncio.run(self.mara.run(code, name))

        threading.Thread(target=run, daemon=True).start()

    def server_process(self, name: str) -> psutil.Process:
        """The single-user server of a notebook."""
        session = str(self.told(name)["session"])
        for process, variables in self.product.environments():
            of_it = (
                variables.get("NOTEBOOK_SESSION_ID") == session and "NOTEBOOK_SESSION_TOKEN" not in variables
            )
            if of_it and any("singleuser" in word for word in process.cmdline()):
                return process
        raise AssertionError(f"no server of {name}")

    def _notebooks(self) -> None:
        training, churn = self.make("Training"), self.make("Churn", "short-clock")
        self.ready(training)
        self.ready(churn)
        explore, report = self.make("Explore", "notebook-cpu-large"), self.make("Report 2026")
        self.busy(training)
        self.ready(explore)
        self._history(explore)
        self.ready(report)
        self.stop(report)
        self._broken()
        for title in ("Old tries", "Thesis"):
            self.call(f"/notebooks/mara/{self.make(title, start=False)}", "DELETE")
        self.slow = self.make("Nightly", "slow-start")
        lena = self.make("Only one", start=False, person=self.lena)
        self.call(f"/notebooks/lena/{lena}", "DELETE", person=self.lena)
        self._not_saved()

    def _history(self, name: str) -> None:
        """Three sessions, several saves with files that come, change and go; one snapshot has a name."""
        files = self.files(name)
        (files / "data").mkdir(exist_ok=True)
        (files / "data" / "sales.csv").write_text("month,amount\n" + "jan,1\n" * 2000)
        (files / "notes <b>bold<b>.md").write_text("# notes\n")
        (files / ".netrc-example").write_text("hidden\n")
        self.saved(name)
        (files / "features.ipynb").write_text(
            '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
        )
        cache = files / ".cache" / "huggingface"
        cache.mkdir(parents=True)
        (cache / "model.bin").write_bytes(os.urandom(3_000_000))
        self.saved(name)
        number = self.call(f"/notebooks/mara/{name}/snapshots")["snapshots"][0]["number"]
        self.call(f"/notebooks/mara/{name}/snapshots/{number}/name", "POST", {"name": "before the talk"})
        (files / "data" / "sales.csv").unlink()
        (files / "notes <b>bold<b>.md").write_text("# notes\n\nmore\n")
        self.stop(name)
        self.until_state(name, "STOPPED")
        self.call(f"/notebooks/mara/{name}/start", "POST", {})
        self.ready(name)
        (self.files(name) / "model.pkl").write_bytes(os.urandom(200_000))
        self.saved(name)

    def _broken(self) -> None:
        """One that does not start, and one whose server died."""
        broken = self.make("Broken set-up")
        self.ready(broken)
        self.stop(broken)
        self.until_state(broken, "STOPPED")
        config = self.files(broken) / BAD_CONFIG
        config.parent.mkdir(exist_ok=True)
        config.write_text("c.ServerApp.port_retries = 'as many as it takes'\n")
        self.call(f"/notebooks/mara/{broken}/start", "POST", {})
        died = self.make("Simulation")
        self.ready(died)
        self.server_process(died).kill()
        self.until_state(died, "ERROR")
        self.until_state(broken, "ERROR")

    def _not_saved(self) -> None:
        """Its part of the store cannot be written: a file stands where its folder was."""
        name = self.make("Geo", "notebook-cpu-large")
        self.ready(name)
        files = self.files(name)
        (files / "before.csv").write_text("saved")
        self.saved(name)
        (files / "after.csv").write_text("not saved")
        self.hindered = self.product.state / "store" / "workspaces" / self._workspace(name)
        self.hindered.rename(self.hindered.with_suffix(".aside"))
        self.hindered.write_text("")
        self.stop(name)
        self.until_state(name, "ERROR", seconds=180)

    def _workspace(self, name: str) -> str:
        import sqlite3

        ledger = sqlite3.connect(self.product.state / "ledger.sqlite")
        id = self.told(name)["id"]
        (found,) = ledger.execute("select workspace from notebooks where id = ?", (id,)).fetchone()
        ledger.close()
        return str(found)

    def all(self) -> Iterator[Scene]:
        """Every page in its main states."""
        mara, admin = self.mara, self.admin
        own = f"{PAGES}n/mara/"
        yield Scene("first", self.nele, PAGES)
        yield Scene("list", mara, PAGES)
        yield Scene("list-menu", mara, PAGES, _open_menu)
        yield Scene("list-rename", mara, PAGES, _rename)
        yield Scene("list-stop", mara, PAGES, _ask)
        yield Scene("list-keys", mara, PAGES, lambda page: page.keyboard.press("?"))
        yield Scene("list-none", mara, f"{PAGES}?find=zzz")
        yield Scene("list-away", mara, PAGES, _away)
        yield Scene("list-toast", mara, PAGES, _toast)
        yield Scene("list-everyone", admin, f"{PAGES}?who=everyone")
        yield Scene("trash", mara, f"{PAGES}?show=trash")
        yield Scene("trash-only", self.lena, PAGES)
        yield Scene("new", mara, f"{PAGES}new")
        yield Scene(
            "new-linked",
            mara,
            f"{PAGES}new?profile=team-4&name=Maps&repo=https://example.org/team/maps.git&file=start.ipynb",
        )
        yield Scene("new-filter", mara, f"{PAGES}new", _filter)
        yield Scene("new-gpu", mara, f"{PAGES}new", _gpu)
        yield Scene("new-refused", mara, f"{PAGES}new?name=Training", _refused)
        yield Scene("starting", mara, f"{own}{self.slow}")
        yield Scene("failed", mara, f"{own}broken-set-up")
        yield Scene("ended", mara, f"{own}simulation")
        yield Scene("not-saved", mara, f"{own}geo")
        yield Scene("running-busy", mara, f"{own}training")
        yield Scene("running-warned", mara, f"{own}churn")
        yield Scene("notebook", mara, f"{own}explore", _filled)
        yield Scene("stopped", mara, f"{own}report-2026")
        yield Scene("snapshots", mara, f"{own}explore/snapshots")
        yield Scene("snapshot", mara, f"{own}explore/snapshots/3")
        yield Scene("snapshot-browse", mara, f"{own}explore/snapshots/3?browse=1", _tick)
        yield Scene("settings", mara, f"{own}explore#settings", _choose)
        session = self.told("broken-set-up")["last_session"]
        yield Scene("log", mara, f"{PAGES}sessions/{session}/log")
        yield Scene("nothing", mara, f"{PAGES}n/mara/none")
        for page in ("help", "help/guide", "about", "feedback"):
            yield Scene(page.replace("/", "-"), mara, f"{PAGES}{page}")
        yield Scene("help-admin", admin, f"{PAGES}help/admin")


def _open_menu(page: Page) -> None:
    page.locator(".rw", has_text="Explore").get_by_label("More actions").click()


def _rename(page: Page) -> None:
    _open_menu(page)
    page.locator(".rw", has_text="Explore").get_by_role("button", name="Rename", exact=True).click()


def _ask(page: Page) -> None:
    page.locator(".rw", has_text="Training").get_by_role("button", name="Stop", exact=True).click()
    page.locator("#nb-dialog-ask").wait_for()


def _toast(page: Page) -> None:
    row = page.locator(".rw", has_text="Report 2026")
    row.get_by_label("More actions").click()
    row.get_by_role("button", name="Move to trash").click()
    page.locator("#nb-toast button").wait_for()
    page.screenshot(full_page=True)
    page.locator("#nb-toast button").click()
    page.locator("#nb-toast", has_text="back in your list").wait_for()


def _away(page: Page) -> None:
    """The Hub's answers stop coming: every request of the page fails from now on."""
    page.route("**/services/notebooks/rows**", lambda route: route.abort())
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.locator("[data-nb-updated]", has_text="Not updating").wait_for(timeout=60_000)


def _filter(page: Page) -> None:
    page.locator("[data-nb-filter] [data-nb-find]").fill("geopandas")


def _gpu(page: Page) -> None:
    page.locator('[data-nb-kind="gpu"]').click()


def _refused(page: Page) -> None:
    page.locator("[data-nb-go]").click()
    page.locator("[data-nb-error]").wait_for()


def _filled(page: Page) -> None:
    page.locator(".nb-fill").wait_for()


def _tick(page: Page) -> None:
    for box in page.locator("[data-nb-files] input[type=checkbox]").all()[:2]:
        box.check()


def _choose(page: Page) -> None:
    page.locator("#sp").select_option("notebook-cpu-small")
    page.locator("[data-nb-preview] li").first.wait_for()
