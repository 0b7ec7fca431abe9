"""A profile whose image cannot be had: its card says so, with whom to ask, until a start of it comes up or it is changed."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import sessions

from .conftest import Site
from .saved import Saved

SAYS = "Its image is not in its registry. Ask your administrator."


async def told(site: Site, token: str) -> tuple[bool, str | None]:
    """(whether the form says Broken, what the API says)."""
    page = (await site.page(token, "new")).body.decode()
    found = json.loads((await site.api(token, "profiles")).body)["profiles"]
    card = next(one for one in found if one["name"] == "notebook-cpu-small")
    marked = re.search(r'value="notebook-cpu-small".*?</label>', page, re.DOTALL)
    assert marked
    return "Broken" in marked[0] and SAYS in marked[0], card["broken"]


async def test_a_profile_whose_image_is_missing_is_marked_until_a_start_of_it_comes_up(
    site: Site, tmp_path: Path
) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    version = site.context.catalog.versions["notebook-cpu-small"]
    assert await told(site, token) == (False, None)
    saved.close(saved.begin(ready=False, version="an older one"), "image_missing")
    assert await told(site, token) == (False, None)
    saved.close(saved.begin(ready=False, version=version), "image_missing")
    assert await told(site, token) == (True, SAYS)
    saved.close(saved.begin(ready=False, version=version), "server_died")  # that may be the workspace's fault
    assert await told(site, token) == (True, SAYS)
    session = saved.begin(ready=False, version=version)
    sessions.ready(site.ledger, session.id, SYSTEM_CLOCK.now())
    saved.close(session)
    assert await told(site, token) == (False, None)
