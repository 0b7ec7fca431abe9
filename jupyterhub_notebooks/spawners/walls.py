"""The walls of a notebook whose profile has a rule for the network: a container that holds its network, made from that rule.

Promises: the rules are set before anything of the notebook runs, in a network of the notebook's own, by a container that the
notebook cannot reach into (images/notebook-egress); without them nothing starts. The notebook reaches the Hub, services/agents,
its storage and the internal networks directly, the listed hosts through the proxy in that network, and nothing else.
Pure, but for ``container``, which asks docker-py for its form of limits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import docker

from ..ledger import Session
from ..profiles.choosing import Launch
from ..profiles.egress import rule_of
from ..settings import Settings
from . import engine
from .refusing import NotStarted

#: As in images/notebook-egress/rules.py.
PROXY = "http://127.0.0.1:3128"
LABEL = "org.jupyterhub.notebooks.egress"
VARIABLE = "NOTEBOOK_EGRESS"
READY = "ready"
MEMORY_BYTES, PROCESSES = 256 * 10**6, 128
CAPABILITIES = ("NET_ADMIN", "SETUID", "SETGID", "KILL")
#: Of an administrator's own options for containers: these belong to whoever holds the network.
OF_NETWORK = ("extra_hosts", "dns", "dns_opt", "dns_search")


def holds(session: Session) -> bool:
    """Whether a session has walls."""
    return rule_of(Launch.from_json(session.launch)) is not None


def name_of(session: str) -> str:
    """The name of the container that holds the network; the notebook's has the session's."""
    return f"{engine.container_of(session)}-network"


def given(settings: Settings, launch: Launch, addresses: Iterable[str]) -> dict[str, Any]:
    """What the walls are made from. addresses: URLs that notebooks reach directly, the Hub's and services/agents'."""
    rule = rule_of(launch)
    assert rule is not None
    direct = [*map(_place, addresses), *settings.store_hosts]
    return {
        "direct": list(dict.fromkeys(direct)),
        "networks": list(settings.internal_networks),
        "hosts": list(rule.hosts),
        "title": launch.title,
        "contact": settings.contact,
        "mirror": mirror(launch.environment),
    }


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def mirror(environment: Mapping[str, str]) -> str:
    """The host that packages come from, where the profile names one for pip; else ''."""
    return urlsplit(environment.get("PIP_INDEX_URL", "")).hostname or ""


def led(variables: Mapping[str, str], told: Mapping[str, Any]) -> dict[str, str]:
    """Variables of a notebook, with those that lead its programs to the proxy, and past it where they need none."""
    past = ["localhost", "127.0.0.1", "::1"]
    past += [place.rpartition(":")[0] for place in told["direct"]] + list(told["networks"])
    proxy = {"http_proxy": PROXY, "https_proxy": PROXY, "no_proxy": ",".join(dict.fromkeys(past))}
    # A refusal is an answer: asking five times, as pip does, only hides it.
    return {
        "PIP_RETRIES": "1",
        **variables,
        **proxy,
        **{name.upper(): value for name, value in proxy.items()},
    }


def container(
    client: docker.APIClient,
    image: str,
    session: Session,
    launch: Launch,
    network: str,
    told: Mapping[str, Any],
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """Arguments of docker-py's create_container. more: the administrator's options of the network."""
    limits: dict[str, Any] = {
        "network_mode": network,
        "cap_drop": ["ALL"],
        "cap_add": list(CAPABILITIES),
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": PROCESSES,
        "mem_limit": MEMORY_BYTES,
        "tmpfs": {"/run": "mode=755", "/tmp": ""},
        **more,
    }
    return {
        "image": image,
        "name": name_of(session.id),
        "user": "0:0",
        "environment": {VARIABLE: json.dumps(told)},
        "labels": engine.labels_of(session.notebook, session.id, launch),
        "host_config": client.create_host_config(**limits),
    }


def without_walls(image: str, contact: str) -> NotStarted:
    """The image for the network is another one."""
    return NotStarted(
        f"The image {image} cannot restrict a network",
        "This profile has a rule for the network, which that image enforces",
        (
            f"Ask {contact} to build notebook-egress, or to name it in c.DockerNotebookSpawner.egress_image",
            "Choose another profile",
        ),
        cause="image_without_agent",
    )


def as_root(image: str, contact: str) -> NotStarted:
    """An image whose user is root: in the rules, root is the engine itself."""
    return NotStarted(
        f"The image {image} runs as root",
        "A profile with a rule for the network needs an image with a user of its own",
        (f"Ask {contact} to add a line USER with a number above 0 to the image", "Choose another profile"),
        cause="image_without_agent",
    )


def is_root(user: str) -> bool:
    """Whether an image's user, as the engine has it, is root."""
    return user.partition(":")[0] in ("", "root", "0")


def not_set(said: str, contact: str) -> NotStarted:
    """The rules could not be set. said: the last that the container wrote."""
    return NotStarted(
        "The network of this notebook could not be restricted",
        said or "Its container ended without a word",
        ("Start it again", f"Ask {contact}"),
    )
