"""Ways to die, with containers: what the next start finds, and what its user is told."""

import docker.errors
import pytest

from jupyterhub_notebooks.ledger import notebooks
from jupyterhub_notebooks.spawners import engine as words
from tests.hub import until
from tests.spawners.conftest import last_session, notebook_of

from .test_containers import container, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def begin(hub, user, profile="work"):
    """A notebook that runs, with a file that no save has; its session's id."""
    hub.user(user)
    assert hub.start(user, options={"profile": profile}).status == 201, hub.log()[-3000:]
    run(hub, user, "echo before > /workspace/before.txt")
    return last_session(hub, user).id


def test_a_server_that_dies_is_saved_and_told(hub):
    session = begin(hub, "paul")
    run(hub, "paul", "kill -9 $(pgrep -f '[j]upyterhub-singleuser' | grep -vx 1)")
    row = until(lambda: (one := last_session(hub, "paul")).closed_at and one, 120, 0.2, "the end")
    assert row.id == session and row.cause == "server_died" and not row.pending_files
    until(lambda: container(hub, "paul") is None, 60, 0.2, "the end of its container")


def test_volumes_that_came_back_empty_are_not_taken_for_what_was_left_there(hub):
    begin(hub, "rita")
    hub.end("rita")
    assert hub.start("rita").status == 201, hub.log()[-3000:]
    run(hub, "rita", "echo late > /workspace/late.txt")
    notebook, left = notebook_of(hub, "rita").id, container(hub, "rita")
    left.kill()
    until(lambda: last_session(hub, "rita").closed_at, 120, 0.2, "the end")
    for one in hub.engine.client.volumes.list(filters={"label": f"{words.LABEL}notebook={notebook}"}):
        until(lambda one=one: gone(one), 30, 0.2, "the loss of a volume")
    view = notebooks.views(hub.ledger, notebook=notebook)[0]
    if view.workspace.unsaved_on is not None:  # a run that saves was not quicker
        answer = hub.start("rita")
        assert answer.status == 500 and "The volume does not open" in answer.json["message"], answer.text


def gone(volume):
    """Removed; not yet where a run that saves uses it."""
    try:
        volume.remove(force=True)
        return True
    except docker.errors.NotFound:
        return True
    except docker.errors.APIError:
        return False


def test_a_hub_that_dies_in_the_middle_of_a_stop_loses_nothing_and_leaves_no_container(hub):
    session = begin(hub, "sven")
    run(hub, "sven", "head -c 200000000 /dev/urandom > /workspace/big.bin")
    hub.admin("DELETE", "/hub/api/users/sven/server")
    until(lambda: last_session(hub, "sven").stop_asked_at, 60, 0.05, "the stop")
    hub.kill("hub")
    hub.start_hub()
    row = until(lambda: (one := last_session(hub, "sven")).closed_at and one, 180, 0.2, "the end")
    assert row.id == session and row.cause == "stopped" and not row.pending_files
    until(lambda: container(hub, "sven") is None, 90, 0.2, "the end of its container")
    until(lambda: not hub.active("sven"), 90, 0.2, "the Hub's end of it")
    assert hub.start("sven").status == 201, hub.log()[-3000:]
    assert run(hub, "sven", "stat -c %s /workspace/big.bin; cat /workspace/before.txt").split() == [
        "200000000",
        "before",
    ]
    hub.end("sven")
