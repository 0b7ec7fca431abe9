"""The crash table of the design, row by row, on a real engine: what dies, what is left behind, and who heals it.

Each row names its tests; those of other files stand there because they show more than the death.
"""

import http.client
import json
import os
import signal

import docker.errors
import pytest

from jupyterhub_notebooks.ledger import audit, notebooks, sessions, snapshots
from jupyterhub_notebooks.spawners import engine as words
from tests import docker_engine, postgres, s3
from tests.faults import faulty
from tests.hub import HOST, until
from tests.services.idle_culler.test_with_a_hub import run_cell
from tests.spawners.conftest import SHORT, behind, last_session, notebook_of

from . import test_containers, test_egress
from .conftest import docker_hub
from .test_containers import container, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TABLE = {
    "server or kernel": [
        "test_a_server_that_dies_is_saved_and_told",
        "test_a_kernel_that_fills_the_memory_is_ended_alone_and_told_with_numbers",
    ],
    "everything in the container": [
        test_containers.test_a_container_whose_memory_is_full_is_told_as_such_with_its_limit
    ],
    "agent or container": [
        test_containers.test_a_container_that_is_killed_loses_no_file,
        test_egress.test_a_proxy_that_dies_comes_back_and_a_network_that_is_gone_ends_the_session_without_loss,
        "test_files_whose_base_is_not_known_become_a_recovery_snapshot_and_none_is_lost",
        "test_an_engine_that_ends_has_its_notebooks_saved",
    ],
    "machine lost, its writer perhaps alive": [
        "test_an_agent_that_stands_still_is_ended_once_nothing_moves_and_its_files_are_there"
    ],
    "node, volume gone": ["test_with_its_volumes_gone_a_notebook_comes_back_from_its_last_save_and_the_loss_is_told"],
    "Hub": [
        test_containers.test_a_hub_that_was_killed_finds_its_containers_again,
        "test_a_hub_that_dies_in_the_middle_of_a_start_finishes_it",
    ],
    "Hub mid-stop": ["test_a_hub_that_dies_in_the_middle_of_a_stop_loses_nothing_and_leaves_no_container"],
    "storage unreachable at stop": ["test_storage_that_is_away_at_the_stop_has_the_files_kept_and_saved_later"],
    "database unreachable": ["test_a_database_that_is_away_stops_nobody_and_what_was_written_is_saved_after_it"],
}  # fmt: skip


@pytest.fixture(scope="module")
def hub(engine, base, tmp_path_factory):
    """Nobody heals but the next start and the Hub itself."""
    folder = tmp_path_factory.mktemp("docker-table")
    with docker_hub(engine, base, folder, settings=SHORT, janitor=False, pages=True) as running:
        yield running


@pytest.fixture(scope="module")
def away(engine, base, tmp_path_factory):
    """(Hub, storage, database), each of which may go away; the janitor heals."""
    folder = tmp_path_factory.mktemp("docker-away")
    with (
        docker_engine.network(engine, "nbtest-storage") as (_, address),
        s3.running(folder / "s3") as server,
        faulty(server.endpoint, address) as store,
        postgres.running() as database,
    ):
        settings = {**behind(server, store, folder), "ledger": database.new_database()}
        with docker_hub(engine, base, folder, settings=settings) as running:
            yield running, store, database
            store.mode = "through"


def test_every_row_of_the_table_has_its_tests():
    for row, tests in TABLE.items():
        assert tests, row
        for one in tests:
            assert callable(globals()[one] if isinstance(one, str) else one), (row, one)


def begin(hub, user, profile="work", file="before.txt"):
    """A notebook that runs, with a file that no save has; its session's id."""
    hub.user(user)
    assert hub.start(user, options={"profile": profile}, seconds=120).status == 201, hub.log()[-3000:]
    run(hub, user, f"echo {file} > /workspace/{file}")
    return last_session(hub, user).id


def over(hub, user, seconds=120):
    """The row of a session once it is closed and the Hub knows it."""
    row = until(
        lambda: (one := last_session(hub, user)).closed_at and one, seconds, 0.2, "the end of the session"
    )
    until(lambda: not hub.active(user), 90, 0.2, "the Hub's end of it")
    return row


def again(hub, user):
    assert hub.start(user, seconds=120).status == 201, hub.log()[-3000:]


def test_a_server_that_dies_is_saved_and_told(hub):
    session = begin(hub, "paul")
    run(hub, "paul", "kill -9 $(pgrep -f '[j]upyterhub-singleuser' | grep -vx 1)")
    row = over(hub, "paul")
    assert row.id == session and row.cause == "server_died" and not row.pending_files
    until(lambda: container(hub, "paul") is None, 60, 0.2, "the end of its container")


