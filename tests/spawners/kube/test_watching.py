"""A Hub that begins while its cluster is away does not take that for a cluster without pods."""

import asyncio

import aiohttp
import pytest

from tests.cluster.keys import Keys


async def test_a_watch_that_could_not_begin_is_tried_anew_and_never_says_that_nothing_runs(
    tmp_path, monkeypatch
):
    keys = Keys.new(tmp_path / "keys")
    keys.sign("nobody", "nobody")
    monkeypatch.setenv("KUBECONFIG", str(keys.kubeconfig("nobody", "https://127.0.0.1:9")))
    from kubespawner.clients import load_config

    from jupyterhub_notebooks.spawners.kube import KubeNotebookSpawner

    monkeypatch.setattr(
        "kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION",
        str(tmp_path / "keys" / "nobody.kubeconfig"),
    )
    load_config.cache_clear()
    spawner = KubeNotebookSpawner(_mock=True, namespace="nowhere")
    asked = [asyncio.create_task(spawner._pod("0" * 26)) for _ in range(2)]
    for one in asked:
        with pytest.raises(aiohttp.ClientError):
            await one
    with pytest.raises(aiohttp.ClientError):
        await spawner._pod("0" * 26)
    assert spawner.pod_reflector is None
    load_config.cache_clear()
