"""How every command ends: exit status, one line, and never a traceback on the screen."""

import errno
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from jupyterhub_notebooks import errors
from jupyterhub_notebooks.cli import main


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_NOTEBOOKS_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def command(act):
    @click.command()
    def made() -> int | None:
        return act()

    return made


def raising(error):
    def act():
        raise error

    return command(act)


def test_an_expected_error_is_one_line_and_its_own_exit_code(capsys):
    error = errors.NotFound("There is no such thing", "It was never made", ["Make it"], field="thing")
    assert main.run(raising(error), []) == 4
    assert capsys.readouterr().err == "thing: There is no such thing. It was never made. Make it.\n"


def test_an_unexpected_error_is_one_line_that_names_the_file_with_the_traceback(capsys, state):
    (state / "logs").mkdir(parents=True)
    assert main.run(raising(ZeroDivisionError("by nothing")), []) == 1
    said = capsys.readouterr().err
    (log,) = (state / "logs").iterdir()
    assert said == (
        f"Something unexpected happened (ZeroDivisionError: by nothing). The details are in {log}.\n"
    )
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_without_a_state_folder_the_traceback_goes_to_a_temporary_file(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main.run(raising(ZeroDivisionError("by nothing")), []) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_an_interrupt_ends_with_130_and_no_words(capsys):
    assert main.run(raising(KeyboardInterrupt()), []) == 130
    assert capsys.readouterr().err.strip() == ""


def test_a_full_disk_is_told_as_such(capsys):
    assert main.run(raising(OSError(errno.ENOSPC, "No space left on device", "/x/y")), []) == 8
    assert "The disk is full. /x/y could not be written." in capsys.readouterr().err


def test_an_unknown_option_is_told_with_the_help_to_read(capsys):
    assert main.run(main.cli, ["up", "--prot", "1"]) == 2
    assert "jupyterhub-notebooks up --help" in capsys.readouterr().err


def test_a_command_may_answer_its_exit_status():
    assert main.run(command(lambda: 6), []) == 6
    assert main.run(command(lambda: None), []) == 0


def test_the_list_of_commands_loads_none_of_them():
    code = (
        "import sys; from jupyterhub_notebooks.cli import main; status = main.run(main.cli, ['--help']);"
        "heavy = {'sqlalchemy', 'jupyterhub', 'pydantic', 'psutil', 'tornado', 'rich'} & set(sys.modules);"
        "sys.exit(status or bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_command_whose_file_is_missing_is_not_offered(monkeypatch, capsys):
    gone = {**main.COMMANDS, "later": main.Entry(".later", "later", "Comes later.")}
    group = main.LazyGroup(commands_by_file=gone)
    assert main.run(group, ["--help"]) == 0
    assert "later" not in capsys.readouterr().out
    assert main.run(group, ["later"]) == 2


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_help(name, capsys):
    assert importlib.util.find_spec(f"jupyterhub_notebooks.cli.{name}"), "its file is missing"
    assert main.run(main.cli, [name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: jupyterhub-notebooks {name}")


def test_every_exit_code_of_an_error_is_documented():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for kind in kinds:
        if issubclass(kind, errors.NotebooksError):
            assert kind.exit_code in errors.EXIT_CODES


def test_output_that_nobody_reads_ends_quietly():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", "jupyterhub_notebooks.cli", "--help"],
            stdout=nobody,
            stderr=subprocess.PIPE,
        )
    assert done.returncode in (0, 1) and done.stderr == b""


def test_the_readme_lists_every_exit_code():
    text = (Path(__file__).parents[2] / "README.md").read_text()
    for code, meaning in errors.EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in text
