"""Rules for the network: what a profile may say, and where files that ran under one may go."""

from __future__ import annotations

import pytest

from jupyterhub_notebooks.errors import ConfigError, Refusal
from jupyterhub_notebooks.profiles.cards import cards
from jupyterhub_notebooks.profiles.catalog import parse
from jupyterhub_notebooks.profiles.choosing import Abilities, choose
from jupyterhub_notebooks.profiles.egress import Rule, lets_no_more
from jupyterhub_notebooks.profiles.problems import WrongProfiles
from jupyterhub_notebooks.settings import Settings

PROFILES = """
flavors:
  cpu: {use: Small, cpu: 1, memory: 1 GB}
profiles:
  open: {title: Open, use: u, flavor: cpu}
  some: {title: Some, use: u, flavor: cpu, egress_allowlist: [a.example.org, "*.b.example.org", "c.example.org:5432"]}
  one: {title: One, use: u, flavor: cpu, egress_allowlist: [a.example.org]}
  shut: {title: Shut, use: u, flavor: cpu, no_public_internet: true}
"""
CAN = Abilities("docker", images=True, egress=True)


@pytest.mark.parametrize(
    ("new", "old", "fits"),
    [
        (None, None, True),
        (Rule(), None, True),
        (None, Rule(), False),
        (Rule(), Rule(("a",)), True),
        (Rule(("a",)), Rule(), False),
        (Rule(("a",)), Rule(("A", "b")), True),
        (Rule(("a:443",)), Rule(("a",)), True),
        (Rule(("a:5432",)), Rule(("a",)), False),
        (Rule(("a",)), Rule(("a:443",)), False),
        (Rule(("x.b",)), Rule(("*.b",)), True),
        (Rule(("*.x.b",)), Rule(("*.b",)), True),
        (Rule(("*.b",)), Rule(("*.x.b",)), False),
        (Rule(("b",)), Rule(("*.b",)), False),
        (Rule(("xb",)), Rule(("*.b",)), False),
    ],
)
def test_which_rule_lets_no_more_through(new, old, fits):
    assert lets_no_more(new, old) is fits


def chosen(profile, bound=None, **more):
    asked = {"profile": profile}
    return choose(parse(PROFILES), asked, groups=(), user="mara", abilities=CAN, bound=bound, **more)


def test_files_of_a_restricted_profile_go_to_none_that_reaches_more():
    assert chosen("open").profile == "open"
    held = Rule(("a.example.org",))
    assert chosen("one", held).profile == "one" and chosen("shut", held).profile == "shut"
    for profile in ("open", "some"):
        with pytest.raises(Refusal) as met:
            chosen(profile, held, contact="ops@example.org")
        assert met.value.label == "egress" and "do not go to" in met.value.title
        assert list(met.value.next) == ["Start with one", "Ask ops@example.org to release it"]
    with pytest.raises(Refusal):
        chosen(
            "open", held, is_admin=True
        )  # an administrator releases them, with a reason, and then starts it


def test_a_run_that_only_saves_goes_anywhere():
    asked = {"profile": "open", "run": "save"}
    launch = choose(parse(PROFILES), asked, groups=(), user="mara", abilities=CAN, bound=Rule())
    assert launch.run == "save"


def test_the_card_of_a_profile_that_a_notebook_may_not_move_to_says_why():
    shown = cards(parse(PROFILES), groups=(), user="mara", abilities=CAN, bound=Rule())
    denied = {card.name: card.denied for card in shown}
    assert denied["shut"] is None and "do not go to Open" in denied["open"].title
    some = next(card for card in shown if card.name == "some")
    assert "reaches only a.example.org, *.b.example.org and c.example.org:5432." in some.exceptions[0]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("no_public_internet: true, environment: {HTTPS_PROXY: x}", "HTTPS_PROXY is set by the rule for the network"),
        ("egress_allowlist: ['a:0']", "'a:0' has no port that there is"),
        ("egress_allowlist: ['a:70000']", "'a:70000' has no port that there is"),
        ("egress_allowlist: ['https://a']", "is not a host"),
        ("egress_allowlist: []", "This list is empty"),
        ("egress_allowlist: [a, a]", "stands here twice"),
    ],
)  # fmt: skip
def test_what_a_rule_may_not_say_is_told_with_its_remedy(lines, words):
    with pytest.raises(WrongProfiles) as met:
        parse(PROFILES + f"  bad: {{title: Bad, use: u, flavor: cpu, {lines}}}\n")
    assert words in met.value.sentence()


def settings(**more):
    needed = {name: "x" for name in ("ledger", "profiles", "agents_url", "agents_api_token", "signing_key")}
    return Settings(**{"store": "file:///store", **needed, **more})


def test_internal_networks_are_checked_and_the_storage_s_hosts_are_known():
    assert settings(internal_networks=["10.20.0.0/16"]).internal_networks == ("10.20.0.0/16",)
    for wrong in ("10.20.0.1/16", "intern", "fd00::/8"):
        with pytest.raises(ConfigError, match="is not a network"):
            settings(internal_networks=[wrong])
    assert settings().store_hosts == ()
    s3 = {"store": "s3://bucket/prefix"}
    assert settings(**s3, store_options={"region": "eu-west-1"}).store_hosts == (
        "s3.eu-west-1.amazonaws.com:443",
    )
    own = {"endpoint_url": "http://10.0.0.7:9000", "addressing": "virtual"}
    assert settings(**s3, store_options=own).store_hosts == ("10.0.0.7:9000", "bucket.10.0.0.7:9000")
