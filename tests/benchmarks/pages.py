"""How quick the pages are with much on them: 300 notebooks of one user, 5,000 snapshots of one notebook.

`python -m tests.benchmarks.pages`: a real product whose ledger is given the rows (nothing is started for them), asked as a
browser asks. Prints of each page: bytes, time to the first byte (median of 9, one after the other), and in Chromium the
time until it can be used: its script ran and a key is answered. Each page must stay below 300 kB.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import urllib.request
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright
from sqlalchemy import insert, update

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import Ledger, notebooks, sessions, users
from jupyterhub_notebooks.ledger.tables import snapshots
from jupyterhub_notebooks.names import new_id
from tests.end_to_end.conftest import CHROMIUM, FLAGS
from tests.end_to_end.product import Product
from tests.tools.screens import cookies_of

NOTEBOOKS, SNAPSHOTS, ROUNDS = 300, 5_000, 9
MOST_BYTES = 300_000
CAUSES = ("stopped", "idle", "server_died")


def fill(product: Product, name: str) -> None:
    """The rows. The newest notebook, ``many``, has all the snapshots."""
    ledger = Ledger(f"sqlite:///{product.state}/ledger.sqlite")
    user = users.by_name(ledger, name)
    assert user is not None
    now = SYSTEM_CLOCK.now()
    last = None
    for number in range(NOTEBOOKS):
        title = "Many" if number == NOTEBOOKS - 1 else f"Analysis of region {number}"
        row = notebooks.create(
            ledger, user.id, title.lower().replace(" ", "-"), title, now, profile="notebook-cpu-small",
            store=f"file://{product.state}/store", actor=user.id,
        )  # fmt: skip
        session = new_id(now + timedelta(milliseconds=number), os.urandom)
        launch = {"profile": "notebook-cpu-small", "version": "v"}
        sessions.begin(ledger, session, row.id, launch, f"{number:064d}", now, volume="v")
        sessions.ready(ledger, session, now)
        sessions.close(ledger, session, now, CAUSES[number % len(CAUSES)], "")
        last = (row, session)
    assert last is not None
    row, session = last
    saves = [
        {
            "workspace": row.workspace, "number": number, "session": session, "kind": "save", "state": "committed",
            "at": now - timedelta(minutes=5 * (SNAPSHOTS - number)), "sha256": f"{number:064x}",
            "size_bytes": 38_000_000 + number, "files": 1200, "stored_bytes": 64_000,
        }
        for number in range(1, SNAPSHOTS + 1)
    ]  # fmt: skip
    with ledger.write() as connection:
        connection.execute(insert(snapshots), saves)
        connection.execute(
            update(snapshots)
            .where(snapshots.c.number == 1, snapshots.c.workspace == row.workspace)
            .values(name="first")
        )
    ledger.close()


def first_byte(url: str, cookie: str) -> tuple[float, int]:
    """(ms to the first byte, bytes)."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"Cookie": cookie})
    begun = time.perf_counter()
    with opener.open(request, timeout=60) as answer:
        start = answer.read(1)
        first = 1000 * (time.perf_counter() - begun)
        assert answer.status == 200, answer.status
        return first, len(start + answer.read())


def main() -> int:
    """Prints the table; 1 where a page is larger than it may be."""
    too_large = False
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        product = Product(Path(folder) / "state").start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            person = product.add_user("mara")
            cookies = cookies_of(browser, person)
            fill(product, "mara")
            base, own = f"{product.url}/services/notebooks/", "n/mara/many"
            header = "; ".join(
                f"{one['name']}={one['value']}"
                for one in cookies
                if one["path"] in ("/", "/services/notebooks/")
            )
            print(f"{'page':<34}{'kB':>7}{'first byte':>12}{'usable':>9}{'slowest':>9}")
            for name, path in (
                (f"list, {NOTEBOOKS} notebooks", ""),
                ("list, found among them", "?find=region%20299"),
                ("list, one that ended", "?show=needs"),
                ("new notebook", "new"),
                (f"notebook, {SNAPSHOTS} snapshots", own),
                (f"its snapshots, {SNAPSHOTS}", f"{own}/snapshots"),
                ("its snapshots, the oldest", f"{own}/snapshots?before=60"),
                ("user guide", "help/guide"),
            ):
                asked = [first_byte(base + path, header) for _ in range(ROUNDS)]
                usable = [in_chromium(browser, cookies, base + path) for _ in range(3)]
                size = asked[0][1]
                too_large = too_large or size > MOST_BYTES
                print(
                    f"{name:<34}{size / 1000:>7.0f}{statistics.median(one for one, _ in asked):>9.0f} ms"
                    f"{statistics.median(usable):>6.0f} ms{max(usable):>6.0f} ms"
                )
        finally:
            browser.close()
            product.stop()
    print("each page is below 300 kB" if not too_large else "a page is larger than 300 kB")
    return int(too_large)


def in_chromium(browser, cookies, url: str) -> float:
    """ms from asking for a page, with an empty cache, until its script ran and a frame was drawn."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto(url, wait_until="load")
    usable = page.evaluate(
        """() => new Promise(done => requestAnimationFrame(() => {
             const e = performance.getEntriesByType("navigation")[0];
             done(e.domContentLoadedEventEnd);
           }))"""
    )
    context.close()
    return float(usable)


if __name__ == "__main__":
    sys.exit(main())
