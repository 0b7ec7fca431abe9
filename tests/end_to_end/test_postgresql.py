"""The whole product with PostgreSQL as the Hub's database and as the ledger: nothing of it needs SQLite."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import postgres

from . import configs
from .coming_back import everything_comes_back
from .product import Person, Product, until

SHORT = """
    janitor_interval_seconds=1, lease_seconds=30, heartbeat_seconds=2, heartbeat_soon_seconds=1,
    culler_interval_seconds=1, limits={"user:idler": {"idle_stop": "6s"}},
"""


@pytest.fixture
def on_postgresql(own_product: Product, tmp_path: Path) -> Iterator[Product]:
    """Both databases on one server, their addresses by environment; clocks that are short."""
    with postgres.running(durable=True) as server:
        own_product.environment |= {
            "NOTEBOOKS_LEDGER": server.new_database(),
            "HUB_DATABASE": server.new_database(),
        }
        lines = {
            configs.HUB_DATABASE: 'c.JupyterHub.db_url = os.environ["HUB_DATABASE"]',
            configs.LEDGER: f'ledger="env:NOTEBOOKS_LEDGER",{SHORT}',
        }
        try:
            yield own_product.start("--config", configs.changed(tmp_path, lines))
        finally:
            own_product.stop()


def session_of(product: Product, person: str) -> dict[str, Any]:
    """The newest session of that person's default notebook."""
    return json.loads(product.command("session", "why", f"{person}/-", "--json").stdout)


def row_of(product: Product, id: str) -> dict[str, Any]:
    return next(row for row in product.sessions() if row["id"] == id)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_a_quiet_notebook_is_stopped_and_what_a_dead_one_left_is_saved(on_postgresql):
    product = on_postgresql
    idler = product.add_user("idler")
    idler.start()
    until(lambda: session_of(product, "idler")["closed_at"], 90, 1, what="the idle stop")
    assert session_of(product, "idler")["cause"] == "idle"

    lost = product.add_user("lost")
    lost.start()
    await lost.run("open('late.txt', 'w').write('typed just now')")
    id = session_of(product, "lost")["id"]
    for one, words in product.environments():
        if words.get("NOTEBOOK_SESSION_ID") == id:
            one.kill()
    until(lambda: row_of(product, id)["closed_at"], 120, 1, what="the janitor's end of it")
    assert row_of(product, id)["cause"] == "agent_died"
    until(lambda: session_of(product, "lost")["kind"] == "save", 60, 1, what="a run that saves")
    until(lambda: session_of(product, "lost")["closed_at"], 90, 1, what="its end")
    until(lambda: not lost.server(), 60, what="the Hub's end of it")
    shutil.rmtree(product.state / "volumes" / row_of(product, id)["notebook"])
    lost.start()
    assert await lost.run("print(open('late.txt').read())") == "typed just now\n"

    hub = next(one for one in product.processes() if is_hub(one))
    hub.kill()
    until(
        lambda: [one for one in product.processes() if is_hub(one) and one.pid != hub.pid], 60, what="a Hub"
    )
    until(lambda: answers(lost), 60, what="the adopted server")
    lost.stop()
    assert session_of(product, "lost")["cause"] == "stopped"
    assert "session.ended" in product.command("ledger", "audit").stdout
    assert no_sqlite(product)


def answers(person: Person) -> bool:
    try:
        return bool((person.server() or {}).get("ready"))
    except (OSError, ValueError, KeyError):
        return False


def no_sqlite(product: Product) -> bool:
    """Jupyter's own record of which notebooks are trusted lies beside the server."""
    return not [path for path in product.state.glob("*") if ".sqlite" in path.name]


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(1800)
def test_what_was_made_in_the_browser_comes_back(on_postgresql, wheels, page):
    everything_comes_back(page, on_postgresql.add_user("mara"), wheels)
    assert no_sqlite(on_postgresql)


def is_hub(process: psutil.Process) -> bool:
    words = process.cmdline()
    return words[1:3] == ["-m", "jupyterhub"]
