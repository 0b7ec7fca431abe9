"""On Docker in the browser: what was made comes back on empty volumes, more processors, two notebooks at once, the trash."""

from __future__ import annotations

import io
import re
import tarfile

import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.coming_back import LOOK, MAKE
from tests.end_to_end.pages import log_in, new_notebook, open_list, row, run_cell, save_notebook, start, stop
from tests.end_to_end.product import Person, until

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(900)]


def notebook_of(person: Person, server: str) -> str:
    found = person.api(f"/notebooks/{person.name}/{server}", base="/services/notebooks/api/v1")
    assert found.status == 200, found.text
    return str(found.json()["id"])


def put_in(container, folder, at: str) -> None:
    """A folder's files, into a folder of a container."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for path in folder.iterdir():
            tar.add(path, arcname=f"wheels/{path.name}")
    assert container.put_archive(at, held.getvalue())


def test_what_was_made_comes_back_on_empty_volumes_and_with_more_processors(on_docker, wheels, page: Page):
    product = on_docker.product
    person = product.add_user("mara")
    log_in(page, person)
    new_notebook(page, person, "Round trip", "work")
    notebook = notebook_of(person, "round-trip")
    (container,) = on_docker.containers(notebook)
    assert (
        container.attrs["HostConfig"]["NanoCpus"] == 10**9
        or container.attrs["HostConfig"]["CpuQuota"] == 10**5
    )
    put_in(container, wheels, "/tmp")
    find = "--no-index --find-links /tmp/wheels"
    run_cell(page, f"!pip install -q {find} bangpack termpack")
    run_cell(page, f"%pip install -q {find} magicpack")
    printed = run_cell(page, MAKE)
    for secret in (on_docker.store.key, on_docker.store.secret, on_docker.ledger):
        assert secret not in printed
    save_notebook(page)
    stop(page, person, "Round trip")
    assert product.sessions()[0]["cause"] == "stopped"
    assert on_docker.containers(notebook) == []
    for volume in on_docker.volumes(notebook):
        volume.remove()

    # More processors, from the next start on.
    page.goto(f"{product.url}/services/notebooks/n/mara/round-trip#settings")
    settings = page.locator("#settings")
    settings.get_by_label("Size of work").select_option("large")
    settings.get_by_role("button", name="Use it from the next start").click()
    until(lambda: on_docker.chosen(notebook).get("flavor") == "large", 30, what="the change")
    start(page, person, "Round trip")
    said = run_cell(page, LOOK)
    assert "kept 9000000" in said
    for name in ("bangpack", "magicpack", "termpack"):
        assert re.search(rf"/workspace/[^']*{name}\.py", said), said
    (container,) = on_docker.containers(notebook)
    host = container.attrs["HostConfig"]
    assert host["NanoCpus"] == 2 * 10**9 or host["CpuQuota"] == 2 * 10**5
    assert host["Memory"] == 2 * 1000**3 or host["Memory"] == 2 * 1024**3

    # A second notebook beside it; each has files of its own.
    new_notebook(page, person, "Beside", "work")
    beside = notebook_of(person, "beside")
    assert on_docker.inside(notebook, "cat", "/workspace/kept.txt") == "kept"
    assert "kept.txt" not in on_docker.inside(beside, "ls", "/workspace")
    for title in ("Round trip", "Beside"):
        stop(page, person, title)

    # The trash: put back, it starts with its files; emptied, nothing of it is left on the engine.
    for title in ("Round trip", "Beside"):
        open_list(page, person)
        one = row(page, title)
        one.get_by_label(re.compile("^More actions")).click()
        one.get_by_role("button", name="Move to trash", exact=True).click()
        expect(row(page, title)).to_have_count(0, timeout=60_000)
    page.reload()
    page.get_by_role("link", name=re.compile("^Trash")).click()
    row(page, "Round trip").get_by_role("button", name="Put back").click()
    expect(page.locator("#nb-toast")).to_contain_text("Round trip is back in your list.")
    row(page, "Beside").get_by_role("button", name="Delete for good").click()
    page.locator("#nb-dialog-ask").get_by_role("button", name="Delete for good").click()
    expect(row(page, "Beside")).to_have_count(0, timeout=60_000)
    until(lambda: not on_docker.volumes(beside), 120, 1, "the end of its volumes")
    start(page, person, "Round trip")
    assert on_docker.inside(notebook, "cat", "/workspace/kept.txt") == "kept"
    stop(page, person, "Round trip")
