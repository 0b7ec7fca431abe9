"""The cluster and the engine of the spawner's tests."""

from tests.spawners.kube.conftest import base, cluster, engine

__all__ = ["base", "cluster", "engine"]
