"""On Kubernetes in the browser: what was made comes back on a new claim, a pod deleted behind our back, more processors,
two notebooks at once, the trash."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.coming_back import LOOK, MAKE
from tests.end_to_end.docker.test_in_the_browser import notebook_of
from tests.end_to_end.pages import log_in, new_notebook, open_list, row, run_cell, save_notebook, start, stop
from tests.end_to_end.product import until

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(900)]


def test_what_was_made_comes_back_on_a_new_claim_and_with_more_processors(on_kube, wheels, page: Page):
    product = on_kube.product
    person = product.add_user("mara")
    log_in(page, person)
    new_notebook(page, person, "Round trip", "work")
    notebook = notebook_of(person, "round-trip")
    (pod,) = on_kube.of("Pod", notebook)
    assert pod["spec"]["containers"][0]["resources"]["limits"]["cpu"] == "500m"
    on_kube.put_in(notebook, wheels, "/tmp/wheels")
    find = "--no-index --find-links /tmp/wheels"
    run_cell(page, f"!pip install -q {find} bangpack termpack")
    run_cell(page, f"%pip install -q {find} magicpack")
    printed = run_cell(page, MAKE)
    for secret in (on_kube.store.key, on_kube.store.secret, on_kube.ledger):
        assert secret not in printed
    save_notebook(page)
    stop(page, person, "Round trip")
    assert product.sessions()[0]["cause"] == "stopped"
    until(lambda: on_kube.of("Pod", notebook) == [], 30, what="the end of the pod")
    remove_claims(on_kube, notebook)

    # More processors, from the next start on.
    page.goto(f"{product.url}/services/notebooks/n/mara/round-trip#settings")
    settings = page.locator("#settings")
    settings.get_by_label("Size of work").select_option("large")
    settings.get_by_role("button", name="Use it from the next start").click()
    until(lambda: on_kube.chosen(notebook).get("flavor") == "large", 30, what="the change")
    start(page, person, "Round trip")
    said = run_cell(page, LOOK)
    assert "kept 9000000" in said
    for name in ("bangpack", "magicpack", "termpack"):
        assert re.search(rf"/workspace/[^']*{name}\.py", said), said
    (pod,) = on_kube.of("Pod", notebook)
    limits = pod["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "750m", "memory": "1500M"}

    # Deleted behind our back: saved on its way out, told, and there again on yet another claim.
    on_kube.inside(notebook, "sh", "-c", "echo later > /workspace/later.txt")
    on_kube.kubectl("delete", "pod", pod["metadata"]["name"])
    until(lambda: product.sessions()[0]["cause"] == "killed", 60, what="why it ended")
    open_list(page, person)
    expect(row(page, "Round trip")).to_contain_text("ended from outside", timeout=60_000)
    remove_claims(on_kube, notebook)
    start(page, person, "Round trip")
    assert on_kube.inside(notebook, "cat", "/workspace/later.txt") == "later\n"

    # A second notebook beside it; each has files of its own.
    new_notebook(page, person, "Beside", "work")
    beside = notebook_of(person, "beside")
    assert on_kube.inside(notebook, "cat", "/workspace/kept.txt") == "kept"
    assert "kept.txt" not in on_kube.inside(beside, "ls", "/workspace")
    for title in ("Round trip", "Beside"):
        stop(page, person, title)

    # The trash: put back, it starts with its files; emptied, nothing of it is left in the cluster.
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
    until(lambda: not on_kube.of("PersistentVolumeClaim", beside), 120, 1, "the end of its claim")
    start(page, person, "Round trip")
    assert on_kube.inside(notebook, "cat", "/workspace/kept.txt") == "kept"
    stop(page, person, "Round trip")


def remove_claims(on_kube, notebook: str) -> None:
    """The volume is lost, with everything on it."""
    for one in on_kube.of("PersistentVolumeClaim", notebook):
        on_kube.cluster.api.delete("PersistentVolumeClaim", one["metadata"]["name"], on_kube.namespace)
    until(lambda: not on_kube.of("PersistentVolumeClaim", notebook), 60, what="the end of the claim")
