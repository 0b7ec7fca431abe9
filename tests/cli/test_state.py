"""The state folder: private, made once, never somebody else's, one owner at a time."""

import errno
import json
import os
import socket

import pytest

from jupyterhub_notebooks.cli import state as states
from jupyterhub_notebooks.cli.state import State
from jupyterhub_notebooks.errors import AlreadyRunning, ConfigError, NoSpace


@pytest.fixture
def state(tmp_path):
    made = State(tmp_path / "state")
    made.prepare_folder()
    made.prepare()
    return made


def test_folders_and_files_are_private(state):
    state.choose_ports()
    for folder, _, names in os.walk(state.folder):
        assert os.stat(folder).st_mode & 0o777 == 0o700
        for name in names:
            assert os.stat(os.path.join(folder, name)).st_mode & 0o777 == 0o600, name


def test_secrets_and_ports_stay_the_same(state):
    before = {name: state.secret(name).read_text() for name in states.SECRETS}, state.choose_ports()
    state.prepare_folder()
    state.prepare()
    after = {name: state.secret(name).read_text() for name in states.SECRETS}, state.choose_ports()
    assert before == after
    assert len(set(before[0].values())) == len(states.SECRETS)
    assert len(set(before[1].values())) == len(states.INTERNAL_PORTS)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    os.chmod(tmp_path, 0o755)
    with pytest.raises(ConfigError, match="It holds something else"):
        State(tmp_path).prepare_folder()
    assert os.stat(tmp_path).st_mode & 0o777 == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_state_of_another_format_is_refused_by_its_number(state):
    (state.folder / states.MARKER).write_text(json.dumps({"format": 99}))
    with pytest.raises(ConfigError, match="format 99, and this program knows 1"):
        state.prepare_folder()


def test_only_one_holds_the_state(state):
    held = state.lock({"url": "http://127.0.0.1:8000"})
    assert states.held_by(state) == {"pid": os.getpid(), "url": "http://127.0.0.1:8000"}
    with pytest.raises(AlreadyRunning, match=f"Process {os.getpid()} .*http://127.0.0.1:8000"):
        state.lock({"url": "other"})
    held.release()
    assert states.held_by(state) == {}
    state.lock({"url": "other"}).release()


def test_a_file_is_written_whole_or_not_at_all(state, monkeypatch):
    path = state.folder / "kept"
    states.write(path, "before")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoSpace, match="The disk is full"), states.told(state.folder):
        states.write(path, "after")
    assert path.read_text() == "before"
    assert [each.name for each in state.folder.glob(".kept*")] == []


def test_a_damaged_file_is_named_with_its_remedy(state):
    (state.folder / "ports.json").write_text("{")
    with pytest.raises(ConfigError, match=r"ports.json: This file is damaged.*Remove it"):
        state.known_ports()


def test_chosen_ports_are_free_and_below_those_of_outgoing_connections(state):
    for port in state.choose_ports().values():
        assert 20000 <= port < 32000
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
