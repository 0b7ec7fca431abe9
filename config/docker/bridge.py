"""The bridge that notebooks' containers are on: made where it is not there.

    python bridge.py NAME [SUBNET]

Prints this machine's address on it, on which Hub and services/agents listen, or says what is wrong and ends with 1.
Notebooks do not see one another on a bridge that is made here; one that is there is taken as it is. SUBNET, such as
172.30.0.0/16, where the address must be known beforehand; else Docker chooses.
"""

import ipaddress
import sys

import docker
import docker.errors
from docker.types import IPAMConfig, IPAMPool

ENGINE_SECONDS = 30


def gateway(name: str, subnet: str = "") -> str:
    """The address. Raises DockerException, OSError, LookupError."""
    client = docker.DockerClient.from_env(timeout=ENGINE_SECONDS)
    try:
        found = next((one for one in client.networks.list(names=[name]) if one.name == name), None)
        network = found or client.networks.create(
            name,
            driver="bridge",
            options={"com.docker.network.bridge.enable_icc": "false"},
            ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=subnet)]) if subnet else None,
        )
        network.reload()
    finally:
        client.close()
    for one in network.attrs.get("IPAM", {}).get("Config") or []:
        if "Gateway" in one:
            return str(ipaddress.ip_interface(one["Gateway"]).ip)
    raise LookupError(
        f"The network {name} has no address of this machine. Remove it with `docker network rm {name}`."
    )


if __name__ == "__main__":
    try:
        print(gateway(*sys.argv[1:]))
    except LookupError as error:
        sys.exit(str(error))
    except (docker.errors.DockerException, OSError) as error:
        sys.exit(
            f"Docker does not answer: {error}. `docker info` must work for the account that runs the Hub."
        )
