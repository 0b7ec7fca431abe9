"""What a notebook's pod is doing while it starts: whether that goes on, waits for something, or can never work. Pure.

Promises: a start that cannot work is named for its cause as soon as the cluster knows it, with what the cluster said as
evidence; what comes about by waiting (a place, a machine that is being started, a registry that limits downloads) is
waiting and never a failure at once; no word of the cluster's own stands in what a user reads.

Objects are dicts as the API's JSON. Status decides, because it lasts; events say earlier and more. The signals and their
words were recorded from Kubernetes 1.34 (tests/spawners/kube/recorded).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .. import messages
from . import podimages, podplaces
from .podwords import FAILS, GOING, MACHINE, PULL, SHORT, WAITS, Object, Told, last_line, quoted, short

__all__ = [
    "FAILS",
    "GOING",
    "MACHINE",
    "PULL",
    "SHORT",
    "WAITS",
    "Seen",
    "Told",
    "judge",
    "of_this_pod",
    "runs",
]

#: The notebook's own container.
NOTEBOOK = "notebook"


@dataclass(frozen=True)
class Seen:
    """What the cluster says of one start.

    pod: None where it is not there. events: of any age; those of an earlier pod of that name are left out here.
    claims: what the pod's claims are, by name, as far as they were asked for (None: there is none). claim_events: theirs.
    nodes: the machines, where this Hub may see them. scales: machines are started when places are missing.
    container: the one that the start waits for.
    """

    pod: Object | None
    events: Sequence[Object] = ()
    claims: Mapping[str, Object | None] = field(default_factory=dict)
    claim_events: Sequence[Object] = ()
    nodes: Sequence[Object] = ()
    scales: bool = False
    container: str = NOTEBOOK


def judge(seen: Seen, contact: str) -> Told:
    """What goes on. contact: whom a user asks."""
    pod = seen.pod
    if pod is None:
        return Told(GOING, "asked")
    events = of_this_pod(pod, seen.events)
    for step in (_removed, _rejected, _containers, _not_placed, _on_its_way):
        told = step(replace(seen, events=events), pod, contact)
        if told is not None:
            return told
    return Told(GOING, "running" if runs(pod, seen.container) else "creating")


def of_this_pod(pod: Object, events: Iterable[Object]) -> list[Object]:
    """The events of this pod and of no earlier one of its name, oldest first."""
    uid = pod["metadata"].get("uid")
    mine = [one for one in events if uid is None or (one.get("involvedObject") or {}).get("uid") == uid]
    return sorted(mine, key=_at)


def runs(pod: Object, container: str = NOTEBOOK) -> bool:
    """Whether a container of it runs, and it has an address."""
    states = {one["name"]: one.get("state") or {} for one in _statuses(pod)}
    return bool((pod.get("status") or {}).get("podIP")) and "running" in states.get(container, {})


def _at(event: Object) -> str:
    series = event.get("series") or {}
    found = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return str(found or event["metadata"].get("creationTimestamp") or "")


# -- the pod as a whole


def _removed(seen: Seen, pod: Object, contact: str) -> Told | None:
    if not pod["metadata"].get("deletionTimestamp"):
        return None
    from .podends import why_removed

    cause, sentence = why_removed(pod)
    return Told(
        FAILS, cause=cause or "killed", title="The start was ended from outside", why=sentence, next=("Start it again",)
    )  # fmt: skip


def _rejected(seen: Seen, pod: Object, contact: str) -> Told | None:
    """The machine did not take it, or ended it as a whole."""
    status = pod.get("status") or {}
    if status.get("phase") != "Failed" or not status.get("reason"):
        return None
    from .podends import death_of

    reason, said = str(status["reason"]), short(status.get("message", ""))
    evidence = ((f"status {reason}", said),)
    if reason.startswith("OutOf") or reason in ("NodeAffinity", "UnexpectedAdmissionError", "Preempting"):
        title, why = "The machine had no place any more", "Another start took it in the same moment"
        return Told(FAILS, "", "no_place", title, why, ("Start it again", f"Ask {contact}"), evidence)
    cause, sentence = death_of(pod)
    title = "The notebook was ended while it started"
    return Told(
        FAILS, "", cause or "ended_at_once", title, sentence, ("Start it again", f"Ask {contact}"), evidence
    )


# -- its containers


def _containers(seen: Seen, pod: Object, contact: str) -> Told | None:
    images = {one["name"]: one.get("image", "") for one in _specs(pod)}
    waits: Told | None = None
    for status in _statuses(pod):
        name = status["name"]
        state, last = status.get("state") or {}, status.get("lastState") or {}
        one = _Container(name, images.get(name, ""), contact)
        ended = state.get("terminated") or (last.get("terminated") if status.get("restartCount") else None)
        told = None
        if "waiting" in state:
            told = one.waiting(state["waiting"], ended)
        if told is None and ended is not None and (ended.get("exitCode") or name == seen.container):
            told = one.ended(ended)
        if told is not None and told.what == FAILS:
            return told
        waits = waits or told
    return waits


def _specs(pod: Object) -> Iterator[Object]:
    spec = pod.get("spec") or {}
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def _statuses(pod: Object) -> Iterator[Object]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


_IMAGE = ("ErrImagePull", "ImagePullBackOff")
_NO_PROGRAM = re.compile(
    r"no such file or directory|executable file not found|permission denied|exec format error"
)
_ABSENT = re.compile(
    r'(configmap|secret) "([^"]+)" not found|references non-existent (?:config|secret) key: ?(\S+)'
)
_NO_KEY = re.compile(r"couldn't find key (\S+) in (ConfigMap|Secret) (\S+)")


@dataclass(frozen=True)
class _Container:
    """One container's words."""

    name: str
    image: str
    contact: str

    @property
    def ask(self) -> str:
        return f"Ask {self.contact}"

    def waiting(self, state: Object, ended: Object | None) -> Told | None:
        """Of a container that is not there yet."""
        reason, said = state.get("reason", ""), str(state.get("message", ""))
        evidence = ((f"{self.name} {reason}", short(said)),)
        if reason in _IMAGE or reason == "RegistryUnavailable":
            return podimages.told(said, self.image, self.contact, evidence)
        if reason in (
            "InvalidImageName",
            "ErrImageNeverPull",
            "ImageInspectError",
            "SignatureValidationFailed",
        ):
            return podimages.refused(reason, said, self.image, self.contact, evidence)
        if reason == "CreateContainerConfigError":
            return self._configuration(said, evidence)
        if reason in ("CreateContainerError", "RunContainerError"):
            return self.not_started(said, evidence)
        if reason == "CrashLoopBackOff":
            told = self.ended(ended) if ended else self._ended(f"It ended {short(said)}", evidence)
            return replace(told, evidence=(*told.evidence, *evidence))
        return None

    def _configuration(self, said: str, evidence: tuple[tuple[str, str], ...]) -> Told:
        absent, key = _ABSENT.search(said), _NO_KEY.search(said)
        if absent and absent[1]:
            what = "The settings" if absent[1] == "configmap" else "The secret"
            why = f"{what} `{absent[2]}` that it takes values from {'do' if what[-1] == 's' else 'does'} not exist"
        elif key:
            why = f"`{key[3].rpartition('/')[2]}`, which it takes values from, has no key `{key[1]}`"
        elif "runAsNonRoot" in said or "non-root policy" in said:
            why = f"The image {self.image} wants to run as root, and this cluster does not let it"
            return Told(FAILS, "", "policy", "The profile cannot run here", why, self._other(), evidence)
        else:
            why = f"The machine answered: {short(said)}"
        return Told(FAILS, "", "config_missing", "The profile is not complete", why, self._other(), evidence)

    def not_started(self, said: str, evidence: tuple[tuple[str, str], ...]) -> Told:
        """The machine could not run the container's program."""
        if _NO_PROGRAM.search(said):
            program = re.search(r'exec: "([^"]+)"', said)
            what = f"`{program[1]}`" if program else "the program of a notebook"
            title, why = (
                f"The image {self.image} cannot run a notebook",
                f"It does not have {what}, or cannot run it",
            )
            return Told(FAILS, "", "image_without_agent", title, why, self._other(), evidence)
        title, why = "The notebook could not be set up on its machine", f"It answered: {short(said)}"
        return Told(
            WAITS, "creating", "not_created", title, why, ("Start it again", self.ask), evidence, SHORT
        )

    def ended(self, state: Object) -> Told:
        """Of a container that ended while the notebook started."""
        code, reason = state.get("exitCode"), str(state.get("reason") or "")
        said = str(state.get("message") or "").strip()
        evidence = ((f"{self.name} {reason}", f"exit status {code}" + (f": {short(said)}" if said else "")),)
        if reason in ("StartError", "ContainerCannotRun"):
            return self.not_started(said, evidence)
        if reason == "OOMKilled":
            title = "The notebook ran out of memory while it started"
            return Told(FAILS, "", "out_of_memory", title, "It wanted more than its profile gives", (
                "Start it with a larger profile", self.ask), evidence)  # fmt: skip
        return self._ended(
            f"It ended with exit status {code}" + (f": {last_line(said)}" if said else ""), evidence
        )

    def _ended(self, why: str, evidence: tuple[tuple[str, str], ...]) -> Told:
        steps = ("Start it again", "Start in safe mode", self.ask)
        return Told(FAILS, "", "ended_at_once", "The server ended at once", why, steps, evidence)

    def _other(self) -> tuple[str, ...]:
        return ("Choose another profile", f"{self.ask} to put the profile right")


