"""A real Kubernetes for tests, on this machine: one node, or two, for as long as it is needed.

Promises: the cluster that KUBECONFIG names is used as it is and nothing of it is started or stopped; else, as root, one of
the tests' own is built (building.py, once), started in about 10 seconds and ended without a trace: no process, mount,
network namespace, bridge, control group or folder of it is left. Images stay in the tests' cache. A cluster whose process
was killed is cleared away by the next one that starts. Where neither can be, NoCluster says why.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jupyterhub_notebooks.cli.ports import choose_free
from tests.tools import prepare

from . import building, clearing, images, kubeconfig, parts
from .api import Api, ApiError
from .keys import Keys, write_kubeconfig
from .volumes import Volumes

READY_SECONDS = 120.0
PACKAGES = "containerd runc containernetworking-plugins iptables iproute2"
CONTROLLERS = Path("/sys/fs/cgroup")


class NoCluster(Exception):
    """There is no Kubernetes here and none can be started; the text says why."""


class Cluster:
    """A cluster that answers. gateway: this machine's address that pods reach. started_seconds: how long its start took."""

    def __init__(self, program: str, path: Path, api: Api, gateway: str) -> None:
        self.program, self.kubeconfig, self.api, self.gateway = program, path, api, gateway
        self.nodes: list[parts.Node] = []
        self.started_seconds = 0.0
        self.own: Own | None = None

    def kubectl(self, *arguments: str, check: bool = True, given: str | None = None) -> str:
        """What kubectl prints, as the administrator. given: its standard input."""
        command = kubeconfig.kubectl(self.program, self.kubeconfig, *arguments)
        done = subprocess.run(command, input=given or "", capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def load(self, engine_program: str, engine_url: str, image: str) -> None:
        """An image of a Docker engine onto every node, without a registry."""
        for node in self.nodes:
            images.load(node, engine_program, engine_url, image)

    @contextlib.contextmanager
    def namespace(self, labels: dict[str, str] | None = None) -> Iterator[str]:
        """A new namespace; what is left in it is removed with it."""
        name = f"nbtest-{os.urandom(4).hex()}"
        self.api.create({"kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}})
        self.wait(lambda: self.api.get("ServiceAccount", "default", name), "the namespace's account")
        try:
            yield name
        finally:
            for pod in self.api.list("Pod", name):
                self.api.delete("Pod", pod["metadata"]["name"], name, grace_seconds=1)
            self.wait(lambda: not self.api.list("Pod", name), "the end of its pods", 180.0)
            self.api.delete("Namespace", name)

    def account(self, namespace: str, name: str, rules: list[dict[str, Any]], folder: Path) -> Path:
        """A kubeconfig of a new service account that may do these things in its namespace, and nothing else."""
        meta = {"name": name}
        self.api.create({"kind": "ServiceAccount", "metadata": meta}, namespace)
        group = "rbac.authorization.k8s.io"
        self.api.create(
            {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": rules}, namespace
        )
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
        self.api.create(binding, namespace)
        token = self.kubectl("create", "token", name, "-n", namespace, "--duration=24h").strip()
        known = kubeconfig.read(self.program, self.kubeconfig)
        authority = folder / "authority.crt"
        authority.write_text(known.authority)
        return write_kubeconfig(
            folder / f"{name}.kubeconfig", known.server, authority, {"token": token}, namespace
        )

    @staticmethod
    def wait(check: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
        """The first true answer."""
        end = time.monotonic() + seconds
        while not (found := check()):
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come about within {seconds:g} s")
            time.sleep(0.1)
        return found


@contextlib.contextmanager
def running(nodes: int = 1) -> Iterator[Cluster]:
    """A cluster with so many nodes at least. Raises NoCluster."""
    given = os.environ.get("KUBECONFIG")
    if given:
        yield _existing(Path(given), nodes)
        return
    if os.geteuid() != 0:
        raise NoCluster("KUBECONFIG names no cluster, and only root can start one")
    try:
        _need_programs()
        began = time.monotonic()
        program, pause = building.program(), building.pause()
        prepare.say(f"Kubernetes {building.VERSION}: {program} ({time.monotonic() - began:.1f} s)")
    except prepare.Missing as missing:
        raise NoCluster(str(missing)) from None
    clearing.clear_dead()
    with contextlib.ExitStack() as held:
        own = Own(str(program), pause, held)
        try:
            yield own.start(nodes)
        finally:
            own.stop()


def _existing(path: Path, nodes: int) -> Cluster:
    """The cluster of a kubeconfig. NOTEBOOKS_TEST_HUB_ADDRESS: this machine, as its pods reach it."""
    program = shutil.which("kubectl") or str(building.program())
    api = kubeconfig.read(program, path).api()
    there = len(api.list("Node"))
    if there < nodes:
        raise NoCluster(
            f"the cluster of KUBECONFIG has {there} node{'s' * (there != 1)}, and this needs {nodes}"
        )
    return Cluster(program, path, api, os.environ.get("NOTEBOOKS_TEST_HUB_ADDRESS", ""))


def _need_programs() -> None:
    there = all(shutil.which(name) for name in ("containerd", "runc", "ip", "iptables"))
    if not there or not os.access(f"{parts.CNI}/bridge", os.X_OK):
        prepare.install_with_apt("containers", PACKAGES)


class Own:
    """A cluster of the tests' own. ``stop`` may be called for one that came up only in part."""

    def __init__(self, program: str, pause: Path, held: contextlib.ExitStack) -> None:
        self._program, self._pause, self._held = program, pause, held
        name = f"nbk{random.Random(os.urandom(8)).randrange(16**4):04x}"
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir="/tmp"))
        taken: list[int] = []
        for _ in range(6):
            taken.append(choose_free(taken))
        names = ("etcd", "peers", "apiserver", "kubelet1", "kubelet2", "spare")
        self.place = parts.Place(folder, name, dict(zip(names, taken, strict=True)))
        self._volumes: Volumes | None = None
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.nodes: list[parts.Node] = []
        (folder / "owner").write_text(str(os.getpid()))

    def start(self, nodes: int) -> Cluster:
        began = time.monotonic()
        place = self.place
        self._make_keys(nodes)
        (place.folder / "log").mkdir()
        self.run("etcd", parts.etcd(place))
        self.run("apiserver", parts.apiserver(place))
        network = clearing.free_network()
        for number in range(1, nodes + 1):
            self.nodes.append(self._prepare(number, f"{network[0]}.{network[1] + number - 1}"))
        certificate = (f"{place.keys}/admin.crt", f"{place.keys}/admin.key")
        api = Api("127.0.0.1", place.ports["apiserver"], place.keys / "authority.crt", *certificate)
        cluster = Cluster(self._program, place.keys / "admin.kubeconfig", api, self.nodes[0].gateway)
        cluster.nodes = self.nodes
        self._until(lambda: _says(api, "/readyz") == "ok", "the API server")
        self.run("controllers", parts.controllers(place))
        self.run("scheduler", parts.scheduler(place))
        for node in self.nodes:
            self.start_node(node)
        self._until(lambda: len(_ready(api)) == nodes, "every node to be ready")
        self._until(lambda: api.get("ServiceAccount", "default", "default"), "the default account")
        self._volumes = Volumes(api, place.folder / "volumes")
        self._volumes.start()
        cluster.started_seconds = time.monotonic() - began
        prepare.say(f"Kubernetes with {nodes} node(s) is ready after {cluster.started_seconds:.1f} s")
        cluster.own = self
        return cluster

    def start_node(self, node: parts.Node) -> None:
        """containerd and kubelet of a node."""
        self.run(f"containerd-{node.name}", ["-c", str(node.folder / "containerd.toml")], "containerd")
        self._until(lambda: images.answers(node), "containerd")
        images.import_pause(node, self._pause)
        self.run(f"kubelet-{node.name}", parts.kubelet(node))

    def kill_node(self, node: parts.Node) -> None:
        """The machine is gone at once: kubelet, containerd and everything in its pods."""
        for name in (f"kubelet-{node.name}", f"containerd-{node.name}"):
            self.processes.pop(name).kill()
        clearing.kill_containers(node)

    def stop(self) -> None:
        """Ends all of it, pods first; waits until it is gone."""
        if self._volumes is not None:
            with contextlib.suppress(ApiError, OSError):
                _end_pods(
                    self.place, [node for node in self.nodes if f"kubelet-{node.name}" in self.processes]
                )
            self._volumes.stop()
        order = ["kubelet-", "containerd-", "scheduler", "controllers", "apiserver", "etcd"]
        for start in order:
            if start == "containerd-":
                for node in self.nodes:
                    clearing.kill_containers(node)
            for name in [name for name in self.processes if name.startswith(start)]:
                _end(self.processes.pop(name))
        clearing.clear(self.place.folder, self.place.name)

    def run(self, name: str, arguments: list[str], program: str = "") -> subprocess.Popen[bytes]:
        with open(self.place.folder / "log" / name, "ab") as log:
            process = subprocess.Popen(
                [program or self._program, *arguments],
                cwd=self.place.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def _until(self, check: Callable[[], Any], what: str) -> None:
        """Waits; a part that ended meanwhile is told with its last words."""

        def checked() -> Any:
            for name, process in self.processes.items():
                if process.poll() is not None:
                    said = (self.place.folder / "log" / name).read_text(errors="replace").splitlines()[-5:]
                    raise NoCluster("\n".join([f"{name} ended with status {process.returncode}", *said]))
            return check()

        Cluster.wait(checked, what, READY_SECONDS)

    def _make_keys(self, nodes: int) -> None:
        place = self.place
        keys = Keys.new(place.keys)
        names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "127.0.0.1",
            "10.96.0.1",
        ]
        keys.sign("apiserver", "kube-apiserver", hosts=names)
        keys.sign("to-kubelet", "kube-apiserver-kubelet-client", "system:masters")
        for file, name, group in (
            ("admin", "administrator of the tests", "system:masters"),
            ("controllers", "system:kube-controller-manager", ""),
            ("scheduler", "system:kube-scheduler", ""),
        ):
            keys.sign(file, name, group)
            keys.kubeconfig(file, place.server)
        for number in range(1, nodes + 1):
            name = f"node{number}"
            keys.sign(name, f"system:node:{name}", "system:nodes", [name, *clearing.own_addresses()])
            keys.kubeconfig(name, place.server)

    def _prepare(self, number: int, network: str) -> parts.Node:
        """Folders, bridge and control groups of a node."""
        content = self._held.enter_context(images.content())
        ports = {"kubelet": self.place.ports[f"kubelet{number}"]}
        node = parts.Node(self.place, number, network, content, ports)
        (node.folder / "cni").mkdir(parents=True)
        (node.folder / "containerd.toml").write_text(parts.containerd_config(node))
        (node.folder / "kubelet.yaml").write_text(parts.kubelet_config(node))
        (node.folder / "cni" / "10-bridge.conflist").write_text(parts.network_config(node))
        clearing.make_bridge(node)
        clearing.make_cgroups(node)
        return node


def _says(api: Api, path: str) -> str:
    try:
        return str(api("GET", path))
    except (OSError, ApiError):
        return ""


def _ready(api: Api) -> list[str]:
    """Names of the nodes that are ready."""
    return [
        node["metadata"]["name"]
        for node in api.list("Node")
        for one in node["status"].get("conditions", ())
        if one["type"] == "Ready" and one["status"] == "True"
    ]


def _end_pods(place: parts.Place, nodes: list[parts.Node]) -> None:
    """Every pod of nodes that live, so that their mounts and network go as they came."""
    certificate = (f"{place.keys}/admin.crt", f"{place.keys}/admin.key")
    api = Api("127.0.0.1", place.ports["apiserver"], place.keys / "authority.crt", *certificate)
    for pod in api.list("Pod"):
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        api.delete("Pod", name, namespace, grace_seconds=1)
    with contextlib.suppress(AssertionError):
        Cluster.wait(lambda: not any(images.tasks(node) for node in nodes), "the end of all pods", 20)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
