"""Services, proxy, Hub and databases away or restarted, a clock set back, disks full: nothing that runs is harmed, what is
seen meanwhile is true, and everything goes on by itself."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import sqlite3
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import update

from jupyterhub_notebooks.ledger import sessions, snapshots, tables
from jupyterhub_notebooks.spawners.processes import agent_of
from tests import postgres
from tests.hub import HOST, until
from tests.outages import Place, place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Each test uses a user of its own."""
    with place(tmp_path_factory.mktemp("parts")) as made:
        yield made


def log_of(here: Place, user: str) -> str:
    return (here.hub.state / "logs" / "sessions" / f"{here.past(user)[0].id}.log").read_text()


def at_work(here: Place, user: str) -> int:
    """A notebook that runs and is saved; the number of that save."""
    here.start(user)
    here.file(user, "before.txt").write_text("before")
    here.saved_after(user, here.head(user))
    return here.head(user)


def goes_on(here: Place, user: str, number: int, what: str) -> None:
    """It is saved again, shown as running, and stops well."""
    begun = time.monotonic()
    here.saved_after(user, number, 180)
    print(f"{what}: saved again after {time.monotonic() - begun:.1f} s")
    until(lambda: here.seen(user)["state"] == "RUNNING", 60, what="the state")
    assert here.past(user)[0].kind == "work"
    here.stop(user)
    told = here.until_state(user, "STOPPED", 120)
    assert "everything is saved" in told["sentence"]


def test_services_agents_away_while_a_notebook_runs(here):
    number = at_work(here, "agnes")
    here.hub.kill("agents")
    here.file("agnes").write_text("made meanwhile")
    until(lambda: "does not answer" in log_of(here, "agnes"), 60, what="the agent's word")
    with here.hub.ledger.write() as connection:  # two minutes go by
        long_ago = datetime.now(UTC) - timedelta(minutes=2)
        row = tables.sessions.c.id == here.past("agnes")[0].id
        connection.execute(update(tables.sessions).where(row).values(heard_at=long_ago))
    said = here.until_said("agnes", "No heartbeat since")
    print("seen:", said)
    assert here.seen("agnes")["state"] == "RUNNING" and here.hub.server("agnes")["ready"]
    here.hub.start_agents()
    goes_on(here, "agnes", number, "services/agents back")


def test_services_agents_away_at_a_stop(here):
    number = at_work(here, "albert")
    here.hub.kill("agents")
    here.file("albert").write_text("made meanwhile")
    here.stop("albert")
    until(lambda: here.seen("albert")["state"] in ("STOPPING", "ERROR"), 60, what="the stop")
    print("seen:", here.seen("albert")["state"], here.seen("albert")["sentence"])
    told = here.until_state("albert", "ERROR", 180, "not saved")
    print("seen:", told["sentence"], told["safe"])
    here.hub.start_agents()
    begun = time.monotonic()
    here.saved_after("albert", number, 180)
    print(f"services/agents back: saved by itself after {time.monotonic() - begun:.1f} s")
    here.until_state("albert", "STOPPED", 120)


def through_the_proxy(here: Place, path: str) -> int:
    try:
        connection = http.client.HTTPConnection(HOST, here.hub.ports["public"], timeout=10)
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0


def test_the_proxy_restarted(here):
    number = at_work(here, "petra")
    here.hub.kill("proxy")
    here.file("petra").write_text("made meanwhile")
    here.saved_after("petra", number)  # saving needs no proxy
    assert through_the_proxy(here, "/hub/health") == 0
    here.hub.start_proxy()
    begun = time.monotonic()
    until(lambda: through_the_proxy(here, "/services/notebooks/health") == 200, 120, what="the pages")
    until(lambda: through_the_proxy(here, "/user/petra/api") == 200, 120, what="the notebook")
    print(f"proxy back: everything reached again after {time.monotonic() - begun:.1f} s")
    number = here.head("petra")
    here.file("petra").write_text("made afterwards")
    goes_on(here, "petra", number, "proxy back")


def test_the_hub_killed_and_restarted(here):
    number = at_work(here, "hugo")
    session = here.past("hugo")[0].id
    here.hub.kill("hub")
    here.file("hugo").write_text("made meanwhile")
    here.saved_after("hugo", number)  # saving needs no Hub
    assert through_the_proxy(here, "/user/hugo/api") == 200
    begun = time.monotonic()
    here.hub.start_hub(wait=False)
    until(here.hub.healthy, 240, 0.2, "the Hub")
    here.until_state("hugo", "RUNNING", 120)
    assert here.past("hugo")[0].id == session
    print(f"Hub back: page right again after {time.monotonic() - begun:.1f} s")
    number = here.head("hugo")
    here.file("hugo").write_text("made afterwards")
    goes_on(here, "hugo", number, "Hub back")


