"""From what was asked for to a launch or a refusal, and the cards that say so beforehand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from jupyterhub_notebooks.errors import BadInput, Refusal
from jupyterhub_notebooks.profiles.cards import Card, cards
from jupyterhub_notebooks.profiles.catalog import SHIPPED, load, parse
from jupyterhub_notebooks.profiles.choosing import Abilities, Launch, choose
from jupyterhub_notebooks.profiles.form import chips, options_of, sections

NBSP = "\u00a0"
SHIPPED_CATALOG = load(SHIPPED)
LOCAL = Abilities()
EVERYTHING = Abilities(
    "kube", True, True, True, True, frozenset({"T4", "A100"}), True, frozenset({"jupyterlab", "vscode"})
)
CATALOG = parse(
    """
flavors:
  cpu: {use: u, cpu: 2, memory: 8 GB, price_per_hour: 0.1}
  big: {use: u, cpu: 8, memory: 32 GB}
  t4: {use: u, cpu: 4, memory: 16 GB, gpu: {kind: T4}}
profiles:
  plain: {title: Plain, use: u, flavor: [cpu, big], editor: [jupyterlab, vscode], environment: {A: b}}
  mixed: {title: Mixed, use: u, flavor: [t4, cpu]}
  gpu: {title: GPU, use: u, flavor: t4}
  closed: {title: Closed, use: u, flavor: cpu, who: {groups: [ml], users: [zoe]}, contact: ml@example.org}
  old: {title: Old, use: u, flavor: cpu, deprecated: {replacement: plain, after: 2026-12-31}}
  shut: {title: Shut, use: u, flavor: cpu, no_public_internet: true}
