"""Puts our class in DockerSpawner's place for its own tests; loaded by dockerspawner_suite.py as pytest's plugin.

The Hub of those tests is JupyterHub's MockHub. It gets what ``notebooks(c, …)`` gives any Hub, without our services but one:
services/agents runs beside it, because a notebook's first process asks it for the workspace.
"""

from __future__ import annotations

import os
from pathlib import Path

import dockerspawner
import pytest
from traitlets.config import Config

from jupyterhub_notebooks.configure import notebooks
from jupyterhub_notebooks.ledger import Ledger, upgrade
from jupyterhub_notebooks.spawners.docker import DockerNotebookSpawner

dockerspawner.DockerSpawner = DockerNotebookSpawner

PROFILES = """
profiles:
  theirs: {title: Theirs, use: Test, flavor: small}
flavors:
  small: {use: Small, cpu: 1, memory: 1 GB}
"""


def settings_of(folder: Path, host: str, port: int) -> Config:
    """A Hub's configuration with notebooks; every managed service is left to whoever runs it."""
    profiles = folder / "profiles.yaml"
    profiles.write_text(PROFILES, encoding="utf-8")
    (folder / "store").mkdir()
    made = Config()
    notebooks(
        made,
        ledger=f"sqlite:///{folder / 'ledger.sqlite'}",
        store=(folder / "store").as_uri(),
        profiles=profiles,
        agents_url=f"http://{host}:{port}",
        agents_api_token="0" * 32,
        signing_key="0" * 64,
        manage_culler=False,
        manage_janitor=False,
        abilities={"name": "docker", "images": True},
    )
    for number, service in enumerate(made.JupyterHub.services):
        service.pop("command", None)
        service.pop("environment", None)
        service.setdefault("api_token", f"{number}" * 32)
    made.DockerNotebookSpawner.network_name = "bridge"
    made.DockerNotebookSpawner.cmd = ["jupyterhub-singleuser"]
    return made


@pytest.fixture(autouse=True, scope="session")
def notebooks_hub(tmp_path_factory):
    """MockHub, set up as ours; services/agents beside it."""
    from jupyterhub.tests.mocking import MockHub

    from jupyterhub_notebooks.cli.ports import choose_free
    from tests.agents_service import COMMAND, RunningAgents

    folder = tmp_path_factory.mktemp("ours")
    host, port = os.environ["HUB_CONNECT_IP"], choose_free([])
    made = settings_of(folder, host, port)
    initialize = MockHub.initialize

    async def with_notebooks(self, argv=None):
        self.update_config(made)
        await initialize(self, argv)

    MockHub.initialize = with_notebooks
    from jupyterhub_notebooks.settings import Settings

    ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    upgrade(ledger)
    settings = Settings.from_json(made.NotebookSpawner.settings_json)
    url = f"{settings.agents_url}/"
    agents = RunningAgents(url, ledger, settings, folder / "agents.log", command=COMMAND)
    agents.start()
    try:
        yield
    finally:
        MockHub.initialize = initialize
        agents.stop()
        ledger.close()
