"""What each process of a cluster of the tests is started with: pure functions of the places and ports.

Why some of it is as it is: the machines of the tests may lack CAP_SYS_RESOURCE (restrict_oom_score_adj), run with the first
version of control groups (failCgroupV1) and have another containerd or Kubernetes beside (every port, socket, folder,
bridge and control group is the cluster's own).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAUSE = "registry.k8s.io/pause:3.10"
CNI = "/usr/lib/cni"
SERVICES = "10.96.0.0/16"


@dataclass(frozen=True)
class Place:
    """A cluster's own: its folder, which must have a short path, its name, and its ports by what listens there."""

    folder: Path
    name: str
    ports: dict[str, int]

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports['apiserver']}"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"


@dataclass(frozen=True)
class Node:
    """One machine of the cluster. network: the first three numbers of its pods' addresses. content: where its images lie."""

    place: Place
    number: int
    network: str
    content: Path
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"node{self.number}"

    @property
    def folder(self) -> Path:
        return self.place.folder / self.name

    @property
    def socket(self) -> Path:
        return self.folder / "containerd.sock"

    @property
    def bridge(self) -> str:
        return f"{self.place.name}{self.number}"

    @property
    def gateway(self) -> str:
        return f"{self.network}.1"

    @property
    def cgroup(self) -> str:
        return f"{self.place.name}-{self.number}"


def etcd(place: Place) -> list[str]:
    clients, peers = (f"http://127.0.0.1:{place.ports[name]}" for name in ("etcd", "peers"))
    return [
        "etcd", f"--data-dir={place.folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn",
        f"--listen-client-urls={clients}", f"--advertise-client-urls={clients}", f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}",
    ]  # fmt: skip


def apiserver(place: Place) -> list[str]:
    keys = place.keys
    return [
        "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{place.ports['etcd']}",
        f"--secure-port={place.ports['apiserver']}", "--bind-address=0.0.0.0",
        f"--tls-cert-file={keys}/apiserver.crt", f"--tls-private-key-file={keys}/apiserver.key",
        f"--client-ca-file={keys}/authority.crt",
        f"--kubelet-client-certificate={keys}/to-kubelet.crt", f"--kubelet-client-key={keys}/to-kubelet.key",
        f"--service-account-key-file={keys}/service-accounts.key",
        f"--service-account-signing-key-file={keys}/service-accounts.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--anonymous-auth=false",
        f"--service-cluster-ip-range={SERVICES}", "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true", "--profiling=false",
    ]  # fmt: skip


def controllers(place: Place) -> list[str]:
    keys = place.keys
    return [
        "kube-controller-manager", f"--kubeconfig={keys}/controllers.kubeconfig",
        f"--service-account-private-key-file={keys}/service-accounts.key", f"--root-ca-file={keys}/authority.crt",
        "--use-service-account-credentials", "--allocate-node-cidrs=false", "--leader-elect=false",
        "--secure-port=0", "--profiling=false",
    ]  # fmt: skip


def scheduler(place: Place) -> list[str]:
    return [
        "kube-scheduler", f"--kubeconfig={place.keys}/scheduler.kubeconfig", "--leader-elect=false",
        "--secure-port=0", "--profiling=false",
    ]  # fmt: skip


def kubelet(node: Node) -> list[str]:
    keys, folder = node.place.keys, node.folder
    return [
        "kubelet", f"--config={folder}/kubelet.yaml", f"--kubeconfig={keys}/{node.name}.kubeconfig",
        f"--root-dir={folder}/kubelet", f"--hostname-override={node.name}", f"--cert-dir={folder}/kubelet-keys",
    ]  # fmt: skip


def kubelet_config(node: Node) -> str:
    """The kubelet's configuration file."""
    keys, folder = node.place.keys, node.folder
    whole: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "failSwapOn": False,
        "failCgroupV1": False,
        "port": node.ports["kubelet"],
        "healthzPort": 0,
        "podLogsDir": str(folder / "logs"),
        "tlsCertFile": f"{keys}/{node.name}.crt",
        "tlsPrivateKeyFile": f"{keys}/{node.name}.key",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": f"{keys}/authority.crt"},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{node.socket}",
        "resolvConf": "/etc/resolv.conf",
        "clusterDomain": "cluster.local",
        "serializeImagePulls": False,
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }
    return json.dumps(whole, indent=1)


def containerd_config(node: Node) -> str:
    """containerd's configuration file, version 2."""
    return f"""version = 2
root = "{node.content}"
state = "{node.folder}/run"
disabled_plugins = ["io.containerd.internal.v1.restart"]
[grpc]
  address = "{node.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI}"
    conf_dir = "{node.folder}/cni"
[plugins."io.containerd.internal.v1.opt"]
  path = "{node.folder}/opt"
"""


def network_config(node: Node) -> str:
    """A bridge on this machine, on which each pod has an address."""
    bridge = {
        "type": "bridge",
        "bridge": node.bridge,
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(node.folder / "addresses"),
            "ranges": [[{"subnet": f"{node.network}.0/24"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return json.dumps({"cniVersion": "0.4.0", "name": node.bridge, "plugins": [bridge]})
