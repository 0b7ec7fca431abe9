"""What cells print and return while no page is open, in a real browser, with the settings that an agent writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

from jupyterhub_notebooks.agent.environment import write_shell

from .harness import LabServer, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    place: Path = tmp_path_factory.mktemp("outputs")
    write_shell(place, None, None)
    server = LabServer(place)
    yield server
    server.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield running.new_context()
        running.close()


def written(lab: LabServer, name: str, *cells: str) -> Path:
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(cells)
    ]
    path = lab.files / name
    path.write_text(
        json.dumps({"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5})
    )
    return path


def opened(lab: LabServer, browser: BrowserContext, name: str) -> Page:
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{lab.port}/lab/workspaces/{name.split('.')[0]}/tree/{name}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)
    return page


def run(page: Page, cell: int = 0) -> None:
    page.locator(".jp-CodeCell .cm-content").nth(cell).click()
    page.keyboard.press("Control+Enter")


def outputs(path: Path, cell: int = 0) -> str:
    """What the file has of a cell's output; "" while it is being written."""
    try:
        read: dict[str, Any] = json.loads(path.read_text())
    except ValueError:
        return ""
    return "".join(
        "".join(one.get("text", one.get("data", {}).get("text/plain", "")))
        for one in read["cells"][cell]["outputs"]
    )


def shown(page: Page) -> str:
    return page.locator(".jp-CodeCell .jp-Cell-outputArea").first.inner_text()


@pytest.mark.parametrize("seconds", [120])
def test_a_cell_that_prints_for_two_minutes_loses_nothing_when_its_tab_is_closed_after_ten_seconds(
    lab: LabServer, browser: BrowserContext, seconds: int
) -> None:
    code = f"import time\nfor n in range({seconds}):\n    print(f'tick {{n}};', flush=True); time.sleep(1)\n40 + 2"
    path = written(lab, "ticks.ipynb", code)
    page = opened(lab, browser, path.name)
    run(page)
    page.get_by_text("tick 9;").wait_for(timeout=60_000)
    page.close()
    lab.says("kernel", "busy", "A cell runs in ticks.ipynb")
    until(lambda: outputs(path).endswith("42"), lambda: outputs(path)[-200:], seconds + 30)
    assert outputs(path).count("tick") == seconds
    lab.says("kernel", "idle")
    page = opened(lab, browser, path.name)
    until(lambda: shown(page).count("tick") == seconds, lambda: shown(page)[-200:])
    assert shown(page).rstrip().endswith("42")
    page.close()


BIG = 10_000_000


def test_a_closed_tab_loses_neither_an_output_of_10_mb_nor_a_result(
    lab: LabServer, browser: BrowserContext
) -> None:
    code = f"import time; time.sleep(3)\nline = 'x' * 99 + chr(10)\nfor n in range({BIG} // 100_000): print(line * 1000, end='', flush=True)\n'the ' + 'end'"
    path = written(lab, "big.ipynb", code, "2 + 3")
    page = opened(lab, browser, path.name)
    run(page)
    lab.says("kernel", "busy", "A cell runs in big.ipynb")
    page.close()
    until(lambda: outputs(path).endswith("'the end'"), lambda: outputs(path)[-100:], 120)
    assert outputs(path).count("x") == BIG * 99 // 100
    lab.says("kernel", "idle")
    page = opened(lab, browser, path.name)
    page.get_by_text("the end").wait_for(timeout=120_000)
    page.locator(".jp-CodeCell .cm-content").nth(1).click()
    page.keyboard.press("Control+Enter")
    until(lambda: outputs(path, 1) == "5", "the next cell runs and is saved", 120)
    page.close()


def test_a_widget_works_in_two_tabs_where_the_server_runs_the_cells(
    lab: LabServer, browser: BrowserContext
) -> None:
    slider = "import ipywidgets\nslider = ipywidgets.IntSlider(value=7, max=50)\nslider"
    path = written(lab, "widget.ipynb", slider, "slider.value")
    page = opened(lab, browser, path.name)
    run(page)
    handle = page.locator(".jp-CodeCell .widget-slider .noUi-handle")
    handle.wait_for(timeout=60_000)
    handle.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.locator(".widget-readout", has_text="10").wait_for(timeout=30_000)
    second = opened(lab, browser, path.name)
    second.locator(".widget-readout", has_text="10").wait_for(timeout=60_000)
    page.close()
    run(second, 1)
    until(
        lambda: outputs(path, 1) == "10", lambda: f"the kernel has the slider's value: {outputs(path, 1)!r}"
    )
    lab.says("kernel", "idle")
    second.close()


def test_input_that_is_asked_for_after_the_tab_was_closed_is_named(
    lab: LabServer, browser: BrowserContext
) -> None:
    path = written(lab, "ask.ipynb", "import time; time.sleep(3)\nname = input('who? ')\nname * 2")
    page = opened(lab, browser, path.name)
    run(page)
    lab.says("kernel", "busy", "A cell runs in ask.ipynb")
    page.close()
    lab.says("kernel", "busy", "Waits for a person: ask.ipynb waits for input()")
    kernels = lab.call("GET", "api/kernels")
    lab.call("POST", f"api/kernels/{kernels[-1]['id']}/interrupt", {})
    lab.says("kernel", "idle")


def test_two_tabs_of_one_notebook_show_the_same_and_one_may_be_closed(
    lab: LabServer, browser: BrowserContext
) -> None:
    path = written(
        lab, "both.ipynb", "import time\nfor n in range(6):\n    print(f'tick {n};'); time.sleep(0.7)"
    )
    first, second = opened(lab, browser, path.name), opened(lab, browser, path.name)
    run(first)
    second.get_by_text("tick 1;").wait_for(timeout=30_000)
    first.close()
    second.get_by_text("tick 5;").wait_for(timeout=30_000)
    assert shown(second).count("tick") == 6
    until(lambda: outputs(path).count("tick") == 6, "the file has all")
    second.close()


def test_the_store_of_open_documents_is_no_part_of_the_workspace(lab: LabServer) -> None:
    until(lambda: (lab.place / "runtime" / "documents.sqlite").exists(), "the store is in the run's folder")
    assert not [one for one in lab.files.iterdir() if "ystore" in one.name]


def test_a_server_with_open_notebooks_ends_when_it_is_asked_to(
    tmp_path: Path, browser: BrowserContext
) -> None:
    write_shell(tmp_path, None, None)
    server = LabServer(tmp_path)
    try:
        path = written(server, "open.ipynb", "1 + 1")
        page = opened(server, browser, path.name)
        run(page)
        until(lambda: outputs(path) == "2", "the result is in the file")
        server.process.terminate()
        assert server.process.wait(30) == 0
        page.close()
    finally:
        server.close()
