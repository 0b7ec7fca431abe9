"""The round trip of a person in the browser: log in, cards, JupyterLab, packages in three ways, stop, and all of it is
back on an empty volume."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from . import pages
from .product import Person

MAKE = """open('kept.txt', 'w').write('kept')
import os; os.makedirs('a/b'); os.symlink('kept.txt', 'link'); open('a/big.bin', 'wb').write(os.urandom(9_000_000))
print({name: value for name, value in os.environ.items()})"""
LOOK = """import bangpack, magicpack, termpack, os
print([m.__file__ for m in (bangpack, magicpack, termpack)], open('link').read(), os.path.getsize('a/big.bin'))"""


def hub_packages() -> str:
    command = [sys.executable, "-m", "pip", "freeze", "--disable-pip-version-check"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def everything_comes_back(
    page: Page,
    person: Person,
    wheels: Path,
    *,
    running: Callable[[str], object] = lambda printed: None,
    stopped: Callable[[], object] = lambda: None,
) -> None:
    """running: called while the notebook runs, with what a cell printed of its environment. stopped: called between
    stop and start, after the volume went."""
    product, before = person.product, hub_packages()
    pages.log_in(page, person)
    pages.new_notebook(page, person, "Round trip")
    find = f"--no-index --find-links {wheels}"
    pages.run_cell(page, f"!pip install -q {find} bangpack")
    pages.run_cell(page, f"%pip install -q {find} magicpack")
    printed = pages.run_cell(page, MAKE)
    assert "NOTEBOOK_SESSION_ID" in printed
    pages.save_notebook(page)
    files = product.state / "volumes" / product.sessions()[0]["notebook"] / "files"
    pages.run_in_terminal(page, f"pip install -q {find} termpack", files)
    running(printed)
    pages.stop(page, person, "Round trip")

    session = product.sessions()[0]
    assert (session["cause"], bool(session["closed_at"])) == ("stopped", True)
    volume = product.state / "volumes" / session["notebook"]
    assert {one.name for one in volume.iterdir()} >= {"files", "state"}
    shutil.rmtree(volume)
    stopped()

    pages.start(page, person, "Round trip")
    said = pages.run_cell(page, LOOK)
    assert "kept 9000000" in said
    for name in ("bangpack", "magicpack", "termpack"):
        assert re.search(rf"volumes/{session['notebook']}/files/[^']*{name}\.py", said), said
    assert hub_packages() == before
    pages.stop(page, person, "Round trip")
