"""The chart with our values: its schema takes them, and its rules for the network let through what notebooks need."""

from __future__ import annotations

import json

import pytest

from tests.config.chart import chart, rendered
from tests.config.test_kubernetes import HERE
from tests.tools import prepare

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def the_chart(tmp_path_factory):
    try:
        prepare.helm()
        return chart(tmp_path_factory.mktemp("chart"))
    except prepare.Missing as missing:
        pytest.skip(str(missing))


def test_the_schema_takes_our_values_and_no_other_key(the_chart, tmp_path):
    made = rendered(the_chart, "notebooks", HERE / "values.yaml")
    kinds = {(one["kind"], one["metadata"]["name"]) for one in made}
    assert ("Deployment", "hub") in kinds and not {kind for kind, _ in kinds} & {
        "Role",
        "ClusterRole",
        "DaemonSet",
    }
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("hub: {nonsense: 1}\n")
    with pytest.raises(AssertionError, match="nonsense"):
        rendered(the_chart, "notebooks", HERE / "values.yaml", wrong)


def test_notebooks_reach_agents_and_the_proxy_the_pages_and_nobody_else(the_chart):
    made = {
        (one["kind"], one["metadata"]["name"]): one for one in rendered(the_chart, "n", HERE / "values.yaml")
    }
    ports = [
        port["port"]
        for rule in made["NetworkPolicy", "singleuser"]["spec"]["egress"]
        for port in rule.get("ports", [])
    ]
    assert 8082 in ports
    into = made["NetworkPolicy", "hub"]["spec"]["ingress"]
    pages = [rule for rule in into if any(port["port"] == 10202 for port in rule["ports"])]
    assert len(pages) == 1 and all("proxy" in json.dumps(one) for one in pages[0]["from"])
    assert 10202 in [port["port"] for port in made["Service", "hub"]["spec"]["ports"]]