"""
)


def chosen(options: dict[str, Any], abilities: Abilities = LOCAL, **more: Any) -> Launch:
    return choose(CATALOG, options, **{"groups": (), "user": "mara", "abilities": abilities, **more})


def refused(options: dict[str, Any], abilities: Abilities = LOCAL, **more: Any) -> Refusal:
    with pytest.raises(Refusal) as raised:
        chosen(options, abilities, **more)
    return raised.value


def carded(abilities: Abilities = LOCAL, **more: Any) -> dict[str, Card]:
    made = cards(CATALOG, **{"groups": (), "user": "mara", "abilities": abilities, **more})
    return {card.name: card for card in made}


def test_a_launch_has_all_of_the_profile_and_survives_json() -> None:
    launch = chosen({"profile": "plain"})
    assert (launch.profile, launch.flavor, launch.editor) == ("plain", "cpu", "jupyterlab")
    assert launch.resources.memory_bytes == 8 * 10**9 and launch.environment == {"A": "b"}
    assert launch.version == CATALOG.versions["plain"]
    assert Launch.from_json(json.loads(json.dumps(launch.to_json()))) == launch
    assert Launch.from_json({**launch.to_json(), "of_a_later_version": 1}) == launch


def test_every_shipped_profile_that_a_machine_can_run_becomes_a_launch() -> None:
    for name in SHIPPED_CATALOG.profiles:
        launch = choose(SHIPPED_CATALOG, {"profile": name}, groups=(), user="m", abilities=EVERYTHING)
        assert Launch.from_json(launch.to_json()) == launch


def test_without_a_profile_the_last_one_is_used_and_else_the_first_that_can_start() -> None:
    assert chosen({}, last="mixed").profile == "mixed"
    assert chosen({}).profile == "plain"


def test_a_flavor_is_chosen_among_those_of_the_profile() -> None:
    assert chosen({"profile": "plain", "flavor": "big"}).flavor == "big"
    with pytest.raises(BadInput, match=r"flavor: plain has no flavor 'bog'\. Did you mean big\?"):
        chosen({"profile": "plain", "flavor": "bog"})


def test_without_a_choice_the_first_flavor_that_runs_here_is_taken() -> None:
    assert chosen({"profile": "mixed"}).flavor == "cpu"
    assert chosen({"profile": "mixed"}, EVERYTHING).flavor == "t4"
    assert refused({"profile": "mixed", "flavor": "t4"}).next == ("Start with cpu",)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"profil": "plain"}, "profil: There is no such option. Did you mean profile?"),
        ({"image": "evil"}, "image: There is no such option"),
        ({"profile": ["plain"]}, "profile: This must be one name"),
        ({"profile": {"a": 1}}, "profile: This must be one name"),
        ({"profile": "x" * 201}, "profile: This must be one name"),
        ({"profile": "plan"}, "profile: There is no profile 'plan'. Did you mean plain?"),
        ({"profile": "plain", "editor": "emacs"}, "editor: plain has no editor 'emacs'"),
        ({"run": "rm"}, "run: There is no run 'rm'"),
        (["profile"], "user_options: This must be an object"),
    ],
)
def test_options_that_cannot_be_meant_name_their_field(options: Any, told: str) -> None:
    with pytest.raises(BadInput) as raised:
        chosen(options)
    assert told in raised.value.sentence()


def test_a_profile_for_a_group_is_refused_to_others_with_the_group_and_whom_to_ask() -> None:
    refusal = refused({"profile": "closed"})
    assert (refusal.label, refusal.title) == ("group", "Only for the group ml")
    assert refusal.why == "You are not in it; ml@example.org decides"
    assert refusal.next == ("Ask ml@example.org",)
    assert chosen({"profile": "closed"}, groups=["ml"]).profile == "closed"
    assert chosen({"profile": "closed"}, user="zoe").profile == "closed"
    assert chosen({"profile": "closed"}, is_admin=True).profile == "closed"


def test_a_gpu_profile_is_refused_where_there_is_none_with_another_to_start() -> None:
    refusal = refused({"profile": "gpu"})
    assert refusal.label == "not_possible_here"
    assert refusal.title == "GPU cannot run on this Hub"
    assert refusal.why == "It needs a T4 and this machine has no GPU."
    assert refusal.next == ("Start with plain", "Ask your administrator")
    other = Abilities("kube", gpu_kinds=frozenset({"A100"}))
    assert refused({"profile": "gpu"}, other).why == "It needs a T4 and this Hub has only A100."
    assert chosen({"profile": "gpu"}, EVERYTHING).resources.gpu is not None


def test_an_egress_rule_is_never_ignored() -> None:
    assert "no public internet" in refused({"profile": "shut"}).why
    assert chosen({"profile": "shut"}, EVERYTHING).no_public_internet


def test_an_editor_that_is_not_here_is_refused_and_else_taken() -> None:
    assert refused({"profile": "plain", "editor": "vscode"}).title == "VS Code is not on this Hub"
    assert chosen({"profile": "plain", "editor": "vscode"}, EVERYTHING).editor == "vscode"


def test_a_profile_that_vanished_is_no_longer_offered_and_names_a_way_on() -> None:
    refusal = refused({}, last="gone")
    assert refusal.title == "The profile gone is no longer offered"
    assert refusal.next == ("Start with plain", "Ask your administrator")


def test_a_deprecated_profile_starts_until_its_day_is_over_and_then_as_its_replacement() -> None:
    last_day, after = datetime(2026, 12, 31, 23, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    assert chosen({"profile": "old"}, now=last_day).profile == "old"
    assert chosen({"profile": "old"}, now=after).profile == "plain"
    assert carded(now=last_day)["old"].deprecated == (
        f"Offered until 31{NBSP}Dec{NBSP}2026; then a start uses plain."
    )


def test_a_save_only_run_takes_the_smallest_flavor_whatever_the_profile_needs() -> None:
    launch = chosen({"profile": "gpu", "run": "save"})
    assert (launch.flavor, launch.run, launch.startup_script) == ("cpu", "save", None)


def test_every_profile_has_a_card_and_those_that_cannot_start_say_why() -> None:
    made = carded()
    assert set(made) == set(CATALOG.profiles)
    assert {name for name, card in made.items() if card.denied} == {"gpu", "closed", "shut"}
    assert made["closed"].denied is not None and made["closed"].denied.title == "Only for the group ml"
    assert {name for name, card in carded(EVERYTHING).items() if card.denied} == {"closed"}


def test_the_card_says_what_this_backend_does_not_do() -> None:
    assert carded()["plain"].exceptions == (
        "Runs on this machine's Python; no image.",
        "CPU and memory limits are not enforced here.",
        "Idle stop and session limit are not enforced here.",
    )
    assert carded(EVERYTHING)["plain"].exceptions == ()
    assert carded(EVERYTHING)["shut"].exceptions == ("No public internet.",)


def test_a_card_has_price_limits_and_clock_in_the_words_of_the_pages() -> None:
    card = carded()["plain"]
    assert card.flavor.limits == f"2{NBSP}CPU, 8{NBSP}GB"
    assert card.flavor.price == f"€0.10 an{NBSP}hour"
    assert card.flavor.most == f"At most €0.80 for a full 8{NBSP}h session."
    assert card.clock == f"Idle stop 30{NBSP}min, session 8{NBSP}h"
    assert card.flavors[1].price == f"no{NBSP}charge"
    assert carded(currency="CHF")["plain"].flavor.price == f"0.10{NBSP}CHF an{NBSP}hour"


def test_the_last_choice_stands_first_unless_it_cannot_start() -> None:
    made = cards(CATALOG, groups=(), user="m", abilities=LOCAL, last="old")
    assert (made[0].name, made[0].group) == ("old", "Your last choice")
    assert cards(CATALOG, groups=(), user="m", abilities=LOCAL, last="gpu")[0].name == "plain"
    headings = [heading for heading, _ in sections(made)]
    assert headings == ["Your last choice", "CPU", "GPU"]


def test_chips_count_and_leave_out_what_would_show_nothing() -> None:
    counted = {kind: number for kind, _, number in chips(list(carded().values()))}
    assert counted == {"all": 6, "cpu": 4, "gpu": 2, "network": 1}
    assert [kind for kind, _, _ in chips([carded()["plain"]])] == ["all"]


def test_the_filter_finds_names_memory_and_gpu() -> None:
    assert "16 gb" in carded()["gpu"].search and "t4" in carded()["gpu"].search


def test_a_posted_form_becomes_options_and_a_strange_field_stays_to_be_refused() -> None:
    form = {
        "profile": ["plain"],
        "flavor-plain": ["big"],
        "flavor-mixed": ["t4"],
        "editor": [""],
        "_xsrf": ["x"],
    }
    assert options_of(form) == {"profile": "plain", "flavor": "big"}
    assert options_of({"evil": ["1"]}) == {"evil": "1"}


def test_abilities_survive_json_and_what_is_missing_has_the_least() -> None:
    assert Abilities.from_json(json.loads(json.dumps(EVERYTHING.to_json()))) == EVERYTHING
    assert Abilities.from_json({}) == LOCAL
