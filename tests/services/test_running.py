"""How services run: settings, port, log, end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from jupyterhub_notebooks.errors import ConfigError, PortTaken
from jupyterhub_notebooks.services import running
from jupyterhub_notebooks.settings import VARIABLE
from tests.agents_service import start_agents_service

COMMAND = [sys.executable, "-m", "jupyterhub_notebooks.services.agents"]


def told(done):
    line = json.loads(done.stderr.splitlines()[-1])
    assert line["service"] == "agents"
    assert "Traceback" not in done.stderr
    return line["message"]


def run(arguments=(), **environment):
    plain = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return subprocess.run(
        [*COMMAND, *arguments], env={**plain, **environment}, capture_output=True, text=True, timeout=60
    )


def test_without_settings_a_service_says_who_gives_them():
    done = run()
    assert done.returncode == 3
    assert told(done).startswith("NOTEBOOKS_SETTINGS: No settings were given.")


def test_an_argument_that_is_none_is_named():
    done = run(["--port"])
    assert (done.returncode, told(done).startswith("--port: There is no such argument")) == (3, True)


@pytest.mark.slow  # a service waits 20 s for its revision
def test_a_ledger_of_another_revision_is_told_with_the_command(tmp_path, monkeypatch):
    made = start_agents_service(tmp_path, started=False)
    made.ledger.close()
    (tmp_path / "ledger.sqlite").unlink()
    done = run(**{VARIABLE: made.settings.to_json()})
    assert done.returncode == 12
    assert "jupyterhub-notebooks ledger upgrade" in told(done)


def test_the_store_of_another_hub_is_refused_with_what_to_do(tmp_path):
    first = start_agents_service(tmp_path)
    first.close()
    (tmp_path / "other").mkdir()
    other = start_agents_service(tmp_path / "other", started=False, store=first.settings.store)
    other.ledger.close()
    done = run(**{VARIABLE: other.settings.to_json()})
    assert done.returncode == 3
    assert "belongs to another Hub" in told(done)


def test_an_s3_store_without_keys_names_the_option(tmp_path):
    made = start_agents_service(tmp_path, started=False, store="s3://bucket/root")
    made.ledger.close()
    done = run(**{VARIABLE: made.settings.to_json()}, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert done.returncode == 3
    assert told(done).startswith("store_options.key: This option of the store is missing")


async def test_a_port_is_waited_for_and_then_its_holder_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        url = f"http://127.0.0.1:{other.getsockname()[1]}/services/agents/"
        with pytest.raises(PortTaken) as taken:
            await running.bind(url, wait_seconds=0.3)
    assert f"(process {os.getpid()}) holds it" in taken.value.why
    sockets = await running.bind(url)
    for one in sockets:
        one.close()


@pytest.mark.parametrize("url", ["", "https://here:1/", "http://127.0.0.1/", "http://127.0.0.1:99999/"])
async def test_an_address_to_listen_on_that_is_none_is_named(url):
    with pytest.raises(ConfigError) as refused:
        await running.bind(url, setting="agents_url")
    assert refused.value.field == "agents_url"


def test_a_successor_waits_until_its_predecessor_has_gone(tmp_path):
    first = start_agents_service(tmp_path)
    environment = {**os.environ, VARIABLE: first.settings.to_json()}
    log = tmp_path / "second.log"
    with log.open("wb") as out:
        second = subprocess.Popen(COMMAND, env=environment, stdout=out, stderr=out)
    try:
        first.stop()
        end = time.monotonic() + 20
        while not (first.answers() and b"started" in log.read_bytes()):
            assert second.poll() is None, log.read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        second.send_signal(signal.SIGTERM)
        assert second.wait(20) == 0
        first.close()


def test_a_service_ends_when_the_process_that_started_it_is_gone(tmp_path):
    made = start_agents_service(tmp_path, started=False)
    program = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen({[*COMMAND, '--ends-with-parent']!r})\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    environment = {**os.environ, VARIABLE: made.settings.to_json()}
    parent = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        end = time.monotonic() + 20
        while not made.answers():
            assert time.monotonic() < end
            time.sleep(0.05)
        parent.kill()
        parent.wait()
        while _runs(child):
            assert time.monotonic() < end + 20
            time.sleep(0.05)
        assert not made.answers()
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        made.close()


def _runs(pid):
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_service_of_the_hub_takes_a_secret_from_the_hub_s_process_and_not_from_what_the_hub_keeps(tmp_path):
    made = start_agents_service(tmp_path, started=False, store_options={"secret": "env:A_SECRET_OF_S3"})
    made.ledger.close()
    service = (
        "import os; from jupyterhub_notebooks.services.running import inherit; "
        "from jupyterhub_notebooks.settings import Settings; inherit(Settings.from_environment()); "
        "print(os.environ['A_SECRET_OF_S3'], 'ANOTHER' in os.environ)"
    )
    hub = (
        "import os, subprocess, sys; kept = {name: os.environ[name] for name in ('PATH', 'NOTEBOOKS_SETTINGS')}; "
        "subprocess.run([sys.executable, '-c', sys.argv[1]], env=kept, check=True)"
    )
    own = {**os.environ, VARIABLE: made.settings.to_json(), "A_SECRET_OF_S3": "very secret", "ANOTHER": "x"}
    done = subprocess.run(
        [sys.executable, "-c", hub, service], env=own, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "very secret False\n", done.stderr
