"""Much on a page: 300 notebooks of one user, thousands of snapshots of one notebook. Each page stays below 300 kB."""

from __future__ import annotations

import os
from datetime import timedelta

from sqlalchemy import insert

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import notebooks, sessions, users
from jupyterhub_notebooks.ledger.tables import snapshots
from jupyterhub_notebooks.names import new_id

from .conftest import CREATED, Site

NOTEBOOKS, SNAPSHOTS = 300, 5_000
MOST_BYTES = 300_000


def fill(site: Site) -> None:
    ledger, now = site.ledger, SYSTEM_CLOCK.now()
    user = users.seen(ledger, "mara", CREATED, now)
    for number in range(NOTEBOOKS):
        row = notebooks.create(
            ledger, user.id, f"region-{number}", f"Region {number}", now, profile="notebook-cpu-small"
        )
    session = new_id(now, os.urandom)
    sessions.begin(ledger, session, row.id, {"profile": "notebook-cpu-small", "version": "v"}, "0" * 64, now)
    sessions.close(ledger, session, now, "stopped")
    saves = [
        {
            "workspace": row.workspace, "number": number, "session": session, "kind": "save", "state": "committed",
            "at": now - timedelta(minutes=5 * (SNAPSHOTS - number)), "sha256": f"{number:064x}",
            "size_bytes": 38_000_000, "files": 1200, "stored_bytes": 64_000,
        }
        for number in range(1, SNAPSHOTS + 1)
    ]  # fmt: skip
    with ledger.write() as connection:
        connection.execute(insert(snapshots), saves)


async def test_a_list_of_300_is_shown_in_parts_and_found_in_whole(site: Site) -> None:
    token = site.hub.add("mara")
    fill(site)
    own = f"n/mara/region-{NOTEBOOKS - 1}"
    pages = {}
    for path in ("", "rows", own, f"{own}/snapshots", f"{own}/snapshots?before=4000", "new"):
        answer = await site.page(token, path)
        assert answer.code == 200 and len(answer.body) < MOST_BYTES, (path, len(answer.body))
        pages[path] = answer.body.decode()
    assert pages[""].count('class="rw"') == 50 and "50 more" in pages[""]
    assert "of 250 that are not shown" in pages[""]
    found = (await site.page(token, "?find=region%20123")).body.decode()
    assert found.count('class="rw"') == 1 and "Region 123" in found
    assert (await site.page(token, "?rows=100")).body.decode().count('class="rw"') == 100
    for odd in ("0", "-1", "x", "99999999999999", "%C2%B2"):
        assert (await site.page(token, f"?rows={odd}")).code == 200

    assert "4950 older ones" in pages[own] and pages[own].count("/snapshots/") >= 50
    assert f"{own}/snapshots/5000" in pages[f"{own}/snapshots"]
    assert f"{own}/snapshots/3999" in pages[f"{own}/snapshots?before=4000"]