# -- its place, and what it gets there


def _not_placed(seen: Seen, pod: Object, contact: str) -> Told | None:
    for one in (pod.get("status") or {}).get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            return podplaces.told(
                one, pod, seen.events, seen.claims, seen.claim_events, seen.nodes, seen.scales, contact
            )
    return None


_MOUNTS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")


def _on_its_way(seen: Seen, pod: Object, contact: str) -> Told | None:
    """It has a machine: is its volume attached, its image fetched? Only events say so."""
    if runs(pod, seen.container):
        return None
    lost = _machine_away(seen, pod, contact)
    if lost is not None:
        return lost
    ask = f"Ask {contact}"
    for event in reversed(seen.events):
        reason, said = str(event.get("reason", "")), str(event.get("message", ""))
        evidence = ((f"event {reason}", short(said)),)
        if reason == "Pulled" or reason in ("SuccessfulAttachVolume", "Created", "Started"):
            return None
        if reason == "Pulling":
            found = quoted(said) or ""
            title, why = messages.title("registry silent"), "It was still being fetched"
            return Told(
                GOING, "pulling", "registry_away", title, why, ("Start it again", ask), evidence, PULL, found
            )
        if reason in _MOUNTS:
            return _not_attached(said, ask, evidence)
        if reason == "FailedCreatePodSandBox":
            title, why = "The notebook could not be set up on its machine", f"It answered: {_inner(said)}"
            return Told(
                WAITS, "creating", "not_created", title, why, ("Start it again", ask), evidence, SHORT
            )
    return None


