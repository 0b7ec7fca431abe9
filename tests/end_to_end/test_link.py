"""A link `new?profile=…&repo=…&file=…` followed in a browser: log in, one click, and the file of the repository is open."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.agent.test_repository import Source

from .pages import start, stop
from .product import Product, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELL = {"cell_type": "markdown", "id": "one", "metadata": {}, "source": "# Maps of the coast"}
NOTEBOOK = json.dumps({"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    made = Source(tmp_path / "source")
    made.commit("guide.ipynb", NOTEBOOK)
    yield made
    made.server.shutdown()


def test_a_link_brings_a_repository_opens_its_file_and_later_starts_keep_what_was_changed(
    product: Product, page: Page, source: Source
) -> None:
    person = product.add_user("lotte")
    asked = {"profile": "notebook-cpu-small", "name": "Coast", "repo": source.url, "file": "guide.ipynb"}
    page.goto(f"{product.url}/services/notebooks/new?{urlencode(asked)}")
    page.get_by_label("Username").fill(person.name)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name=re.compile("sign in|log in", re.I)).click()

    expect(page.get_by_label("Name", exact=True)).to_have_value("Coast")
    expect(page.locator("main")).to_contain_text(source.url)
    page.get_by_role("button", name=re.compile("Start on notebook-cpu-small")).click()
    page.wait_for_url(re.compile(r"/user/lotte/coast/lab/tree/maps/guide\.ipynb"), timeout=90_000)
    expect(page.locator(".jp-Notebook")).to_contain_text("Maps of the coast", timeout=90_000)

    told = person.api("/notebooks/lotte/coast", base="/services/notebooks/api/v1").json()
    files = product.state / "volumes" / told["id"] / "files" / "maps"
    (files / "start.ipynb").write_text("mine")
    source.commit("news.txt", "new at its source")
    stop(page, person, "Coast")
    start(page, person, "Coast")
    until((files / "news.txt").exists, 30, what="the news of the repository")
    assert (files / "start.ipynb").read_text() == "mine"