@pytest.mark.parametrize(
    ("user", "code"),
    [
        (
            "kira",
            "import time\nheld = []\nwhile True:\n    held.append(b'x' * 4_000_000)\n    time.sleep(0.05)",
        ),
        ("kurt", "import time\ntime.sleep(8)\nheld = b'x' * 3_000_000_000"),
    ],
    ids=["slowly", "at once"],
)
def test_a_kernel_that_fills_the_memory_is_ended_alone_and_told_with_numbers(hub, user, code):
    session = begin(hub, user)
    before = container(hub, user).id
    run_cell(hub, user, code)
    told = until(
        lambda: [
            one for one in sessions.get(hub.ledger, session).warnings or () if "ran out of memory" in one
        ],
        120,
        0.2,
        "what is told of the memory",
    )
    print(told)
    assert "1\u00a0GB" in told[0] and "its variables are gone" in told[0], told
    assert container(hub, user).id == before and run(hub, user, "cat /workspace/before.txt") == "before.txt"
    hub.end(user)
    assert last_session(hub, user).cause == "stopped" and not last_session(hub, user).pending_files


def test_files_whose_base_is_not_known_become_a_recovery_snapshot_and_none_is_lost(hub):
    begin(hub, "rosa")
    hub.end("rosa")
    again(hub, "rosa")
    run(hub, "rosa", "echo late > /workspace/late.txt")
    notebook = notebook_of(hub, "rosa")
    container(hub, "rosa").kill()
    over(hub, "rosa")
    hub.engine.client.volumes.get(words.volumes_of(notebook.id)["state"]).remove(force=True)
    again(hub, "rosa")
    made = sorted(snapshots.of_workspace(hub.ledger, notebook.workspace), key=lambda one: one.number)
    print([(one.number, one.kind, one.files) for one in made])
    assert [one.kind for one in made][:2] == ["save", "recovery"] and made[1].files > made[0].files
    assert run(hub, "rosa", "cat /workspace/before.txt") == "before.txt"
    hub.end("rosa")


def test_an_engine_that_ends_has_its_notebooks_saved(hub):
    """What the engine does to each container when it is stopped: SIGTERM, and 15 s later SIGKILL."""
    session = begin(hub, "egon")
    container(hub, "egon").stop(timeout=15)
    row = over(hub, "egon")
    print(row.cause, row.detail)
    assert row.id == session and not row.pending_files
    again(hub, "egon")
    assert run(hub, "egon", "cat /workspace/before.txt") == "before.txt"
    hub.end("egon")


def test_an_agent_that_stands_still_is_ended_once_nothing_moves_and_its_files_are_there(hub):
    session = begin(hub, "mona")
    os.kill(container(hub, "mona").attrs["State"]["Pid"], signal.SIGSTOP)
    hub.end("mona", seconds=240)
    row = over(hub, "mona", 60)
    print(row.cause, row.detail)
    assert row.id == session and row.pending_files >= 1
    killed = [one for one in audit.rows(hub.ledger, subject=session) if one.action == "session.killed"]
    assert killed and container(hub, "mona") is None
    again(hub, "mona")
    assert run(hub, "mona", "cat /workspace/before.txt") == "before.txt"
    hub.end("mona")
    assert not last_session(hub, "mona").pending_files


def asked(hub, user, path):
    """The status of a POST to the pages' REST API."""
    token = hub.admin("POST", f"/hub/api/users/{user}/tokens", {}).json["token"]
    connection = http.client.HTTPConnection(HOST, hub.ports["public"], timeout=90)
    try:
        headers = {"Authorization": f"token {token}"}
        connection.request(
            "POST", f"/services/notebooks/api/v1/notebooks/{user}/-/{path}", json.dumps({}), headers
        )
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_with_its_volumes_gone_a_notebook_comes_back_from_its_last_save_and_the_loss_is_told(hub):
    session = begin(hub, "vera")
    hub.end("vera")
    again(hub, "vera")
    run(hub, "vera", "echo late > /workspace/late.txt")
    notebook, lost = notebook_of(hub, "vera"), last_session(hub, "vera")
    container(hub, "vera").kill()
    over(hub, "vera")
    for name in words.volumes_of(notebook.id).values():
        hub.engine.client.volumes.get(name).remove(force=True)
    answer = hub.start("vera", seconds=120)
    assert answer.status == 500 and "The volume does not open" in answer.json["message"], answer.text
    until(lambda: not hub.active("vera"), 60, 0.2, "the end of that start")
    status, said = asked(hub, "vera", "start-from-save")
    assert status == 202, said
    until(lambda: (hub.server("vera") or {}).get("ready"), 120, 0.2, "the start from the last save")
    assert run(hub, "vera", "ls /workspace").split() == ["before.txt"]
    left = [
        one for one in audit.rows(hub.ledger, subject=notebook.workspace) if one.action == "volume.set_aside"
    ]
    print(left[0].evidence)
    assert left[0].evidence["session"] == lost.id != session and left[0].evidence["files"] >= 1
    hub.end("vera")


