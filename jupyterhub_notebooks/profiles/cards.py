"""The cards of the profile form as values: every profile is there, also those that cannot be started, with the reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import Refusal
from .catalog import Catalog
from .choosing import Abilities, Person, denied, editors_of, flavor_refusal
from .egress import Rule
from .limits import limited
from .model import Flavor, Profile
from .words import join_words, show_clock, show_gpu, show_limits, show_most, show_price

LAST_CHOICE = "Your last choice"
#: So many of the hosts that a profile reaches are named on its card.
HOSTS = 6


@dataclass(frozen=True)
class FlavorChoice:
    """One flavor of a card. denied: why it cannot be chosen here, in one sentence."""

    name: str
    use: str
    limits: str
    price: str
    most: str
    denied: str = ""


@dataclass(frozen=True)
class Card:
    """One profile as the form shows it.

    group: the heading it stands under. kinds: the chips that show it (``cpu``, ``gpu``, ``network``).
    exceptions: sentences about what differs on this backend or of this profile. search: small letters, for
    the filter. denied: what the person reads instead of choosing it; its ``label`` is the reason. broken: why its last
    start failed, where that is the profile's own fault; it can be tried all the same.
    """

    name: str
    title: str
    use: str
    group: str
    kinds: frozenset[str]
    flavors: tuple[FlavorChoice, ...]
    clock: str
    editors: tuple[str, ...]
    exceptions: tuple[str, ...] = ()
    deprecated: str = ""
    contact: str = ""
    denied: Refusal | None = None
    is_last: bool = False
    search: str = ""
    broken: str = ""

    @property
    def flavor(self) -> FlavorChoice:
        """The flavor that is chosen unless another one is: the first that can run."""
        return next((choice for choice in self.flavors if not choice.denied), self.flavors[0])


def cards(
    catalog: Catalog,
    *,
    groups: Collection[str],
    user: str,
    abilities: Abilities,
    is_admin: bool = False,
    last: str | None = None,
    contact: str = "",
    currency: str = "€",
    now: datetime | None = None,
    limits: Mapping[str, Mapping[str, Any]] | None = None,
    bound: Rule | None = None,
) -> list[Card]:
    """Every profile: the last choice first, then CPU, then GPU, in the order of the file."""
    ask = contact or catalog.contact or "your administrator"
    person = Person(user, frozenset(groups), abilities, is_admin, ask, now, limits or {}, bound)
    made = [_card(catalog, profile, person, last, currency) for profile in catalog.profiles.values()]
    order = {LAST_CHOICE: 0, "CPU": 1, "GPU": 2}
    return sorted(made, key=lambda card: order[card.group])


def exceptions_of(profile: Profile, abilities: Abilities) -> tuple[str, ...]:
    """What a person must know because this backend does less than the profile says."""
    lines = []
    if profile.no_public_internet:
        lines.append("No public internet.")
    if profile.egress_allowlist is not None:
        lines.append(f"Beside this Hub it reaches only {join_words(profile.egress_allowlist[:HOSTS])}.")
        if len(profile.egress_allowlist) > HOSTS:
            lines[-1] = f"{lines[-1][:-1]} and {len(profile.egress_allowlist) - HOSTS} more hosts."
    if not abilities.images:
        lines.append("Runs on this machine's Python; no image.")
    if not abilities.limits_cpu and not abilities.limits_memory:
        lines.append("CPU and memory limits are not enforced here.")
    elif not abilities.limits_cpu:
        lines.append("The CPU limit is not enforced here.")
    elif not abilities.limits_memory:
        lines.append("The memory limit is not enforced here.")
    enforced = abilities.limits_time and profile.enforcement in (None, "stop")
    if not enforced and (profile.idle_stop_seconds or profile.max_session_seconds):
        lines.append("Idle stop and session limit are not enforced here.")
    return (*lines, *abilities.note)


def _card(catalog: Catalog, profile: Profile, person: Person, last: str | None, currency: str) -> Card:
    profile = limited(profile, person.limits, person.groups, person.user)
    flavors = catalog.flavors_of(profile)
    choices = tuple(_choice(profile, flavor, person, currency) for flavor in flavors)
    refusal = denied(catalog, profile, person)
    is_last = profile.name == last and refusal is None
    kinds = {"gpu"} if any(flavor.gpu for flavor in flavors) else {"cpu"}
    if profile.restricts_egress:
        kinds.add("network")
    return Card(
        name=profile.name,
        title=profile.title,
        use=profile.use,
        group=LAST_CHOICE if is_last else "GPU" if flavors[0].gpu else "CPU",
        kinds=frozenset(kinds),
        flavors=choices,
        clock=show_clock(profile),
        editors=editors_of(profile, person.abilities) or profile.editors,
        exceptions=exceptions_of(profile, person.abilities),
        deprecated=_deprecated(profile, person.now),
        contact=profile.contact or person.contact,
        denied=refusal,
        is_last=is_last,
        search=_search(profile, flavors),
    )


def _choice(profile: Profile, flavor: Flavor, person: Person, currency: str) -> FlavorChoice:
    return FlavorChoice(
        name=flavor.name,
        use=flavor.use,
        limits=show_limits(flavor),
        price=show_price(flavor, currency),
        most=show_most(profile, flavor, currency),
        denied=flavor_refusal(profile, flavor, person) or "",
    )


def _deprecated(profile: Profile, now: datetime | None) -> str:
    old = profile.deprecated
    if old is None:
        return ""
    day = f"{old.after.day}\u00a0{old.after:%b}\u00a0{old.after.year}"
    why = f"{old.why.rstrip('.')}. " if old.why else ""
    if now is not None and now.date() > old.after:
        return f"{why}Ended on {day}; a start uses {old.replacement}."
    return f"{why}Offered until {day}; then a start uses {old.replacement}."


def _search(profile: Profile, flavors: tuple[Flavor, ...]) -> str:
    words = [profile.name, profile.title, profile.use, profile.framework or "", *profile.editors]
    for flavor in flavors:
        words += [flavor.name, flavor.use, show_limits(flavor), show_gpu(flavor)]
    words += ["no public internet"] if profile.no_public_internet else []
    return " ".join(words).replace("\u00a0", " ").casefold()