def test_the_database_locked_for_longer_than_anybody_waits(here):
    number = at_work(here, "dora")
    base = sqlite3.connect(here.hub.state / "ledger.sqlite", isolation_level=None)
    base.execute("BEGIN EXCLUSIVE")
    try:
        here.file("dora").write_text("made meanwhile")
        status, told = here.ask("dora", "api/v1/notebooks/dora/-/stop", "POST", {})
        print("a stop meanwhile is answered:", status, told)
        assert status == 503 and told["error"]["reason"] == "database_away", told
        said = here.seen("dora")
        print("seen:", said["state"], said["sentence"])
        assert said["state"] == "RUNNING" and here.hub.server("dora")["ready"]
    finally:
        base.execute("ROLLBACK")
        base.close()
    goes_on(here, "dora", number, "database free")


def test_a_postgresql_restarted(tmp_path):
    with postgres.running() as server:
        url = server.new_database()
        with place(tmp_path, settings={"ledger": url}) as here:
            number = at_work(here, "paula")
            paper = here.file("paula")
            server.stop(signal.SIGQUIT)
            paper.write_text("made meanwhile")
            status, told = here.ask("paula", "api/v1/notebooks/paula/-")
            print("a page meanwhile:", status, told)
            assert status == 503 and told["error"]["reason"] == "database_away", told
            status, page = here.ask("paula", "n/paula/-")
            assert status == 503 and "database" in str(page)
            assert here.hub.server("paula")["ready"]
            time.sleep(3)  # seconds in which everybody meets it
            server.start()
            goes_on(here, "paula", number, "database back")


def test_the_clock_set_back_an_hour(here):
    """What was written before then lies an hour ahead: an agent that died is told, its files are saved, a start works."""
    number = at_work(here, "conrad")
    here.file("conrad").write_text("not saved when it died")
    session = here.past("conrad")[0]
    os.kill(agent_of(session.id).pid, signal.SIGSTOP)
    hour = timedelta(hours=1)
    with here.hub.ledger.write() as connection:
        for table, names in (
            (tables.sessions, ("asked_at", "allocated_at", "ready_at", "heard_at")),
            (tables.leases, ("ends_at",)),
            (tables.snapshots, ("at",)),
        ):
            for row in connection.execute(table.select()).mappings().all():
                key = [column == row[column.name] for column in table.primary_key]
                values = {name: row[name] + hour for name in names if row[name] is not None}
                connection.execute(update(table).where(*key).values(**values))
    psutil.Process(agent_of(session.id).pid).kill()
    here.saved_after("conrad", number, 240)
    assert sessions.get(here.hub.ledger, session.id).closed_at
    until(lambda: not here.view("conrad").saving, 120, what="the end of the run that saves")
    until(lambda: not here.hub.active("conrad"), 60, what="the Hub's end of it")
    here.start("conrad")
    assert here.file("conrad").read_text() == "not saved when it died"
    number = here.head("conrad")
    here.file("conrad").write_text("afterwards")
    goes_on(here, "conrad", number, "clock set back")


@contextlib.contextmanager
def small_disk(at: Path, megabytes: int):
    """A disk of its own, in memory."""
    if os.geteuid() != 0:
        pytest.skip("a disk can be mounted by root only")
    at.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(at)], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def fill(folder: Path) -> Path:
    """Takes all that is free there."""
    path = folder / "filling"
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    with open(path, "ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))
    return path


def test_the_workspace_s_disk_full(tmp_path):
    with (
        small_disk(tmp_path / "volumes", 60) as disk,
        place(tmp_path, LocalNotebookSpawner__volumes_dir=str(disk)) as here,
    ):
        here.start("wanda")
        files = disk / here.view("wanda").notebook.id / "files"
        (files / "before.txt").write_text("before")
        here.saved_after("wanda", here.head("wanda"))
        (files / "work.txt").write_text("made before it was full")
        filling = fill(files)
        number = here.head("wanda")
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and "No space left" not in here.seen("wanda")["sentence"]:
            if here.head("wanda") > number:
                break  # a full disk kept nothing from being saved
            time.sleep(0.2)
        print("seen:", here.seen("wanda")["sentence"], "head", number, "->", here.head("wanda"))
        assert here.head("wanda") > number or "No space left" in here.seen("wanda")["sentence"]
        assert here.hub.server("wanda")["ready"]
        number = here.head("wanda")
        filling.unlink()
        (files / "after.txt").write_text("after")
        here.saved_after("wanda", number, 120)
        until(lambda: "Not saved" not in here.seen("wanda")["sentence"], 60, what="the good news")
        here.stop("wanda")
        here.until_state("wanda", "STOPPED", 120)
        head = snapshots.head(here.hub.ledger, here.view("wanda").workspace.id)
        assert head is not None and head.files > 0


def test_the_state_folder_s_disk_full(tmp_path):
    with small_disk(tmp_path / "hub", 120) as disk, place(tmp_path) as here:
        number = at_work(here, "stella")
        filling = fill(disk)
        here.file("stella").parent.joinpath("filled").unlink(missing_ok=True)
        status, told = here.ask("stella", "api/v1/notebooks/stella/-/stop", "POST", {})
        print("a stop meanwhile is answered:", status, told)
        assert status in (503, 507), told
        assert "full" in told["error"]["title"] + told["error"]["why"], told
        assert here.hub.server("stella")["ready"]
        filling.unlink()
        here.file("stella").write_text("afterwards")
        goes_on(here, "stella", number, "state disk free")
