"""Twenty writers want one number while answers are lost: exactly one has it, and it knows."""

import dataclasses
import os
import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress

import pytest

from jupyterhub_notebooks.errors import Conflict
from jupyterhub_notebooks.workspace import Volume, WorkspaceStore, check, open_store, restore, save
from jupyterhub_notebooks.workspace.snapshots import head_of

from .conftest import NOW, WORKSPACE

WRITERS = 20
LOST = 0.3


class Losing:
    """A way to a server on which some answers to PUT are lost after the server gave them: the connection is cut."""

    def __init__(self, port, seed):
        self._to, self._chance = port, random.Random(seed)
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.puts = self.lost = 0
        self.over = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self.over:
            try:
                one, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one):
        other = socket.create_connection(("127.0.0.1", self._to))
        last = {"method": b""}

        def forth():
            with suppress(OSError):
                while data := one.recv(65536):
                    method = data.split(b" ", 1)[0]
                    if method in (b"GET", b"PUT", b"HEAD", b"DELETE"):
                        last["method"] = method
                    other.sendall(data)
            with suppress(OSError):
                other.shutdown(socket.SHUT_WR)

        threading.Thread(target=forth, daemon=True).start()
        with closing(one), closing(other), suppress(OSError):
            while data := other.recv(65536):
                if last["method"] == b"PUT" and data.startswith(b"HTTP/1.1 ") and self._loses():
                    one.shutdown(socket.SHUT_RDWR)
                    return
                one.sendall(data)

    def _loses(self):
        with self._lock:
            self.puts += 1
            hit = self._chance.random() < LOST
            self.lost += hit
            return hit

    def close(self):
        self.over = True
        self._server.close()


@contextmanager
def losing(server, seed):
    way = Losing(int(server.endpoint.rsplit(":", 1)[1]), seed)
    try:
        yield way, dataclasses.replace(server, endpoint=f"http://127.0.0.1:{way.port}")
    finally:
        way.close()


class Unleased(WorkspaceStore):
    """Commits without a lease: nothing but the store decides who was first."""

    def commit(self, number, body, facts):
        self.put_snapshot(number, body)


def race(server, tmp_path, seed):
    url = f"s3://notebooks/race-{os.urandom(4).hex()}"
    direct = WorkspaceStore(open_store(url, server.options))
    direct.create(WORKSPACE, lease="objects", now=NOW)
    ready = threading.Barrier(WRITERS)

    with losing(server, seed) as (way, through):

        def write(who):
            space = Unleased(open_store(url, through.options))
            volume = Volume(tmp_path / f"{who}" / "files", tmp_path / f"{who}" / "state")
            volume.files.mkdir(parents=True)
            (volume.files / "mine").write_text(f"writer {who}")
            space.numbers()
            ready.wait(60)
            try:
                report = save(
                    volume,
                    space,
                    space,
                    number=1,
                    parent=None,
                    workspace_id=WORKSPACE,
                    now=NOW,
                    created_by="a test",
                )
            except Conflict:
                return None
            assert (report.number, volume.base) == (1, 1)
            return who

        with ThreadPoolExecutor(WRITERS) as writers:
            won = [who for who in writers.map(write, range(WRITERS)) if who is not None]
    assert len(won) == 1
    assert direct.numbers() == [1]
    assert head_of(direct, 1).files == 1
    back = Volume(tmp_path / "back" / "files", tmp_path / "back" / "state")
    restore(back, direct, direct, 1)
    assert (back.files / "mine").read_text() == f"writer {won[0]}"
    assert not check(direct, direct, read_data=True, stored=direct.block_sizes()).errors
    for who in range(WRITERS):
        volume = Volume(tmp_path / f"{who}" / "files", tmp_path / f"{who}" / "state")
        assert volume.settle(direct) == (1 if who == won[0] else None)
    return way.puts, way.lost


def test_of_twenty_saves_for_one_number_with_lost_answers_exactly_one_wins_and_knows_it(s3_server, tmp_path):
    puts, lost = race(s3_server, tmp_path, seed=1)
    assert lost >= 0.1 * puts > 0


@pytest.mark.slow
def test_ten_more_races_have_one_winner_each(s3_server, tmp_path):
    for seed in range(10):
        puts, lost = race(s3_server, tmp_path / str(seed), seed)
        assert lost >= 0.1 * puts > 0
