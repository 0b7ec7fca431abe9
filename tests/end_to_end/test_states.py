"""The list with a notebook in every state, each come about by itself: what its row says, and what is done from there and undone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.tools.scenes import API, Scenes

from .pages import log_in, menu, undo
from .product import Product, until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
#: Until the warning of a notebook that has been quiet since it started.
QUIET_MS = 400_000


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    made = Scenes(Product(tmp_path_factory.mktemp("states") / "state"))
    try:
        made.begin()
        yield made
    finally:
        made.product.stop()


@pytest.fixture
def at_list(scenes: Scenes, page: Page) -> Page:
    log_in(page, scenes.mara)
    return page


def row(page: Page, title: str) -> Locator:
    """The one row of that very title."""
    return page.locator(".rw").filter(has=page.get_by_role("link", name=title, exact=True))


STATES = {
    "Geo": ("Error: not saved", "kept on the volume, the rest in the last save"),
    "Broken set-up": ("Error: did not start", "Your workspace was not touched"),
    "Simulation": ("Error: ended", "at "),
    "Churn": ("Running, quiet", "Idle stop in"),
    "Training": ("Running, working", "Session ends in"),
    "Explore": ("Running", ""),
    "Nightly": ("Starting", ""),
    "Report 2026": ("Stopped", "You stopped it at"),
}


def test_each_state_is_told_with_its_reason_and_its_next_step(at_list: Page, scenes: Scenes) -> None:
    page = at_list
    expect(row(page, "Churn").get_by_role("button", name="Keep working")).to_be_visible(timeout=QUIET_MS)
    if scenes.told(scenes.slow)["state"] != "STARTING":  # its script was stopped after its two minutes
        scenes.stop(scenes.slow)
        scenes.until_state(scenes.slow, "STOPPED")
        scenes.call(f"/notebooks/mara/{scenes.slow}/start", "POST", {})
    page.reload()  # rows are sorted when the page is asked for; what changes later stays in its place
    for title, (badge, said) in STATES.items():
        expect(row(page, title).locator(".nb-badge")).to_have_text(re.compile(badge))
        expect(row(page, title)).to_contain_text(said)
        print(title, "|", " ".join(row(page, title).inner_text().split()))
    shown = page.locator(".rw .name a").all_inner_texts()
    needs = [title for title in shown if title in ("Geo", "Broken set-up", "Simulation", "Churn")]
    assert shown[: len(needs)] == needs and len(needs) == 4, shown  # those that need somebody come first
    assert shown.index("Training") < shown.index("Nightly") < shown.index("Report 2026")
    expect(row(page, "Churn").get_by_role("button", name="Keep working")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Needs you")).click()
    expect(page.locator(".rw")).to_have_count(4)
    page.get_by_role("link", name=re.compile("^Trash")).click()
    assert sorted(page.locator(".rw .name a").all_inner_texts()) == ["Old tries", "Thesis"]
    expect(row(page, "Thesis").locator(".nb-badge")).to_have_text("In the trash")


def test_keep_working_moves_the_idle_stop(at_list: Page) -> None:
    page = at_list
    row(page, "Churn").get_by_role("button", name="Keep working").click()
    expect(page.locator("#nb-toast")).to_contain_text("Idle stop moved to", timeout=30_000)
    expect(row(page, "Churn").get_by_role("button", name="Keep working")).to_have_count(0)


def test_an_error_is_dismissed_and_shown_again(at_list: Page) -> None:
    page = at_list
    menu(page, "Simulation", "Dismiss the error").click()
    expect(row(page, "Simulation").locator(".nb-badge")).to_have_text("Stopped")
    undo(page, "Simulation is shown as stopped.")
    expect(row(page, "Simulation").locator(".nb-badge")).to_have_text("Error: ended")


def test_a_stop_of_what_works_asks_first_and_cancel_changes_nothing(at_list: Page) -> None:
    page = at_list
    row(page, "Training").get_by_role("button", name="Stop", exact=True).click()
    dialog = page.locator("#nb-dialog-ask")
    expect(dialog).to_contain_text("Stop Training?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    expect(row(page, "Training").locator(".nb-badge")).to_have_text("Running, working")


def test_a_changed_profile_and_its_undo(at_list: Page, scenes: Scenes) -> None:
    page = at_list
    page.goto(f"{scenes.product.url}/services/notebooks/n/mara/report-2026")
    page.locator("#sp").select_option("notebook-cpu-large")
    expect(page.locator("[data-nb-preview]")).to_contain_text("All files and installed packages stay")
    page.get_by_role("button", name="Use it from the next start").click()
    expect(page.locator("#sp")).to_have_value("notebook-cpu-large")
    undo(page, "Report 2026 is set to notebook-cpu-large.")
    until(lambda: scenes.told("report-2026")["profile"] == "notebook-cpu-small", 20, what="the undo")


def test_a_snapshot_is_kept_by_a_name_and_its_undo(at_list: Page, scenes: Scenes) -> None:
    page = at_list
    page.goto(f"{scenes.product.url}/services/notebooks/n/mara/explore/snapshots/1")
    page.get_by_label("Name", exact=True).fill("before the review")
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator(".nb-tag", has_text="kept as “before the review”")).to_be_visible()
    undo(page, "before the review")
    expect(page.locator(".nb-tag", has_text="kept as “before the review”")).to_have_count(0)


def test_everything_is_restored_into_a_stopped_notebook_and_undone(at_list: Page, scenes: Scenes) -> None:
    page, path = at_list, "/notebooks/mara/simulation/snapshots"
    scenes.call("/notebooks/mara/simulation/start", "POST", {})
    scenes.ready("simulation")
    files = scenes.files("simulation")
    (files / "model.txt").write_text("first")
    scenes.saved("simulation")
    first = scenes.call(path)["snapshots"][0]["number"]
    (files / "model.txt").write_text("second")
    scenes.stop("simulation")
    scenes.until_state("simulation", "STOPPED")
    page.goto(f"{scenes.product.url}/services/notebooks/n/mara/simulation/snapshots/{first}")
    page.get_by_role("button", name=re.compile("^Restore everything as of")).click()
    toast = page.locator("#nb-toast")
    expect(toast).to_contain_text(re.compile("snapshot", re.I), timeout=60_000)
    assert _first_text(scenes, path) == "first"
    toast.get_by_role("button", name="Undo").click()
    until(lambda: _first_text(scenes, path) == "second", 60, what="the undo")


def _first_text(scenes: Scenes, path: str) -> str:
    number = scenes.call(path)["snapshots"][0]["number"]
    return str(scenes.mara.api(f"{path}/{number}/file?path=model.txt", base=API).text)


def test_a_running_notebook_changes_its_profile_in_one_action(at_list: Page, scenes: Scenes) -> None:
    page = at_list
    page.goto(f"{scenes.product.url}/services/notebooks/n/mara/explore")
    page.locator("#sp").select_option("notebook-cpu-small")
    expect(page.locator("[data-nb-preview]")).to_contain_text("a restart ends its kernels and terminals")
    page.get_by_role("button", name="Save, stop and start with it").click()
    expect(page.locator("#nb-toast")).to_contain_text(
        "is saved, stopped and started on notebook-cpu-small", timeout=30_000
    )
    until(
        lambda: (
            scenes.told("explore")["state"] == "RUNNING"
            and scenes.told("explore")["profile"] == "notebook-cpu-small"
        ),
        120,
        0.5,
        "the restart",
    )


def test_a_start_is_cancelled(at_list: Page, scenes: Scenes) -> None:
    page, name = at_list, scenes.make("Nightly again", "slow-start")
    page.reload()
    row(page, "Nightly again").get_by_role("button", name="Cancel").click()
    scenes.until_state(name, "STOPPED")
    expect(row(page, "Nightly again").locator(".nb-badge")).to_have_text("Stopped", timeout=30_000)


def test_what_was_not_saved_is_saved_when_storage_is_back(at_list: Page, scenes: Scenes) -> None:
    page = at_list
    scenes.hindered.unlink()
    scenes.hindered.with_suffix(".aside").rename(scenes.hindered)
    row(page, "Geo").get_by_role("button", name="Save now").click()
    scenes.until_state("geo", "STOPPED", seconds=180)
    expect(row(page, "Geo").locator(".nb-badge")).to_have_text("Stopped", timeout=40_000)
    path = "/notebooks/mara/geo/snapshots"
    number = scenes.call(path)["snapshots"][0]["number"]
    assert scenes.mara.api(f"{path}/{number}/file?path=after.csv", base=API).text == "not saved"
