"""The product on a real Docker engine, with PostgreSQL for both databases and an S3 for the workspaces."""

import json
import uuid
from dataclasses import dataclass

import docker
import pytest

from jupyterhub_notebooks.ledger import Ledger, notebooks
from jupyterhub_notebooks.spawners import engine as naming
from tests import docker_engine, postgres, s3
from tests.end_to_end import configs
from tests.end_to_end.product import Product
from tests.spawners.docker.conftest import PROFILES, base, profile  # noqa: F401


@dataclass
class OnDocker:
    """product: `up` with config/docker. ledger: its PostgreSQL's address."""

    product: Product
    engine: docker_engine.Engine
    store: s3.S3
    ledger: str

    def containers(self, notebook: str) -> list[docker.models.containers.Container]:
        """Those of a notebook's id, running or not."""
        label = {"label": f"{naming.LABEL}notebook={notebook}"}
        return list(self.engine.client.containers.list(all=True, filters=label))

    def volumes(self, notebook: str) -> list[docker.models.volumes.Volume]:
        return list(self.engine.client.volumes.list(filters={"label": f"{naming.LABEL}notebook={notebook}"}))

    def chosen(self, notebook: str) -> dict[str, str]:
        """What the notebook starts with the next time, beside its profile."""
        opened = Ledger(self.ledger)
        try:
            return dict(notebooks.get(opened, notebook).options)
        finally:
            opened.close()

    def inside(self, notebook: str, *command: str) -> str:
        """A command in the notebook's container, as its user."""
        (one,) = [one for one in self.containers(notebook) if one.status == "running"]
        done = one.exec_run(list(command))
        assert done.exit_code == 0, done.output.decode()
        return str(done.output.decode())


@pytest.fixture(scope="module")
def on_docker(engine, base, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("docker")
    own = Product(folder / "state")
    profiles = folder / "profiles.yaml"
    profiles.write_text(PROFILES + profile("work", base, "small, large"))
    network = f"nbtest-{uuid.uuid4().hex[:8]}"
    with (
        docker_engine.network(engine, network) as (name, gateway),
        s3.running(folder / "s3", host=gateway) as store,
        postgres.running(durable=True) as databases,
    ):
        ledger = databases.new_database()
        keys = {"key": "env:S3_KEY", "secret": "env:S3_SECRET"}
        own.environment |= {
            "DOCKER_HOST": engine.url,
            "NOTEBOOKS_NETWORK": name,
            "LEDGER_URL": ledger,
            "NOTEBOOKS_LEDGER": "env:LEDGER_URL",
            "NOTEBOOKS_HUB_DATABASE": databases.new_database(),
            "NOTEBOOKS_STORE": store.url,
            "NOTEBOOKS_STORE_OPTIONS": json.dumps({**store.options, **keys}),
            **configs.s3_variables(store, {}),
        }
        try:
            own.start("--config", str(configs.DOCKER), "--profiles", str(profiles))
            yield OnDocker(own, engine, store, ledger)
        finally:
            own.stop()
            opened = Ledger(ledger)
            made = {view.notebook.id for view in notebooks.views(opened, trashed=None)}
            opened.close()
            docker_engine.remove_ours(engine, made)
