"""The whole REST API from its own document, with two users' tokens: no server error, no answer of another shape, no foreign data."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jupyterhub_notebooks.services.notebooks import openapi, routes

from . import conftest
from .conftest import PREFIX, Site
from .saved import Saved

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
USERS = ("anna", "bert")


class Served:
    """The site on a thread of its own; each user has one notebook whose title, file and snapshot carry a secret."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tokens = folder, {}
        self._up, self._down = threading.Event(), None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._up.wait(120)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._down.set)
        self._thread.join(60)

    async def _serve(self) -> None:
        self.loop, self._down = asyncio.get_running_loop(), asyncio.Event()
        with pytest.MonkeyPatch.context() as patch:
            sites = conftest.made_site(self.folder, patch)
            site: Site = await anext(sites)
            self.url = site.url
            for user in USERS:
                self.tokens[user] = site.hub.add(user)
                saved = Saved(site, self.folder / user, user, f"secret-of-{user}")
                saved.save({f"secret-of-{user}.txt": f"secret-of-{user}"})
            self._up.set()
            await self._down.wait()
            async for _ in sites:
                pass


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("served")) as made:
        yield made


#: The document that is served; ``/progress`` is held open as long as something moves.
api = schemathesis.openapi.from_dict(openapi.document(PREFIX)).exclude(path_regex="/progress$")


@pytest.mark.slow
@api.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_the_whole_api_answers_as_its_document_says_and_shows_nobody_another_s(
    case: Any, served: Served
) -> None:
    for asks, whose in (("bert", "anna"), ("anna", "anna"), ("anna", "bert")):
        if "user" in (case.path_parameters or {}):
            case.path_parameters |= {"user": whose, "server": f"secret-of-{whose}"}
        if "number" in (case.path_parameters or {}):
            case.path_parameters["number"] = 1
        answer = case.call(
            base_url=f"{served.url}{PREFIX}api/v1",
            headers={"Authorization": f"Bearer {served.tokens[asks]}"},
            timeout=120,
        )
        case.validate_response(answer, checks=CHECKS)
        other = next(user for user in USERS if user != asks)
        if asks != whose or "user" not in (case.path_parameters or {}):
            assert f"secret-of-{other}" not in answer.text, (case.path, asks)


async def test_the_document_is_what_is_served(site: Site) -> None:
    answer = await site.api(site.hub.add("mara"), "openapi.json")
    assert answer.code == 200 and json.loads(answer.body) == json.loads(json.dumps(openapi.document(PREFIX)))


def test_the_document_has_every_address_that_is_served() -> None:
    paths = openapi.document("/services/notebooks/")["paths"]
    served = {pattern.removeprefix("api/v1/") for pattern, _, _ in routes.of_api() if pattern != r"api/.*"}
    described = {routes.pattern(path.lstrip("/")) for path in paths}
    assert {one.replace("(\\d{1,9})", "([^/]+)") for one in served} == {
        one.replace("(\\d{1,9})", "([^/]+)") for one in described
    }
