"""What a cluster makes of this machine outside its folder, and how all of it goes away again.

Everything is found by the cluster's name or folder, so that nothing of another cluster, of Docker or of the machine is
touched, and so that one whose process was killed can be cleared away by another.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from .parts import Node

CGROUPS = Path("/sys/fs/cgroup")
NETNS = Path("/var/run/netns")
GONE_SECONDS = 20.0


def free_network() -> tuple[str, int]:
    """Two neighbouring networks that this machine does not have: the first two numbers, and the third of the first."""
    have = _run("ip", "-4", "route").stdout
    chance = random.Random(os.urandom(8))
    while True:
        third = chance.randrange(0, 250, 2)
        if f"10.213.{third}." not in have:
            return "10.213", third


def own_addresses() -> list[str]:
    """The addresses of this machine, under which a kubelet may be asked."""
    told = _run("ip", "-4", "-o", "addr").stdout
    return [line.split()[3].split("/")[0] for line in told.splitlines()]


def make_bridge(node: Node) -> None:
    """The bridge of a node's pods. What crosses it is let through, whatever Docker forbids."""
    bridge = node.bridge
    for command in (
        ("ip", "link", "add", bridge, "type", "bridge"),
        ("ip", "addr", "add", f"{node.gateway}/24", "dev", bridge),
        ("ip", "link", "set", bridge, "up"),
        ("iptables", "-I", "FORWARD", "-i", bridge, "-j", "ACCEPT"),
        ("iptables", "-I", "FORWARD", "-o", bridge, "-j", "ACCEPT"),
    ):
        done = _run(*command)
        assert done.returncode == 0, done.stderr
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def make_cgroups(node: Node) -> None:
    """The control group that holds everything of a node."""
    if (CGROUPS / "cgroup.controllers").exists():
        (CGROUPS / node.cgroup).mkdir()
        return
    for controller in CGROUPS.iterdir():
        if controller.is_dir() and not controller.is_symlink() and controller.name != "unified":
            (controller / node.cgroup).mkdir(exist_ok=True)
    for name in ("cpus", "mems"):
        all_of_it = (CGROUPS / "cpuset" / f"cpuset.{name}").read_text()
        (CGROUPS / "cpuset" / node.cgroup / f"cpuset.{name}").write_text(all_of_it)


def kill_containers(node: Node) -> None:
    """Ends what runs in the containers of a node, and what holds them, by their ids."""
    folder = str(node.folder)
    shims = [one for one in psutil.process_iter() if _is_shim(one, folder)]
    inside = [child for shim in shims for child in _children(shim)]
    for process in [*shims, *inside]:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs([*shims, *inside], GONE_SECONDS)


def clear(folder: Path, name: str) -> None:
    """Everything that a cluster of this folder and name left, once its processes are told to end."""
    for process in left_processes(folder):
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs(left_processes(folder), GONE_SECONDS)
    for path in left_namespaces(name):
        _run("ip", "netns", "del", path.name)
    for mount in left_mounts(folder):
        _run("umount", "-l", mount)
    for bridge in left_bridges(name):
        for side in ("-i", "-o"):
            _run("iptables", "-D", "FORWARD", side, bridge, "-j", "ACCEPT")
        _run("ip", "link", "del", bridge)
    end = time.monotonic() + GONE_SECONDS
    while (groups := left_cgroups(name)) and time.monotonic() < end:
        for group in groups:
            for path in sorted(group.rglob("*"), reverse=True):
                if path.is_dir():
                    with contextlib.suppress(OSError):
                        path.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


def clear_dead() -> None:
    """Clusters whose process was killed before it could end them."""
    for folder in Path("/tmp").glob("nbk????-*"):
        with contextlib.suppress(OSError, ValueError):
            if not psutil.pid_exists(int((folder / "owner").read_text())):
                clear(folder, folder.name.partition("-")[0])


def left_processes(folder: Path) -> list[psutil.Process]:
    return [
        one
        for one in psutil.process_iter()
        if one.pid != os.getpid()
        and (_cwd(one) == str(folder) or any(f"{folder}/" in word for word in _said(one)))
    ]


def left_mounts(folder: Path) -> list[str]:
    """Innermost first."""
    lines = Path("/proc/mounts").read_text().splitlines()
    return sorted(
        (point for line in lines if (point := line.split()[1]).startswith(f"{folder}/")), reverse=True
    )


def left_bridges(name: str) -> list[str]:
    return [path.name for path in Path("/sys/class/net").iterdir() if path.name.startswith(name)]


def left_cgroups(name: str) -> list[Path]:
    return [
        path for pattern in (f"{name}-*", f"*/{name}-*") for path in CGROUPS.glob(pattern) if path.is_dir()
    ]


def left_namespaces(name: str) -> list[Path]:
    """Network namespaces of its pods: those whose way out is one of its bridges."""
    found = []
    for path in NETNS.glob("cni-*") if NETNS.is_dir() else ():
        routes = _run("ip", "-n", path.name, "-4", "route").stdout
        gateways = {f" {address} " for bridge in left_bridges(name) for address in _addresses(bridge)}
        if any(gateway in routes for gateway in gateways):
            found.append(path)
    return found


def _addresses(bridge: str) -> Iterator[str]:
    for line in _run("ip", "-4", "-o", "addr", "show", "dev", bridge).stdout.splitlines():
        yield line.split()[3].split("/")[0]


def _is_shim(process: psutil.Process, folder: str) -> bool:
    said = _said(process)
    return bool(said) and "containerd-shim" in said[0] and any(word.startswith(f"{folder}/") for word in said)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _said(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except (psutil.Error, OSError):
        return []


def _cwd(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except (psutil.Error, OSError):
        return ""


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
