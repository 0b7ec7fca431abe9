"""What the agent makes of refused hosts: a notice that is read once, and counts."""

import http.server
import json
import threading

import pytest

from jupyterhub_notebooks.agent.egress import READ_SECONDS, Egress, counts_of
from tests.hub import until


def told(**hosts):
    return {
        "number": 1,
        "hosts": [{"host": host, "count": count, "at": 1.0} for host, count in hosts.items()],
    }


def test_what_has_another_form_is_left_out():
    assert counts_of(
        {"hosts": [{"host": "a", "count": 2}, {"host": 3, "count": 1}, {"host": "b"}, None]}
    ) == {"a": 2}
    assert counts_of([]) == counts_of({"hosts": "a"}) == {}


def test_a_new_host_is_a_notice_until_it_was_read_and_is_counted_ever_after():
    now, took, said = [0.0], [], []
    egress = Egress("http://127.0.0.1:1", took.append, said.append, lambda: now[0])
    egress.introduce("notebook-pii", {"PIP_INDEX_URL": "https://mirror.example.org/simple"})
    egress.take(told(a=1))
    one = egress.notices()[0]
    assert (one.title, one.reason) == ("Blocked: a", "host_blocked")
    assert (
        one.why
        == "notebook-pii has no public internet. Packages come from mirror.example.org, already set up."
    )
    egress.take(told(a=3))
    assert took == [{"a": 1}, {"a": 3}] and said == ["Blocked: a"]
    egress.shown((one.id,))
    assert egress.notices() == (one,)
    now[0] = READ_SECONDS + 1
    assert egress.notices() == ()
    egress.take(told(a=3, b=1))
    assert egress.notices()[0].title == "Blocked: b"


@pytest.fixture
def proxy():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(told(**{"files.example.net": 2})).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_proxy_is_asked_and_one_that_does_not_answer_costs_nothing(proxy):
    took, none = [], []
    away, here = Egress("http://127.0.0.1:1", none.append, print), Egress(proxy, took.append, print)
    for one in (away, here):
        one.start()
    until(lambda: took, 20, what="what was refused")
    assert took[0] == {"files.example.net": 2} and not none
    for one in (away, here):
        one.stop()
