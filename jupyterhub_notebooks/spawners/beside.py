"""The second container of a notebook whose image knows nothing of us (`agent: beside`): what it is made of.

The agent's container comes first: it restores, stands in front of the server, and saves. The notebook's own container
joins its network and its table of processes, and has the same files; it is given no token. As both have one user, what
runs in it can read those of its own session from the agent's process, as a kernel can where the agent is inside. What the
profile gives is the notebook's; the agent's container has limits of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import docker
from docker.types import Mount

from ..ledger import Session
from ..profiles.choosing import Launch
from . import engine
from .backend import volume_key_of
from .foreign import FRONT as FRONT
from .foreign import PATH as PATH
from .foreign import PORT as PORT
from .foreign import URL as URL
from .foreign import command

#: For the engine's saves and what stands in front of the server.
MEMORY_BYTES, CPUS = 10**9, 1.0
USER = "1000:1000"
CPU_PERIOD = 100_000


def name_of(session: str) -> str:
    """The name of the notebook's own container; the agent's has the session's."""
    return f"{engine.container_of(session)}-server"


def container(
    client: docker.APIClient,
    session: Session,
    launch: Launch,
    workspace: str,
    base: str,
    walled: tuple[str, Mapping[str, str]],
) -> dict[str, Any]:
    """Arguments of docker-py's create_container. workspace: where the files lie. base: the notebook's path at the Hub.
    walled: the container whose network it joins, and the variables of that network."""
    resources = launch.resources
    files = engine.volumes_of(volume_key_of(session, engine.VOLUME))["files"]
    limits = engine.host_config(launch) | {
        "network_mode": f"container:{walled[0]}",
        "pid_mode": f"container:{engine.container_of(session.id)}",
        "mem_limit": resources.memory_bytes,
        "cpu_period": CPU_PERIOD,
        "cpu_quota": int(float(resources.cpu) * CPU_PERIOD),
        "read_only": False,  # what an image writes outside of its home is not known
        "mounts": [
            Mount(workspace, files, type="volume", no_copy=True)
        ],  # its owner stays as the agent made it
    }
    return {
        "image": launch.image,
        "name": name_of(session.id),
        "command": command(f"{base.rstrip('/')}/{PATH}/"),
        "user": USER,
        "working_dir": workspace,
        "environment": {
            **walled[1],
            **launch.environment,
            "HOME": workspace,
            "NOTEBOOK_SESSION_ID": session.id,
        },
        "labels": engine.labels_of(session.notebook, session.id, launch),
        "host_config": client.create_host_config(**limits),
    }
