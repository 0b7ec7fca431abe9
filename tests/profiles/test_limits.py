"""Time limits of the Hub's settings instead of a profile's: whose come first, and what the cards then say."""

from __future__ import annotations

from typing import Any

import pytest

from jupyterhub_notebooks.profiles.cards import cards
from jupyterhub_notebooks.profiles.catalog import parse
from jupyterhub_notebooks.profiles.choosing import Abilities, Launch, choose
from jupyterhub_notebooks.profiles.problems import WrongProfiles

TEXT = """
flavors:
  std: {use: Tests, cpu: 1, memory: 1 GB}
profiles:
  plain: {title: Plain, use: Says nothing about time, flavor: std}
  short: {title: Short, use: Says it, flavor: std, idle_stop: 15min, max_session: 6h}
"""
CATALOG = parse(TEXT)
LIMITS = {
    "everyone": {"idle_stop": "20min"},
    "group:data": {"idle_stop": "1h", "max_session": "12h"},
    "group:training": {"max_session": "0"},
    "group:lab": {"enforcement": "observe"},
    "user:mara": {"idle_stop": "2h"},
}
ABLE = Abilities(limits_time=True)


def launch(profile: str, user: str = "eve", groups: tuple[str, ...] = ()) -> Launch:
    return choose(CATALOG, {"profile": profile}, groups=groups, user=user, abilities=ABLE, limits=LIMITS)


@pytest.mark.parametrize(
    ("profile", "user", "groups", "idle", "session"),
    [
        ("plain", "eve", (), 20 * 60, 8 * 3600),
        ("short", "eve", (), 15 * 60, 6 * 3600),
        ("short", "eve", ("data",), 3600, 12 * 3600),
        ("short", "eve", ("data", "training"), 3600, 0),
        ("short", "mara", ("data",), 2 * 3600, 12 * 3600),
        ("short", "mara", ("unknown",), 2 * 3600, 6 * 3600),
    ],
)
def test_a_user_comes_before_a_group_and_a_group_before_the_profile(
    profile: str, user: str, groups: tuple[str, ...], idle: int, session: int
) -> None:
    made = launch(profile, user, groups)
    assert (made.idle_stop_seconds, made.max_session_seconds) == (idle, session)


def test_a_group_may_only_be_observed_and_its_cards_say_that_nothing_is_enforced() -> None:
    assert launch("plain", groups=("lab",)).enforcement == "observe"
    assert launch("plain").enforcement is None
    shown = {}
    for groups in ((), ("lab",)):
        made = cards(CATALOG, groups=groups, user="eve", abilities=ABLE, limits=LIMITS)
        shown[groups] = next(card for card in made if card.name == "plain")
    said = "Idle stop and session limit are not enforced here."
    assert said not in shown[()].exceptions and said in shown[("lab",)].exceptions
    assert "20\u00a0min" in shown[()].clock


def test_a_launch_with_its_limits_survives_json() -> None:
    made = launch("short")
    assert Launch.from_json(made.to_json()) == made
    assert made.warn_seconds == (600, 120) and made.extensions == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("signals: [kernel, keyboard]", "There is no signal 'keyboard'"),
        ("warn_before: soon", "'soon' is not a duration"),
        ("extensions: -1", "is not a number of times"),
        ("enforcement: maybe", "says nothing about enforcement"),
    ],
)
def test_a_wrong_field_is_told_with_its_remedy(line: str, said: str) -> None:
    text = TEXT.replace("  plain: {", f"  plain: {{{line}, ")
    with pytest.raises(WrongProfiles) as error:
        parse(text)
    assert said in error.value.sentence()


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("signals: gpu", "signals", ("gpu",)),
        ("warn_before: 0", "warn_seconds", ()),
        ("warn_before: [2min, 10min]", "warn_seconds", (600, 120)),
        ("enforcement: off", "enforcement", "off"),
        ("extend_by: 1h", "extend_seconds", 3600),
    ],
)
def test_a_field_becomes_its_value_and_reads_itself_again(line: str, name: str, value: Any) -> None:
    found = parse(TEXT.replace("  plain: {", f"  plain: {{{line}, ")).profiles["plain"]
    assert getattr(found, name) == value
    again = type(found).model_validate(found.content())
    assert getattr(again, name) == value
