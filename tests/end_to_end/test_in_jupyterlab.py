"""In JupyterLab: the warning and its button, the stop and what is said of it, outputs of a closed tab, files brought back.

Clocks are short here; the profile's rules are those of every other.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from . import pages
from .product import Person, Product, until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1500)]

PROFILES = """
flavors:
  small: {use: Tests, cpu: 2, memory: 8 GB}
  tiny: {use: Tests, cpu: 2, memory: 700 MB}
profiles:
  short-idle:
    title: Short idle clock
    use: Tests
    flavor: small
    idle_stop: 2min
    warn_before: [100s, 30s]
    max_session: 8h
  short-session:
    title: Short session
    use: Tests
    flavor: small
    idle_stop: 2h
    max_session: 6min
    warn_before: [5min, 1min]
    extend_by: 30min
    extensions: 1
  little-memory:
    title: Little memory
    use: Tests
    flavor: tiny
    idle_stop: 2h
    max_session: 8h
"""
NOTE = ".jp-nbs-note"
#: Presence lasts a minute, then two minutes of quiet; under load everything takes its time.
WARNED_MS, STOPPED_SECONDS = 300_000, 600


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product whose clocks are short."""
    place = tmp_path_factory.mktemp("short")
    (place / "profiles.yaml").write_text(PROFILES)
    running = Product(place / "state")
    running.start("--profiles", str(place / "profiles.yaml"))
    yield running
    running.stop()


def session(product: Product, *columns: str) -> dict[str, Any]:
    """Columns of the newest session, as the ledger has them."""
    with sqlite3.connect(f"file:{product.state / 'ledger.sqlite'}?mode=ro", uri=True) as ledger:
        row = ledger.execute(f"SELECT {', '.join(columns)} FROM sessions ORDER BY id DESC LIMIT 1").fetchone()
    return dict(zip(columns, row, strict=True))


def note(page: Page, reason: str):
    return page.locator(f'{NOTE}[data-reason="{reason}"]')


def begin(page: Page, product: Product, user: str, profile: str) -> Person:
    person = product.add_user(user)
    pages.log_in(page, person)
    pages.new_notebook(page, person, "kept", profile)
    page.locator(".jp-nbs-item").first.wait_for()
    return person


def open_lab(page: Page, person: Person, path: str = "") -> None:
    page.goto(f"{person.product.url}/user/{person.name}/kept/lab{path}")
    pages.wait_for_lab(page)
    page.locator(".jp-nbs-item").first.wait_for()


def ask(page: Page, what: str) -> int:
    """The status of something asked as the page would."""
    return page.evaluate(
        """async what => {
          const base = JSON.parse(document.getElementById('jupyter-config-data').textContent).baseUrl;
          const xsrf = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/);
          const body = JSON.stringify({do: what});
          const headers = {'X-XSRFToken': xsrf ? decodeURIComponent(xsrf[1]) : ''};
          return (await fetch(base + 'notebooks/ask', {method: 'POST', body, headers})).status;
        }""",
        what,
    )


def test_a_warning_is_shown_keep_working_moves_it_and_without_a_click_it_stops_and_says_why(
    page: Page, short: Product
) -> None:
    page.set_default_timeout(90_000)
    person = begin(page, short, "warned", "short-idle")
    page.locator(".jp-nbs-item button").first.click()
    expect(page.locator(".jp-nbs-panel .jp-nbs-big")).to_be_visible()
    warning = note(page, "idle_soon")
    expect(warning).to_contain_text("Idle stop in", timeout=WARNED_MS)
    expect(warning).to_contain_text("Nothing has run or been typed since")
    item = page.locator('.jp-nbs-item[data-colour="wait"]').first
    expect(item).to_contain_text("Keep working")
    expect(page.locator('[aria-live="polite"].jp-nbs-hidden')).to_contain_text("Idle stop in")
    until(lambda: session(short, "reached_at")["reached_at"], 60, what="the service knows that it was seen")
    before = session(short, "id", "idle_ends_at")
    warning.get_by_role("button", name="Keep working").click()
    expect(warning).to_have_count(0)
    until(
        lambda: session(short, "idle_ends_at")["idle_ends_at"] != before["idle_ends_at"],
        30,
        what="the deadline moves",
    )
    assert session(short, "id", "closed_at") == {"id": before["id"], "closed_at": None}
    assert "session.extended" in short.command("ledger", "audit").stdout
    expect(note(page, "idle_soon")).to_contain_text("Idle stop in", timeout=WARNED_MS)
    until(lambda: session(short, "closed_at")["closed_at"], STOPPED_SECONDS, every=1.0, what="the idle stop")
    assert session(short, "cause", "pending_files") == {"cause": "idle", "pending_files": 0}
    why = short.command("session", "why", f"{person.name}/kept").stdout
    assert "stopped by    the idle culler (idle)" in why and "verdict       quiet." in why
    assert re.search(r"kept.*short-idle.*ended +idle", short.command("session", "list").stdout)
    pages.open_list(page, person)
    expect(pages.row(page, "kept")).to_contain_text(re.compile(r"Idle for 2\s+min, stopped at .* and saved"))
    pages.start(page, person, "kept")
    told = note(page, "was_stopped")
    expect(told).to_contain_text(re.compile(r"Idle for 2\s+min, stopped at \d\d:\d\d and saved"))
    until(lambda: shown_once(page), 60, what="it was told that it was seen")
    open_lab(page, person)
    expect(page.locator(".jp-nbs-item").nth(1)).to_contain_text("Saved")
    expect(note(page, "was_stopped")).to_have_count(0)
    person.stop("kept")


