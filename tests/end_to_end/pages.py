"""What a person does in the browser, by the words on the screen."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from .product import Person

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


def stop(page: Page, person: Person, title: str) -> None:
    """Stop on the list, until the row says that it is stopped."""
    open_list(page, person)
    row(page, title).get_by_role("button", name=re.compile("^Stop")).first.click()
    expect(row(page, title).get_by_text(re.compile("^Stopped", re.M)).first).to_be_visible(timeout=60_000)


def start(page: Page, person: Person, title: str) -> None:
    """Start on the list, until JupyterLab is open."""
    open_list(page, person)
    row(page, title).get_by_role("button", name=re.compile("^Start")).first.click()
    wait_for_lab(page)


def run_cell(page: Page, code: str) -> str:
    """Runs code in a new console-less notebook's next cell; what its output says."""
    if not page.locator(".jp-Notebook").count():
        page.locator('.jp-LauncherCard[data-category="Notebook"]').first.click()
        page.locator(".jp-Notebook .jp-Cell .cm-content").first.wait_for()
        page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=60_000)
    cell = page.locator(".jp-Notebook .jp-CodeCell").last
    cell.locator(".cm-content").click()
    page.keyboard.insert_text(code + "\nprint('cell', 'done')")
    page.keyboard.press("Shift+Enter")
    output = cell.locator(".jp-OutputArea-output").filter(has_text=re.compile("cell done|Error"))
    output.first.wait_for(timeout=90_000)
    return "\n".join(cell.locator(".jp-OutputArea-output").all_inner_texts())


def run_in_terminal(page: Page, command: str, until_text: str) -> None:
    """Types a command in a new terminal and waits for what it prints."""
    page.keyboard.press("Control+Shift+L")
    page.locator('.jp-LauncherCard[data-category="Other"]', has_text="Terminal").last.click()
    screen = page.locator(".jp-Terminal .xterm").last
    screen.wait_for()
    screen.click()
    page.keyboard.type(command + "\n")
    page.wait_for_function(
        """text => [...document.querySelectorAll('.jp-Terminal .xterm-rows')].some(x => x.innerText.includes(text))""",
        arg=until_text,
        timeout=90_000,
    )
