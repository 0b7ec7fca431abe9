"""`<script>` in every name, title, path, message and log line of a notebook with a past: it stays text on every page about it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import changing, sessions

from .conftest import Site
from .saved import Saved

BAD = "<script>alert('x')</script>"
FILE = "<script>alert(1)<\"'&.csv"
SIGNAL = {"name": BAD, "state": BAD, "since": BAD, "detail": BAD}


async def every_page(site: Site, folder: Path) -> dict[str, str]:
    """Address to HTML, of a notebook whose every text is markup."""
    token = site.hub.add("mara")
    saved = Saved(site, folder)
    first = saved.save({FILE: BAD, f"{FILE}.d/{FILE}": BAD, "gone.txt": "x"})
    second = saved.save({"gone.txt": None, FILE: BAD + "2"})
    changing.rename(site.ledger, saved.notebook.id, BAD, saved.user.id, SYSTEM_CLOCK.now())
    await site.api(token, f"notebooks/mara/churn/snapshots/{second}/name", "POST", {"name": BAD})
    await site.api(token, "notebooks/mara/churn/set", "POST", {"project": BAD})
    session = saved.begin()
    sessions.add_log(site.ledger, session.id, 1, [BAD, f"2026-11-21T19:49:14Z {BAD}"], SYSTEM_CLOCK.now())
    told = {
        "heard_at": SYSTEM_CLOCK.now(),
        "verdict": "working",
        "verdict_sentence": BAD,
        "signals": [SIGNAL],
        "warnings": [BAD],
        "made_anew": [BAD],
        "save_error": BAD,
    }
    sessions.report(site.ledger, [sessions.Report(session.id, told)])
    base, path = "n/mara/churn", quote(quote(f"{FILE}.d"))
    addresses = [
        "",
        f"?find={quote(BAD)}",
        "rows",
        "?show=trash",
        f"new?name={quote(BAD)}&profile={quote(BAD)}&repo={quote(BAD)}&file={quote(BAD)}&project={quote(BAD)}",
        base,
        f"{base}/snapshots",
        f"{base}/snapshots/{first}",
        f"{base}/snapshots/{second}",
        f"{base}/snapshots/{first}?browse=1",
        f"{base}/snapshots/{first}?browse=1&path={path}",
        f"{base}/snapshots/{first}?browse=1&path={quote(BAD)}",
        f"{base}/space",
        f"{base}/space?part=1",
        f"{base}/change?profile={quote(BAD)}",
        f"sessions/{session.id}/log",
        f"sessions/{session.id}/log?find={quote(BAD)}",
        "help/guide",
        "feedback",
        "about",
    ]
    pages = {one: (await site.page(token, one)).body.decode() for one in addresses}
    saved.close(session, BAD, BAD)
    pages["closed"] = (await site.page(token, base)).body.decode()
    return pages


async def test_it_stays_text_on_every_page(site: Site, tmp_path: Path) -> None:
    pages = await every_page(site, tmp_path)
    shown = 0
    for address, html in pages.items():
        assert "<script>" not in html, address
        assert not re.search(r"\son\w+=", re.sub(r'"[^"]*"', '""', html)), address
        assert "Something unexpected" not in html, address
        shown += "&lt;script&gt;" in html
    assert shown >= len(pages) - 5  # it is there, as text


async def test_what_is_downloaded_is_never_shown_as_a_page(site: Site, tmp_path: Path) -> None:
    token = site.hub.add("mara")
    saved = Saved(site, tmp_path)
    number = saved.save({"page.html": BAD})
    for what in ("file?path=page.html", "zip?paths=page.html"):
        answer = await site.page(token, f"n/mara/churn/snapshots/{number}/{what}")
        assert answer.code == 200 and answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox")
        assert "text/html" not in answer.headers["Content-Type"]