def shown_once(page: Page) -> bool:
    """Whether the server has nothing more to say of the last stop."""
    said = page.evaluate(
        """async () => {
          const base = JSON.parse(document.getElementById('jupyter-config-data').textContent).baseUrl;
          const xsrf = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/);
          const headers = {'X-XSRFToken': xsrf ? decodeURIComponent(xsrf[1]) : ''};
          return await (await fetch(base + 'notebooks/presence', {headers})).json();
        }"""
    )
    assert "verdict" in said, said
    return not [one for one in said["notices"] if one["reason"] == "was_stopped"]


def test_a_session_s_end_can_be_moved_as_often_as_the_profile_says(page: Page, short: Product) -> None:
    page.set_default_timeout(90_000)
    person = begin(page, short, "extended", "short-session")
    warning = note(page, "limit_soon")
    expect(warning).to_contain_text("Session ends in", timeout=WARNED_MS)
    before = session(short, "session_ends_at")
    warning.get_by_role("button", name=re.compile("Extend by 30.min \\(1 of 1\\)")).click()
    until(lambda: session(short, "session_ends_at") != before, 30, what="the session's end moves")
    until(lambda: session(short, "extensions") == {"extensions": 1}, 10)
    moved = session(short, "session_ends_at")
    assert ask(page, "extend") == 409
    assert session(short, "session_ends_at", "extensions") == {**moved, "extensions": 1}
    expect(page.locator(".jp-nbs-panel .jp-nbs-button", has_text="Extend")).to_have_count(0)
    person.stop("kept")


def outputs(path: Path) -> str:
    """Everything that the cells of a notebook's file printed; "" while it is written."""
    try:
        cells = json.loads(path.read_text())["cells"]
    except (OSError, ValueError):
        return ""
    texts = [one.get("text", "") for cell in cells for one in cell.get("outputs", [])]
    return "".join("".join(text) for text in texts)


def test_what_a_closed_tab_s_cell_prints_for_two_minutes_is_there_after_an_idle_stop_and_a_restart(
    page: Page, short: Product
) -> None:
    page.set_default_timeout(90_000)
    person = begin(page, short, "printing", "short-idle")
    pages.start_cell(
        page, "import time\nfor n in range(120):\n    print(f'tick {n};', flush=True); time.sleep(1)"
    )
    page.get_by_text("tick 10;").wait_for()
    page.goto("about:blank")
    volume = short.state / "volumes" / session(short, "notebook")["notebook"] / "files"
    (path,) = volume.glob("*.ipynb")
    until(lambda: outputs(path).count("tick") == 120, 300, every=1.0, what="all ticks in the file")
    until(lambda: session(short, "closed_at")["closed_at"], STOPPED_SECONDS, every=1.0, what="the idle stop")
    assert session(short, "cause")["cause"] == "idle"
    pages.start(page, person, "kept")
    open_lab(page, person, f"/tree/{path.name}")
    expect(page.locator(".jp-CodeCell .jp-Cell-outputArea").first).to_contain_text("tick 119;")
    assert outputs(path).count("tick") == 120
    person.stop("kept")


GROWS = """
import time
held = [bytearray(250_000_000)]
for held_more in range(200):
    held.append(bytearray(b"x" * 5_000_000)); time.sleep(0.5)
"""


def test_before_memory_runs_out_the_biggest_kernel_is_named_then_ended_and_all_else_goes_on(
    page: Page, short: Product
) -> None:
    page.set_default_timeout(90_000)
    person = begin(page, short, "growing", "little-memory")
    pages.start_cell(page, GROWS)
    holds = re.compile(r"Untitled.ipynb holds \d+.MB")
    expect(note(page, "memory_soon")).to_contain_text(holds, timeout=WARNED_MS)
    expect(page.locator('.jp-nbs-meter[data-colour="err"]')).to_contain_text(re.compile(r"Memory 9\d"))
    expect(note(page, "out_of_memory")).to_contain_text("Untitled.ipynb held", timeout=WARNED_MS)
    expect(note(page, "memory_soon")).to_have_count(0, timeout=30_000)
    question = page.locator(".jp-Dialog").get_by_role("button", name="Ok")
    if question.is_visible():  # JupyterLab says that the kernel begins anew
        question.click()
    assert "cell done" in pages.run_cell(page, "print(6 * 7)")
    assert session(short, "closed_at", "cause") == {"closed_at": None, "cause": None}
    person.stop("kept")


def test_a_file_is_brought_back_from_a_snapshot_into_place_and_as_a_copy(page: Page, short: Product) -> None:
    page.set_default_timeout(90_000)
    person = begin(page, short, "restoring", "short-session")
    volume = short.state / "volumes" / session(short, "notebook")["notebook"] / "files"
    (volume / "data").mkdir()
    (volume / "data" / "table.csv").write_text("first\n")
    page.locator(".jp-nbs-item button").first.click()
    panel = page.locator(".jp-nbs-panel")
    panel.get_by_role("button", name="Save now").click()
    panel.get_by_role("button", name=re.compile("^Look:")).first.click()
    (volume / "data" / "table.csv").write_text("second\n")
    panel.get_by_role("button", name="data/").click()
    panel.get_by_role("button", name="Copy data/table.csv").click()
    expect(panel).to_contain_text("Brought back: restored/snapshot-")
    (copy,) = volume.glob("restored/snapshot-*/data/table.csv")
    assert (copy.read_text(), (volume / "data" / "table.csv").read_text()) == ("first\n", "second\n")
    panel.get_by_role("button", name="Restore data/table.csv").click()
    page.locator(".jp-Dialog").get_by_role("button", name="Restore").click()
    until(lambda: (volume / "data" / "table.csv").read_text() == "first\n", 60, what="the file is as it was")
    expect(panel).to_contain_text("Brought back: data/table.csv")
    person.stop("kept")
