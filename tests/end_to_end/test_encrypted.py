"""The product with encryption on: what was made comes back, and neither store nor logs show it or a key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from jupyterhub_notebooks.ledger import Ledger, workspace_keys
from jupyterhub_notebooks.ledger.tables import workspace_keys as table
from jupyterhub_notebooks.workspace.keys import new_key, unwrap

from .product import Product

CONFIG = Path(__file__).parents[2] / "config" / "local" / "jupyterhub_config.py"
LINE = '    # encryption_key="file:/path/of/the/key",'
MAKE = 'open("quarterly-plan.txt", "w").write("The merger is announced on Tuesday. " * 99)'


def everything_below(*places: Path) -> bytes:
    paths = [path for place in places for path in place.rglob("*") if path.is_file()]
    return b"\n".join(str(path).encode() + b"\n" + path.read_bytes() for path in paths)


@pytest.mark.slow
async def test_what_was_made_comes_back_and_nothing_shows_it(own_product: Product, tmp_path: Path) -> None:
    wrapping = new_key()
    (tmp_path / "wrapping-key").write_text(wrapping.hex())
    text = CONFIG.read_text()
    assert text.count(LINE) == 1
    config = tmp_path / "jupyterhub_config.py"
    config.write_text(text.replace(LINE, f"    encryption_key={f'file:{tmp_path}/wrapping-key'!r},"))
    product = own_product.start("--config", str(config))
    person = product.add_user("mara").log_in()
    person.start()
    await person.run(MAKE)
    seen = await person.run("import os; print(dict(os.environ))")
    person.stop()
    stored = everything_below(product.state / "store")
    assert len(stored) > 1000
    for word in (b"quarterly-plan", b"merger", b"Tuesday", b"pyvenv.cfg"):
        assert word not in stored
    ledger = Ledger(f"sqlite:///{product.state}/ledger.sqlite")
    with ledger.read() as connection:
        [id] = connection.execute(table.select()).scalars()
    row = workspace_keys.of_workspace(ledger, id)
    ledger.close()
    assert row is not None
    key = unwrap(row.wrapped, wrapping, id)
    written = everything_below(product.state) + seen.encode() + product.output.encode()
    for secret in (key, wrapping):
        assert secret not in written
        assert secret.hex().encode() not in written
    shutil.rmtree(product.state / "volumes")
    person.start()
    assert "The merger is announced" in await person.run('print(open("quarterly-plan.txt").read())')
    person.stop()
