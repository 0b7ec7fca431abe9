"""A notebook that has no machine yet, in words: what the scheduler said of each, and whether waiting can help. Pure.

The scheduler's sentence counts the machines by reason: ``0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1
node(s) had untolerated taint {a: b}.`` Each reason is one of four kinds: full (something may become free), out (a machine
that is away or cordoned), no match (none of this kind), and the volume's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from .. import messages
from ..units import count
from .podwords import FAILS, MACHINE, SHORT, WAITS, Object, Told, short

Evidence = tuple[tuple[str, str], ...]

#: Events by which an autoscaler says that a machine comes, or that none will. cluster-autoscaler's and Karpenter's.
COMES, COMES_NOT = ("TriggeredScaleUp", "Nominated"), ("NotTriggerScaleUp",)

_REASON = re.compile(r"(\d+) (.+?)(?=, \d+ |\.? *preemption:|\.?$)")
_FULL = (
    "insufficient",
    "too many pods",
    "didn't have free ports",
    "anti-affinity",
    "topology spread",
    "max volume count",
)
_OUT = re.compile(
    r"were unschedulable|node\.kubernetes\.io/|node\.cloudprovider\.kubernetes\.io/uninitialized|had no available"
)
#: Kubernetes 1.34 no longer says which: that of a machine that is away reads like that of one kept for something else.
UNNAMED_TAINT = "untolerated taint(s)"
_NO_MATCH = ("node affinity/selector", "untolerated taint", "node(s) didn't match")
_ELSEWHERE = ("persistentvolume's node affinity", "volume node affinity conflict", "no available volume zone")
#: Short names of what a machine has: one, several.
_CALLED = {
    "cpu": ("processor", "processors"),
    "memory": ("memory", "memory"),
    "ephemeral-storage": ("disk space", "disk space"),
}


def told(
    condition: Object,
    pod: Object,
    events: Sequence[Object],
    claims: Mapping[str, Object | None],
    claim_events: Sequence[Object],
    nodes: Sequence[Object],
    scales: bool,
    contact: str,
) -> Told:
    """Of a pod whose condition PodScheduled is False."""
    said = str(condition.get("message") or "")
    evidence: Evidence = ((f"not placed, {condition.get('reason', '')}", short(said, 600)),)
    ask = f"Ask {contact}"
    if condition.get("reason") == "SchedulingGated":
        title = "This cluster keeps the start back"
        why = "Something of the cluster's own decides when it may begin"
        return Told(WAITS, "waiting", "no_place", title, why, ("Start it again", ask), evidence, MACHINE)
    volume = _not_claimed(said, events, contact, evidence) or _volume(
        said, claims, claim_events, ask, evidence
    )
    if volume is not None:
        return volume
    comes = [one for one in events if one.get("reason") in COMES]
    if comes:
        seen = short(comes[-1].get("message", ""))
        title, why = "A machine is being started", "None that runs has a place for this profile"
        return Told(
            WAITS, "waiting", "no_place", title, why, ("Start it again", ask),
            (*evidence, (f"event {comes[-1]['reason']}", seen)), MACHINE,
        )  # fmt: skip
    kinds = kinds_of(said)
    if kinds & {"volume"} and not kinds & {"full", "out"}:
        return _elsewhere(ask, evidence)
    never = [one for one in events if one.get("reason") in COMES_NOT]
    if never:
        evidence = (*evidence, ("event NotTriggerScaleUp", short(never[-1].get("message", ""))))
    final = not scales or bool(never)
    if "full" in kinds:
        return _full(said, pod, nodes, final, ask, evidence)
    if "tainted" in kinds and any(is_out(node) for node in nodes):
        kinds.add("out")
    if "out" in kinds or not kinds:
        title = "No machine takes anything new now"
        why = (
            "All that could run it are away, or are being emptied" if kinds else "The cluster has no machine"
        )
        return Told(WAITS, "waiting", "no_place", title, why, ("Start it again", ask), evidence, MACHINE)
    return _no_such(pod, final, contact, evidence, unclear="tainted" in kinds and not nodes)


def kinds_of(said: str) -> set[str]:
    """The kinds of reasons in a scheduler's sentence: full, out, volume, match, tainted."""
    head = said.partition(" preemption:")[0]
    found = set()
    for _, reason in _REASON.findall(head.partition(": ")[2]):
        low = reason.lower()
        if any(word in low for word in _ELSEWHERE):
            found.add("volume")
        elif any(word in low for word in _FULL):
            found.add("full")
        elif _OUT.search(low):
            found.add("out")
        elif UNNAMED_TAINT in low:
            found.add("tainted")
        elif any(word in low for word in _NO_MATCH):
            found.add("match")
        else:
            found.add("full")  # what is not known may end: it is waited for, and its words are the evidence
    return found


