"""Images of a node: from a Docker engine into containerd, without a registry; kept in the tests' cache from run to run."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.tools import prepare

from .parts import PAUSE, Node

#: More clusters than this at once begin with empty folders.
KEPT = 8


@contextlib.contextmanager
def content() -> Iterator[Path]:
    """A folder for a containerd's images that no other uses now."""
    base = prepare.cache() / "containerd"
    base.mkdir(exist_ok=True)
    for number in range(1, KEPT + 1):
        with open(base / f"{number}.lock", "w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield base / str(number)
            return
    raise RuntimeError(f"{KEPT} clusters of tests run already")


def ctr(
    node: Node, *arguments: str, given: object = subprocess.DEVNULL
) -> subprocess.CompletedProcess[bytes]:
    """containerd's own command, in Kubernetes' namespace of images."""
    command = ["ctr", "-a", str(node.socket), "-n", "k8s.io", *arguments]
    return subprocess.run(command, stdin=given, capture_output=True)  # type: ignore[call-overload,no-any-return]


def answers(node: Node) -> bool:
    return node.socket.exists() and ctr(node, "version").returncode == 0


def tasks(node: Node) -> list[str]:
    """What runs in containers of a node."""
    return ctr(node, "tasks", "ls", "-q").stdout.decode().split()


def load(node: Node, program: str, engine: str, image: str) -> None:
    """An image of the Docker engine at a URL; one that is there already, the same, is not loaded again."""
    environment = {**os.environ, "DOCKER_HOST": engine}
    asked = [program, "image", "inspect", "--format", "{{.Id}}", image]
    known = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    if _loaded(node).get(image) == known and _there(node, image):
        return
    began = time.monotonic()
    saving = subprocess.Popen([program, "save", image], env=environment, stdout=subprocess.PIPE)
    done = ctr(node, "images", "import", "-", given=saving.stdout)
    assert saving.wait() == 0 and done.returncode == 0, done.stderr.decode()
    _keep(node, image, known)
    prepare.say(f"Loaded {image} onto {node.name} in {time.monotonic() - began:.0f} s")


def import_pause(node: Node, program: Path) -> None:
    """The image of the container that holds a pod open, made of one program."""
    held = program.read_bytes()
    known = hashlib.sha256(held).hexdigest()
    if _loaded(node).get(PAUSE) == known and _there(node, PAUSE):
        return
    archive = node.folder / "pause.tar"
    archive.write_bytes(_archive(PAUSE, held))
    done = ctr(node, "images", "import", str(archive))
    assert done.returncode == 0, done.stderr.decode()
    archive.unlink()
    _keep(node, PAUSE, known)


def _there(node: Node, image: str) -> bool:
    """Whether containerd still has it: a machine that ran short of disk removes images by itself."""
    names = ctr(node, "images", "ls", "-q").stdout.decode().split()
    return image in names or f"docker.io/{image}" in names


def _loaded(node: Node) -> dict[str, str]:
    path = node.content / "loaded.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _keep(node: Node, image: str, known: str) -> None:
    (node.content / "loaded.json").write_text(json.dumps({**_loaded(node), image: known}))


def _archive(tag: str, program: bytes) -> bytes:
    """An image with one program, as `docker save` writes images."""
    layer = _tar({"pause": (program, 0o755)})
    name = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{name}"]},
    }
    written = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(written).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [tag], "Layers": [f"{name}/layer.tar"]}]
    return _tar(
        {
            config_name: (written, 0o644),
            f"{name}/layer.tar": (layer, 0o644),
            "manifest.json": (json.dumps(manifest).encode(), 0o644),
        }
    )


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return held.getvalue()
