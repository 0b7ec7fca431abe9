"""Wrong configurations and inputs: the exact line that each gives, its exit code, and never a traceback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = """\
flavors:
  small: {cpu: 2, memory: 8 GB, use: Anything}
profiles:
  one: {title: One, use: Anything, flavor: small}
"""


def run(folder, *arguments, **environment):
    """A command run in folder, with a state directory of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "jupyterhub_notebooks.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "JUPYTERHUB_NOTEBOOKS_STATE": str(folder / "state"), **environment},
        timeout=60,
    )
    said = done.stderr.strip().replace(str(folder), "HERE")
    assert "Traceback" not in said + done.stdout
    return done.returncode, said


def with_line(line, at="profiles:"):
    return GOOD.replace(at, f"{at}\n{line}" if at.endswith(":") else line, 1)


PROFILES = {
    "an unknown key": (
        GOOD.replace("flavor: small}", "flavor: small, idle_stp: 15min}"),
        "p.yaml:4 profiles.one.idle_stp: There is no such key. Did you mean idle_stop?",
    ),
    "an unknown flavor": (
        GOOD.replace("flavor: small}", "flavor: smal}"),
        "p.yaml:4 profiles.one.flavor: There is no flavor 'smal'. Did you mean small?",
    ),
    "a duration without a unit": (
        GOOD.replace("flavor: small}", "flavor: small, idle_stop: 15}"),
        "p.yaml:4 profiles.one.idle_stop: 15 is not a duration."
        " Write a number and a unit, such as 15min or 6h, or 0 for none.",
    ),
    "a size without a unit": (
        GOOD.replace("8 GB", "8 gigs"),
        "p.yaml:2 flavors.small.memory: '8 gigs' is not a size. Write a number and a unit, such as 8 GB or 500 MB.",
    ),
    "a missing key": (
        GOOD.replace("title: One, ", ""),
        "p.yaml:4 profiles.one.title: This key is missing. Write title: and its value.",
    ),
    "a tab": (
        "flavors:\n\tsmall: 1\n",
        "p.yaml:2: A tab stands here. YAML is indented with spaces: replace the tab by two spaces.",
    ),
    "an empty file": (
        "",
        "p.yaml: This file is empty. Write flavors: and profiles:, as in the shipped file.",
    ),
    "a list": (
        "- one\n",
        "p.yaml:1: This file is not a group of keys. Write flavors: and profiles: at its left edge.",
    ),
    "the same name twice": (
        GOOD + "  one: {title: Two, use: Anything, flavor: small}\n",
        "p.yaml:5: one stands here twice. Leave one of them out.",
    ),
}


@pytest.mark.parametrize("case", PROFILES)
def test_a_wrong_profiles_yaml_is_told_by_line_field_and_remedy(tmp_path, case):
    text, said = PROFILES[case]
    (tmp_path / "p.yaml").write_text(text)
    assert run(tmp_path, "profile", "check", "p.yaml") == (3, said)


