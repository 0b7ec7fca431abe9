"""The extension in a real JupyterLab, with the agent's side in the test: what it shows, says, asks and saves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from jupyterhub_notebooks.agent.environment import LAB, write_shell
from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.contract import (
    Answered,
    Ask,
    Clock,
    Meter,
    Notice,
    Part,
    Saved,
    SavedShown,
    SessionState,
    Signal,
)
from jupyterhub_notebooks.errors import Refusal

from .harness import LabServer, until
from .test_variables import done, keep

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1500)]
OPEN_MS = 600_000
NOTE = ".jp-nbs-note"
LONG = "what was learned of sensors and of embeddings in the third week.ipynb"


def ahead(**more: float) -> str:
    return to_text(datetime.now(UTC) + timedelta(**more))


def working() -> SessionState:
    """A session that works, with everything that a screen shows."""
    end = Part(at=ahead(hours=5, minutes=10), form="left")
    return SessionState(
        phase="running",
        server_time=ahead(),
        heard_seconds_ago=0.0,
        title="sensor-embeddings",
        profile="notebook-gpu-a100",
        saved=Saved(31, ahead(minutes=-2)),
        clock=Clock(
            badge="working",
            icon="circle",
            colour="work",
            bar=(Part("Working, "), end, Part(" left")),
            title=(end, Part(" left")),
            sentence=(Part("A kernel has been busy for 1\u00a0h 12\u00a0min, and the GPU is in use."),),
            detail=(
                Part("Ends at "),
                Part(at=ahead(hours=5, minutes=10)),
                Part(". No idle clock while it works."),
            ),
            keep="Extend by 2\u00a0h (1 of 2)",
            moves="session_limit",
        ),
        saving=SavedShown(
            bar=(Part("Saved "), Part(at=ahead(minutes=-2), form="ago")),
            end=(Part(at=ahead(minutes=-2), form="ago"),),
            lines=("1.9\u00a0GB. 2\u00a0files changed since.",),
        ),
        meters=(
            Meter("memory", "Memory", "6.4 of 8\u00a0GB", 80, "wait"),
            Meter("cpu", "CPU", "0.4 of 2 cores", 20),
            Meter("disk", "Space", "2.2 of 10\u00a0GB", 22),
            Meter("gpu0", "GPU 0", "87\u00a0% used, 31 of 80\u00a0GB", 39),
        ),
        signals=(Signal("kernel", "busy", ahead(hours=-1), "A cell runs in churn.ipynb"),),
    )


def quiet(minutes: float = 8, id: str = "idle-1-600") -> SessionState:
    """The same, that many minutes before an idle stop."""
    left = (Part("Idle stop in "), Part(at=ahead(minutes=minutes), form="left"))
    since = (Part("Nothing has run or been typed since "), Part(at=ahead(minutes=-22)), Part("."))
    said = (*since, Part(" Files and variables are saved first."))
    notice = Notice(id, "idle_soon", "Idle stop", "…", ("Keep working",), left, said, "Keep working")
    clock = Clock("quiet", "hourglass-half", "wait", left, left, since, (), "Keep working", "idle", near=True)
    return replace(working(), clock=clock, notices=(notice,))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    place: Path = tmp_path_factory.mktemp("ui")
    write_shell(place, None, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(LAB))
        server = LabServer(place)
    yield server
    server.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def page(lab: LabServer, browser: Browser) -> Page:
    """One tab for most tests: JupyterLab takes long to open."""
    lab.state = working()
    made = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    made.set_default_timeout(90_000)
    made.goto(f"http://127.0.0.1:{lab.port}/lab", timeout=OPEN_MS)
    made.locator(".jp-nbs-item").first.wait_for(timeout=OPEN_MS)
    for news in made.get_by_role("button", name="No", exact=True).all():
        news.click()
    return made


def tell(lab: LabServer, state: SessionState) -> None:
    lab.state = state
    lab.ears.tell()


def item(page: Page, number: int = 0):
    return page.locator(".jp-nbs-item").nth(number)


def test_the_status_bar_says_which_clock_runs_whether_it_is_saved_and_what_is_used(
    lab: LabServer, page: Page
) -> None:
    tell(lab, working())
    texts = " ".join(page.locator(".jp-nbs-item").all_inner_texts()).replace("\u00a0", " ")
    assert re.search(r"Working, 5 h (10|9) min left", texts)
    assert "Saved 2 min ago" in texts
    assert "Space 2.2 of 10 GB" in texts and "Memory 80 %" in texts and "GPU 0 39 %" in texts
    expect(page.locator('.jp-nbs-meter[data-colour="wait"]')).to_have_text(re.compile("Memory"))


def test_the_panel_opens_by_a_click_and_says_why(lab: LabServer, page: Page) -> None:
    item(page).locator("button").click()
    panel = page.locator(".jp-nbs-panel")
    expect(panel).to_contain_text("A kernel has been busy for 1")
    expect(panel).to_contain_text("No idle clock while it works.")
    expect(panel.get_by_role("button", name="Extend by")).to_be_visible()
    expect(panel.get_by_role("meter", name="Memory")).to_have_attribute("aria-valuenow", "80")


def test_a_warning_is_said_once_is_told_as_seen_and_one_click_keeps_working(
    lab: LabServer, page: Page
) -> None:
    seen: list[str] = []
    asked: list[Ask] = []
    lab.ears._took = lambda report: seen.extend(report.shown_notices)
    lab.ears._answer = lambda ask: asked.append(ask) or Answered(ask.ask, {"moved": "idle"})  # type: ignore[func-returns-value]
    tell(lab, quiet())
    note = page.locator(f'{NOTE}[data-reason="idle_soon"]')
    expect(note).to_contain_text(re.compile(r"Idle stop in [78].min"))
    expect(note).to_contain_text("Files and variables are saved first.")
    expect(item(page)).to_have_attribute("data-colour", "wait")
    expect(item(page)).to_contain_text("Keep working")
    expect(page.locator(".jp-nbs-hidden")).to_contain_text("Idle stop in")
    until(lambda: set(seen) == {"idle-1-600"}, lambda: f"the notice is told as seen: {seen}")
    assert page.evaluate("document.activeElement.closest('.jp-nbs-note')") is None
    note.get_by_role("button", name="Keep working").click()
    until(lambda: [one.do for one in asked if one.do != "snapshots"] == ["extend"], "it is asked for once")
    expect(note).to_have_count(0)
    expect(page.locator(".jp-nbs-hidden")).to_contain_text("The idle clock begins anew")
    tell(lab, working())


def test_a_warning_comes_back_at_the_next_stage_and_counts_the_last_minutes(
    lab: LabServer, page: Page
) -> None:
    tell(lab, quiet(1.5, "idle-1-120"))
    note = page.locator(f'{NOTE}[data-reason="idle_soon"]')
    expect(note).to_contain_text(re.compile(r"Idle stop in [01]:\d\d.min"))
    note.locator("button").first.focus()
    page.keyboard.press("Escape")
    expect(note).to_have_count(0)
    tell(lab, working())


def test_a_message_of_jupyterlab_itself_does_not_lie_over_a_warning(lab: LabServer, page: Page) -> None:
    tell(lab, quiet(4, "idle-2-600"))
    note = page.locator(f'{NOTE}[data-reason="idle_soon"]')
    expect(note).to_be_visible()
    emit = {"message": "Something of JupyterLab's own", "options": {"autoClose": False}}
    page.evaluate("given => window.jupyterapp.commands.execute('apputils:notify', given)", emit)
    toast = page.locator(".Toastify__toast", has_text="Something of JupyterLab")
    expect(toast).to_be_visible()
    ours, theirs = note.bounding_box(), toast.bounding_box()
    assert ours is not None and theirs is not None and ours["x"] + ours["width"] <= theirs["x"]
    note.get_by_role("button", name="Dismiss").click()
    toast.get_by_role("button").first.click()
    expect(toast).to_have_count(0)
    tell(lab, working())


def test_once_a_stop_has_begun_no_clock_and_no_button_is_shown(lab: LabServer, page: Page) -> None:
    stopping = Clock("stopping", "spinner", title=(Part("Stopping"),))
    saving = SavedShown("spinner", bar=(Part("Stopping, saving 41\u00a0%"),), percent=41)
    tell(lab, replace(working(), phase="saving", clock=stopping, saving=saving))
    expect(item(page)).to_be_hidden()
    expect(item(page, 1)).to_contain_text("Stopping, saving 41")
    panel = page.locator(".jp-nbs-panel")
    expect(panel.locator(".jp-nbs-big")).to_have_text("Stopping")
    expect(panel.get_by_role("button", name="Extend by")).to_have_count(0)
    expect(panel.get_by_role("button", name="Save now")).to_have_count(0)
    expect(panel.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "41")
    tell(lab, working())
    expect(item(page)).to_contain_text("Working")


def test_a_list_of_snapshots_that_cannot_be_read_is_asked_for_ever_more_rarely(
    lab: LabServer, page: Page
) -> None:
    asked: list[Ask] = []

    def refuse(ask: Ask) -> Answered:
        asked.append(ask)
        no = Refusal("Storage does not answer", label="storage")
        return Answered(ask.ask, {}, no.as_json()["error"], 503)

    lab.ears._answer = refuse
    panel = page.locator(".jp-nbs-panel")
    for number in range(5):
        tell(lab, replace(working(), saved=Saved(40 + number, ahead()), title=f"state {number}"))
        expect(panel).to_contain_text(f"state {number}")
    until(lambda: asked, "it was asked for")
    assert len(asked) == 1, "while it is refused, what changes does not ask again at once"
    lab.ears._answer = lambda ask: Answered(ask.ask, {"snapshots": [], "count": 0})
    expect(panel).to_contain_text("Nothing saved yet.", timeout=60_000)
    tell(lab, working())


def test_what_is_refused_is_said_in_the_server_s_words(lab: LabServer, page: Page) -> None:
    def refuse(ask: Ask) -> Answered:
        no = Refusal("All 2 extensions are used", "The profile allows no more.", label="no_extension")
        return Answered(ask.ask, {}, no.as_json()["error"], no.http_status)

    lab.ears._answer = refuse
    page.locator(".jp-nbs-panel").get_by_role("button", name="Extend by").click()
    note = page.locator(f'{NOTE}[data-colour="err"]')
    expect(note).to_contain_text("All 2 extensions are used")
    note.get_by_role("button", name="Dismiss").click()


def test_a_file_of_a_snapshot_is_found_and_brought_back(lab: LabServer, page: Page) -> None:
    asked: list[Ask] = []

    def answer(ask: Ask) -> Answered:
        asked.append(ask)
        row = {"number": 31, "kind": "save", "at": ahead(hours=-1), "size_bytes": 5000, "files": 2}
        results = {
            "snapshots": {"snapshots": [row], "count": 31},
            "list": {
                "entries": [{"name": one, "kind": "file", "size": 3} for one in (LONG, "a.txt")],
                "more": False,
            },
            "restore": {"path": "restored/snapshot-31/a.txt", "files": 1},
        }
        return Answered(ask.ask, results.get(ask.do, {}))

    lab.ears._answer = answer
    tell(lab, replace(working(), saved=Saved(32, ahead())))
    panel = page.locator(".jp-nbs-panel")
    panel.get_by_role("button", name=re.compile("^Look:")).click()
    room, copy = panel.bounding_box(), panel.get_by_role("button", name=f"Copy {LONG}").bounding_box()
    assert room is not None and copy is not None and copy["x"] + copy["width"] <= room["x"] + room["width"]
    panel.get_by_role("button", name="Restore a.txt").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("Replace a.txt?")
    expect(dialog).to_contain_text("What is there now is saved first")
    dialog.get_by_role("button", name="Cancel").click()
    panel.get_by_role("button", name="Copy a.txt").click()
    expect(panel).to_contain_text("Brought back: restored/snapshot-31/a.txt")
    restored = [one for one in asked if one.do == "restore"]
    assert [one.arguments for one in restored] == [{"number": 31, "path": "a.txt", "copy": True}]


def test_how_the_last_session_ended_stays_until_it_is_dismissed_and_is_told_as_seen(
    lab: LabServer, page: Page
) -> None:
    seen: list[str] = []
    lab.ears._took = lambda report: seen.extend(report.shown_notices)
    notice = Notice(
        "stopped-1", "was_stopped", "Idle for 30 min, stopped at 12:21 and saved.", "", colour="work"
    )
    tell(lab, replace(working(), notices=(notice,)))
    note = page.locator(f'{NOTE}[data-reason="was_stopped"]')
    expect(note).to_contain_text("Idle for 30 min, stopped at 12:21 and saved.")
    until(lambda: "stopped-1" in seen, "it is told as seen")
    tell(lab, working())
    expect(item(page)).to_contain_text("Working")
    expect(note).to_be_visible()
    note.get_by_role("button", name="Dismiss").click()
    expect(note).to_have_count(0)


def test_open_editors_are_saved_when_a_stop_begins(lab: LabServer, page: Page) -> None:
    (lab.files / "notes.txt").write_text("old")
    page.evaluate("window.location.hash = ''")
    page.goto(f"http://127.0.0.1:{lab.port}/lab/tree/notes.txt", timeout=OPEN_MS)
    page.locator(".jp-FileEditor .cm-content").wait_for(timeout=OPEN_MS)
    page.locator(".jp-nbs-item").first.wait_for(timeout=OPEN_MS)
    page.locator(".jp-FileEditor .cm-content").click()
    page.keyboard.insert_text("new ")
    tell(lab, replace(working(), phase="saving"))
    until(lambda: "new" in (lab.files / "notes.txt").read_text(), "the file has what was typed")
    until(lambda: lab.ears.heard()["lab"].report.unsaved == (), "nothing is unsaved")
    tell(lab, working())


def test_variables_that_were_kept_are_offered_and_come_back_by_one_click(lab: LabServer, page: Page) -> None:
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cell = {"cell_type": "code", "id": "c0", "execution_count": None, "metadata": {}, "outputs": []}
    book = {"cells": [{**cell, "source": "print(answer + 1)"}], "metadata": {"kernelspec": spec}}
    (lab.files / "kept.ipynb").write_text(json.dumps({**book, "nbformat": 4, "nbformat_minor": 5}))
    kernel = lab.kernel("kept.ipynb")
    done(kernel, "answer = 41\nlog = open('log.txt', 'w')")
    lab.ears._took = lambda report: lab.took(report)
    assert keep(lab, cause="session_limit").saved == 1
    kernel.close()
    lab.call("DELETE", f"api/kernels/{kernel.kernel}")
    tell(lab, working())
    page.goto(f"http://127.0.0.1:{lab.port}/lab", timeout=OPEN_MS)
    note = page.locator(NOTE, has_text="Variables of kept.ipynb can come back")
    expect(note).to_contain_text("1 of 2 were kept")
    expect(note).to_contain_text("Not log (an open file; open it again).")
    note.get_by_role("button", name="Bring 1 back").click()
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').first.wait_for(timeout=OPEN_MS)
    until(lambda: lab.call("GET", "notebooks/variables")["offers"] == [], "nothing is left to bring back")
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".jp-CodeCell .jp-OutputArea-output").first).to_have_text("42", timeout=60_000)
    expect(note).to_have_count(0)
