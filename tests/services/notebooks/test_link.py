"""A link that opens the form filled in and brings a repository: what it shows, what it makes, what it refuses."""

from __future__ import annotations

import json

import pytest

from jupyterhub_notebooks.ledger import notebooks

from .conftest import Site

REPO = "https://example.org/team/maps.git"


async def test_a_link_fills_the_form_in_and_says_what_it_will_do(site: Site) -> None:
    token = site.hub.add("mara")
    page = (
        await site.page(token, f"new?profile=notebook-cpu-large&name=Maps&repo={REPO}&file=a/start.ipynb")
    ).body.decode()
    assert 'value="notebook-cpu-large"' in page and 'value="Maps"' in page
    assert "Brings a repository" in page and REPO in page and "Opens <code>a/start.ipynb</code>" in page
    assert f"--repo {REPO} --file a/start.ipynb" in page
    assert notebooks.views(site.ledger) == []  # showing it makes nothing

    form = {"profile": "notebook-cpu-large", "name": "Maps", "repo": REPO, "file": "a/start.ipynb"}
    answer = await site.post(token, "new", form)
    assert answer.code == 303, answer.body
    (view,) = notebooks.views(site.ledger)
    assert (view.notebook.repo, view.notebook.opens) == (REPO, "a/start.ipynb")
    told = json.loads((await site.api(token, "notebooks/mara/maps")).body)
    assert told["lands"] == "/user/mara/maps/lab/tree/maps/a/start.ipynb" and told["repo"] == REPO


async def test_without_its_tick_the_repository_is_not_brought(site: Site) -> None:
    token = site.hub.add("mara")
    assert (await site.post(token, "new", {"profile": "notebook-cpu-small", "name": "Plain"})).code == 303
    assert notebooks.views(site.ledger)[0].notebook.repo == ""


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("repo", "file:///etc/passwd", "This is not the address of a repository"),
        ("repo", "--upload-pack=touch /tmp/x", "This is not the address of a repository"),
        ("repo", "ext::sh -c date", "This is not the address of a repository"),
        ("repo", "https://mara:secret@example.org/a.git", "holds a name or password"),
        ("repo", "https://example.org/" + "a" * 400, "This is not the address of a repository"),
        ("file", "../../etc/passwd", "This is not a file of the repository"),
    ],
)
async def test_an_address_that_cannot_be_meant_is_refused_and_the_form_keeps_what_was_typed(
    site: Site, field: str, value: str, words: str
) -> None:
    token = site.hub.add("mara")
    body = {"name": "Maps", "profile": "notebook-cpu-small", "start": False, field: value}
    answer = await site.api(token, "notebooks", "POST", body)
    assert answer.code == 400
    error = json.loads(answer.body)["error"]
    assert words in error["title"] and error["field"] == field
    form = {"profile": "notebook-cpu-small", "name": "Maps", field: value}
    page = await site.post(token, "new", form)
    assert page.code == 400 and words in page.body.decode() and 'value="Maps"' in page.body.decode()
    assert notebooks.views(site.ledger) == []


async def test_markup_in_a_link_is_text(site: Site) -> None:
    token = site.hub.add("mara")
    page = (
        await site.page(token, "new?repo=%3Cscript%3Ea%3C/script%3E&file=%3Cscript%3E&name=%3Cscript%3E")
    ).body
    assert b"<script>a" not in page and b"&lt;script&gt;a" in page