def test_a_hub_that_dies_in_the_middle_of_a_start_finishes_it(hub):
    hub.user("hans")
    hub.admin("POST", "/hub/api/users/hans/server", {"user_options": {"profile": "work"}}, wait=False)

    def there():
        try:
            return (one := last_session(hub, "hans")) and container(hub, "hans") is not None and one
        except (IndexError, LookupError, AssertionError, AttributeError, docker.errors.NotFound):
            return None

    row = until(there, 90, 0.02, "its container")
    hub.kill("hub")
    hub.start_hub()
    until(lambda: (hub.server("hans") or {}).get("ready"), 120, 0.2, "the server at the new Hub")
    assert last_session(hub, "hans").id == row.id
    label = {"label": f"{words.LABEL}notebook={row.notebook}"}
    assert len(hub.engine.client.containers.list(all=True, filters=label)) == 1
    run(hub, "hans", "echo works > /workspace/works.txt")
    hub.end("hans")
    assert last_session(hub, "hans").cause == "stopped" and not last_session(hub, "hans").pending_files


def test_a_hub_that_dies_in_the_middle_of_a_stop_loses_nothing_and_leaves_no_container(hub):
    session = begin(hub, "sven")
    run(hub, "sven", "head -c 200000000 /dev/urandom > /workspace/big.bin")
    hub.admin("DELETE", "/hub/api/users/sven/server")
    until(lambda: last_session(hub, "sven").stop_asked_at, 60, 0.05, "the stop")
    hub.kill("hub")
    hub.start_hub()
    row = over(hub, "sven", 180)
    assert row.id == session and row.cause == "stopped" and not row.pending_files
    until(lambda: container(hub, "sven") is None, 90, 0.2, "the end of its container")
    again(hub, "sven")
    said = run(hub, "sven", "stat -c %s /workspace/big.bin; cat /workspace/before.txt")
    assert said.split() == ["200000000", "before.txt"]
    hub.end("sven")


def test_storage_that_is_away_at_the_stop_has_the_files_kept_and_saved_later(away):
    hub, store, _ = away
    session = begin(hub, "stella")
    notebook = notebook_of(hub, "stella")
    until(lambda: notebooks.views(hub.ledger, notebook=notebook.id)[0].head, 60, 0.2, "a first save")
    store.mode = "away"
    run(hub, "stella", "echo late > /workspace/late.txt")
    hub.end("stella", seconds=240)
    row = until(lambda: (one := sessions.get(hub.ledger, session)).closed_at and one, 120, 0.2, "the end")
    space = notebooks.views(hub.ledger, notebook=notebook.id)[0].workspace
    print(row.cause, row.detail, space.unsaved_on)
    assert row.pending_files >= 1 and space.unsaved_on == f"docker:{notebook.id}"
    store.mode = "through"
    until(
        lambda: notebooks.views(hub.ledger, notebook=notebook.id)[0].workspace.unsaved_on is None,
        180,
        0.2,
        "the save by itself",
    )
    saved = until(
        lambda: (one := last_session(hub, "stella")).closed_at and one,
        90,
        0.2,
        "the end of the run that saves",
    )
    assert saved.kind == "save" and not saved.pending_files
    until(lambda: not hub.active("stella"), 90, 0.2, "the Hub's end of it")
    for volume in words.volumes_of(notebook.id).values():
        until(lambda volume=volume: _removed(hub, volume), 30, 0.2, "the volume's end")
    again(hub, "stella")
    assert run(hub, "stella", "cat /workspace/late.txt") == "late"
    hub.end("stella")


def _removed(hub, name):
    try:
        hub.engine.client.volumes.get(name).remove(force=True)
    except docker.errors.NotFound:
        return True
    except docker.errors.APIError:
        return False  # a container is just being removed
    return True


def test_a_database_that_is_away_stops_nobody_and_what_was_written_is_saved_after_it(away):
    hub, _, database = away
    session = begin(hub, "dana")
    notebook, before = notebook_of(hub, "dana"), container(hub, "dana").id
    head = until(
        lambda: notebooks.views(hub.ledger, notebook=notebook.id)[0].head, 60, 0.2, "a first save"
    ).number
    agent = container(hub, "dana")
    database.stop(signal.SIGQUIT)
    try:
        run_in(agent, "echo late > /workspace/late.txt")
        log = until(
            lambda: _said(agent, "is kept") or _said(agent, "files are kept"), 60, 0.5, "what the agent says"
        )
        print(log)
        assert run_in(agent, "cat /workspace/late.txt") == "late"
    finally:
        database.start()
    until(
        lambda: (now := notebooks.views(hub.ledger, notebook=notebook.id)[0].head) and now.number > head,
        120,
        0.5,
        "the save after it",
    )
    assert container(hub, "dana").id == before and sessions.get(hub.ledger, session).ended_at is None
    hub.end("dana")
    row = sessions.get(hub.ledger, session)
    assert row.cause == "stopped" and not row.pending_files


def run_in(one, command):
    status, told = one.exec_run(["sh", "-c", command])
    assert status == 0, told.decode()
    return told.decode().strip()


def _said(one, piece):
    return [line for line in one.logs().decode("utf-8", "replace").splitlines() if piece in line]
