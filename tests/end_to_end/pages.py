"""What a person does in the browser, by the words on the screen."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from .product import Person, until

LAB_SECONDS = 90_000


def log_in(page: Page, person: Person) -> None:
    """From the address that `up` prints to the first page of ours."""
    page.goto(person.product.url)
    page.get_by_label("Username").fill(person.name)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name=re.compile("sign in|log in", re.I)).click()
    page.wait_for_url(re.compile(r"/services/notebooks/"))


def new_notebook(page: Page, person: Person, name: str, profile: str = "notebook-cpu-small") -> None:
    """Through the cards of "New notebook" to an open JupyterLab."""
    page.goto(f"{person.product.url}/services/notebooks/new")
    page.locator(f'input[type=radio][value="{profile}"]').check()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name=re.compile(f"Start on {profile}")).click()
    wait_for_lab(page)


def wait_for_lab(page: Page) -> None:
    page.wait_for_url(re.compile(r"/user/.*/lab"), timeout=LAB_SECONDS)
    page.locator(".jp-Launcher, .jp-Notebook, .jp-FileBrowser").first.wait_for(timeout=LAB_SECONDS)


def open_list(page: Page, person: Person) -> None:
    page.goto(f"{person.product.url}/services/notebooks/")
    expect(page.get_by_role("heading", name="My notebooks")).to_be_visible()


def row(page: Page, title: str):
    """The row of a notebook in the list."""
    return page.get_by_role("row").filter(has_text=title)


def menu(page: Page, title: str, item: str):
    """An item of a row's menu, opened."""
    one = row(page, title)
    one.get_by_label(re.compile("^More actions")).click()
    return one.get_by_role("button", name=item, exact=True)


def undo(page: Page, said: str) -> None:
    """The toast says it; its Undo is clicked."""
    toast = page.locator("#nb-toast")
    expect(toast).to_contain_text(said, timeout=60_000)
    toast.get_by_role("button", name="Undo").click()


def stop(page: Page, person: Person, title: str) -> None:
    """Stop on the list, until the row says that it is stopped."""
    open_list(page, person)
    row(page, title).get_by_role("button", name=re.compile("^Stop")).first.click()
    question = page.locator("#nb-dialog-ask")
    if question.is_visible():  # it is at work: that is asked first
        question.get_by_role("button", name="Stop").click()
    expect(row(page, title).get_by_text(re.compile("^Stopped", re.M)).first).to_be_visible(timeout=60_000)


def start(page: Page, person: Person, title: str) -> None:
    """Start on the list, until JupyterLab is open."""
    open_list(page, person)
    row(page, title).get_by_role("button", name=re.compile("^Start")).first.click()
    wait_for_lab(page)


def run_cell(page: Page, code: str) -> str:
    """Runs code in a new console-less notebook's next cell; what its output says."""
    cell = start_cell(page, code + "\nprint('cell', 'done')")
    output = cell.locator(".jp-OutputArea-output").filter(has_text=re.compile("cell done|Error"))
    output.first.wait_for(timeout=90_000)
    return "\n".join(cell.locator(".jp-OutputArea-output").all_inner_texts())


def start_cell(page: Page, code: str) -> Locator:
    """Begins to run code in the next cell; that cell."""
    if not page.locator(".jp-Notebook").count():
        page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
        page.locator(".jp-Notebook .jp-Cell .cm-content").first.wait_for()
    elif not page.locator(
        ".jp-Notebook"
    ).first.is_visible():  # JupyterLab came back with another tab in front
        page.locator(".lm-TabBar-tab", has_text=".ipynb").first.click()
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').first.wait_for(timeout=60_000)
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    cells.first.wait_for()  # JupyterLab that came back draws its cells later
    cell = cells.nth(cells.count() - 1)  # running it adds another one below
    cell.locator(".cm-content").click()
    page.keyboard.insert_text(code)
    for _ in range(3):  # JupyterLab drops a run that comes before its kernel is connected
        page.keyboard.press("Shift+Enter")
        try:
            expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[[*\d]+\]"), timeout=5_000)
            break
        except AssertionError:
            cell.locator(".cm-content").click()
    return cell


def save_notebook(page: Page) -> None:
    """Saves the open notebook's file for the first time, where JupyterLab asks for its name."""
    page.keyboard.press("Control+s")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    expect(page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)


def run_in_terminal(page: Page, command: str, files: Path) -> None:
    """Runs a command in a new terminal of JupyterLab; files: the workspace, where its end is seen."""
    page.locator(".lm-TabBar-addButton:visible").last.click()
    page.locator(".jp-LauncherCard", has_text="Terminal").last.click()
    screen = page.locator(".jp-Terminal .xterm").last
    screen.wait_for()
    page.wait_for_function("() => document.querySelector('.jp-Terminal textarea') !== null")
    screen.click()
    end = files / "terminal-ended"
    page.keyboard.type(f"{command}; touch terminal-ended\n")
    until(end.exists, 60, what="the end of the command in the terminal")
    end.unlink()
