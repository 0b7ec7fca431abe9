"""One look after another, with time and a Hub made up: what a lost machine and a proxy without its routes lead to."""

import http.server
import threading
from datetime import UTC, datetime, timedelta

import pytest

from jupyterhub_notebooks.errors import HubAway
from jupyterhub_notebooks.hubapi.client import Server, User
from jupyterhub_notebooks.ledger import Ledger, intents, leases, notebooks, sessions, upgrade, users
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.services.janitor.reconciling import Reconciler
from jupyterhub_notebooks.settings import Settings


class Clock:
    """now is moved by the test."""

    def __init__(self):
        self.at = datetime.now(UTC)

    def now(self):
        return self.at

    def monotonic(self):
        return self.at.timestamp()


class Hub:
    """Calls one server ready, whatever became of it."""

    def __init__(self):
        self.routes, self.given, self.stopped, self.away = 4, 0, [], False

    async def users(self, state=None):
        server = Server("", True, None, False, "/user/mara/")
        yield User("mara", "2026-01-01T00:00:00Z", False, (), {"": server})

    async def count_routes(self):
        if self.away:
            raise HubAway("The Hub does not answer", "It answered 500")
        return self.routes

    async def give_routes(self):
        self.given += 1
        self.routes = 4

    async def stop_server(self, user, server):
        self.stopped.append((user, server))
        return False


@pytest.fixture
def agents_url():
    """Something that answers as services/agents does when it is asked how it is."""

    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/services/agents"
    server.shutdown()
    server.server_close()


@pytest.fixture
def found(tmp_path, agents_url):
    """(reconciler, hub, clock, ledger, session): a session that runs, and whose machine is then lost."""
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    upgrade(ledger)
    clock, hub = Clock(), Hub()
    owner = users.seen(ledger, "mara", "2026-01-01T00:00:00Z", clock.now())
    notebook = notebooks.ensure(ledger, owner.id, "", clock.now())
    id = new_id(clock.now(), lambda length: b"1" * length)
    session = sessions.begin(ledger, id, notebook.id, {"profile": "p"}, "1" * 64, clock.now())
    sessions.report(ledger, [sessions.Report(id, {"phase": "running", "heard_at": clock.now()})])
    sessions.ready(ledger, id, clock.now())
    settings = Settings.of(
        {
            "ledger": str(ledger.url),
            "store": f"file://{tmp_path}/store",
            "profiles": "profiles.yaml",
            "agents_url": agents_url,
            "agents_api_token": "t",
            "signing_key": "k",
            "abilities": {"name": "elsewhere"},
        }
    )
    yield Reconciler(settings, ledger, hub, None, clock), hub, clock, ledger, session
    ledger.close()


async def looks(reconciler, clock, seconds, every=15):
    for _ in range(seconds // every):
        clock.at += timedelta(seconds=every)
        await reconciler.look()


async def test_a_notebook_whose_machine_is_lost_is_stopped_once_its_lease_is_over(found):
    reconciler, hub, clock, ledger, session = found
    leases.take(ledger, session.workspace, session.id, 0.0)
    await looks(reconciler, clock, 285)
    assert hub.stopped == []
    await looks(reconciler, clock, 45)
    assert hub.stopped[0] == ("mara", "")
    stop = intents.last_stop(ledger, session.id)
    assert (stop.cause, stop.actor) == ("silent", None)
    assert sessions.get(ledger, session.id).stop_asked_at is not None


async def test_one_that_could_not_be_heard_is_not_called_lost(found):
    reconciler, hub, clock, _, _ = found
    await looks(reconciler, clock, 60)
    clock.at += timedelta(hours=8)  # the lid was closed
    await reconciler.look()
    await looks(reconciler, clock, 270)
    assert hub.stopped == []


async def test_a_proxy_that_lost_its_routes_gets_them_once(found):
    reconciler, hub, _, _, _ = found
    await reconciler.look()
    hub.routes = 1
    await reconciler.look()
    await reconciler.look()
    assert hub.given == 1


async def test_a_proxy_that_does_not_answer_keeps_nothing_else_from_being_done(found, caplog):
    reconciler, hub, clock, ledger, session = found
    hub.away = True
    leases.take(ledger, session.workspace, session.id, 0.0)
    await looks(reconciler, clock, 345)
    assert hub.stopped
    told = [one.message for one in caplog.records if "routes are not known" in one.message]
    assert len(told) == 1
