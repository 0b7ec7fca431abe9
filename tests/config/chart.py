"""zero-to-jupyterhub's chart for tests: from its public repository at one commit, never in ours; rendered by Helm.

``NOTEBOOKS_TEST_CHART`` names a folder with the chart where the repository is not to be reached.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.tools import prepare

REPOSITORY = "https://github.com/jupyterhub/zero-to-jupyterhub-k8s"
COMMIT = "48ea50e34daddde55d76e30df6ecd47e4abd4d8e"


def chart(folder: Path) -> Path:
    """A copy of the chart with its schema as Helm reads it. Raises prepare.Missing."""
    given = os.environ.get("NOTEBOOKS_TEST_CHART")
    made = folder / "jupyterhub"
    shutil.copytree(Path(given) if given else _fetched() / "jupyterhub", made)
    schema = YAML(typ="safe").load(made / "values.schema.yaml")
    (made / "values.schema.json").write_text(json.dumps(schema))
    return made


def _fetched() -> Path:
    place = prepare.cache() / f"zero-to-jupyterhub-{COMMIT[:12]}"
    if not place.exists():
        part = place.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        for command in (
            ["git", "init", "-q", str(part)],
            ["git", "-C", str(part), "fetch", "-q", "--depth", "1", REPOSITORY, COMMIT],
            ["git", "-C", str(part), "checkout", "-q", "FETCH_HEAD"],
        ):
            prepare._run(
                command,
                "The chart was not fetched; NOTEBOOKS_TEST_CHART names a folder with it",
                dict(os.environ),
            )
        part.rename(place)
    return place


def rendered(chart: Path, namespace: str, *values: Path) -> list[dict[str, Any]]:
    """The objects that Helm would apply. Raises AssertionError with its words, such as of values that the schema refuses."""
    command = [
        prepare.helm(),
        "template",
        "hub",
        str(chart),
        "--namespace",
        namespace,
        "--kube-version",
        "1.34.4",
    ]
    for one in values:
        command += ["--values", str(one)]
    own = {
        **os.environ,
        "HELM_CACHE_HOME": str(chart.parent / "helm"),
        "HELM_CONFIG_HOME": str(chart.parent / "helm"),
    }
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=own)
    assert done.returncode == 0, done.stderr
    return [dict(one) for one in YAML(typ="safe").load_all(done.stdout) if one]
