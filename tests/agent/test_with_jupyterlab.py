"""An agent with JupyterLab's own server: the extension is on without anything being installed for it."""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

from jupyterhub_notebooks.contract import Heartbeat, Signal
from tests.lab.harness import BROWSER

from .gate import Gate
from .harness import Notebook, RunningAgent, until
from .test_activity import ordered

LAB = [
    *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=PORT"),
    *("--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"),
]


def post(agent: RunningAgent, path: str, body: Any) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{agent.port}/{path}", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def test_a_silent_cell_without_a_page_is_work_and_its_end_is_not(behind: Notebook, gate: Gate) -> None:
    gate.bodies.clear()
    (behind.files).mkdir(parents=True, exist_ok=True)
    agent = behind.start(LAB).phase("running")

    def signal(name: str) -> Signal:
        return ordered(agent, gate)[name]

    until(lambda: signal("kernel").state == "idle", "the extension reports", 60)
    assert signal("browser").detail == "No page was opened yet"
    state = json.loads(agent.get("notebooks/presence"))
    assert state["phase"] == "running" and state["server_time"]
    made = post(agent, "api/kernels", {"name": "python3"})
    import websocket

    page = websocket.create_connection(
        f"ws://127.0.0.1:{agent.port}/api/kernels/{made['id']}/channels?session_id=a",
        timeout=30,
        header=BROWSER,
    )
    header = {"msg_id": "1", "msg_type": "execute_request", "session": "a", "username": "", "version": "5.3"}
    content = {"code": "import time; time.sleep(8)", "silent": False, "allow_stdin": False}
    page.send(
        json.dumps(
            {
                "header": {**header, "date": "2026-01-01T00:00:00Z"},
                "parent_header": {},
                "metadata": {},
                "content": content,
                "channel": "shell",
            }
        )
    )
    until(lambda: signal("kernel").state == "busy", "the cell is seen")
    # The kernel's own start computes: that is work too, and may be said of the heartbeats before.
    until(lambda: agent.row().verdict_sentence == "A cell runs in a notebook.", "the verdict")
    assert agent.row().verdict == "working"
    page.close()
    assert signal("cell").state == "busy"
    until(lambda: signal("kernel").state == "idle", "its end is seen")
    beats = [
        Heartbeat.from_json(json.loads(body)) for path, body in gate.bodies if path.endswith("heartbeat")
    ]
    assert all(one.since and one.since.endswith("Z") for one in beats[-1].signals if one.state == "idle")
    assert agent.stop() == 0, agent.said()
