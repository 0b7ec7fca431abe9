"""DockerSpawner's own tests, with its class and with ours in its place, on a real engine: what passes, what differs.

    python -m tests.benchmarks.dockerspawner_suite FOLDER

FOLDER: a checkout of jupyterhub/dockerspawner of the release that setup.cfg pins; its package holds no tests. Where no registry is
reached, our notebook-base stands for the images that the tests name; the one test that must fetch an image then fails with both.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import jupyterhub

from jupyterhub_notebooks.cli import tools
from tests import docker_engine

ROOT = Path(__file__).parents[2]
TESTS = ("test_dockerspawner.py", "volumes_test.py", "test_deprecations.py")
STANDS_FOR = (
    f"quay.io/jupyterhub/singleuser:{jupyterhub.__version__}",
    f"quay.io/jupyterhub/singleuser:{'.'.join(jupyterhub.__version__.split('.')[:2])}",
    "quay.io/jupyterhub/singleuser:4",
    "quay.io/jupyterhub/singleuser:4.0",
    "quay.io/jupyterhub/singleuser:3.0",
    "busybox:1.29.1",
)


def outcomes(report: Path) -> dict[str, tuple[str, str]]:
    """test -> (outcome, what it said), from a JUnit report."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        wrong = next((part for part in case if part.tag in ("failure", "error", "skipped")), None)
        kind = "passed" if wrong is None else {"skipped": "skipped"}.get(wrong.tag, "failed")
        said = (wrong.get("message") or "").strip().splitlines()[:1] if wrong is not None else []
        found[f"{case.get('classname', '').split('.')[-1]}::{case.get('name')}"] = kind, "".join(said)[:150]
    return found


def suite(tests: Path, engine: docker_engine.Engine, host: str, ours: bool) -> dict[str, tuple[str, str]]:
    """Its tests once. tests: the folder of them."""
    with tempfile.TemporaryDirectory(prefix="dockerspawner-") as made:
        shutil.copytree(tests, Path(made) / "tests")
        (Path(made) / "pytest.ini").write_text(
            "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = module\n"
            "asyncio_default_test_loop_scope = module\n"
        )
        found = tools.ensure(print)
        proxy = Path(made) / "bin" / "configurable-http-proxy"
        proxy.parent.mkdir()
        proxy.write_text(f'#!/bin/sh\nexec {found.node} {found.proxy} "$@"\n')
        proxy.chmod(0o755)
        report = Path(made) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", f"--junit-xml={report}"]
        command += ["-p", "tests.benchmarks.dockerspawner_ours"] if ours else []
        command += [f"tests/{name}" for name in TESTS]
        subprocess.run(
            command,
            cwd=made,
            env={
                **os.environ,
                "DOCKER_HOST": engine.url,
                "HUB_CONNECT_IP": host,
                "PYTHONPATH": str(ROOT),
                "PATH": f"{proxy.parent}{os.pathsep}{os.environ.get('PATH', '')}",
            },
            stdin=subprocess.DEVNULL,
        )
        return outcomes(report)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="a checkout of jupyterhub/dockerspawner")
    tests = parser.parse_args().folder / "tests"
    if not (tests / "test_dockerspawner.py").is_file():
        sys.exit(f"{tests} has no test_dockerspawner.py: name a checkout of jupyterhub/dockerspawner")
    with docker_engine.running() as engine:
        image = engine.client.images.get(docker_engine.image(engine, "notebook-base"))
        for name in STANDS_FOR:
            image.tag(*name.rsplit(":", 1))
        bridge = engine.client.networks.get("bridge")
        host = str(ipaddress.ip_address(bridge.attrs["IPAM"]["Config"][0]["Gateway"]))
        try:
            theirs = suite(tests, engine, host, ours=False)
            ours = suite(tests, engine, host, ours=True)
        finally:
            for name in STANDS_FOR:
                engine.run("rmi", name, check=False)
    print(f"\n{'test':<70} {'DockerSpawner':<14} ours")
    for name in sorted({*theirs, *ours}):
        kind, said = ours.get(name, ("not run", ""))
        other = theirs.get(name, ("not run", ""))[0]
        print(
            f"{name[:69]:<70} {other:<14} {kind}"
            + (f"   {said}" if kind != other or kind == "failed" else "")
        )
    for what, found in (("DockerSpawner", theirs), ("ours", ours)):
        kinds = [kind for kind, _ in found.values()]
        print(f"{what}: {kinds.count('passed')} passed, {kinds.count('failed')} failed of {len(kinds)}")


if __name__ == "__main__":
    main()
