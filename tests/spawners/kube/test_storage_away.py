"""Storage that is away when a notebook ends: a volume keeps what is not saved, a pod alone takes it along, and both are told."""

import pytest

from jupyterhub_notebooks.ledger import notebooks
from tests import s3
from tests.faults import faulty
from tests.hub import until
from tests.spawners.conftest import behind, last_session, notebook_of

from .conftest import kube_hub
from .test_kept import ended
from .test_pods import run, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def away(cluster, base, tmp_path_factory):
    """(Hub, its storage, which may go away)."""
    folder = tmp_path_factory.mktemp("kube-away")
    with (
        s3.running(folder / "s3") as server,
        faulty(server.endpoint, cluster.gateway) as store,
        kube_hub(cluster, base, folder, settings=behind(server, store, folder)) as hub,
    ):
        yield hub, store
        store.mode = "through"


def space_of(hub, user):
    return notebooks.views(hub.ledger, notebook=notebook_of(hub, user).id)[0].workspace


def left(hub, store, user, profile):
    """The session that ended with a file that no save has."""
    started(hub, user, profile=profile)
    run(hub, user, "head -c 2000000 /dev/zero > /workspace/early.txt")
    id = notebook_of(hub, user).id
    until(
        lambda: (head := notebooks.views(hub.ledger, notebook=id)[0].head) and head.size_bytes >= 2_000_000,
        60,
        0.2,
        "a save of the first file",
    )
    store.mode = "away"
    run(hub, user, "echo late > /workspace/late.txt")
    hub.admin("DELETE", f"/hub/api/users/{user}/server", wait=False)
    return ended(hub, user, seconds=200)


def test_a_volume_keeps_the_files_and_they_are_saved_by_themselves(away):
    hub, store = away
    row = left(hub, store, "stella", "work")
    assert row.pending_files and space_of(hub, "stella").unsaved_on
    store.mode = "through"
    until(lambda: space_of(hub, "stella").unsaved_on is None, 180, 0.2, "the save by itself")
    until(lambda: last_session(hub, "stella").closed_at, 60, what="the end of the run that saves")
    until(lambda: not hub.active("stella"), 60, what="the Hub to see it")
    started(hub, "stella", profile="passing")
    assert run(hub, "stella", "cat /workspace/late.txt") == "late"
    hub.end("stella")


def test_what_went_with_a_pod_alone_is_told_as_lost_and_the_next_start_has_the_last_save(away):
    hub, store = away
    row = left(hub, store, "nina", "passing")
    lost = until(lambda: space_of(hub, "nina").unsaved_on is None, 30, what="the word that they are lost")
    assert lost and row.pending_files
    assert "were lost with their volume" in last_session(hub, "nina").detail
    store.mode = "through"
    started(hub, "nina")
    assert run(hub, "nina", "ls /workspace") == "early.txt"
    hub.end("nina")
