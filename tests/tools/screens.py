"""Pictures of every page in its main states, at three widths, light and dark: `python -m tests.tools.screens FOLDER`.

Promises: every row and number on them comes of a real session of a real `up` in a state folder of its own; nothing
is left running. With --mockups the folder of the mockups is drawn beside them. --only PART,PART draws pages whose
name holds one; --keep leaves the product running until Ctrl-C.
"""

from __future__ import annotations

import argparse
import http.server
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.end_to_end.conftest import CHROMIUM, FLAGS
from tests.end_to_end.product import Person, Product
from tests.tools.scenes import Scenes

WIDTHS = (1280, 820, 390)
THEMES = ("light", "dark")


def shoot(
    browser: Browser, folder: Path, name: str, cookies: Any, url: str, then: Callable[[Page], None]
) -> None:
    """One page at every width, light and dark. then: what is done on it before the picture."""
    for theme in THEMES:
        for width in WIDTHS:
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
            context.add_init_script(f"localStorage.setItem('jupyterhub-bs-theme', '{theme}')")
            context.add_cookies(cookies)
            page = context.new_page()
            page.set_default_timeout(20_000)
            try:
                page.goto(url, wait_until="domcontentloaded")
                page.evaluate("t => document.documentElement.setAttribute('data-bs-theme', t)", theme)
                then(page)
                page.wait_for_timeout(150)
                wide = page.evaluate("document.documentElement.scrollWidth")
                page.screenshot(path=folder / f"{name}-{width}-{theme}.png", full_page=True)
                if wide > width:
                    print(f"{name} at {width}: {wide - width} px wider than the window")
            except Exception as error:
                print(f"{name} at {width} {theme}: {error}", file=sys.stderr)
            finally:
                context.close()


def cookies_of(browser: Browser, person: Person) -> list[dict[str, Any]]:
    """The cookies of a person who logged in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(person.product.url)
    page.get_by_label("Username").fill(person.name)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/services/notebooks/**")
    found = context.cookies()
    context.close()
    return found  # type: ignore[return-value]


@contextmanager
def served(mockups: Path) -> Iterator[str]:
    """The mockups with the Hub's static files beside them, as their README says."""
    import jupyterhub._data

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "pages"
        shutil.copytree(mockups, folder)
        (folder / "hub-static").symlink_to(Path(jupyterhub._data.DATA_FILES_PATH) / "static")
        quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def wanted(name: str, only: str) -> bool:
    """Whether a page is drawn."""
    return any(part in name for part in only.split(","))


def main() -> int:
    """Draws them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mockups", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        if given.mockups:
            with served(given.mockups) as address:
                for one in sorted(given.mockups.glob("*.html")):
                    if wanted(one.stem, given.only):
                        shoot(
                            browser,
                            given.folder,
                            f"mockup-{one.stem}",
                            [],
                            address + one.name,
                            lambda page: None,
                        )
            return 0
        with tempfile.TemporaryDirectory(prefix="nb-screens-") as state:
            scenes = Scenes(Product(Path(state) / "state"))
            try:
                scenes.begin()
                print("ready", scenes.product.url, scenes.product.state, flush=True)
                known: dict[str, Any] = {}
                for scene in scenes.all():
                    if not wanted(scene.name, given.only):
                        continue
                    who = scene.person
                    known.setdefault(who.name, cookies_of(browser, who))
                    url = scene.url if scene.url.startswith("http") else who.product.url + scene.url
                    shoot(browser, given.folder, scene.name, known[who.name], url, scene.then)
                while given.keep:  # Ctrl-C or SIGTERM ends it
                    time.sleep(1)
            except KeyboardInterrupt:
                pass
            finally:
                scenes.product.stop()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
