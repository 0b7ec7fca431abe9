"""The pages for those who do not see, do not point, or see little: axe-core on each page, light and dark, and a run by keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.tools.prepare import axe

from .pages import log_in, row, wait_for_lab
from .product import Person, Product, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

API = "/services/notebooks/api/v1"
PAGES = "/services/notebooks/"
RUN_AXE = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .map(v => ({id: v.id, impact: v.impact, help: v.help, where: v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))}))"""
THEMES = ("light", "dark")


def made(person: Person, name: str, **more: Any) -> str:
    answer = person.api(
        "/notebooks", "POST", {"name": name, "profile": "notebook-cpu-small", **more}, base=API
    )
    assert answer.status == 201, answer.text
    return str(answer.json()["name"])


def told(person: Person, name: str) -> dict[str, Any]:
    return dict(person.api(f"/notebooks/{person.name}/{name}", base=API).json())


def saved(product: Product, person: Person, name: str) -> None:
    """A snapshot with a few files."""
    files = product.state / "volumes" / told(person, name)["id"] / "files"
    (files / "data").mkdir(exist_ok=True)
    (files / "results.csv").write_text("1,2")
    (files / "data" / "more.csv").write_text("3")
    before = len(person.api(f"/notebooks/{person.name}/{name}/snapshots", base=API).json()["snapshots"])
    person.api(f"/notebooks/{person.name}/{name}/save", "POST", {}, base=API)
    path = f"/notebooks/{person.name}/{name}/snapshots"
    until(lambda: len(person.api(path, base=API).json()["snapshots"]) > before, 60, 0.3, "a save")


@pytest.fixture(scope="module")
def person(product: Product) -> Person:
    """Has one notebook that runs and was saved, one that is stopped, one that did not start, one in the trash."""
    person = product.add_user("mira")
    for name in ("Running", "Stopped", "Broken"):
        made(person, name)
    for name in ("running", "stopped", "broken"):
        until(lambda name=name: told(person, name)["state"] == "RUNNING", 120, 0.5, name)
    saved(product, person, "running")
    for name in ("stopped", "broken"):
        person.api(f"/notebooks/mira/{name}/stop", "POST", {}, base=API)
        until(lambda name=name: told(person, name)["state"] == "STOPPED", 60, 0.5, name)
    config = (
        product.state / "volumes" / told(person, "broken")["id"] / "files/.jupyter/jupyter_server_config.py"
    )
    config.parent.mkdir(exist_ok=True)
    config.write_text("c.ServerApp.port_retries = 'many'\n")
    person.api("/notebooks/mira/broken/start", "POST", {}, base=API)
    until(lambda: told(person, "broken")["state"] == "ERROR", 120, 0.5, "the failed start")
    person.api(f"/notebooks/mira/{made(person, 'Gone', start=False)}", "DELETE", base=API)
    return person


def _menu(page: Page) -> None:
    row(page, "Stopped").get_by_label(re.compile("^More actions")).click()


def _rename(page: Page) -> None:
    _menu(page)
    row(page, "Stopped").get_by_role("button", name="Rename", exact=True).click()


SEEN: dict[str, tuple[str, Callable[[Page], None] | None]] = {
    "list": ("", None),
    "menu": ("", _menu),
    "rename": ("", _rename),
    "keys": ("", lambda page: page.keyboard.press("?")),
    "nothing found": ("?find=zzz", None),
    "trash": ("?show=trash", None),
    "new": ("new", None),
    "running": ("n/mira/running", None),
    "stopped": ("n/mira/stopped", None),
    "did not start": ("n/mira/broken", None),
    "snapshots": ("n/mira/running/snapshots", None),
    "what changed": ("n/mira/running/snapshots/1", None),
    "all files": ("n/mira/running/snapshots/1?browse=1", None),
    "no such page": ("n/mira/none", None),
    "help": ("help", None),
    "user guide": ("help/guide", None),
    "feedback": ("feedback", None),
    "about": ("about", None),
}


def looked_at(page: Page) -> list[dict[str, Any]]:
    """What axe-core finds. It is put in past the page's own policy, which would not let it run."""
    page.evaluate(axe().read_text())
    return list(page.evaluate(RUN_AXE))


