"""Ways to die, with containers: what the next start finds, and what its user is told."""

import pytest

from jupyterhub_notebooks.ledger import audit, notebooks
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
    run(hub, "paul", "pkill -9 -f jupyterhub-singleuser || kill -9 $(pgrep -f singleuser | tail -1)")
    row = until(lambda: (one := last_session(hub, "paul")).closed_at and one, 120, 0.2, "the end")
    assert row.id == session and row.cause == "server_died" and not row.pending_files
    until(lambda: container(hub, "paul") is None, 60, 0.2, "the end of its container")


def test_with_its_volumes_gone_the_last_save_comes_back_and_what_is_lost_is_told(hub):
    session = begin(hub, "rita")
    hub.end("rita")
    assert hub.start("rita").status == 201, hub.log()[-3000:]
    second = last_session(hub, "rita").id
    assert second != session
    run(hub, "rita", "echo late > /workspace/late.txt")
    container(hub, "rita").kill()
    until(lambda: last_session(hub, "rita").closed_at, 120, 0.2, "the end")
    notebook = notebook_of(hub, "rita").id

    def emptied():
        """Also what a run that saves was quicker to take."""
        found = hub.engine.client.volumes.list(filters={"label": f"{words.LABEL}notebook={notebook}"})
        for one in found:
            one.remove(force=True)
        return not found

    view = notebooks.views(hub.ledger, notebook=notebook)[0]
    if view.workspace.unsaved_on is not None and container(hub, "rita") is None:
        until(emptied, 30, 0.2, "the loss of its volumes")
    assert hub.start("rita").status == 201, hub.log()[-3000:]
    assert run(hub, "rita", "cat /workspace/before.txt") == "before"
    lost = [one for one in audit.rows(hub.ledger, subject=second) if one.action == "workspace.lost"]
    kept = run(hub, "rita", "cat /workspace/late.txt 2>/dev/null || true") == "late"
    assert bool(lost) != kept, "a file is either there or told as lost"
    hub.end("rita")


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
