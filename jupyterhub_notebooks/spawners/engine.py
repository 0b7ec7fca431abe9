"""What Docker says, in words; and what a container is given, from a launch. Pure functions.

The words of the engine come from running Docker 20.10 into each of these; a sentence that none of them knows is
shown as the engine wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import messages
from ..errors import NoSpace, NotebooksError
from ..profiles.choosing import Launch
from ..units import show_size
from .refusing import NotStarted

AGENT_LABEL = "org.jupyterhub.notebooks.agent"
#: On containers and volumes; a value is an id or a profile's name, never what a user spelled.
LABEL = "org.jupyterhub.notebooks."
PROCESSES = 4096
#: Before the names of volumes in the ledger.
VOLUME = "docker:"


def volumes_of(notebook: str) -> dict[str, str]:
    """Names of the two volumes of a notebook: its files, and what this engine knows of them."""
    return {"files": f"nb-{notebook.lower()}-files", "state": f"nb-{notebook.lower()}-state"}


def container_of(session: str) -> str:
    """The name of a session's container."""
    return f"nb-{session.lower()}"


def host_config(launch: Launch) -> dict[str, Any]:
    """Limits and walls of a container, as docker-py's create_host_config takes them."""
    resources = launch.resources
    made: dict[str, Any] = {
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": PROCESSES,
        "read_only": True,
    }
    if resources.memory_bytes:
        made["memswap_limit"] = resources.memory_bytes  # without it as much again may go to swap
        made["mem_swappiness"] = 0
    if resources.gpu is not None:
        made["device_requests"] = [
            {
                "Driver": "",
                "Count": resources.gpu.count,
                "DeviceIDs": None,
                "Capabilities": [["gpu"]],
                "Options": {},
            }
        ]
    return made


def labels_of(notebook: str, session: str, launch: Launch) -> dict[str, str]:
    """Labels of a session's container."""
    return {
        f"{LABEL}notebook": notebook,
        f"{LABEL}session": session,
        f"{LABEL}profile": launch.profile,
        f"{LABEL}flavor": launch.flavor,
    }


@dataclass(frozen=True)
class _Words:
    """What an answer of the engine means. said: a pattern of it, small letters. In the texts {image} is the image, and {said}
    the engine's own words; next: what comes before asking."""

    said: str
    title: str
    why: str = "{said}"
    next: tuple[str, ...] = ("Start it again",)
    cause: str = ""


#: The first that fits is told.
_TOLD = (
    _Words(
        "could not select device driver",
        "This machine has no GPU that notebooks can use",
        "Docker has no driver for it: NVIDIA's container toolkit is missing",
        ("Choose a profile without a GPU",),
        "no_gpu",
    ),
    _Words(
        "unauthorized|authentication required|no basic auth credentials",
        "The image {image} could not be fetched",
        "Its registry wants a login that this Hub has not, or that has ended",
        (),
        "image_login",
    ),
    _Words(
        "(?=.*denied).*pull access",
        "The image {image} could not be fetched",
        "Its registry does not have it, or wants a login that this Hub has not",
        (),
        "image_missing",
    ),
    _Words(
        "manifest unknown|(?=.*not found).*manifest|no such image",
        messages.MESSAGES["image missing"].title,
        messages.MESSAGES["image missing"].why,
        messages.MESSAGES["image missing"].next[:1],
        "image_missing",
    ),
    _Words(
        "dial tcp|no such host|i/o timeout|connection refused|tls handshake|x509",
        "The image {image} could not be fetched",
        "Its registry cannot be reached: {said}",
        ("Start it again in a moment",),
        "registry_away",
    ),
    _Words(
        "port is already allocated|address already in use",
        "The notebook's port is taken on this machine",
        cause="port_taken",
    ),
    _Words(
        "is already in use by container", "A container of this notebook is still there", cause="name_taken"
    ),
    _Words(
        "executable file not found|(?=.*no such file or directory).*exec",
        "The image {image} cannot run a notebook",
        "A program is missing in it: {said}",
        ("Choose another profile",),
        "image_without_agent",
    ),
    _Words("", "The notebook's container could not be started"),
)


def told(said: str, image: str, contact: str) -> NotebooksError:
    """An answer of the engine to a start, as a reason and what to do next. said: its message."""
    ask, low = f"Ask {contact}", " ".join(said.lower().split())
    if "no space left on device" in low:
        return NoSpace("The disk of this machine is full", "Docker could not write to it", [ask])
    words = next(one for one in _TOLD if re.search(one.said, low))
    filled = {"image": image, "said": _short(said)}
    return NotStarted(
        words.title.format(**filled), words.why.format(**filled), (*words.next, ask), cause=words.cause
    )


def without_agent(image: str, agent: str, contact: str) -> NotStarted:
    """An image that knows nothing of us, where our agent is to be in it. agent: what the profile says, inside or beside."""
    if agent == "beside":
        why = "Notebooks with `agent: beside` are saved by it"
        remedy = "to build notebook-base, or to name it in c.DockerNotebookSpawner.agent_image"
    else:
        why = "The profile says that it is inside; without it nothing would be saved"
        remedy = "to build the image on notebook-base, or to set `agent: beside` in the profile"
    return NotStarted(
        f"The image {image} has no notebook agent",
        why,
        (f"Ask {contact} {remedy}",),
        cause="image_without_agent",
    )


def too_old(image: str, has: str, wants: str, contact: str) -> NotStarted:
    """An image with an agent that this Hub does not serve."""
    return NotStarted(
        f"The image {image} has an agent that this Hub does not know",
        f"It has version {has}; this Hub starts {wants} and the one before it",
        (f"Ask {contact} to build the image anew",),
        cause="agent_too_old",
    )


def serves(has: str, own: str) -> bool:
    """Whether a Hub of version own starts an agent of version has: the same X.Y, or the Y before it."""
    try:
        theirs, ours = [[int(part) for part in one.split(".")[:2]] for one in (has, own)]
    except ValueError:
        return False
    return len(theirs) == 2 and theirs[0] == ours[0] and 0 <= ours[1] - theirs[1] <= 1


def out_of_memory(limit: int, peak: int | None) -> str:
    """The sentence of a container that was ended because its memory was full. Sizes in bytes; peak None: not known."""
    used = f"It used {show_size(peak)} of" if peak else "It used all of"
    return (
        f"{used} the {show_size(limit)} that its profile gives it."
        if limit
        else "The machine's memory was full."
    )


def ended_with(status: int) -> str:
    """The sentence of a container that ended without a word, by its exit status."""
    if status == 137:
        return "Its container was killed from outside, or with the engine or the machine."
    return f"Its container ended with exit status {status}."


class Layers:
    """How much of an image has come, from the lines of a pull. Sizes in bytes, compressed, as they come."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}
        self._total: dict[str, int] = {}
        self.error = ""

    def take(self, line: Mapping[str, Any]) -> None:
        """One line of the engine's stream."""
        if line.get("error"):
            self.error = str(line["error"])
        layer, detail = str(line.get("id", "")), line.get("progressDetail") or {}
        if line.get("status") == "Downloading" and detail.get("total"):
            self._total[layer] = int(detail["total"])
            self._done[layer] = int(detail.get("current", 0))
        elif line.get("status") in ("Download complete", "Pull complete") and layer in self._total:
            self._done[layer] = self._total[layer]

    @property
    def done_bytes(self) -> int:
        return sum(self._done.values())

    @property
    def total_bytes(self) -> int:
        return sum(self._total.values())


def _short(said: str) -> str:
    return " ".join(said.split())[:300].rstrip(". ")
