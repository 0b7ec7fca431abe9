"""One running product for most tests of this folder, a browser, and local wheels to install."""

import os
import shutil
from pathlib import Path

import pytest

from .product import Product, a_wheel

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def product(tmp_path_factory):
    """A product that all tests share: each uses a user or a notebook of its own."""
    running = Product(tmp_path_factory.mktemp("product") / "state")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own_product(tmp_path):
    """A product for a test that ends or breaks it; not started yet."""
    running = Product(tmp_path / "state")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def wheels(tmp_path_factory) -> Path:
    """A folder of wheels: bangpack, magicpack, termpack."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in ("bangpack", "magicpack", "termpack"):
        a_wheel(folder, name)
    return folder


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium. Playwright keeps an event loop until it ends: browser tests have modules of their own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, request):
    """A fresh page, 1280 wide; a screenshot of where a failing test stood lands in .screenshots/."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    folder = Path(__file__).parents[2] / ".screenshots"
    folder.mkdir(exist_ok=True)
    try:
        page.screenshot(path=folder / f"{request.node.name}.png")
    finally:
        context.close()
