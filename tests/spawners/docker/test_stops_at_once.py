"""Twenty containers stopped in one moment end side by side: as fast as the slowest, not one after the other."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from tests.hub import until
from tests.spawners.conftest import last_session

from .conftest import docker_hub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

COUNT, ENDING_SECONDS = 20, 8
#: A server that takes its time to end, as one with many kernels does.
SLOW_TO_END = (
    f"trap 'sleep {ENDING_SECONDS}; exit 0' TERM;"
    " /opt/notebook/bin/python -P -s -m jupyterhub_notebooks.agent.saving_page & while :; do wait; done"
)


@pytest.fixture(scope="module")
def hub(engine, base, tmp_path_factory):
    with docker_hub(
        engine,
        base,
        tmp_path_factory.mktemp("docker-stops"),
        DockerNotebookSpawner__cmd=["sh", "-c", SLOW_TO_END],
    ) as running:
        yield running


def test_twenty_stops_at_once_take_as_long_as_the_slowest(hub):
    people = [f"stop{number}" for number in range(COUNT)]
    for user in people:
        hub.user(user)
    with ThreadPoolExecutor(4) as some:
        list(some.map(lambda user: hub.start(user, "", {"profile": "tight"}, 240), people))
    assert all(hub.active(user) for user in people), hub.log()[-3000:]
    asked = datetime.now(UTC)
    with ThreadPoolExecutor(COUNT) as together:
        list(together.map(lambda user: hub.admin("DELETE", f"/hub/api/users/{user}/server"), people))
    rows = until(
        lambda: (
            (found := [last_session(hub, user) for user in people])
            and all(one.closed_at for one in found)
            and found
        ),
        300,
        0.5,
        what="the end of all",
    )
    assert {one.cause for one in rows} == {"stopped"} and not any(one.pending_files for one in rows)
    took = [(one.closed_at - asked).total_seconds() for one in rows]
    alone = [(one.closed_at - one.stop_asked_at).total_seconds() for one in rows]
    print(
        f"{COUNT} stops: all {max(took):.1f} s, the slowest {max(alone):.1f} s, their sum {sum(alone):.0f} s"
    )
    assert max(took) < sum(alone) / 8
