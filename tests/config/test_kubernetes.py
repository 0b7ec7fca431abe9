"""The files for Kubernetes fit together: settings that hold, each secret that they name given to who needs it, one image."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from jupyterhub_notebooks.configure import notebooks
from jupyterhub_notebooks.profiles.catalog import CatalogFile
from jupyterhub_notebooks.services.running import LISTEN, bind
from jupyterhub_notebooks.settings import Settings
from jupyterhub_notebooks.spawners import podchecks

HERE = Path(__file__).parents[2] / "config" / "kubernetes"


def documents(name: str) -> list[dict[str, Any]]:
    return [dict(one) for one in YAML(typ="safe").load_all((HERE / name).read_text()) if one]


def of_kind(kind: str, name: str = "notebooks.yaml") -> dict[str, Any]:
    return next(one for one in documents(name) if one["kind"] == kind)


@pytest.fixture
def settings() -> dict[str, Any]:
    return dict(json.loads(of_kind("ConfigMap")["data"]["settings.json"]))


@pytest.fixture
def values() -> dict[str, Any]:
    return documents("values.yaml")[0]


def agents() -> dict[str, Any]:
    return dict(of_kind("Deployment")["spec"]["template"]["spec"]["containers"][0])


def test_the_settings_are_taken_by_hub_and_services(settings):
    held = Settings.of(settings)
    assert held.store.startswith("s3://") and held.volumes == "kubernetes:"
    assert held.agents_url == f"http://{of_kind('Service')['metadata']['name']}:8082"


def test_every_secret_that_the_settings_name_is_given_to_hub_and_agents(settings, values):
    named = set(re.findall(r'"env:(\w+)"', json.dumps(settings)))
    hub = values["hub"]["extraEnv"]
    given = {one["name"]: one for one in agents()["env"]}
    assert named <= set(hub) and named <= set(given)
    for name in named:
        assert hub[name]["valueFrom"]["secretKeyRef"] == given[name]["valueFrom"]["secretKeyRef"]
    head = (HERE / "notebooks.yaml").read_text()
    keys = {
        one["valueFrom"]["secretKeyRef"]["key"]
        for one in hub.values()
        if "secretKeyRef" in one.get("valueFrom", {})
    }
    assert all(f"--from-literal={key}=" in head for key in keys)


def test_no_secret_stands_in_the_files():
    for path in HERE.iterdir():
        assert not re.search(
            r"(password|secret|token)\w*['\"]?: ['\"]?[0-9a-f]{16,}", path.read_text(), re.I
        ), path.name


def test_hub_and_agents_are_the_same_image_and_version(values):
    image = values["hub"]["image"]
    assert agents()["image"] == f"{image['name']}:{image['tag']}"


def test_the_profiles_can_be_used():
    catalog = CatalogFile(HERE / "profiles.yaml").current()
    assert set(catalog.profiles) == {"notebook-cpu-small", "notebook-cpu-large", "notebook-gpu-t4"}


def test_what_the_chart_would_do_against_us_is_off(values):
    assert values["cull"] == {"enabled": False} and values["rbac"] == {"create": False}
    assert values["hub"]["allowNamedServers"] is True and values["singleuser"]["storage"] == {"type": "none"}
    timeout = values["singleuser"]["startTimeout"]
    assert timeout > 3600 and podchecks.wrong([{"start_timeout": timeout}], 3600) is None


def test_the_file_of_the_hub_makes_it_one_with_notebooks(settings, monkeypatch):
    """As the chart reads it: in the names of its own file."""
    from traitlets.config import Config

    c, own = Config(), {"admin_groups": ["platform"], "spawner": {"scales": True}}
    c.JupyterHub.services, c.JupyterHub.load_roles, c.JupyterHub.allow_named_servers = [], [], True
    monkeypatch.setenv("NOTEBOOKS_SETTINGS", json.dumps(settings))
    monkeypatch.setenv("NOTEBOOKS_AGENTS_TOKEN", "0" * 64)
    there = {
        "c": c,
        "get_config": lambda key: own,
        "get_name": lambda name: f"x-{name}",
        "notebooks": notebooks,
    }
    source = (HERE / "notebooks.py").read_text()
    exec(compile(source, "notebooks.py", "exec"), there)
    assert c.JupyterHub.spawner_class == "notebooks-kube" and c.KubeNotebookSpawner.scales is True
    pages = next(one for one in c.JupyterHub.services if one["name"] == "notebooks")
    assert pages["url"] == "http://x-hub:10202" and pages["environment"][LISTEN] == "0.0.0.0"
    assert next(one for one in c.JupyterHub.load_roles if one["name"] == "notebook.admin")["groups"] == [
        "platform"
    ]
    own["nonsense"] = 1
    with pytest.raises(SystemExit, match="There is no such value"):
        exec(compile(source, "notebooks.py", "exec"), there)


async def test_a_service_behind_another_name_listens_where_it_is_told(monkeypatch):
    monkeypatch.setenv(LISTEN, "127.0.0.1")
    from jupyterhub_notebooks.cli.ports import choose_free

    port = choose_free([])
    sockets = await bind(f"http://notebooks-agents:{port}")
    assert {one.getsockname() for one in sockets} == {("127.0.0.1", port)}
    for one in sockets:
        one.close()
