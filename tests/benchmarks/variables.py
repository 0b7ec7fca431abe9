"""Variables over an idle stop and the next start, in a real Hub: what came back, what was lost and why, what it cost.

    .venv/bin/python -m tests.benchmarks.variables [--rows 1000000] [--huge-gb 2]

One notebook with a DataFrame, an array, a module, an open file, a lambda and an object of 2 GB under the default bound of
500 MB and a minute. It is stopped as idle, started again, and asked for what it kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from jupyterhub_notebooks.ledger import notebooks, sessions, snapshots, users
from jupyterhub_notebooks.ledger.tables import intents
from tests.hub import RunningHub, start_hub, until

PROFILES = """
flavors:
  std: {use: Variables, cpu: 1, memory: 8 GB}
profiles:
  short: {title: Short, use: Variables, flavor: std, idle_stop: 20s, max_session: 0, warn_before: 0}
"""
CODE = """
import numpy as np, pandas as pd
frame = pd.DataFrame({{"a": np.arange({rows}), "b": np.random.default_rng(1).random({rows})}})
array = np.arange(10**6)
log = open("log.txt", "w")
double = lambda value: value * factor
factor = 2
huge = np.zeros({huge} // 8)
"""
CHECK = (
    "print(frame.shape, int(array.sum()), np.__name__, double(21), sorted(set(globals()) & {'log', 'huge'}))"
)


class Notebook:
    """One person's notebook, asked over its own address."""

    def __init__(self, hub: RunningHub, user: str) -> None:
        self.hub, self.user = hub, user
        hub.user(user)
        self.token = hub.admin("POST", f"/hub/api/users/{user}/tokens", {}).json["token"]
        self.base = f"{hub.url}/user/{user}/"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        head = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(self.base + path, data, head, method=method)
        with urllib.request.urlopen(request, timeout=300) as answer:
            raw = answer.read()
        return json.loads(raw) if raw else None

    def kernel(self) -> str:
        body = {"path": "work.ipynb", "type": "notebook", "name": "work", "kernel": {"name": "python3"}}
        return str(self.ask("POST", "api/sessions", body)["kernel"]["id"])

    def run(self, kernel: str, code: str) -> str:
        """Runs code to its end; what it printed or the error."""

        async def go() -> str:
            url = f"{self.base}api/kernels/{kernel}/channels".replace("http", "ws", 1)
            channel = await websocket_connect(
                HTTPRequest(url, headers={"Authorization": f"token {self.token}"})
            )
            head = {
                "msg_id": "1",
                "session": "1",
                "username": "u",
                "msg_type": "execute_request",
                "version": "5.3",
            }
            content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
            message = {
                "header": head,
                "parent_header": {},
                "metadata": {},
                "content": content,
                "channel": "shell",
            }
            await channel.write_message(json.dumps({**message, "buffers": []}))
            printed = ""
            while text := await channel.read_message():
                said = json.loads(text)
                if said["parent_header"].get("msg_id") != "1":
                    continue
                if said["msg_type"] == "stream":
                    printed += said["content"]["text"]
                elif said["msg_type"] == "error":
                    printed += f"{said['content']['ename']}: {said['content']['evalue']}"
                elif said["msg_type"] == "execute_reply":
                    break
            channel.close()
            return printed

        return asyncio.run(go())

    def session(self) -> Any:
        owner = users.by_name(self.hub.ledger, self.user)
        assert owner is not None
        found = notebooks.find(self.hub.ledger, owner.id, "")
        assert found is not None
        return sessions.of_notebook(self.hub.ledger, found.id)[0]


def measured(hub: RunningHub, rows: int, huge_bytes: int) -> None:
    book = Notebook(hub, "vera")
    assert hub.start("vera", "", {"profile": "short"}, seconds=300).status == 201
    kernel = book.kernel()
    trouble = book.run(kernel, CODE.format(rows=rows, huge=huge_bytes))
    assert not trouble, trouble
    until(lambda: book.session().closed_at, 600, 0.2, "the idle stop")
    row = book.session()
    kept = dict(row.variables or {})
    with hub.ledger.read() as connection:
        query = intents.select().where(intents.c.session == row.id).order_by(intents.c.id)
        order = next(one for one in connection.execute(query) if one.do == "checkpoint")
    delay = (order.done_at - order.asked_at).total_seconds()
    size = kept.get("size_bytes", 0) / 1e6
    print(
        f"stopped: {row.cause}; {kept.get('saved')} variables kept, {size:.0f} MB, in {kept.get('seconds'):.2f} s"
    )
    print(f"the stop was put off by {delay:.2f} s, of at most {row.launch['variables_seconds']} s")
    for one in kept.get("lost", []):
        print(f"lost: {one['name']} of {one['notebook']}: {one['why']}")
    head = snapshots.head(hub.ledger, row.workspace)
    print(f"snapshot {head.number if head else None}: {(head.size_bytes if head else 0) / 1e6:.0f} MB")
    until(lambda: not hub.active("vera"), 120, 0.2, "the Hub's end of it")
    assert hub.start("vera", "", {"profile": "short"}, seconds=300).status == 201
    [offer] = book.ask("GET", "notebooks/variables")["offers"]
    print("offered:", ", ".join(f"{one['name']} ({one['kind']})" for one in offer["saved"]))
    kernel = book.kernel()
    back = book.ask("POST", "notebooks/variables", {"id": offer["id"], "kernel": kernel})
    print(f"back in {back['seconds']:.2f} s: {', '.join(back['back'])}; not back: {back['lost']}")
    print("in the new kernel:", book.run(kernel, CHECK).strip())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="of the DataFrame, two columns (1,000,000)"
    )
    parser.add_argument("--huge-gb", type=float, default=2.0, help="the object that is too large (2)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="var") as place:
        folder = Path(place)
        (folder / "profiles.yaml").write_text(PROFILES)
        hub = start_hub(
            folder,
            culler=True,
            settings={
                "profiles": str(folder / "profiles.yaml"),
                "culler_interval_seconds": 0.5,
                "heartbeat_seconds": 2.0,
                "heartbeat_soon_seconds": 1.0,
            },
        )
        try:
            measured(hub, given.rows, int(given.huge_gb * 10**9))
        finally:
            hub.stop()


if __name__ == "__main__":
    main()
