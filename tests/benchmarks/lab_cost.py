"""What our part of JupyterLab costs: processor time in the browser and in the notebook's server.

    .venv/bin/python -m tests.benchmarks.lab_cost [--seconds 60]

One page of a real JupyterLab with the panel open; what is used changes every 5 s, as an agent tells it. In the browser a
profile of the page counts our functions and whatever they call; the server is measured twice, with our extension and
without it, with the same page open. Target: under 1 % of a core each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright

from jupyterhub_notebooks.agent.environment import LAB, write_shell
from jupyterhub_notebooks.contract import Meter
from tests.agents_service import free_port
from tests.lab.harness import LabServer, until
from tests.lab.test_ui import working

CHROMIUM, FLAGS = "/usr/bin/chromium", ["--no-sandbox", "--disable-gpu"]
OURS = "labextensions/jupyterhub-notebooks"


@contextmanager
def page_of(url: str) -> Iterator[Page]:
    """A page of a JupyterLab that has come up."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.set_default_timeout(180_000)
        page.goto(f"{url}/lab")
        page.locator(".jp-Launcher").first.wait_for()
        yield page
        browser.close()


def seconds_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def share(profile: dict[str, Any]) -> tuple[float, float]:
    """(seconds in our functions and what they call, seconds in all) of a profile of the page."""
    nodes = {one["id"]: one for one in profile["nodes"]}
    parent = {child: one["id"] for one in profile["nodes"] for child in one.get("children", [])}
    inside: dict[int, bool] = {}

    def is_ours(id: int | None) -> bool:
        if id is None:
            return False
        if id not in inside:
            inside[id] = OURS in nodes[id]["callFrame"]["url"] or is_ours(parent.get(id))
        return inside[id]

    both = list(zip(profile["samples"], profile["timeDeltas"], strict=True))
    return sum(delta for id, delta in both if is_ours(id)) / 1e6, sum(delta for _, delta in both) / 1e6


def with_ours(folder: Path, seconds: float) -> tuple[float, float]:
    """Shares of a core: (in the browser, of the whole server)."""
    write_shell(folder, None, None)
    os.environ["JUPYTER_PATH"] = str(LAB)
    lab = LabServer(folder, report_seconds=5.0)
    over = threading.Event()

    def tell() -> None:
        number = 0
        while not over.wait(5):
            number += 1
            meters = (Meter("memory", "Memory", f"{number} of 900 MB", number % 100),)
            lab.state = replace(working(), meters=(*meters, *working().meters[1:]))
            lab.ears.tell()

    try:
        lab.state = working()
        with page_of(f"http://127.0.0.1:{lab.port}") as page:
            page.locator(".jp-nbs-item button").first.click()
            threading.Thread(target=tell, daemon=True).start()
            page.wait_for_timeout(15_000)  # what a page does at its beginning is not its cost
            tools = page.context.new_cdp_session(page)
            tools.send("Profiler.enable")
            tools.send("Profiler.setSamplingInterval", {"interval": 1000})
            server = psutil.Process(lab.process.pid)
            tools.send("Profiler.start")
            began, used = time.monotonic(), seconds_of(server)
            page.wait_for_timeout(seconds * 1000)
            took, used = time.monotonic() - began, seconds_of(server) - used
            ours, all_of_it = share(tools.send("Profiler.stop")["profile"])
            return ours / all_of_it, used / took
    finally:
        over.set()
        lab.close()


def without_ours(folder: Path, seconds: float) -> float:
    """The share of a core that a server alone takes, with the same page open."""
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={port}", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token="]
    environment = {**os.environ, "HOME": str(folder), "JUPYTER_PREFER_ENV_PATH": "1"}
    environment |= {"JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "JUPYTER_PATH": ""}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet, cwd=folder) as process:
        try:
            until(lambda: _answers(port), "the server")
            with page_of(f"http://127.0.0.1:{port}") as page:
                page.wait_for_timeout(15_000)
                server = psutil.Process(process.pid)
                began, used = time.monotonic(), seconds_of(server)
                page.wait_for_timeout(seconds * 1000)
                return (seconds_of(server) - used) / (time.monotonic() - began)
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=2) as answer:
            return "version" in json.loads(answer.read())
    except (urllib.error.URLError, OSError, ValueError):
        return False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cost") as name:
        for one in ("with", "without"):
            (Path(name) / one).mkdir()
        page, server = with_ours(Path(name) / "with", given.seconds)
        alone = without_ours(Path(name) / "without", given.seconds)
    print(f"browser: our part takes {page:.2%} of a core over {given.seconds:.0f} s, with what it calls")
    print(f"server: {server:.2%} of a core with our extension, {alone:.2%} without it")
    sys.exit(0 if page < 0.01 and server - alone < 0.01 else 1)


if __name__ == "__main__":
    main()
