"""Memory for blocks is lent to one at a time, used again, and given back to the system where much lies free."""

import http.client
import io
import threading
from contextlib import ExitStack

import pytest

from jupyterhub_notebooks.workspace.blocks import MOST_STORED
from jupyterhub_notebooks.workspace.receiving import received
from jupyterhub_notebooks.workspace.rooms import Rooms

MIB = 2**20


def free(rooms):
    return sorted(used for used, _ in rooms._free)


def test_what_is_lent_is_used_again_and_the_smallest_that_fits_first():
    rooms = Rooms()
    with ExitStack() as stack:
        for size in (1, 3, 2):
            stack.enter_context(rooms.lend(size * MIB))[:4] = bytes([size]) * 4
    assert free(rooms) == [MIB, 2 * MIB, 3 * MIB]
    with rooms.lend(2 * MIB - 5) as room:
        assert (len(room), bytes(room[:4])) == (2 * MIB - 5, b"\2\2\2\2")
        assert free(rooms) == [MIB, 3 * MIB]
    with rooms.lend(5 * MIB):
        assert free(rooms) == [MIB, 2 * MIB]
    assert free(rooms) == [MIB, 2 * MIB, 5 * MIB]


def test_no_more_than_the_most_lies_free():
    rooms = Rooms(most_free=10 * MIB)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(rooms.lend(3 * MIB))
        assert free(rooms) == []
    assert free(rooms) == [3 * MIB] * 3


@pytest.mark.parametrize("size", [-1, MOST_STORED + 1])
def test_no_more_is_lent_than_a_block_has(size):
    with pytest.raises(ValueError, match="no block has"), Rooms().lend(size):
        pass


def test_what_an_error_leaves_is_lent_again_and_to_one_only():
    rooms, wrong = Rooms(), []

    def use(number):
        for _ in range(200):
            try:
                with rooms.lend(100_000) as room:
                    room[:] = bytes([number]) * len(room)
                    if set(room.tobytes()) != {number}:
                        wrong.append(number)
                    raise KeyError
            except KeyError:
                pass

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert 1 <= len(free(rooms)) <= 4


class Sock:
    def __init__(self, said):
        self._said = said

    def makefile(self, *_):
        return io.BufferedReader(io.BytesIO(self._said))


@pytest.mark.parametrize("missing", [0, 1, 5])
def test_an_answer_that_is_cut_off_is_an_error(missing):
    body = b"0123456789"
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + body[: 10 - missing]
    answer = http.client.HTTPResponse(Sock(said))
    answer.begin()
    room = memoryview(bytearray(20))
    if not missing:
        assert received(answer, 10, room) == body
        assert answer.isclosed()
        return
    with pytest.raises(http.client.IncompleteRead):
        received(answer, 10, room)
