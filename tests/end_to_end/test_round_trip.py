"""Everything comes back: a person works in the browser, stops, and starts again on an empty volume."""

import re
import shutil
import subprocess
import sys

import pytest

from . import pages

pytestmark = pytest.mark.browser


def hub_packages():
    command = [sys.executable, "-m", "pip", "freeze", "--disable-pip-version-check"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_files_and_packages_come_back_on_another_volume(product, wheels, page):
    person = product.add_user("mara")
    before = hub_packages()
    pages.log_in(page, person)
    pages.new_notebook(page, person, "Round trip")
    find = f"--no-index --find-links {wheels}"
    pages.run_cell(page, f"!pip install -q {find} bangpack")
    pages.run_cell(page, f"%pip install -q {find} magicpack")
    pages.run_cell(
        page,
        "open('kept.txt', 'w').write('kept')\nimport os; os.makedirs('a/b'); os.symlink('kept.txt', 'link')",
    )
    pages.save_notebook(page)
    files = product.state / "volumes" / product.sessions()[0]["notebook"] / "files"
    pages.run_in_terminal(page, f"pip install -q {find} termpack", files)
    pages.stop(page, person, "Round trip")

    session = product.sessions()[0]
    assert session["cause"] == "stopped"
    volume = product.state / "volumes" / session["notebook"]
    assert {one.name for one in volume.iterdir()} >= {"files", "state"}
    shutil.rmtree(volume)

    pages.start(page, person, "Round trip")
    said = pages.run_cell(
        page,
        "import bangpack, magicpack, termpack, os\n"
        "print([m.__file__ for m in (bangpack, magicpack, termpack)], open('link').read(), os.path.isdir('a/b'))",
    )
    assert "kept True" in said
    for name in ("bangpack", "magicpack", "termpack"):
        assert re.search(rf"volumes/{session['notebook']}/files/[^']*{name}\.py", said), said
    assert hub_packages() == before
    pages.stop(page, person, "Round trip")


def test_a_first_visit_is_one_decision_and_one_click(product, page):
    person = product.add_user("firsttimer")
    pages.log_in(page, person)
    page.get_by_role("button", name=re.compile("Start on notebook-cpu-small")).click()
    pages.wait_for_lab(page)
    assert "2" in pages.run_cell(page, "print(1 + 1)")
    person.stop(product.sessions()[0] and next(iter(person.api(f"/users/{person.name}").json()["servers"])))


def test_the_hub_s_own_spawn_address_leads_to_the_cards_and_starts_the_default_server(product, page):
    person = product.add_user("hubber")
    pages.log_in(page, person)
    page.goto(f"{product.url}/hub/spawn")
    page.locator('input[type=radio][value="notebook-cpu-small"]').check()
    page.get_by_role("button", name=re.compile("^Start")).first.click()
    pages.wait_for_lab(page)
    assert "/user/hubber/lab" in page.url
    pages.open_list(page, person)
    pages.row(page, "Main").wait_for()
    pages.stop(page, person, "Main")
