"""Safe mode in front of what breaks notebooks: a full disk, a poisoned PYTHONPATH, a broken server configuration, a kernel
that loops. Each time: it is offered or told, an editor and a kernel work in it, what to remove is named, and
after that the notebook starts as always.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyterhub_notebooks.profiles.catalog import SHIPPED

from .product import Product, until

pytestmark = pytest.mark.slow

API = "/services/notebooks/api/v1"
POISONED = """
  poisoned:
    title: Poisoned
    use: Takes packages from a folder of the workspace
    flavor: std-2x8
    environment: {PYTHONPATH: lib}
"""
DISK_BYTES = 96 * 2**20


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("safe")
    profiles = folder / "profiles.yaml"
    profiles.write_text(SHIPPED.read_text() + POISONED)
    made = Product(folder / "state")
    made.start("--profiles", str(profiles))
    yield made
    made.stop()


class Own:
    """One notebook of a person of its own."""

    def __init__(self, product: Product, user: str, profile: str = "notebook-cpu-small") -> None:
        self.product, self.person = product, product.add_user(user)
        body = {"name": "Work", "profile": profile, "start": False}
        answer = self.person.api("/notebooks", "POST", body, base=API)
        assert answer.status == 201, answer.text
        self.path = f"/notebooks/{user}/work"

    def told(self) -> dict[str, Any]:
        return dict(self.person.api(self.path, base=API).json())

    @property
    def files(self) -> Path:
        return self.product.state / "volumes" / self.told()["id"] / "files"

    def asked(self, action: str, **body: Any) -> None:
        answer = self.person.api(f"{self.path}/{action}", "POST", body, base=API)
        assert answer.status == 202, answer.text

    def until(self, *states: str, seconds: float = 120) -> dict[str, Any]:
        until(lambda: self.told()["state"] in states, seconds, 0.3, f"{states}")
        return self.told()

    def start(self, safe: bool = False) -> dict[str, Any]:
        self.asked("start", **({"safe": True} if safe else {}))
        told = self.until("RUNNING", "ERROR")
        if told["state"] == "RUNNING":
            until(lambda: (self.person.server("work") or {}).get("ready"), 60, what="the way to the server")
        return told

    def stop(self) -> None:
        self.asked("stop")
        self.until("STOPPED")

    def page(self) -> str:
        if not self.person._jar._cookies:  # type: ignore[attr-defined]
            self.person.log_in()
        return self.person.ask(f"/services/notebooks/n/{self.person.name}/work").text

    async def works_safely(self) -> str:
        """An editor, a kernel, the files, and nothing of the user's in between; the warnings that are told."""
        told = self.told()
        assert told["state"] == "RUNNING" and told["safe_mode"], told
        base = self.person.base("work")
        assert self.person.api("lab", base=base).status == 200
        listed = self.person.api("api/contents", base=base).json()
        assert any(one["name"] == "mine.txt" for one in listed["content"]), listed
        kernels = self.person.api("api/kernelspecs", base=base).json()["kernelspecs"]
        assert all(str(self.files) not in str(one) for one in kernels.values()), kernels
        said = await self.person.run(
            "import os, sys; print(sys.executable, os.environ['HOME'], sys.flags.no_user_site)",
            "work",
            "python3",
        )
        assert str(self.files) not in said and said.split()[2] == "1", said
        warnings = " ".join(told["warnings"])
        assert warnings.startswith("Safe mode"), warnings
        print("told:", told["warnings"])
        return warnings


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


async def prepared(product: Product, user: str, profile: str = "notebook-cpu-small") -> Own:
    """A notebook that ran once and has a file of its user."""
    own = Own(product, user, profile)
    assert own.start()["state"] == "RUNNING"
    write(own.files / "mine.txt", "mine")
    own.stop()
    return own


