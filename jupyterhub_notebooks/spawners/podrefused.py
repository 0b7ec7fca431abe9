"""A pod or claim that the cluster refuses at once, in words: quota, limits, policy, what is not there. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..units import show_size
from .podplaces import amount, quantity
from .podwords import Told, short
from .refusing import NotStarted

_QUOTA = re.compile(r"exceeded quota: (\S+), requested: (.+?), used: (.+?), limited: (.+)$")
_LIMIT = re.compile(r"(maximum|minimum) (\S+) usage per (\w+) is (\S+?), but (limit|request) is (\S+)")
_RATIO = re.compile(r"(\S+) max limit to request ratio per (\w+) is (\S+?), but provided ratio is (\S+)")
_SECURITY = re.compile(r'violates PodSecurity "([^":]+)(?::[^"]*)?": (.+)$')
_NAMED = (
    (re.compile(r'namespaces? "([^"]+)" (?:not found|because it is being terminated)'), "namespace"),
    (re.compile(r'no PriorityClass with name (\S+) was found|priorityclass\S* "([^"]+)" not found', re.I), "PriorityClass"),
    (re.compile(r'serviceaccount "([^"]+)" not found|error looking up service account \S+/(\S+):'), "ServiceAccount"),
    (re.compile(r'RuntimeClass(?:\.node\.k8s\.io)? "([^"]+)" not found', re.I), "RuntimeClass"),
)  # fmt: skip
_CALLED = {
    "cpu": "processors", "memory": "memory", "ephemeral-storage": "disk space", "storage": "space of volumes",
    "pods": "notebooks at once", "persistentvolumeclaims": "volumes",
}  # fmt: skip


def refused(status: int, body: str | bytes | Mapping[str, Any] | None, contact: str) -> NotStarted:
    """What the API answered when something of a start was to be made. status: of HTTP. body: its answer."""
    answer = _answer(body)
    said = str(answer.get("message") or "").strip() or f"HTTP {status}"
    told = _told(status, said, answer, f"Ask {contact}")
    evidence = ((f"refused with {status}", short(said, 900)),)
    return NotStarted(told.title, told.why, told.next, cause=told.cause, evidence=evidence)


def may_not(verb: str, resource: str) -> str:
    """A refusal's body as the API words one, where only its status was kept."""
    return json.dumps({"message": f'User "this Hub" cannot {verb} resource "{resource}"'})


def _answer(body: str | bytes | Mapping[str, Any] | None) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return body
    try:
        made = json.loads(body or "{}")
    except ValueError:
        made = {"message": body.decode("utf-8", "replace") if isinstance(body, bytes) else body}
    return made if isinstance(made, Mapping) else {}


def _told(status: int, said: str, answer: Mapping[str, Any], ask: str) -> Told:
    right = f"{ask} to put the profile right"
    for step in (_quota, _limit, _security, _absent):
        told = step(said, ask)
        if told is not None:
            return told
    if status == 422:
        return _field(said, answer, right)
    if status == 401:
        why = "Its own login at the cluster has ended or is not known there"
        return Told("", cause="cluster_login", title="This Hub may not use its cluster", why=why, next=(ask,))
    if status == 403 and re.search(r'User "[^"]+" cannot ', said):
        verb = re.search(r'cannot (\w+) resource "(\w+)"', said)
        what = f"It may not {verb[1]} {verb[2]} there" if verb else "A right is missing there"
        return Told(
            "", cause="cluster_rights", title="This Hub may not use its cluster", why=what, next=(ask,)
        )
    if status in (403, 400, 404):
        by = re.search(r'admission webhook "([^"]+)" denied the request(?:: (.+))?', said)
        why = (
            f"A rule of the cluster ({by[1]}) says: {short(by[2] or 'no')}"
            if by
            else f"The cluster answered: {_own(said)}"
        )
        return Told("", cause="policy", title="This cluster does not let the profile run", why=why, next=(
            "Choose another profile", right))  # fmt: skip
    why = "It is busy" if status == 429 else f"It answered with an error of its own: {_own(said)}"
    return Told("", cause="cluster_away", title="The cluster does not take anything new now", why=why, next=(
        "Start it again in a moment", ask))  # fmt: skip


