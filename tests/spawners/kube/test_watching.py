"""A Hub that begins while its cluster is away does not take that for a cluster without pods."""

import asyncio

import aiohttp
import pytest
import pytest_asyncio

from tests.cluster.keys import Keys


@pytest_asyncio.fixture
async def spawner(tmp_path, monkeypatch):
    """One whose cluster is at a port where nothing listens."""
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
    yield KubeNotebookSpawner(_mock=True, namespace="nowhere")
    load_config.cache_clear()


async def test_a_watch_that_could_not_begin_is_tried_anew_and_never_says_that_nothing_runs(spawner):
    asked = [asyncio.create_task(spawner._pod("0" * 26)) for _ in range(2)]
    for one in asked:
        with pytest.raises(aiohttp.ClientError):
            await one
    with pytest.raises(aiohttp.ClientError):
        await spawner._pod("0" * 26)
    assert spawner.pod_reflector is None


async def test_a_watch_whose_beginning_was_cancelled_keeps_nobody_waiting(spawner, monkeypatch):
    async def hangs(reflector, resource_version=None):
        await asyncio.Event().wait()

    monkeypatch.setattr("kubespawner.reflector.ResourceReflector._list_and_update", hangs)
    first, second = (asyncio.create_task(spawner._pod("0" * 26)) for _ in range(2))
    while spawner.pod_reflector is None:  # noqa: ASYNC110  (nobody tells it)
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(OSError, match="The watch over pods did not begin"):
        await asyncio.wait_for(second, 10)
    assert first.cancelled() and spawner.pod_reflector is None
