"""`up` on a fresh state: what it makes, that it keeps running, that it is alone, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error

import psutil
import pytest

from tests.end_to_end.product import Person, Product, until
from tests.s3 import free_port

CHILDREN = ("proxy", "agents", "hub")


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    running = Product(tmp_path_factory.mktemp("up") / "state")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own(tmp_path):
    running = Product(tmp_path / "state")
    yield running
    running.stop()


def pid_of(product, name):
    return json.loads((product.state / "run" / f"{name}.json").read_text())["pid"]


def count_of(product, words):
    """How many processes of this state run that command; a process and its child of the same words count once."""
    mine = [one for one in product.processes() if words in " ".join(one.cmdline())]
    return len([one for one in mine if one.ppid() not in {other.pid for other in mine}])


def one_each(product):
    """Whether exactly one process of each kind runs."""
    wanted = (
        "configurable-http-proxy",
        "jupyterhub_notebooks.services.agents",
        "jupyterhub_notebooks.services.notebooks",
        "jupyterhub_notebooks.services.janitor",
        "-m jupyterhub -f",
    )
    return all(count_of(product, words) == 1 for words in wanted)


def hub_answers(product):
    try:
        return product.admin().ask("/hub/login").status == 200
    except urllib.error.URLError:
        return False


def test_the_one_line_says_where_to_go_and_how_to_log_in(product):
    said = [line for line in product.lines if "log in" in line]
    assert said == [
        f"Open {product.url} and log in as admin; the password is in {product.state / 'admin-password'}"
    ]


def test_the_password_of_that_file_logs_the_administrator_in(product):
    assert product.admin().log_in().ask("/hub/admin").status == 200


def test_everything_kept_is_private(product):
    for folder, _, names in os.walk(product.state):
        assert os.stat(folder).st_mode & 0o077 == 0, folder
        for name in names:
            path = os.path.join(folder, name)
            assert os.lstat(path).st_mode & 0o077 == 0, path


def test_nothing_listens_beyond_this_machine(product):
    mine = {one.pid for one in product.processes()}
    listening = [
        each for each in psutil.net_connections("inet") if each.status == "LISTEN" and each.pid in mine
    ]
    assert len(listening) >= 5
    assert {each.laddr.ip for each in listening} == {"127.0.0.1"}


def test_no_secret_stands_in_a_command_line(product):
    secrets = [path.read_text().strip() for path in (product.state / "secrets").iterdir()]
    secrets.append((product.state / "admin-password").read_text().strip())
    for process in product.processes():
        words = " ".join(process.cmdline())
        assert not [each for each in secrets if each in words]


def test_a_second_up_is_told_where_the_first_is_and_changes_nothing(product):
    before = [pid_of(product, name) for name in CHILDREN]
    done = product.command("up", "--port", str(free_port()), check=False)
    assert done.returncode == 10
    assert f"Process {product.process.pid} holds {product.state}. Open {product.url}." in done.stderr
    assert [pid_of(product, name) for name in CHILDREN] == before


def test_a_check_beside_a_running_one_says_so(product):
    done = product.command("up", "--check", "--port", str(product.port))
    assert f"it runs already, as process {product.process.pid}" in done.stdout


@pytest.mark.parametrize("name", CHILDREN)
def test_a_killed_child_is_started_again_and_one_of_each_runs(product, name):
    before = pid_of(product, name)
    os.kill(before, signal.SIGKILL)
    until(lambda: pid_of(product, name) != before, what="another process")
    until(lambda: hub_answers(product) and one_each(product), what="one process of each kind")
    assert any("(by SIGKILL); it is started again" in line for line in product.lines)


def test_after_a_killed_supervisor_the_next_one_ends_what_was_left(own):
    own.start()
    before = [pid_of(own, name) for name in CHILDREN], json.loads((own.state / "ports.json").read_text())
    own.process.kill()
    own.process.wait()
    assert len(own.processes()) >= 4
    own.start()
    assert any(line.startswith("Ending what an earlier run left: process") for line in own.lines)
    until(lambda: one_each(own), what="one process of each kind")
    after = [pid_of(own, name) for name in CHILDREN], json.loads((own.state / "ports.json").read_text())
    assert not set(before[0]) & set(after[0])
    assert before[1] == after[1]
    assert own.admin().log_in()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_in_order(own, number):
    own.start()
    own.process.send_signal(number)
    assert own.process.wait(60) == 0
    assert own.processes() == []
    assert own.lines[-1] == "Stopped."
    assert list((own.state / "run").iterdir()) == []


def test_a_signal_during_the_start_leaves_nothing(own):
    command = [sys.executable, "-m", "jupyterhub_notebooks.cli", "up", "--state", str(own.state)]
    starting = subprocess.Popen([*command, "--port", str(own.port)], stdin=subprocess.DEVNULL)
    until(lambda: (own.state / "run" / "proxy.json").exists(), what="the first child")
    starting.send_signal(signal.SIGINT)
    starting.wait(60)
    assert own.processes() == []


def test_a_port_that_a_stranger_took_since_is_named_with_its_holder(own):
    own.start()
    own.interrupt()
    port = json.loads((own.state / "ports.json").read_text())["agents"]
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        done = own.command("up", "--port", str(own.port), check=False)
    assert done.returncode == 9
    assert done.stderr.startswith(
        f"127.0.0.1:{port}: Port {port} is in use. The agents' service needs it, and "
    )
    assert f"(process {os.getpid()}) holds it" in done.stderr
    assert f"or remove agents from {own.state / 'ports.json'}" in done.stderr


def test_a_hub_that_cannot_start_is_told_by_its_own_words(own, tmp_path):
    from jupyterhub_notebooks.cli.embedded import CONFIG

    config = tmp_path / "config.py"
    config.write_text(CONFIG.read_text() + "\nc.JupyterHub.services = []\n")
    done = own.command("up", "--port", str(own.port), "--config", str(config), check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("The Hub did not start. It ended (with status ")
    assert "c.JupyterHub.services" in done.stderr
    assert "Traceback" not in done.stderr
    assert own.processes() == []


def test_state_is_kept_from_one_up_to_the_next(own):
    own.start()
    password = (own.state / "admin-password").read_text()
    ann = own.add_user("ann")
    ann.log_in()
    own.interrupt()
    own.start()
    assert (own.state / "admin-password").read_text() == password
    assert ann.log_in()
    assert own.admin().log_in()


@pytest.mark.slow
def test_an_administrator_who_was_removed_does_not_come_back(own):
    own.start()
    boss = own.command("user", "add", "boss", "--admin").stdout.split("password ")[1].split()[0]
    own.command("user", "remove", "admin")
    own.interrupt()
    own.start()
    assert own.lines == [f"Open {own.url} and log in."]
    assert not (own.state / "admin-password").exists()
    assert Person(own, "boss", boss).log_in().ask("/hub/admin").status == 200


def test_a_user_who_is_removed_is_gone_at_the_hub_and_a_new_one_is_another_person(product):
    ann = product.add_user("ann")
    first = ann.api("/user").json()
    product.command("user", "remove", "ann")
    assert ann.api("/user").status in (401, 403)
    second = product.add_user("ann").api("/user").json()
    assert first["name"] == second["name"]
    assert first["created"] != second["created"]
