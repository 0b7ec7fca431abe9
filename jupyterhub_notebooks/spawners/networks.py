"""The bridge that notebooks' containers are on: made once, and this machine's address on it.

Promises: on a network that we make notebooks do not see one another; one that is there is taken as it is.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from typing import Any

import docker
import docker.errors
from docker.types import IPAMConfig, IPAMPool

from ..errors import ConfigError
from .engine import LABEL

ENGINE_SECONDS = 30


def bridge_without_neighbours(subnet: str = "") -> dict[str, Any]:
    """What Docker is told of a network on which containers reach the gateway and not one another.

    subnet: such as 172.30.0.0/16, where its addresses must be known beforehand; '': Docker chooses.
    """
    known = {"ipam": IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)])} if subnet else {}
    return {
        **known,
        "driver": "bridge",
        "options": {"com.docker.network.bridge.enable_icc": "false"},
        "labels": {f"{LABEL}network": "1"},
        "check_duplicate": True,
    }


def notebooks_gateway(name: str, subnet: str = "") -> str:
    """This machine's address on that network, which is made where it is not there. Raises ConfigError.

    Called from a jupyterhub_config.py: Hub and services/agents listen there, so that containers reach them.
    """
    engine = os.environ.get("DOCKER_HOST", "the local engine")
    try:
        client = docker.DockerClient.from_env(timeout=ENGINE_SECONDS)
        try:
            found = client.networks.list(names=[name])
            exact = next((one for one in found if one.name == name), None)
            network = exact or client.networks.create(name, **bridge_without_neighbours(subnet))
            network.reload()
        finally:
            client.close()
    except (docker.errors.DockerException, OSError) as error:
        raise ConfigError(
            f"Docker does not answer at {engine}",
            str(error),
            ["Start Docker, and let the account that runs the Hub use it: `docker info` must work"],
            field="DOCKER_HOST",
        ) from None
    for one in network.attrs.get("IPAM", {}).get("Config") or []:
        if "Gateway" in one:
            return str(ipaddress.ip_interface(one["Gateway"]).ip)
    raise ConfigError(
        f"The network {name} has no address of this machine",
        "Hub and services/agents could not be reached from it",
        [f"Remove it with `docker network rm {name}`: it is made anew"],
        field=name,
    )


def main(arguments: list[str]) -> int:
    """``python -m jupyterhub_notebooks.spawners.networks NAME [SUBNET]``: makes the network where it is not there, and
    prints this machine's address on it. Exit status 0, or that of the error that is printed."""
    import click

    from ..errors import NotebooksError

    try:
        click.echo(notebooks_gateway(arguments[0], arguments[1] if len(arguments) > 1 else ""))
        return 0
    except NotebooksError as error:
        click.echo(error.sentence(), err=True)
        return error.exit_code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
