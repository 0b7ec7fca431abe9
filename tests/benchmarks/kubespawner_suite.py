"""KubeSpawner's own tests, with its class and with ours in its place: what passes, what differs.

    python -m tests.benchmarks.kubespawner_suite FOLDER

FOLDER: a checkout of jupyterhub/kubespawner of the release that setup.cfg pins; its package holds no tests. Those of its tests
that start pods of images from a public registry for a Hub without our services are skipped with both classes: what they look at,
tests/spawners/kube shows on a real cluster. Needs the package `kubernetes`, which only those tests import.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.cluster.keys import Keys

from .dockerspawner_suite import outcomes

ROOT = Path(__file__).parents[2]
TESTS = (
    "test_spawner.py",
    "test_profile.py",
    "test_objects.py",
    "test_slugs.py",
    "test_utils.py",
    "test_clients.py",
)


def suite(tests: Path, ours: bool) -> dict[str, tuple[str, str]]:
    """Its tests once. tests: the folder of them."""
    with tempfile.TemporaryDirectory(prefix="kubespawner-") as made:
        shutil.copytree(tests, Path(made) / "tests")
        scopes = "".join(f"asyncio_default_{what}_loop_scope = session\n" for what in ("fixture", "test"))
        (Path(made) / "pytest.ini").write_text(f"[pytest]\nasyncio_mode = auto\n{scopes}")
        keys = Keys.new(Path(made) / "keys")
        keys.sign("nobody", "nobody")
        nowhere = keys.kubeconfig("nobody", "https://127.0.0.1:9")  # no cluster: what asks one is skipped
        report = Path(made) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", f"--junit-xml={report}"]
        command += ["-p", "tests.benchmarks.kubespawner_ours"] if ours else []
        command += [f"tests/{name}" for name in TESTS]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        environment = {**os.environ, "KUBECONFIG": str(nowhere), "PYTHONPATH": path}
        subprocess.run(command, cwd=made, env=environment, stdin=subprocess.DEVNULL)
        return outcomes(report)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="a checkout of jupyterhub/kubespawner")
    tests = parser.parse_args().folder / "tests"
    if not (tests / "test_spawner.py").is_file():
        sys.exit(f"{tests} has no test_spawner.py: name a checkout of jupyterhub/kubespawner")
    theirs, ours = suite(tests, ours=False), suite(tests, ours=True)
    print(f"\n{'test':<70} {'KubeSpawner':<14} ours")
    for name in sorted({*theirs, *ours}):
        (kind, said), (other, _) = ours.get(name, ("not run", "")), theirs.get(name, ("not run", ""))
        if kind != other or kind == "failed":
            print(f"{name[:69]:<70} {other:<14} {kind}   {said}")
    for what, found in (("KubeSpawner", theirs), ("ours", ours)):
        kinds = [kind for kind, _ in found.values()]
        told = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("passed", "failed", "skipped"))
        print(f"{what}: {told} of {len(kinds)}")


if __name__ == "__main__":
    main()
