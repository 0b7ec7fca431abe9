"""The supervisor with small children: order, restarts, the end, and what an earlier run left."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from jupyterhub_notebooks.cli import supervise
from jupyterhub_notebooks.cli.state import State
from jupyterhub_notebooks.cli.supervise import Child, Supervisor, last_words
from jupyterhub_notebooks.errors import HubAway

SLEEPER = "import signal, sys, time; open(sys.argv[1], 'a').write('x'); time.sleep(600)"


@pytest.fixture
def state(tmp_path):
    made = State(tmp_path / "state")
    made.prepare_folder()
    made.prepare()
    return made


def child(tmp_path, name, code=SLEEPER, ready=None):
    mark = tmp_path / f"{name}.mark"

    async def there():
        return mark.exists()

    command = [sys.executable, "-c", code, str(mark)]
    return Child(name, f"The {name}", command, dict(os.environ), ready or there)


async def until(check, seconds=30):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def pid_of(state, name):
    return json.loads(state.pid_file(name).read_text())["pid"]


async def test_a_child_that_dies_is_started_again_and_said(state, tmp_path):
    said = []
    supervisor = Supervisor(state, [child(tmp_path, "one")], said.append)
    await supervisor.start()
    first = pid_of(state, "one")
    os.kill(first, signal.SIGKILL)
    await until(lambda: pid_of(state, "one") != first)
    await until(lambda: (tmp_path / "one.mark").read_text() == "xx")
    assert said == [f"The one ended (by SIGKILL); it is started again. Its log: {state.log('one')}"]
    second = pid_of(state, "one")
    await supervisor.stop()
    assert not psutil.pid_exists(second)
    assert not state.pid_file("one").exists()


async def test_a_later_child_waits_until_the_one_before_is_ready(state, tmp_path):
    order = []
    steps = iter([False, False, True])

    async def slow():
        order.append("first asked")
        return next(steps)

    async def quick():
        order.append("second asked")
        return True

    children = [child(tmp_path, "first", ready=slow), child(tmp_path, "second", ready=quick)]
    supervisor = Supervisor(state, children, print)
    await supervisor.start()
    assert order == ["first asked"] * 3 + ["second asked"]
    await supervisor.stop()


async def test_a_child_that_cannot_start_ends_everything_with_its_last_words(state, tmp_path):
    wrong = "import sys; sys.exit('ValueError: the port is a fish')"
    supervisor = Supervisor(
        state, [child(tmp_path, "good"), child(tmp_path, "bad", wrong)], lambda line: pytest.fail(line)
    )
    with pytest.raises(HubAway) as error:
        await supervisor.start()
    assert error.value.sentence() == (
        "The bad did not start. It ended (with status 1): ValueError: the port is a fish."
        f" Its log is {state.log('bad')}."
    )
    good = pid_of(state, "good")
    await supervisor.stop()
    assert not psutil.pid_exists(good)


async def test_a_child_that_ignores_the_request_to_end_is_killed(state, tmp_path, monkeypatch):
    monkeypatch.setattr(supervise, "END_SECONDS", 0.5)
    deaf = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEPER
    supervisor = Supervisor(state, [child(tmp_path, "deaf", deaf)], print)
    await supervisor.start()
    pid = pid_of(state, "deaf")
    await supervisor.stop()
    assert not psutil.pid_exists(pid)


async def test_logs_and_pid_files_are_private(state, tmp_path):
    supervisor = Supervisor(state, [child(tmp_path, "one")], print)
    await supervisor.start()
    for path in (state.log("one"), state.pid_file("one")):
        assert path.stat().st_mode & 0o777 == 0o600
    await supervisor.stop()


@contextlib.contextmanager
def stranger(*command, **environment):
    process = subprocess.Popen([sys.executable, *command], env={**os.environ, **environment})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def remember(state, name, process, **changes):
    known = psutil.Process(process.pid)
    about = {"pid": process.pid, "started": known.create_time(), "command": known.cmdline(), **changes}
    state.pid_file(name).write_text(json.dumps(about))


def test_what_an_earlier_run_left_is_found_and_ended(state):
    with stranger("-c", "import time; time.sleep(600)") as left:
        remember(state, "hub", left)
        (found,) = supervise.leftovers(state)
        assert found.pid == left.pid
        supervise.end_all([found])
        left.wait(5)
        assert not psutil.pid_exists(left.pid)


def test_another_program_with_a_remembered_process_id_is_left_alone(state):
    with stranger("-c", "import time; time.sleep(600)") as other:
        remember(state, "hub", other, command=["jupyterhub", "-f", "config.py"])
        remember(state, "proxy", other, started=time.time() - 10 * 86400)
        state.pid_file("agents").write_text("not json")
        assert supervise.leftovers(state) == []


def test_services_of_this_state_are_found_without_a_pid_file_and_those_of_others_are_not(state):
    sleeping = "import time; time.sleep(600)"
    name = "jupyterhub_notebooks.services.notebooks"
    settings = json.dumps({"signing_key": f"file:{state.folder}/secrets/signing-key"})
    with (
        stranger("-c", sleeping, name, NOTEBOOKS_SETTINGS=settings) as ours,
        stranger("-c", sleeping, name, NOTEBOOKS_SETTINGS="{}") as foreign,
        stranger("-c", sleeping, NOTEBOOKS_STATE=str(state.folder)) as notebook,
    ):
        found = {process.pid for process in supervise.leftovers(state)}
        assert ours.pid in found
        assert not found & {foreign.pid, notebook.pid}


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", ""),
        ("[I 2026-11-21 13:00:00.000 JupyterHub app:1] Started\n", "Started"),
        (
            "[E 2026 app]\n    Traceback (most recent call last):\n      File x\n    a.b.RoleValueError: no\n",
            "a.b.RoleValueError: no",
        ),
        ("ValueError: first\nIt is over\n", "ValueError: first"),
        ('{"level": "critical", "message": "Port 1 is in use."}\n', "Port 1 is in use."),
    ],
)
def test_the_last_words_of_a_log_are_its_error(log, said):
    assert last_words(log) == said
