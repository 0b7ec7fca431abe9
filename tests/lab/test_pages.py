"""What open pages say and are told, through a real server: notices that were shown, unsaved documents, asks, news."""

from __future__ import annotations

import json
import urllib.error
from typing import Any

import pytest
import websocket

from jupyterhub_notebooks.contract import Answered, Ask, Notice, SessionState
from jupyterhub_notebooks.errors import Refusal
from jupyterhub_notebooks.lab.pages import page_of

from .harness import LabServer, until

VISIBLE: dict[str, Any] = {"visible": True, "last_input_seconds": None, "page": "one"}


def report(lab: LabServer):
    return lab.ears.heard()["lab"].report


def test_a_notice_that_was_shown_and_a_document_that_is_not_saved_reach_the_agent_at_once(
    lab: LabServer,
) -> None:
    seen: list[str] = []
    lab.ears._took = lambda one: seen.extend(one.shown_notices)
    lab.call("POST", "notebooks/presence", {**VISIBLE, "shown": ["idle-1-120"], "unsaved": ["a.ipynb"]})
    until(lambda: seen == ["idle-1-120"], "the notice was told, once")
    until(lambda: report(lab).unsaved == ("a.ipynb",), "the document was told")
    lab.call("POST", "notebooks/presence", VISIBLE)
    until(lambda: report(lab).unsaved == (), "it is saved now")
    assert seen == ["idle-1-120"]


def test_the_processes_of_kernels_are_told_with_their_notebooks(lab: LabServer) -> None:
    page = lab.kernel("held.ipynb")
    (kernel,) = until(
        lambda: [one for one in report(lab).kernels if one.name == "held.ipynb"], "the kernel is told"
    )
    assert kernel.id == page.kernel
    assert kernel.pid > 1
    page.close()
    lab.call("DELETE", f"api/kernels/{page.kernel}")


def test_an_open_page_hears_what_is_new_without_asking(lab: LabServer) -> None:
    socket = websocket.create_connection(f"ws://127.0.0.1:{lab.port}/notebooks/live", timeout=30)
    try:
        assert "page_url" in json.loads(socket.recv())
        lab.state = SessionState(notices=(Notice("n1", "idle_soon", "Idle stop in 8 min"),))
        lab.ears.tell()
        while not (notices := json.loads(socket.recv())["notices"]):
            pass
        assert notices[0]["id"] == "n1"
    finally:
        lab.state = SessionState()
        socket.close()


def test_what_a_page_asks_is_done_by_the_agent_and_a_refusal_is_told_in_its_words(lab: LabServer) -> None:
    asked: list[Ask] = []

    def answer(ask: Ask) -> Answered:
        asked.append(ask)
        if ask.do == "restore":
            no = Refusal("Nothing was replaced", "It could not be saved first.", label="not_saved")
            return Answered(ask.ask, {}, no.as_json()["error"], no.http_status)
        return Answered(ask.ask, {"entries": ["x" * 90] * 2000})

    lab.ears._answer = answer
    got = lab.call("POST", "notebooks/ask", {"do": "list", "number": 3, "path": ""})
    assert len(got["entries"]) == 2000
    assert (asked[0].do, asked[0].arguments) == ("list", {"number": 3, "path": ""})
    with pytest.raises(urllib.error.HTTPError) as refused:
        lab.call("POST", "notebooks/ask", {"do": "restore", "number": 3, "path": "a", "copy": False})
    assert refused.value.code == 409
    assert json.loads(refused.value.read())["error"]["title"] == "Nothing was replaced"


def test_who_keeps_working_is_the_one_who_is_logged_in(lab: LabServer) -> None:
    asked: list[Ask] = []
    lab.ears._answer = lambda ask: asked.append(ask) or Answered(ask.ask)  # type: ignore[func-returns-value]
    lab.call("POST", "notebooks/ask", {"do": "extend", "who": "somebody else", "seconds": 10**9})
    (ask,) = asked
    assert set(ask.arguments) == {"who"} and ask.arguments["who"] != "somebody else"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"visible": "yes"}, "visible"),
        ({**VISIBLE, "shown": "idle"}, "shown"),
        ({**VISIBLE, "unsaved": [3]}, "unsaved"),
        ({**VISIBLE, "last_input_seconds": -1}, "last_input_seconds"),
    ],
)
def test_a_page_that_says_something_else_is_told_which_field(
    lab: LabServer, body: object, field: str
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        lab.call("POST", "notebooks/presence", body)
    assert json.loads(refused.value.read())["error"]["field"] == field


def test_the_notebook_s_page_is_found_from_what_the_hub_gives_a_server() -> None:
    given = {"JUPYTERHUB_USER": "mara lee", "JUPYTERHUB_BASE_URL": "/hub-1/", "JUPYTERHUB_SERVER_NAME": "a b"}
    assert page_of(given) == "/hub-1/services/notebooks/n/mara%20lee/a%20b"
    assert page_of({**given, "JUPYTERHUB_SERVER_NAME": ""}).endswith("/n/mara%20lee/-")
    assert page_of({}) == ""
