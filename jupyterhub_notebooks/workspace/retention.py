"""Which snapshots are kept: a pure function of what there is, of a rule and of the time.

Promises: the head, the highest number and every named snapshot are always kept, whatever the rule says; what a
rare run would keep, frequent runs keep too; a recovery snapshot takes no save's place. Times are the caller's: a
service takes its own, never a notebook's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ..errors import BadInput
from ..units import count


@dataclass(frozen=True)
class Rule:
    """every_hours: all snapshots of that long are kept. days: one save a day, weeks: one a week, counted back from now.
    Recovery snapshots, files that nobody may have looked at yet, stay all of them for those days.

    0 leaves that part of the rule out.
    """

    every_hours: int = 24
    days: int = 30
    weeks: int = 12

    def __post_init__(self) -> None:
        for name in ("every_hours", "days", "weeks"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= 100_000:
                raise BadInput(
                    f"{value!r} is no number for the retention", next=["Write 0 or more"], field=name
                )


#: The numbers of a rule as a setting or a profile gives them.
NUMBERS = {"hours": "every_hours", "days": "days", "weeks": "weeks"}


def rule_of(*given: Mapping[str, int] | None) -> Rule:
    """A rule out of numbers ``hours``, ``days``, ``weeks``; later ones count, what none names has its default.

    Raises BadInput.
    """
    numbers: dict[str, int] = {}
    for one in given:
        for name, value in (one or {}).items():
            if name not in NUMBERS:
                raise BadInput(f"Retention has no {name!r}", next=["Write hours, days or weeks"], field=name)
            numbers[NUMBERS[name]] = value
    return Rule(**numbers)


def widest(*rules: Rule) -> Rule:
    """What keeps all that any of them keeps."""
    return Rule(
        max(rule.every_hours for rule in rules),
        max(rule.days for rule in rules),
        max(rule.weeks for rule in rules),
    )


def show_rule(rule: Rule) -> str:
    """For people: ``all of 24 hours, one a day for 30 days, one a week for 12 weeks``."""
    parts = []
    if rule.every_hours:
        parts.append(f"all of {count(rule.every_hours, 'hour')}")
    if rule.days:
        parts.append(f"one a day for {count(rule.days, 'day')}")
    if rule.weeks:
        parts.append(f"one a week for {count(rule.weeks, 'week')}")
    return ", ".join(parts) or "the newest alone"


class Dated(NamedTuple):
    """What retention looks at. at is aware; kind is ``save`` or ``recovery``."""

    number: int
    at: datetime
    kind: str = "save"
    named: bool = False


def keep(snapshots: Iterable[Dated], now: datetime, rule: Rule | None = None) -> set[int]:
    """The numbers that stay.

    Of a day or week (in UTC, weeks begin on Monday) the newest save stays: once the period is over, that one never changes.
    The highest number stays because numbers are never used twice.
    """
    rule = rule or Rule()
    newest_first = sorted(snapshots, key=lambda one: (one.at, one.number), reverse=True)
    if not newest_first:
        return set()
    kept = {max(one.number for one in newest_first)} | {one.number for one in newest_first if one.named}
    kept |= {max((one.number for one in newest_first if one.kind == "save"), default=0)} - {0}
    since = now - timedelta(hours=rule.every_hours)
    kept |= {one.number for one in newest_first if rule.every_hours and one.at >= since}
    saves = [one for one in newest_first if one.kind == "save"]
    kept |= _newest_of_each(saves, now - timedelta(days=rule.days), _day)
    kept |= _newest_of_each(saves, now - timedelta(weeks=rule.weeks), _week)
    fresh = now - timedelta(days=rule.days)
    return kept | {one.number for one in newest_first if one.kind != "save" and one.at > fresh}


def _newest_of_each(
    newest_first: list[Dated], since: datetime, period: Callable[[datetime], Hashable]
) -> set[int]:
    """The newest snapshot of each period, among those younger than since."""
    found: dict[Hashable, int] = {}
    for one in newest_first:
        if one.at > since:
            found.setdefault(period(one.at), one.number)
    return set(found.values())


def _day(at: datetime) -> Hashable:
    return at.astimezone(UTC).date()


def _week(at: datetime) -> Hashable:
    return at.astimezone(UTC).isocalendar()[:2]
