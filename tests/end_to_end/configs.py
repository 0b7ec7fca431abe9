"""Copies of the shipped configuration in which a test changed a line, as an administrator would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests import s3

CONFIG = Path(__file__).parents[2] / "config"
LOCAL = CONFIG / "local" / "jupyterhub_config.py"
DOCKER = CONFIG / "docker" / "jupyterhub_config.py"
STORE = """store=f"file://{state / 'store'}","""
LEDGER = """ledger=f"sqlite:///{state / 'ledger.sqlite'}","""
HUB_DATABASE = """c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}\""""
AGENTS = """agents_url=address("AGENTS") + "/services/agents","""


def changed(folder: Path, lines: Mapping[str, str]) -> str:
    """The path of a copy in which each of these lines, which stands there once, is another one."""
    text = LOCAL.read_text()
    for old, new in lines.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "jupyterhub_config.py"
    path.write_text(text)
    return str(path)


def s3_variables(server: s3.S3, more: Mapping[str, str]) -> dict[str, str]:
    """The keys, as variables for `up`. more: options of a second identity, such as ``put_key``."""
    named = {f"S3_{name.upper()}": value for name, value in more.items()}
    return {"S3_KEY": server.key, "S3_SECRET": server.secret, **named}


def s3_line(server: s3.S3, more: Mapping[str, str], **options: str) -> dict[str, str]:
    """The store's line for that server; each key by the variable that ``s3_variables`` gives it."""
    given = {**server.options, **options, "key": "env:S3_KEY", "secret": "env:S3_SECRET"}
    given |= {name: f"env:S3_{name.upper()}" for name in more}
    return {STORE: f"store={server.url!r}, store_options={given!r},"}