def test_axe_finds_nothing_serious_on_any_page_in_light_and_dark(
    product: Product, person: Person, page: Page
) -> None:
    page.emulate_media(reduced_motion="reduce")  # colours do not fade from one theme into the other
    log_in(page, person)
    log = told(person, "broken")["last_session"]
    addresses = {**SEEN, "log": (f"sessions/{log}/log", None)}
    serious: list[Any] = []
    for theme in THEMES:
        for name, (address, then) in addresses.items():
            page.goto(f"{product.url}{PAGES}{address}")
            page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
            if then:
                then(page)
            found = looked_at(page)
            serious += [(name, theme, one) for one in found if one["impact"] in ("serious", "critical")]
            print(f"{name}, {theme}: {[(one['id'], one['impact']) for one in found] or 'nothing'}")
    newcomer = product.add_user("nils")
    page.context.clear_cookies()
    log_in(page, newcomer)
    for theme in THEMES:
        page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
        found = looked_at(page)
        serious += [("first visit", theme, one) for one in found if one["impact"] in ("serious", "critical")]
        print(f"first visit, {theme}: {[(one['id'], one['impact']) for one in found] or 'nothing'}")
    assert not serious, "\n".join(str(one) for one in serious)


def focused(page: Page) -> str:
    """What has the focus, by its words."""
    return str(
        page.evaluate(
            """() => { const e = document.activeElement;
              return e.getAttribute("aria-label") ?? e.labels?.[0]?.textContent.trim() ?? e.textContent.trim(); }"""
        )
    )


def tab_to(page: Page, words: str, most: int = 80) -> None:
    """Tab until something with these words has the focus, which then can be seen."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if words in focused(page):
            ring = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            boxed = page.evaluate("() => getComputedStyle(document.activeElement).boxShadow")
            inside = page.evaluate(
                "() => getComputedStyle(document.activeElement.closest('label, .nb-card') ?? document.body).outlineStyle"
            )
            assert ring != "none" or boxed != "none" or inside != "none", f"{words}: the focus cannot be seen"
            return
    raise AssertionError(f"{words} was not reached with Tab; now at {focused(page)}")


def test_list_form_and_snapshots_are_used_by_keyboard_alone(
    product: Product, person: Person, page: Page
) -> None:
    log_in(page, person)
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to content"
    page.keyboard.press("Enter")

    # the list: find, arrows, a menu, a dialog that gives the focus back, a start
    page.keyboard.press("/")
    assert focused(page).startswith("Find a notebook")
    page.keyboard.type("stop")
    expect(row(page, "Broken")).to_be_hidden()
    for _ in "stop":
        page.keyboard.press("Backspace")
    tab_to(page, "Broken")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert focused(page) == "Stopped"
    tab_to(page, "More actions for Stopped")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    for _ in range(12):
        if focused(page) == "Rename":
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#nb-dialog-rename")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#nb-dialog-rename")).to_be_hidden()
    until(lambda: focused(page) == "More actions for Stopped", 5, what="the focus where it was")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#nb-dialog-keys")).to_be_visible()
    page.keyboard.press("Escape")

    # the form
    page.keyboard.press("n")
    page.wait_for_url(re.compile("/new$"))
    tab_to(page, "Small")
    page.keyboard.press("ArrowDown")
    expect(page.locator("input[name=profile]:checked")).to_have_value("notebook-cpu-large")
    tab_to(page, "Name")
    page.keyboard.press("Control+a")
    page.keyboard.type("By keyboard")
    expect(page.locator("[data-nb-address]")).to_have_text("by-keyboard")
    tab_to(page, "Start on")
    page.keyboard.press("Enter")
    wait_for_lab(page)

    # a file of a snapshot
    files = product.state / "volumes" / told(person, "running")["id"] / "files"
    (files / "results.csv").unlink(missing_ok=True)
    page.goto(f"{product.url}{PAGES}n/mira/running/snapshots/1?browse=1")
    tab_to(page, "results.csv")
    page.keyboard.press("Space")
    tab_to(page, "Restore")
    page.keyboard.press("Enter")
    until(lambda: (files / "results.csv").exists(), 60, what="the file")
    expect(page.locator("#nb-toast")).to_contain_text("is back")
