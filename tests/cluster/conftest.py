"""One cluster for the tests that ask for one."""

import pytest

from tests.cluster import running


@pytest.fixture(scope="session")
def cluster():
    try:
        with running.running() as found:
            yield found
    except running.NoCluster as missing:
        pytest.skip(str(missing))
