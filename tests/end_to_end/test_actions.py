"""What a person does with notebooks on the pages, over real sessions: each action and its undo, and a deleted file that comes back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from .pages import log_in, menu, new_notebook, open_list, row, stop, undo, wait_for_lab
from .product import Person, Product, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def titles(page: Page) -> list[str]:
    return page.locator(".nb-list .rw .name a").all_inner_texts()


def files_of(product: Product, person: Person, server: str):
    """The workspace of a notebook on this machine."""
    found = person.api(f"/notebooks/{person.name}/{server}", base="/services/notebooks/api/v1").json()
    return product.state / "volumes" / found["id"] / "files"


def test_each_action_on_the_list_and_its_undo(product: Product, page: Page) -> None:
    person = product.add_user("nele")
    log_in(page, person)
    new_notebook(page, person, "Churn")
    stop(page, person, "Churn")

    menu(page, "Churn", "Rename").click()
    dialog = page.locator("#nb-dialog-rename")
    dialog.get_by_label("Name").fill("Churn in spring")
    expect(dialog.locator("pre")).to_have_text("jupyterhub-notebooks notebook rename churn 'Churn in spring'")
    dialog.get_by_role("button", name="Rename").click()
    expect(row(page, "Churn in spring")).to_be_visible()
    undo(page, "Churn is now called Churn in spring.")
    expect(page.locator(".nb-list .rw .name a", has_text="Churn in spring")).to_have_count(0)

    menu(page, "Churn", "Duplicate").click()
    page.locator("#nb-dialog-duplicate").get_by_role("button", name="Duplicate").click()
    expect(page.locator("#nb-toast")).to_contain_text("Copy of Churn is a copy of snapshot", timeout=60_000)
    expect(row(page, "Copy of Churn")).to_be_visible()
    undo(page, "Copy of Churn is a copy of snapshot")
    expect(row(page, "Copy of Churn")).to_have_count(0)

    menu(page, "Churn", "Move to trash").click()
    expect(row(page, "Churn")).to_have_count(0)
    undo(page, "Churn is in the trash for 30 days.")
    expect(row(page, "Churn")).to_be_visible()

    menu(page, "Churn", "Move to trash").click()
    expect(row(page, "Churn")).to_have_count(0)
    page.reload()
    page.get_by_role("link", name=re.compile("^Trash")).click()
    assert sorted(titles(page)) == ["Churn", "Copy of Churn"]
    row(page, "Copy of Churn").get_by_role("button", name="Delete for good").click()
    page.locator("#nb-dialog-ask").get_by_role("button", name="Delete for good").click()
    expect(row(page, "Copy of Churn")).to_have_count(0)
    page.locator(".rw").get_by_role("button", name="Put back").click()
    expect(page.locator("#nb-toast")).to_contain_text("Churn is back in your list.")
    open_list(page, person)
    row(page, "Churn").get_by_role("button", name=re.compile("^Start")).click()
    wait_for_lab(page)


def test_a_deleted_file_is_back_within_a_minute_and_the_restore_is_undone(
    product: Product, page: Page
) -> None:
    person = product.add_user("ines")
    log_in(page, person)
    new_notebook(page, person, "Work")
    files = files_of(product, person, "work")
    (files / "results.csv").write_text("1,2,3")
    (files / ".hidden").write_text("h")
    open_list(page, person)
    menu(page, "Work", "Save now").click()
    api = "/services/notebooks/api/v1"
    until(
        lambda: person.api("/notebooks/ines/work/snapshots", base=api).json()["snapshots"], 60, what="a save"
    )
    (files / "results.csv").unlink()
    (files / ".hidden").write_text("changed since")

    page.goto(f"{product.url}/services/notebooks/n/ines/work#snapshots")
    page.locator("#snapshots tbody a").first.click()
    page.get_by_role("link", name="All files").click()
    page.get_by_role("checkbox", name="results.csv").check()
    page.get_by_role("checkbox", name=".hidden").check()
    page.get_by_role("button", name="Restore", exact=True).click()
    until(lambda: (files / "results.csv").exists(), 60, what="the deleted file")
    assert (files / "results.csv").read_text() == "1,2,3"
    until(lambda: (files / ".hidden").read_text() == "h", 60, what="the file of before")
    undo(page, "is back from snapshot")
    until(lambda: (files / ".hidden").read_text() == "changed since", 60, what="the undo")


def test_from_the_first_visit_to_the_editor_it_is_at_most_three_clicks(product: Product, page: Page) -> None:
    person = product.add_user("nora")
    page.goto(product.url)
    page.get_by_label("Username").fill(person.name)
    page.get_by_label("Password").fill(person.password)
    page.evaluate("window.name = 0")  # what outlives a page
    page.context.add_init_script(
        "addEventListener('click', event => { if (event.isTrusted) window.name = Number(window.name) + 1; }, true)"
    )
    page.evaluate(
        "addEventListener('click', event => { if (event.isTrusted) window.name = Number(window.name) + 1; }, true)"
    )
    page.get_by_role("button", name=re.compile("sign in|log in", re.I)).click()
    expect(page.get_by_role("heading", name=re.compile("What do you want to work on"))).to_be_visible()
    page.get_by_role("button", name=re.compile("^Start on")).first.click()
    wait_for_lab(page)
    clicks = int(page.evaluate("window.name"))
    print("clicks from the login to JupyterLab:", clicks)
    assert 1 <= clicks <= 3


def test_a_page_of_another_site_cannot_hold_ours(product: Product, page: Page) -> None:
    person = product.add_user("lena")
    log_in(page, person)
    page.goto("about:blank")
    page.set_content(f'<iframe src="{product.url}/services/notebooks/" width="800" height="600"></iframe>')
    frame = page.frames[-1]
    until(lambda: frame.url.startswith("chrome-error") or frame.url, 10, what="the frame")
    expect(page.frame_locator("iframe").get_by_role("heading", name="My notebooks")).to_have_count(0)
    expect(page.frame_locator("iframe").get_by_text("What do you want to work on")).to_have_count(0)
