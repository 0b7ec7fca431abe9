"""Why a notebook's pod ended, or is ending, though nobody here asked for it. Pure.

A cause is a label of ``enforcement.causes``; a sentence is for people. What the cluster says of a pod that it takes away
stands in its condition DisruptionTarget; without one somebody removed it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..units import show_size
from .podplaces import quantity
from .podwords import Object, last_line, short

#: (the condition's reason: label, sentence). They stand as they are in Kubernetes 1.34.
_TAKEN = {
    "EvictionByEvictionAPI": ("drained", "Its machine was being emptied for maintenance."),
    "DeletionByTaintManager": ("lost", "Its machine stopped answering, or takes no notebooks any more."),
    "DeletionByPodGC": ("lost", "Its machine was removed from the cluster."),
    "PreemptionByScheduler": ("preempted", "A more urgent job took its place."),
    "TerminationByKubelet": ("evicted", "Its machine ran short of memory or disk, or was shut down."),
}


def why_removed(pod: Object) -> tuple[str, str]:
    """(cause, sentence) of a pod that is being taken away; cause '' where nothing but somebody's removal is known."""
    for one in (pod.get("status") or {}).get("conditions") or ():
        if one.get("type") == "DisruptionTarget" and one.get("status") == "True":
            cause, sentence = _TAKEN.get(str(one.get("reason")), ("evicted", ""))
            return cause, sentence or f"The cluster took it away: {short(one.get('message', ''))}."
    return "", "It was removed from the cluster by somebody else."


def death_of(
    pod: Object | None, events: Sequence[Object] = (), container: str = "notebook"
) -> tuple[str, str]:
    """(cause, sentence) of a notebook whose agent ended without a word, each '' where it is not known.

    events: of this pod. container: the one whose end counts.
    """
    if pod is None:
        return "", "It was removed from the cluster by somebody else."
    status = pod.get("status") or {}
    ended = _ended(pod, container)
    if "DeadlineExceeded" in (status.get("reason"), *(event.get("reason") for event in events)):
        return "deadline", "The cluster ended it: a time limit of the cluster's own was over."
    if status.get("reason") == "Evicted":
        return evicted(str(status.get("message") or ""))
    if ended is not None and ended.get("reason") == "OOMKilled":
        return "out_of_memory", out_of_memory(_memory(pod, container))
    for event in events:
        if event.get("reason") == "Evicted":
            return evicted(str(event.get("message") or ""))
    if pod["metadata"].get("deletionTimestamp") or _disrupted(pod):
        return why_removed(pod)
    if status.get("reason") == "NodeLost" or _away(pod):
        return "lost", "Its machine stopped answering."
    return "", ended_with(ended)


def is_away(pod: Object | None) -> bool:
    """Whether the machine of a pod stopped answering."""
    return pod is not None and (_away(pod) or why_removed(pod)[0] == "lost")


def ended_with(ended: Object | None) -> str:
    """The sentence of a container that ended by itself."""
    if ended is None:
        return ""
    code, said = ended.get("exitCode"), last_line(str(ended.get("message") or ""))
    if code == 137:
        return "It was killed from outside, or with its machine."
    return f"It ended with exit status {code}" + (f": {said}." if said else ".")


def out_of_memory(limit: int) -> str:
    """The sentence of a notebook that was ended because its memory was full. limit: bytes, 0 where there is none."""
    if limit:
        return f"It used all of the {show_size(limit)} that its profile gives it."
    return "The machine's memory was full."


_SPACE = re.compile(r'usage of EmptyDir volume "([^"]+)" exceeds the limit "([^"]+)"', re.I)
_LOCAL = re.compile(r"ephemeral local storage usage exceeds the total limit of containers (\S+)", re.I)
_SHORT_OF = re.compile(r"low on resource: (\S+?)[.\s]", re.I)


def evicted(said: str) -> tuple[str, str]:
    """(cause, sentence) of what the machine ended because something of it was used up."""
    volume, local, low = _SPACE.search(said), _LOCAL.search(said), _SHORT_OF.search(f"{said} ")
    if volume:
        return "evicted_disk", f"Its temporary volume was full ({_size(volume[2])})."
    if local:
        return (
            "evicted_disk",
            f"What it wrote outside of its volumes was more than the {_size(local[1])} it may.",
        )
    if low:
        what = {"memory": "memory", "ephemeral-storage": "disk space", "inodes": "files", "pids": "processes"}
        return (
            "evicted",
            f"Its machine ran out of {what.get(low[1], low[1])}; the cluster chose it to make room.",
        )
    return "evicted", f"Its machine ended it to make room{': ' + short(said) if said else ''}."


def _size(text: str) -> str:
    number = quantity(text.rstrip("., "))
    return show_size(int(number)) if number is not None else text


def _ended(pod: Object, container: str) -> Object | None:
    status = pod.get("status") or {}
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if one["name"] == container:
            state, last = one.get("state") or {}, one.get("lastState") or {}
            found: Object | None = state.get("terminated") or last.get("terminated")
            return found
    return None


def _memory(pod: Object, container: str) -> int:
    spec = pod.get("spec") or {}
    for one in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        if one["name"] == container:
            limit = quantity(((one.get("resources") or {}).get("limits") or {}).get("memory"))
            return int(limit or 0)
    return 0


def _disrupted(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "DisruptionTarget" and one.get("status") == "True" for one in conditions)


def _away(pod: Object) -> bool:
    """Not ready, though the last that its machine said is that it runs."""
    status = pod.get("status") or {}
    not_ready = any(
        one.get("type") == "Ready" and one.get("status") == "False" for one in status.get("conditions") or ()
    )
    running = any("running" in (one.get("state") or {}) for one in status.get("containerStatuses") or ())
    probed = any(
        one.get("type") == "ContainersReady" and one.get("status") == "False"
        for one in status.get("conditions") or ()
    )
    return not_ready and running and not probed