def _quota(said: str, ask: str) -> Told | None:
    found = _QUOTA.search(said)
    if found is None:
        lacks = re.search(r"failed quota: (\S+): must specify (.+)$", said)
        if lacks is None:
            return None
        why = f"Its quota {lacks[1]} wants a number for {short(lacks[2])}, and the profile gives none"
        return Told("", cause="quota_of_namespace", title="The profile is not complete", why=why, next=(ask,))
    asked, used, limits = (_amounts(found[number]) for number in (2, 3, 4))
    parts = []
    for name, wanted in asked.items():
        limit = limits.get(name, "?")
        parts.append(
            f"{_called(name)}: {_shown(name, wanted)} asked, {_left(name, limit, used.get(name))} of {_shown(name, limit)} left"
        )
    why = f"The quota {found[1]} does not have enough left. {'; '.join(parts)}"
    steps = (
        "Stop another notebook, then start it again",
        "Start it with a smaller profile",
        f"{ask} for more",
    )
    return Told(
        "", cause="quota_of_namespace", title="The quota of this cluster is used up", why=why, next=steps
    )


def _amounts(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


def _called(name: str) -> str:
    plain = name.removeprefix("requests.").removeprefix("limits.")
    if "/" in plain and "storageclass" not in plain:
        return "GPUs"
    return _CALLED.get(plain, plain)


def _shown(name: str, value: str) -> str:
    number = quantity(value)
    if number is None:
        return value
    if any(word in name for word in ("memory", "storage")) and "claims" not in name:
        return show_size(int(number))
    return f"{float(number):g}"


def _left(name: str, limit: str, used: str | None) -> str:
    all_of, taken = quantity(limit), quantity(used or "0")
    if all_of is None or taken is None:
        return "not enough"
    return _shown(name, f"{float(max(all_of - taken, 0 * all_of)):.9f}")


def _limit(said: str, ask: str) -> Told | None:
    title, steps = "The profile is outside this cluster's limits", (
        "Start it with another profile", f"{ask} to put the profile or the limit right")  # fmt: skip
    found = _LIMIT.search(said)
    if found is not None:
        most, name, per, limit, _, is_now = found.groups()
        what = "volume" if per == "PersistentVolumeClaim" else "notebook"
        bound = "most" if most == "maximum" else "least"
        allowed, given = amount(name, limit.rstrip(".")), amount(name, is_now.rstrip(".,"))
        why = f"A {what} may have at {bound} {allowed}; the profile gives {given}"
        return Told("", cause="limit_of_namespace", title=title, why=why, next=steps)
    ratio = _RATIO.search(said)
    if ratio is None:
        return None
    why = f"What it may use of {_called(ratio[1])} is more than {ratio[3]} times what it is promised"
    return Told("", cause="limit_of_namespace", title=title, why=why, next=steps)


#: What the levels of Pod Security ask, in words.
_ASKS = (
    ("runAsNonRoot", "it may run as root"),
    ("allowPrivilegeEscalation", "its programs may gain privileges"),
    ("unrestricted capabilities", "it keeps capabilities of the machine"),
    ("seccompProfile", "it has no seccomp profile"),
    ("hostPath", "it uses a folder of the machine"),
    ("host namespaces", "it shares names with the machine"),
    ("privileged", "it is privileged"),
)


def _security(said: str, ask: str) -> Told | None:
    found = _SECURITY.search(said)
    if found is None:
        return None
    reasons = [words for sign, words in _ASKS if sign in found[2]]
    why = f"Its level of security is “{found[1]}”: {', '.join(reasons) if reasons else short(found[2])}"
    steps = ("Choose another profile", f"{ask} to put the profile right")
    return Told("", cause="policy", title="This cluster does not let the profile run", why=why, next=steps)


def _absent(said: str, ask: str) -> Told | None:
    for pattern, kind in _NAMED:
        found = pattern.search(said)
        if found is not None:
            name = next(one for one in found.groups() if one)
            why = f"It has no {kind} called {name.rstrip(',.')}"
            return Told("", cause="missing_there", title="The cluster is not set up for this profile", why=why, next=(
                f"{ask} to make it",))  # fmt: skip
    return None


def _field(said: str, answer: Mapping[str, Any], right: str) -> Told:
    causes = (answer.get("details") or {}).get("causes") or []
    parts = [f"`{one.get('field', '')}`: {_rule(str(one.get('message', '')))}" for one in causes[:3]]
    why = f"The cluster does not take {'; '.join(parts) if parts else _rule(_own(said))}"
    return Told("", cause="profile_field", title="The profile cannot run as it is written", why=why, next=(
        "Choose another profile", right))  # fmt: skip


def _rule(said: str) -> str:
    """What a field must be, without the kind of error before it."""
    return short(
        re.sub(r'\b(Invalid|Unsupported|Required|Forbidden|Duplicate)( value)?: ?("[^"]*": )?', "", said)
    )


def _own(said: str) -> str:
    """An answer without the name of the object that it begins with."""
    return short(re.sub(r'^\w+(?:\.\w+)* "[^"]+" is (?:forbidden|invalid): ', "", said))
