"""How a notebook is started, watched and ended: one algorithm (base), and what each backend adds to it (local, docker, kube).

The entry point of a backend is its name here: the Hub asks for it once it has read its configuration, and
then the Hub is looked at (checking).
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "LocalNotebookSpawner":
        from .local import LocalNotebookSpawner as found
    elif name == "DockerNotebookSpawner":
        from .docker import DockerNotebookSpawner as found
    elif name == "KubeNotebookSpawner":
        from .kube import KubeNotebookSpawner as found
    else:
        raise AttributeError(name)
    from .checking import at_hub_start

    at_hub_start(found)
    return found