COMMANDS = {
    "no such profiles file": (
        ["profile", "check", "none.yaml"],
        3,
        "none.yaml: There is no such file. Write one, or copy the one that is shipped with the package.",
    ),
    "no such command": (["nothing"], 2, "No such command 'nothing'. Run: jupyterhub-notebooks --help."),
    "no such port": (
        ["up", "--check", "--port", "99999"],
        2,
        "--port: 99999 is not a port. Choose one between 1 and 65535.",
    ),
    "no such configuration": (
        ["up", "--check", "--config", "none.py"],
        3,
        "HERE/none.py: There is no such file.",
    ),
    "a configuration that is not Python": (
        ["up", "--check", "--config", "wrong.py"],
        3,
        "HERE/wrong.py:1: This line is not Python. '(' was never closed.",
    ),
    "a name with a slash": (
        ["user", "add", "a/b"],
        2,
        "NAME: This user name cannot be used. It contains a slash, which separates the parts of an address."
        " Choose another one.",
    ),
    "a name of dots": (
        ["user", "add", ".."],
        2,
        "NAME: This user name cannot be used. It is made of dots only, which addresses read as a folder."
        " Choose another one.",
    ),
    "no ledger yet": (
        ["session", "list"],
        4,
        "ledger: There is no ledger yet. HERE/state/ledger.sqlite does not exist. Start the product once with"
        " `jupyterhub-notebooks up`, or name another with --state or --ledger.",
    ),
    "a ledger address that is none": (
        ["session", "list", "--ledger", "nonsense"],
        3,
        "ledger: This is not the address of a database. Could not parse SQLAlchemy URL from given URL string."
        " Write sqlite:////absolute/path or postgresql+psycopg://user@host/name.",
    ),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_a_wrong_argument_is_told_with_its_remedy(tmp_path, case):
    arguments, code, said = COMMANDS[case]
    (tmp_path / "wrong.py").write_text("c.JupyterHub.x = (\n")
    assert run(tmp_path, *arguments) == (code, said)


def test_a_port_in_use_is_told_with_who_holds_it(tmp_path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        code, said = run(tmp_path, "up", "--port", str(port))
    assert code == 9
    assert f"Port {port} is in use" in said
    assert f"process {os.getpid()}" in said
    assert "--port" in said


def test_a_second_up_says_where_the_first_is(product):
    done = product.command("up", "--port", str(product.port), check=False)
    assert done.returncode == 10
    assert product.url in done.stderr and str(product.process.pid) in done.stderr


def test_a_state_directory_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    code, said = run(tmp_path, "up", "--check", "--state", str(tmp_path / "file" / "state"))
    assert code == 3
    assert "HERE/file/state" in said


def test_a_password_file_that_is_a_folder_is_told(tmp_path):
    (tmp_path / "state" / "admin-password").mkdir(parents=True)
    code, said = run(tmp_path, "up", "--check")
    assert code in (3, 0)
    assert "Traceback" not in said


WRONG_SETTINGS = {
    "a store that is no address": (
        "store='storage'",
        "store: 'storage' is not the address of a store."
        " Write file:///an/absolute/path or s3://bucket/prefix.",
    ),
    "a setting that does not exist": (
        "save_intervall_seconds=3",
        "save_intervall_seconds: There is no such setting. Did you mean save_interval_seconds?",
    ),
    "a negative interval": (
        "save_interval_seconds=-3",
        "save_interval_seconds: -3 is not a number of seconds above 0.",
    ),
    "users that mean nobody": (
        "users='staff'",
        "users: 'staff' says nothing about users. Write 'everyone' or 'group:NAME'.",
    ),
}


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_a_wrong_setting_is_told_by_its_name(tmp_path, case):
    wrong, said = WRONG_SETTINGS[case]
    from jupyterhub_notebooks import config

    shipped = os.path.join(os.path.dirname(config.__file__), "local", "jupyterhub_config.py")
    text = Path(shipped).read_text()
    name = wrong.split("=")[0]
    kept = "\n".join(line for line in text.splitlines() if not line.strip().startswith(f"{name}="))
    (tmp_path / "config.py").write_text(
        kept.replace("notebooks(\n    c,", f"notebooks(\n    c,\n    {wrong},", 1)
    )
    code, printed = run(tmp_path, "up", "--check", "--config", "config.py")
    where, _, told = printed.partition(" ")
    assert (code, told) == (3, said)
    assert where.rpartition(":")[0] == "HERE/config.py"


async def test_a_posted_profile_that_does_not_exist_is_refused_and_changes_nothing(product):
    person = product.add_user("typo")
    answer = person.api("/users/typo/server", "POST", {"user_options": {"profile": "notebook-cpu-smal"}})
    assert answer.status == 400, answer.text
    assert "notebook-cpu-small" in answer.text
    answer = person.api("/users/typo/server", "POST", {"user_options": {"profile": ["x"], "shell": "rm"}})
    assert answer.status == 400, answer.text


@pytest.mark.parametrize("name", ["mara@example.org", "mara of the north", "mära", "m" * 200, "o'hara"])
async def test_an_unusual_user_name_works_or_is_refused_in_words(product, name):
    done = product.command("user", "add", name, check=False)
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert done.returncode == 2 and "NAME: This user name cannot be used." in done.stderr
        return
    from .product import Person

    person = Person(product, name, done.stdout.split()[-1])
    if "password" in done.stdout:
        import re

        person = Person(
            product, name, re.search(r"password\D*?(?:is|:)?\s*([A-Za-z0-9_\-]{10,})", done.stdout)[1]
        )
    person.start()
    assert await person.run("print('hello')") == "hello\n"
    person.stop()