def lacking(said: str) -> list[str]:
    """The resources of which no machine has enough, as they are named there, the rarest first."""
    found = dict.fromkeys(re.findall(r"Insufficient ([\w./-]+\w)", said.partition(" preemption:")[0]))
    return sorted(found, key=lambda name: ("/" not in name, name))


def _full(said: str, pod: Object, nodes: Sequence[Object], final: bool, ask: str, evidence: Evidence) -> Told:
    names = lacking(said)
    wanted = requests(pod)
    if not names:
        title, why = "No machine has a place now", "Those that could run it are in use"
        return Told(WAITS, "waiting", "no_place", title, why, ("Start it again", ask), evidence, MACHINE)
    name = names[0]
    what, cause = amount(name, wanted.get(name)), "no_gpu" if "/" in name else "no_place"
    most = max((quantity(_given(node, name)) or Fraction(0) for node in nodes), default=None)
    asked = quantity(wanted.get(name))
    if final and most is not None and asked is not None and most < asked:
        title = f"No machine has {what}"
        why = (
            f"The largest has {amount(name, _plain(most))}"
            if most
            else f"None here has any {_called(name, 1)}"
        )
        steps = ("Start it with a smaller profile", f"{ask} whether such a machine can be had")
        return Told(FAILS, "waiting", cause, title, why, steps, evidence)
    title, why = f"No machine has {what} free", "It starts as soon as one has"
    return Told(
        WAITS,
        "waiting",
        cause,
        title,
        why,
        ("Start it again", "Start it with a smaller profile", ask),
        evidence,
        MACHINE,
    )


def _no_such(pod: Object, final: bool, contact: str, evidence: Evidence, unclear: bool) -> Told:
    """unclear: perhaps a machine only does not answer at the moment."""
    spec = pod.get("spec") or {}
    selector = ", ".join(f"{key}={value}" for key, value in sorted((spec.get("nodeSelector") or {}).items()))
    title = "No machine of this flavor exists"
    why = (
        f"It wants machines with the label {selector}"
        if selector
        else "All machines are kept for something else"
    )
    if unclear:
        why += ", or do not answer" if not selector else ", and none of those takes anything now"
    how = f"to give a machine the label {selector}" if selector else "to let the flavor onto a machine"
    if final:
        steps: tuple[str, ...] = ("Choose another profile", f"Ask {contact} {how}")
        if unclear:
            title = "No machine takes this notebook now"
            return Told(
                WAITS, "waiting", "no_machine", title, why, ("Start it again", *steps), evidence, SHORT
            )
        return Told(FAILS, "waiting", "no_machine", title, why, steps, evidence)
    title = "No machine of this flavor runs now"
    steps = ("Start it again", "Choose another profile", f"Ask {contact}")
    return Told(WAITS, "waiting", "no_machine", title, why, steps, evidence, MACHINE)


# -- its volume


_TO_CLAIM = "waiting for ephemeral volume controller"
_GONE = re.compile(r'persistentvolumeclaim "([^"]+)" (not found|is being deleted)')


def _not_claimed(said: str, events: Sequence[Object], contact: str, evidence: Evidence) -> Told | None:
    """A volume that goes with the notebook, for which the cluster may not make a claim."""
    if _TO_CLAIM not in said:
        return None
    for event in reversed(events):
        words = str(event.get("message", ""))
        if event.get("reason") == "FailedBinding" and "forbidden" in words:
            from .podrefused import refused

            error = refused(403, {"message": words}, contact)
            more = (*evidence, ("event FailedBinding", short(words)))
            return Told(FAILS, "attaching", error.cause, error.title, error.why, error.next, more)
    return None


