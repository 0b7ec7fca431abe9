"""The image of the spawner's tests, in the cluster."""

from tests.spawners.kube.conftest import base

__all__ = ["base"]
