"""Click to usable JupyterLab: bare JupyterHub with SimpleLocalProcessSpawner against this product, in one run.

    .venv/bin/python -m tests.benchmarks.click_to_lab [--rounds 5]

Both run on this machine with the same Python, proxy and browser, each round one start of either, in turn.
Seconds are from the click on Start to a JupyterLab with its launcher on screen. "first" is a user's (ours: a
notebook's) very first start, "later" a start after a stop. Printed: every time, the medians, the overhead.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from jupyterhub_notebooks.cli import tools
from tests.end_to_end import pages
from tests.end_to_end.conftest import CHROMIUM, FLAGS
from tests.end_to_end.product import Person, Product, free_port, until

CONFIG = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie-secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/home/{{username}}"
c.Spawner.default_url = "/lab"
c.Spawner.ip = "127.0.0.1"
c.Spawner.args = {args}
c.ConfigurableHTTPProxy.command = ["{node}", "{proxy}"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_api}"
"""


class Bare:
    """JupyterHub as its own documentation starts it."""

    def __init__(self, folder: Path) -> None:
        programs = tools.ensure(print)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        root = ["--allow-root"] if os.geteuid() == 0 else []
        (folder / "home").mkdir()
        config = folder / "jupyterhub_config.py"
        config.write_text(
            CONFIG.format(
                port=self.port,
                hub=free_port(),
                proxy_api=free_port(),
                folder=folder,
                args=root,
                node=programs.node,
                proxy=programs.proxy,
            )
        )
        log = open(folder / "hub.log", "w")  # noqa: SIM115 - lives as long as the process
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", config],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, "PATH": path},
        )
        until(self._answers, 60, what="the bare Hub")

    def _answers(self) -> bool:
        import urllib.error
        import urllib.request

        try:
            with urllib.request.urlopen(self.url + "/hub/health", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def timed(page: Page, click) -> float:
    begun = time.monotonic()
    click()
    page.wait_for_url(re.compile(r"/user/.*/lab"), timeout=120_000)
    page.locator(".jp-Launcher").first.wait_for(timeout=120_000)
    return time.monotonic() - begun


def bare_start(page: Page, bare: Bare) -> float:
    page.goto(f"{bare.url}/hub/home")
    return timed(
        page,
        lambda: page.get_by_role("button", name="Start My Server").or_(page.locator("#start")).first.click(),
    )


def bare_stop(page: Page, bare: Bare) -> None:
    page.goto(f"{bare.url}/hub/home")
    page.locator("#stop").click()
    page.locator("#stop").wait_for(state="hidden", timeout=60_000)


def bare_log_in(page: Page, bare: Bare, name: str) -> None:
    page.goto(f"{bare.url}/hub/login?next=/hub/home")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill("x")
    page.get_by_role("button", name=re.compile("sign in|log in", re.I)).click()
    page.wait_for_url(re.compile("/hub/home"))


def our_first(page: Page, person: Person, title: str) -> float:
    page.goto(f"{person.product.url}/services/notebooks/new")
    page.locator('input[type=radio][value="notebook-cpu-small"]').check()
    page.get_by_label("Name", exact=True).fill(title)
    return timed(page, page.get_by_role("button", name=re.compile("^Start on")).click)


def our_later(page: Page, person: Person, title: str) -> float:
    pages.open_list(page, person)
    return timed(page, pages.row(page, title).get_by_role("button", name=re.compile("^Start")).first.click)


def measure(rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"bare first": [], "ours first": [], "bare later": [], "ours later": []}
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        (folder / "bare").mkdir()
        bare = Bare(folder / "bare")
        product = Product(folder / "state").start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            ours = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            person = product.admin()
            pages.log_in(ours, person)
            warm = browser.new_context(viewport={"width": 1280, "height": 900})
            for number in range(-1, rounds):  # the first round warms caches and is not counted
                theirs = warm.new_page()
                warm.clear_cookies()
                bare_log_in(theirs, bare, f"user{number + 1}")
                got = {"bare first": bare_start(theirs, bare)}
                bare_stop(theirs, bare)
                got["bare later"] = bare_start(theirs, bare)
                bare_stop(theirs, bare)
                theirs.close()
                title = f"Round {number + 1}"
                got["ours first"] = our_first(ours, person, title)
                pages.stop(ours, person, title)
                got["ours later"] = our_later(ours, person, title)
                pages.stop(ours, person, title)
                print(
                    f"round {number}: " + ", ".join(f"{name} {value:.2f} s" for name, value in got.items()),
                    flush=True,
                )
                if number >= 0:
                    for name, value in got.items():
                        times[name].append(value)
        finally:
            browser.close()
            product.stop()
            bare.stop()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (5)")
    times = measure(parser.parse_args().rounds)
    median = {name: statistics.median(values) for name, values in times.items()}
    for kind in ("first", "later"):
        peer, ours = median[f"bare {kind}"], median[f"ours {kind}"]
        print(
            f"{kind}: bare {peer:.2f} s, ours {ours:.2f} s, overhead {ours - peer:+.2f} s, ratio {ours / peer:.2f}"
            f" (medians of {len(times[f'ours {kind}'])})"
        )


if __name__ == "__main__":
    main()