def _volume(
    said: str,
    claims: Mapping[str, Object | None],
    claim_events: Sequence[Object],
    ask: str,
    evidence: Evidence,
) -> Told | None:
    gone = _GONE.search(said)
    title = "The volume cannot be opened"
    if gone:
        known = claims.get(gone[1])
        if gone[2] == "not found" and known is not None and not known["metadata"].get("deletionTimestamp"):
            return Told(
                WAITS, "attaching", "volume_missing", title, "It was made a moment ago", (), evidence, SHORT
            )
        why = "It is being removed" if gone[2] != "not found" else "It was removed"
        return Told(FAILS, "attaching", "volume_missing", title, why, ("Start it again", ask), evidence)
    late = any(words in said for words in ("binding volumes", "VolumeBinding", _TO_CLAIM))
    if "unbound immediate PersistentVolumeClaims" not in said and not late:
        return None
    for event in reversed(claim_events):
        reason, words = str(event.get("reason", "")), str(event.get("message", ""))
        more = (*evidence, (f"volume, event {reason}", short(words)))
        absent = re.search(r'storageclass\S* "([^"]+)" not found', words)
        if absent:
            why = f"There is no kind of storage called `{absent[1]}` in this cluster"
            return Told(
                FAILS, "attaching", "volume_missing", title, why, (f"{ask} to set one that is there",), more
            )
        if reason == "FailedBinding":
            why = "This cluster makes no volumes by itself: it has no kind of storage that is the default"
            return Told(FAILS, "attaching", "volume_missing", title, why, (f"{ask} to set one",), more)
        if reason == "ProvisioningFailed":
            why = f"The storage answered: {short(words.rpartition('desc = ')[2])}"
            return Told(
                WAITS, "attaching", "volume_missing", title, why, ("Start it again", ask), more, SHORT
            )
        if reason in ("ExternalProvisioning", "Provisioning", "ProvisioningSucceeded"):
            break
    title, why = "The volume is being made", "The storage has not made it yet"
    return Told(WAITS, "attaching", "volume_missing", title, why, ("Start it again", ask), evidence, SHORT)


def _elsewhere(ask: str, evidence: Evidence) -> Told:
    title = messages.title("volume offline")
    why = "It is on a machine that is gone or that this profile may not use; your last save is safe"
    steps = ("Start from the last save", "Choose the profile that it last ran with", ask)
    return Told(FAILS, "attaching", "volume_elsewhere", title, why, steps, evidence)


# -- what is asked and what there is


def ready(node: Object) -> bool:
    """Whether a machine answers."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def is_out(node: Object) -> bool:
    """Whether a machine takes nothing at the moment: it is away, has just come, or is being emptied."""
    spec = node.get("spec") or {}
    keys = [str(taint.get("key", "")) for taint in spec.get("taints") or ()]
    return not ready(node) or bool(spec.get("unschedulable")) or any(_OUT.search(key) for key in keys)


def requests(pod: Object) -> dict[str, str]:
    """What the containers of a pod ask for together, as quantities; helpers that run beside count, others do not."""
    spec = pod.get("spec") or {}
    beside = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    total: dict[str, Fraction] = {}
    for one in (*beside, *(spec.get("containers") or ())):
        given = one.get("resources") or {}
        for name, value in {**(given.get("limits") or {}), **(given.get("requests") or {})}.items():
            total[name] = total.get(name, Fraction(0)) + (quantity(value) or 0)
    return {name: _plain(value) for name, value in total.items()}


_SCALES = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1), "k": Fraction(1000),
    "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12), "P": Fraction(10**15), "Ki": Fraction(2**10),
    "Mi": Fraction(2**20), "Gi": Fraction(2**30), "Ti": Fraction(2**40), "Pi": Fraction(2**50),
}  # fmt: skip


def quantity(value: object) -> Fraction | None:
    """``500m``, ``2Gi``, ``1.5`` as a number; None for what is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([a-zA-Z]*)", str(value).strip()) if value is not None else None
    if found is None or found[2] not in _SCALES:
        return None
    return Fraction(found[1]) * _SCALES[found[2]]


def _given(node: Object, name: str) -> str:
    return str(((node.get("status") or {}).get("allocatable") or {}).get(name, "0"))


def _plain(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):g}"


def _called(name: str, number: Fraction | int | None) -> str:
    if "/" in name:
        return "GPU" if number == 1 else "GPUs"
    one, many = _CALLED.get(name, (name, name))
    return one if number == 1 else many


def amount(name: str, value: str | None) -> str:
    """``2 GPUs``, ``8 processors``, ``16 GB of memory``, ``enough memory`` where it is not known how much."""
    from ..units import show_size

    number = quantity(value)
    if number is None:
        return f"enough {_called(name, 2)}"
    if name in ("memory", "ephemeral-storage"):
        return f"{show_size(int(number))} of {_called(name, 2)}"
    if number.denominator == 1:
        return count(int(number), _called(name, 1), _called(name, 2))
    return f"{float(number):g} {_called(name, number)}"


def claims_of(pod: Object) -> list[str]:
    """The names of the claims that a pod mounts, also of those that the cluster makes for it and removes with it."""
    volumes: Iterable[Object] = (pod.get("spec") or {}).get("volumes") or ()
    found = []
    for one in volumes:
        if one.get("persistentVolumeClaim"):
            found.append(str(one["persistentVolumeClaim"]["claimName"]))
        elif one.get("ephemeral"):
            found.append(f"{pod['metadata']['name']}-{one['name']}")
    return found
