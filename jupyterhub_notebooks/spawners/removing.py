"""Removes what an engine keeps of notebooks that are gone: ``python -m jupyterhub_notebooks.spawners.removing NOTEBOOK``.

services/janitor runs it, because only spawners know Docker. Promises: volumes with the notebook's id as their label are
removed and nothing else; that none is there is no error. Exit status 0: nothing of it is left on the engine; 1: standard
error says in one line why something is.
"""

from __future__ import annotations

import sys

import docker
import docker.errors

from ..names import is_id
from .engine import LABEL

ENGINE_SECONDS = 60


def remove_volumes(client: docker.DockerClient, notebook: str) -> int:
    """How many there were. Raises DockerException, also where a container still has one of them."""
    found = client.volumes.list(filters={"label": f"{LABEL}notebook={notebook}"})
    for volume in found:
        volume.remove()
    return len(found)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not is_id(arguments[0]):
        print("Name one notebook by its id", file=sys.stderr)
        return 2
    try:
        client = docker.DockerClient.from_env(timeout=ENGINE_SECONDS)
        try:
            remove_volumes(client, arguments[0])
        finally:
            client.close()
    except docker.errors.APIError as error:
        print(f"Docker keeps its volumes: {error.explanation or error}", file=sys.stderr)
        return 1
    except (docker.errors.DockerException, OSError) as error:
        print(f"Docker does not answer: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
