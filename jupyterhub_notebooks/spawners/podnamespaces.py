"""In which namespaces notebooks are, and from which the claims of those that are deleted for good are removed."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ConfigError

#: Before a namespace in Settings.volumes.
VOLUMES = "kubernetes:"
#: In the place of a namespace.
EVERYWHERE = "*"
#: Where a pod finds the namespace that it runs in.
IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
#: Which namespace the notebooks are in, where it is another.
VARIABLE = "NOTEBOOKS_NAMESPACE"


def own() -> str:
    """The one that this process's pod runs in; '' outside of a cluster."""
    return IN_POD.read_text().strip() if IN_POD.exists() else ""


def usual() -> str:
    """From which claims are removed if Settings.volumes names none; '' where the configuration of kubectl says it."""
    return os.environ.get(VARIABLE) or own()


def wrong(removed_from: str, notebooks_in: str, one_each: bool) -> ConfigError | None:
    """Why claims would stay though nobody is told. Pure. removed_from, notebooks_in: a namespace, '' where it is not known.
    one_each: each user has a namespace of their own."""
    if removed_from == EVERYWHERE:
        return None
    if one_each:
        return ConfigError(
            "Claims of notebooks that are deleted for good would stay",
            "Each user has a namespace, and claims are removed from one",
            [
                f'Write volumes="{VOLUMES}{EVERYWHERE}" in notebooks(c, …), and let the Hub list and delete claims everywhere',
                'Write volumes="" there to keep them',
            ],
            field="c.KubeSpawner.enable_user_namespaces",
        )
    if not removed_from or not notebooks_in or removed_from == notebooks_in:
        return None
    return ConfigError(
        "Claims of notebooks that are deleted for good would stay",
        f"Notebooks are in the namespace {notebooks_in}, and claims are removed from {removed_from}",
        [f'Write volumes="{VOLUMES}{notebooks_in}" in notebooks(c, …)'],
        field="volumes",
    )
