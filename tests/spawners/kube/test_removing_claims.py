"""Claims of a notebook that was deleted for good: removed from its namespace, from all, or from the one that is usual."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes_asyncio.client.exceptions import ApiException

from jupyterhub_notebooks.spawners import podnamespaces, pods, removing_claims

NOTEBOOK = "01j0000000000000000000000a"
OTHER = "01j0000000000000000000000b"


class Cluster:
    """Claims by namespace and name, each with the notebook of its label. forbids: a namespace that is not this Hub's."""

    def __init__(self, forbids: str = "") -> None:
        self.claims = {("hub", "a"): NOTEBOOK, ("team", "b"): NOTEBOOK, ("team", "c"): OTHER}
        self.forbids = forbids

    def _listed(self, namespace: str, label_selector: str) -> Any:
        if self.forbids == namespace:
            raise ApiException(status=403, reason="Forbidden")
        wanted = label_selector.removeprefix(f"{pods.LABEL}notebook=")
        found = [
            SimpleNamespace(metadata=SimpleNamespace(namespace=where, name=name))
            for (where, name), notebook in self.claims.items()
            if notebook == wanted and namespace in (where, podnamespaces.EVERYWHERE)
        ]
        return SimpleNamespace(items=found)

    async def list_namespaced_persistent_volume_claim(
        self, namespace: str, label_selector: str, _request_timeout: float
    ) -> Any:
        return self._listed(namespace, label_selector)

    async def list_persistent_volume_claim_for_all_namespaces(
        self, label_selector: str, _request_timeout: float
    ) -> Any:
        return self._listed(podnamespaces.EVERYWHERE, label_selector)

    async def delete_namespaced_persistent_volume_claim(
        self, name: str, namespace: str, _request_timeout: float
    ) -> None:
        del self.claims[namespace, name]


@pytest.mark.parametrize(
    ("namespace", "left"),
    [("hub", {"b", "c"}), ("team", {"a", "c"}), ("*", {"c"}), ("none", {"a", "b", "c"})],
)
async def test_claims_go_from_the_namespace_that_is_named_and_no_other(namespace, left):
    cluster = Cluster()
    before = len(cluster.claims)
    assert await removing_claims.remove_claims(cluster, namespace, NOTEBOOK) == before - len(left)
    assert {name for _, name in cluster.claims} == left


async def test_a_hub_that_may_not_look_everywhere_removes_nothing_and_does_not_take_it_for_done():
    with pytest.raises(ApiException):
        await removing_claims.remove_claims(Cluster(forbids="*"), "*", NOTEBOOK)


@pytest.mark.parametrize(
    ("arguments", "variable", "own", "wanted"),
    [
        ([], "", "", ""),
        ([], "", "hub", "hub"),
        ([], "team", "hub", "team"),
        (["other"], "team", "hub", "other"),
        (["*"], "team", "hub", "*"),
    ],
)
def test_the_namespace_is_the_one_named_then_the_variable_s_then_the_pod_s(
    monkeypatch, tmp_path, arguments, variable, own, wanted
):
    path = tmp_path / "namespace"
    if own:
        path.write_text(f"{own}\n")
    monkeypatch.setattr(podnamespaces, "IN_POD", path)
    monkeypatch.setenv(podnamespaces.VARIABLE, variable)
    found = []

    async def run(notebook: str, namespace: str) -> None:
        found.append((notebook, namespace))

    monkeypatch.setattr(removing_claims, "_run", run)
    assert removing_claims.main([NOTEBOOK, *arguments]) == 0
    assert found == [(NOTEBOOK, wanted)]


@pytest.mark.parametrize("arguments", [[], ["../x"], [NOTEBOOK, "a", "b"]])
def test_what_names_no_notebook_is_refused(arguments, capsys):
    assert removing_claims.main(arguments) == 2
    assert "Name one notebook by its id" in capsys.readouterr().err
