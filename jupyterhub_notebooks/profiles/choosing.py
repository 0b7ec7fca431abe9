"""From what was asked for to what is started: pure, and the same for page, REST API, Hub and command.

``choose`` takes names only; everything about a launch comes from the catalog. It answers a ``Launch``, or
raises ``BadInput`` (what was sent cannot be meant) or ``Refusal`` (it can, but not now, here or for you).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .. import messages
from ..errors import BadInput, Refusal
from . import egress
from .catalog import Catalog
from .egress import Rule, lets_no_more, rule_of
from .launch import Abilities as Abilities
from .launch import Launch as Launch
from .limits import limited
from .model import Flavor, Profile
from .problems import suggestion
from .words import EDITOR_NAMES, a_gpu, join_words

#: What may be posted. ``run`` is ``save`` for a save-only run, whose order in the ledger is the caller's to check; ``safe`` for safe mode.
OPTIONS = ("profile", "flavor", "editor", "run")
RUNS = ("work", "save", "safe")


@dataclass(frozen=True)
class Person:
    """Who asks, on which backend, and when. contact: whom to ask where the profile names nobody.

    limits: the Hub's own time limits (settings.Settings.limits). bound: the network rule that the notebook's files ran under.
    """

    user: str
    groups: frozenset[str]
    abilities: Abilities
    is_admin: bool = False
    contact: str = "your administrator"
    now: datetime | None = None
    limits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bound: Rule | None = None


def choose(
    catalog: Catalog,
    options: Mapping[str, Any],
    *,
    groups: Collection[str],
    user: str,
    abilities: Abilities,
    is_admin: bool = False,
    last: str | None = None,
    contact: str = "",
    now: datetime | None = None,
    limits: Mapping[str, Mapping[str, Any]] | None = None,
    bound: Rule | None = None,
) -> Launch:
    """What to start. last: the profile that the notebook, or this person, used last; it stands in for a missing one.

    now decides whether a deprecated profile's replacement is used; without it none is. bound: the rule for the network that
    the notebook's files ran under; they go to no profile that reaches more.
    """
    person = Person(
        user,
        frozenset(groups),
        abilities,
        is_admin,
        contact or catalog.contact or "your administrator",
        now,
        limits or {},
        bound,
    )
    asked = checked_options(options)
    profile = _profile(catalog, asked, person, last)
    run = asked.get("run", "work")
    if run == "save":
        return _launch(catalog, profile, _smallest(catalog), profile.editors[0], run)
    refusal = denied(catalog, profile, person)
    if refusal is not None:
        raise refusal
    if run == "safe" and profile.agent == "beside":
        raise Refusal(
            "Safe mode needs our agent in the notebook's image",
            f"{profile.title} has an image that knows nothing of it",
            ["Start it in safe mode with another profile: its files are the same"],
            field="run",
        )
    profile = limited(profile, person.limits, person.groups, person.user)
    flavor = _flavor(catalog, profile, asked.get("flavor"), person)
    return _launch(catalog, profile, flavor, _editor(profile, asked.get("editor"), person), run)


def checked_options(options: Mapping[str, Any]) -> dict[str, str]:
    """The options as texts, empty ones left out. Raises BadInput naming the field."""
    asked: dict[str, str] = {}
    if not isinstance(options, Mapping):
        raise BadInput("This must be an object", field="user_options")
    for name, value in options.items():
        if name not in OPTIONS:
            raise BadInput(
                "There is no such option", next=[suggestion(str(name), OPTIONS)], field=str(name)[:60]
            )
        if value is None or value == "":
            continue
        if not isinstance(value, str) or len(value) > 200:
            raise BadInput(
                "This must be one name", "Options are names; the rest stands in the profile", field=name
            )
        asked[name] = value
    if asked.get("run", "work") not in RUNS:
        raise BadInput(f"There is no run {asked['run']!r}", next=["Leave it out"], field="run")
    return asked


def denied(catalog: Catalog, profile: Profile, person: Person) -> Refusal | None:
    """Why this person cannot start a profile here, None where they can."""
    ask = profile.contact or person.contact
    closed = _not_for(profile, person, ask)
    if closed is not None:
        return closed
    if not lets_no_more(rule_of(profile), person.bound):
        ways = [other.name for other in catalog.profiles.values() if _possible(catalog, other, person, ask)]
        return egress.bound(profile.title, ways[:1], ask)
    impossible = [_not_here(profile, flavor, person) for flavor in catalog.flavors_of(profile)]
    if all(impossible):
        return Refusal(
            messages.title("not possible here", profile=profile.title),
            impossible[0] or "",
            _ways_on(catalog, profile, person, ask),
            field="profile",
            label="not_possible_here",
        )
    return None


def replaced(catalog: Catalog, profile: Profile, now: datetime | None) -> Profile:
    """The profile that a start uses: its replacement once its last day is over."""
    old = profile.deprecated
    if old is None or now is None or now.date() <= old.after:
        return profile
    return catalog.profiles[old.replacement]


def _profile(catalog: Catalog, asked: Mapping[str, str], person: Person, last: str | None) -> Profile:
    name = asked.get("profile") or last
    if name is None:
        return _first(catalog, person)
    found = catalog.profiles.get(name)
    if found is not None:
        return replaced(catalog, found, person.now)
    if name == last:
        raise Refusal(
            f"The profile {name} is no longer offered",
            "The workspace is kept; any other profile starts with it",
            [f"Start with {other.name}" for other in startable(catalog, person)[:1]]
            + [f"Ask {person.contact}"],
            field="profile",
            label="not_offered",
        )
    raise BadInput(
        f"There is no profile {name!r}", next=[suggestion(name, catalog.profiles)], field="profile"
    )


def _first(catalog: Catalog, person: Person) -> Profile:
    able = startable(catalog, person)
    if not able:
        raise Refusal(
            "There is no profile that you can start",
            "Each one is for others, or cannot run on this Hub",
            [f"Ask {person.contact}"],
            field="profile",
            label="no_profile",
        )
    return able[0]


def startable(catalog: Catalog, person: Person) -> list[Profile]:
    """The profiles that this person can start here, in the order of the file, deprecated ones last."""
    able = [profile for profile in catalog.profiles.values() if denied(catalog, profile, person) is None]
    return sorted(able, key=lambda profile: profile.deprecated is not None)


def _not_for(profile: Profile, person: Person, ask: str) -> Refusal | None:
    who = profile.who
    if who is None or person.is_admin:
        return None
    if person.user in (who.users or ()) or person.groups & set(who.groups or ()):
        return None
    if not who.groups:
        title, why = "Only for people named by name", f"You are not among them; {ask} decides"
    elif len(who.groups) == 1:
        title = messages.title("not allowed", group=who.groups[0])
        why = messages.why("not allowed", address=ask)
    else:
        title = f"Only for the groups {join_words(who.groups)}"
        why = f"You are in none of them; {ask} decides"
    return Refusal(title, why, [f"Ask {ask}"], field="profile", label="group")


def _not_here(profile: Profile, flavor: Flavor, person: Person) -> str | None:
    """Why the backend cannot run a profile with a flavor, in one sentence."""
    able = person.abilities
    if flavor.gpu is not None and flavor.gpu.kind not in able.gpu_kinds:
        needs = f"It needs {a_gpu(flavor.gpu.kind, flavor.gpu.count)}"
        if not able.gpu_kinds:
            return f"{needs} and this machine has no GPU."
        return f"{needs} and this Hub has only {join_words(sorted(able.gpu_kinds))}."
    if profile.restricts_egress and not able.egress:
        rule = "no public internet" if profile.no_public_internet else "only some hosts within reach"
        return f"It has {rule}, and this machine cannot enforce that."
    if not able.editors & set(profile.editors):
        return f"It opens in {join_words(map(_editor_name, profile.editors))}, which is not here."
    return None


def _possible(catalog: Catalog, profile: Profile, person: Person, ask: str) -> bool:
    return (
        _not_for(profile, person, ask) is None
        and lets_no_more(rule_of(profile), person.bound)
        and not all(_not_here(profile, flavor, person) for flavor in catalog.flavors_of(profile))
    )


def _ways_on(catalog: Catalog, profile: Profile, person: Person, ask: str) -> list[str]:
    others = [
        other
        for other in catalog.profiles.values()
        if other is not profile and _possible(catalog, other, person, ask)
    ]
    return [*(f"Start with {other.name}" for other in others[:1]), f"Ask {ask}"]


def _flavor(catalog: Catalog, profile: Profile, name: str | None, person: Person) -> Flavor:
    flavors = catalog.flavors_of(profile)
    if name is None:
        return next(flavor for flavor in flavors if _not_here(profile, flavor, person) is None)
    if name not in profile.flavors:
        raise BadInput(
            f"{profile.name} has no flavor {name!r}", next=[suggestion(name, profile.flavors)], field="flavor"
        )
    flavor = catalog.flavors[name]
    why = _not_here(profile, flavor, person)
    if why is not None:
        able = next(other for other in flavors if _not_here(profile, other, person) is None)
        raise Refusal(
            messages.title("not possible here", profile=name),
            why,
            [f"Start with {able.name}"],
            field="flavor",
            label="not_possible_here",
        )
    return flavor


def flavor_refusal(profile: Profile, flavor: Flavor, person: Person) -> str | None:
    """Why a flavor of a profile cannot be chosen here, in one sentence, None where it can."""
    return _not_here(profile, flavor, person)


def _editor(profile: Profile, name: str | None, person: Person) -> str:
    able = editors_of(profile, person.abilities)
    if name is None:
        return able[0]
    if name in able:
        return name
    if name in profile.editors:
        raise Refusal(
            f"{_editor_name(name)} is not on this Hub",
            "",
            [f"Use {_editor_name(able[0])}"],
            field="editor",
            label="not_possible_here",
        )
    raise BadInput(
        f"{profile.name} has no editor {name!r}", next=[suggestion(name, profile.editors)], field="editor"
    )


def editors_of(profile: Profile, abilities: Abilities) -> tuple[str, ...]:
    """The editors that a profile can open here, its default first."""
    return tuple(name for name in profile.editors if name in abilities.editors)


def _editor_name(name: str) -> str:
    return EDITOR_NAMES.get(name, name)


def _smallest(catalog: Catalog) -> Flavor:
    plain = [flavor for flavor in catalog.flavors.values() if flavor.gpu is None]
    return min(plain or catalog.flavors.values(), key=lambda flavor: (flavor.memory_bytes, flavor.cpu))


def _launch(catalog: Catalog, profile: Profile, flavor: Flavor, editor: str, run: str) -> Launch:
    return Launch(
        profile=profile.name,
        version=catalog.versions[profile.name],
        title=profile.title,
        flavor=flavor.name,
        resources=flavor,
        image=profile.image,
        editor=editor,
        environment=dict(profile.environment),
        startup_script=profile.startup_script if run == "work" else None,
        idle_stop_seconds=profile.idle_stop_seconds,
        max_session_seconds=profile.max_session_seconds,
        warn_seconds=profile.warn_seconds,
        extend_seconds=profile.extend_seconds,
        extensions=profile.extensions,
        signals=profile.signals,
        enforcement=profile.enforcement,
        workspace_bytes=profile.workspace_bytes,
        save_interval_seconds=profile.save_interval_seconds,
        retention=profile.retention.content() if profile.retention else None,
        kubernetes=profile.kubernetes.content() if profile.kubernetes else {},
        agent=profile.agent,
        no_public_internet=profile.no_public_internet,
        egress_allowlist=profile.egress_allowlist,
        variables_bytes=profile.variables_bytes,
        variables_seconds=profile.variables_seconds,
        run=run,
    )