def _not_attached(said: str, ask: str, evidence: tuple[tuple[str, str], ...]) -> Told:
    absent = re.search(r'(configmap|secret) "([^"]+)" not found', said)
    if absent:
        why = f"The {'settings' if absent[1] == 'configmap' else 'secret'} `{absent[2]}` that it mounts "
        why += "do not exist" if absent[1] == "configmap" else "does not exist"
        steps = ("Choose another profile", f"{ask} to put the profile right")
        return Told(FAILS, "", "config_missing", "The profile is not complete", why, steps, evidence)
    title, why = "The volume could not be attached", f"The machine answered: {_inner(said)}"
    if "Multi-Attach error" in said or "already exclusively attached" in said or "already used by" in said:
        why = "Another machine still has it"
    return Told(
        WAITS, "attaching", "volume_not_attached", title, why, ("Start it again", ask), evidence, SHORT
    )


def _inner(said: str) -> str:
    """A message without the layers that only hand it on."""
    for word in ("desc = ", "failed: ", "error: "):
        _, found, rest = said.rpartition(word)
        if found and len(rest) > 8:
            return short(rest)
    return short(said)


def _machine_away(seen: Seen, pod: Object, contact: str) -> Told | None:
    name = (pod.get("spec") or {}).get("nodeName")
    for node in seen.nodes:
        if name and node["metadata"]["name"] == name and not podplaces.ready(node):
            title, why = "The machine does not answer", "It stopped answering while the notebook started"
            evidence = ((f"machine {name}", "not ready"),)
            return Told(
                WAITS, "creating", "lost", title, why, ("Start it again", f"Ask {contact}"), evidence, SHORT
            )
    return None
