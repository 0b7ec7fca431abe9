"""Hostile sizes: what is larger than it may be is never read whole, and no count of names or lists makes a reader slow."""

import http.client
import threading
import tracemalloc
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgpack
import pytest

from jupyterhub_notebooks.agent.wire import TooLong, Wire
from jupyterhub_notebooks.errors import Damaged
from jupyterhub_notebooks.workspace import check, exporting, pages, prune, repair
from jupyterhub_notebooks.workspace.blocks import MOST_PLAIN, encode, hash_of
from jupyterhub_notebooks.workspace.entries import FILE, Entry
from jupyterhub_notebooks.workspace.pages import MOST_ROWS, PREFIX, PageRef, blocks_of, entries_of
from jupyterhub_notebooks.workspace.store.direct import TooMany, bounded

from .conftest import NOW


@pytest.fixture
def peak():
    """The most memory that something took meanwhile, in bytes."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize("key", ["snapshots/0000000001", "condemned/0000000001", "names/0000000001"])
def test_an_object_of_fifty_gigabytes_costs_every_reader_nothing(space, volume, peak, key):
    (volume.files / "x").write_text("x")
    space.save(volume)
    path = space.folder / "store" / key
    path.parent.mkdir(exist_ok=True)
    with open(path, "wb") as file:
        file.truncate(50 * 2**30)
    with pytest.raises(Damaged, match="bytes, more than any such object"):
        space.store.store.get(key)
    if key.startswith("names"):
        assert space.store.names() == {1: "?"}
    assert peak() < 2**20


def test_a_block_of_fifty_gigabytes_is_damaged(space, volume, peak):
    (volume.files / "x").write_bytes(b"x" * 100)
    space.save(volume)
    for block in space.blocks():
        with open(block, "r+b") as file:
            file.truncate(50 * 2**30)
    with pytest.raises(Damaged):
        space.restore(space.volume("back"))
    assert peak() < 30 * 2**20


@pytest.mark.parametrize(
    "what", ["a block", "snapshots/0000000002", "snapshots/0000000003", "condemned/0000000001"]
)
def test_check_repair_and_prune_end_in_words_beside_an_object_of_fifty_gigabytes(space, volume, peak, what):
    for number in range(2):
        (volume.files / "x").write_bytes(b"%d" % number * 100)
        space.save(volume)
    path = space.blocks()[0] if what == "a block" else space.folder / "store" / what
    path.parent.mkdir(exist_ok=True)
    with open(path, "ab") as file:
        file.truncate(50 * 2**30)
    assert check(space.store, space.store, read_data=True, stored=space.store.block_sizes())
    with suppress(Damaged):
        prune(space.store, now=NOW)
    report = repair(space.store, now=NOW, created_by="a test")
    assert report.of in (1, 2)
    assert peak() < 30 * 2**20


class Endless(BaseHTTPRequestHandler):
    """Answers without a length that never end, or that say a length nobody wants; counts what it could send."""

    protocol_version = "HTTP/1.1"
    sent = 0

    def do_GET(self):
        self.send_response(200)
        if self.path == "/long":
            self.send_header("Content-Length", str(50 * 2**30))
        elif self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        part = bytes(2**16)
        frame = b"%x\r\n%b\r\n" % (len(part), part) if self.path == "/chunks" else part
        try:
            while type(self).sent < 2**30:
                self.wfile.write(frame)
                type(self).sent += len(part)
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def endless():
    class Here(Endless):
        sent = 0

    server = ThreadingHTTPServer(("127.0.0.1", 0), Here)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server, Here
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["/long", "/chunks", "/until-closed"])
def test_an_answer_that_does_not_end_is_given_up(endless, peak, path):
    server, handler = endless
    address = f"127.0.0.1:{server.server_port}"
    with pytest.raises(TooLong):
        Wire(20).request("GET", f"http://{address}{path}", most_bytes=2**20)
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("GET", path)
    with pytest.raises(TooMany):
        bounded(connection.getresponse(), 2**20)
    connection.close()
    assert peak() < 16 * 2**20
    assert handler.sent < 64 * 2**20


def test_an_answer_of_exactly_the_most_is_whole():
    class Given(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(bytes(1000))

        def log_message(self, *_):
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Given)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        answer = Wire(20).request("GET", f"http://127.0.0.1:{server.server_port}/", most_bytes=1000)
        assert answer.body == bytes(1000)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


HOSTILE = {
    "lists": [[]] * 420_000,
    "maps": [{}] * 420_000,
    "lists of one": [[0]] * 210_000,
    "lists in lists": [[[[]]]] * 105_000,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_page_of_millions_of_lists_is_refused_before_they_are_made(peak, what):
    part = msgpack.packb(HOSTILE[what])
    count = (MOST_PLAIN - 100) // len(part)
    plain = PREFIX + b"\x93\x00\x90" + msgpack.Packer().pack_array_header(count) + part * count
    assert 2**22 < len(plain) <= MOST_PLAIN
    assert len(encode(plain)) < 100_000
    tracemalloc.reset_peak()
    ref = PageRef(hash_of(plain), len(plain), 0, b"", 1, 1, 0)
    with pytest.raises(Damaged, match="does not unpack"):
        list(entries_of([ref], [plain]))
    assert peak() < 100 * 2**20


def test_pages_of_the_most_that_a_page_may_hold_are_read():
    blocks = [[hash_of(b"%d" % number), 1] for number in range(140_000)]
    plain = pages._page(0, blocks, [msgpack.packb([b"x", 0, 0o644, 0, 0, hash_of(b""), []])])
    assert len(blocks_of(plain)) == 140_000
    rows = [
        msgpack.packb(["ф".encode() * 900 + b"%04d" % at, 1, 0o755, 0, 0, b"", None]) for at in range(4096)
    ]
    wide = pages._page(0, [], rows)
    assert len(wide) > 7 * 2**20
    assert len(pages._opened(wide, 0)[1]) == MOST_ROWS


def test_very_many_names_that_are_no_text_get_other_names_in_time():
    class Counting(set):
        looks = 0

        def __contains__(self, name):
            self.looks += 1
            return super().__contains__(name)

    one = exporting._Export(None, None, lambda: False, 0, 0)
    one._names = names = Counting()
    count = 50_000
    for number in range(count):
        raw = bytes((0x80 + number % 64, 0x80 + number // 64 % 64, 0x80 + number // 4096))
        one._name(Entry(raw, FILE, 0o644, 0))
    assert len(names) == count
    assert names.looks <= 4 * count