async def test_after_a_broken_server_configuration(product: Product) -> None:
    own = await prepared(product, "conny")
    config = own.files / ".jupyter" / "jupyter_server_config.py"
    write(config, "c.ServerApp.port_retries = 'as many as it takes'\n")
    failed = own.start()
    assert (failed["state"], failed["sub_state"]) == ("ERROR", "did not start"), failed
    assert "Start in safe mode" in own.page() and "says what to remove" in own.page()
    own.start(safe=True)
    assert ".jupyter/jupyter_server_config.py" in await own.works_safely()
    config.unlink()
    own.stop()
    assert own.start()["state"] == "RUNNING" and not own.told()["safe_mode"]
    own.stop()


async def test_after_a_poisoned_pythonpath(product: Product) -> None:
    own = await prepared(product, "paul", "poisoned")
    write(own.files / "lib" / "jupyter_server" / "__init__.py", "raise ImportError('poisoned')\n")
    failed = own.start()
    assert (failed["state"], failed["sub_state"]) == ("ERROR", "did not start"), failed
    assert "Start in safe mode" in own.page()
    own.start(safe=True)
    assert "PYTHONPATH is set to lib" in await own.works_safely()
    shutil.rmtree(own.files / "lib" / "jupyter_server")
    own.stop()
    assert own.start()["state"] == "RUNNING"
    own.stop()


async def test_with_a_kernel_that_loops(product: Product) -> None:
    own = await prepared(product, "lilo")
    folder = own.files / ".local/share/jupyter/kernels/mine"
    loops = '{"argv": ["/bin/sh", "-c", "while :; do sleep 1; done"], "display_name": "Mine", "language": "python"}'
    write(folder / "kernel.json", loops)
    own.start()
    base = own.person.base("work")
    made = own.person.api("api/kernels", "POST", {"name": "mine"}, base=base).json()
    assert own.person.api(f"api/kernels/{made['id']}", base=base).json()["execution_state"] == "starting"
    own.stop()
    own.start(safe=True)
    assert ".local/share/jupyter/kernels/mine" in await own.works_safely()
    own.stop()


@contextlib.contextmanager
def on_a_small_disk(volume: Path, disk: Path) -> Iterator[None]:
    """The volume lies on a file system of its own that can be filled; only root may mount one."""
    if os.geteuid():
        pytest.skip("mounting a small file system needs root")
    disk.mkdir()
    made = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", str(disk)]
    done = subprocess.run(made, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        for entry in volume.iterdir():
            subprocess.run(["mv", str(entry), str(disk)], check=True)
        subprocess.run(["mount", "--bind", str(disk), str(volume)], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(volume)])
        subprocess.run(["umount", "-l", str(disk)], check=True)


def filled(path: Path) -> None:
    """Writes until the disk takes no more."""
    path.parent.mkdir(parents=True)
    with path.open("wb", buffering=0) as full, pytest.raises(OSError, match="No space left"):
        while True:
            full.write(bytes(2**16))


async def test_after_a_full_disk(product: Product, tmp_path: Path) -> None:
    own = await prepared(product, "dina")
    with on_a_small_disk(own.files.parent, tmp_path / "disk"):
        cache = own.files / ".cache" / "huggingface" / "model.bin"
        filled(cache)
        met = own.start()
        print("started as always:", met["state"], met["sub_state"], met["sentence"], met["warnings"])
        if met["state"] == "RUNNING":
            own.asked("save")
            until(lambda: "start it in safe mode" in " ".join(own.told()["warnings"]), 60, what="the offer")
            print("told:", own.told()["warnings"])
            own.stop()
        else:
            assert "Start in safe mode" in own.page()
        own.start(safe=True)
        warnings = await own.works_safely()
        assert "No space is left" in warnings and ".cache/huggingface" in warnings, warnings
        gone = own.person.api(
            "api/contents/.cache/huggingface/model.bin", "DELETE", base=own.person.base("work")
        )
        assert gone.status == 204 and not cache.exists(), gone.text  # in the editor, with no space at all
        own.stop()
        assert own.start()["state"] == "RUNNING"
        own.stop()
