"""What holds for all tests: a busy machine makes none of them fail, and one engine and one cluster serve all that ask."""

import pytest
from hypothesis import settings

# A slow example is not a wrong one.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def engine():
    """A Docker engine. There is one for a whole run: a second over the same images would not start."""
    from tests import docker_engine

    try:
        with docker_engine.running() as found:
            yield found
    except docker_engine.NoEngine as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def cluster():
    """A Kubernetes of one node."""
    from tests.cluster import running

    try:
        with running.running() as found:
            yield found
    except running.NoCluster as missing:
        pytest.skip(str(missing))
