"""The ten scenarios of tests/benchmarks/activity_labels.yaml that a reader of the product's description alone wrote.

Built as that reader says how; times are theirs by three, since their idle limit was 20 s and here it is 60 s.
Importing it adds them to ``SCENARIOS``.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable
from itertools import cycle
from typing import Any

from tests.end_to_end.product import free_port

from .activity_places import Channel, Place
from .activity_scenarios import SCENARIOS, cell, scenario, shell

LONGER = 3
CLUSTER = """import multiprocessing, time
def worker():
    while True:
        end = time.perf_counter() + 0.001
        while time.perf_counter() < end: pass
        time.sleep(0.05)
fork = multiprocessing.get_context("fork")
workers = [fork.Process(target=worker, daemon=True) for _ in range(6)]
for one in workers: one.start()
"""
PLOT = """import time
def opened(comm, message):
    comm.on_msg(lambda message: time.sleep(0.05))
get_ipython().kernel.comm_manager.register_target("plot", opened)
"""
BURSTS = """import time
while True:
    time.sleep(6)
    end = time.perf_counter() + 1
    while time.perf_counter() < end: pass
    print("step", file=open("train.log", "a"))
"""
TYPED = (
    "df = {'a': [1, 2]}",
    "df.heda()",
    "df.keys()",
    "len(df['a'])",
    "sum(df['a'])",
    "df['b'] = [3]",
    "df",
)

shell("monitor-in-terminal", "watch -n 1 free -m\r")
cell("idle-cluster", CLUSTER, "idle")


@scenario("refreshing-dashboard")
async def refreshing_dashboard(place: Place) -> None:
    page = await place.run(PLOT, wait="idle", close=False)
    await page.send("shell", "comm_open", {"comm_id": "p", "target_name": "plot", "data": {}})
    place.tab(visible=True, kernel=page)
    code = "import time; time.sleep(0.05)"
    ways: list[tuple[str, dict[str, Any]]] = [
        ("comm_msg", {"comm_id": "p", "data": {"more": True}}),
        ("execute_request", {"code": code, "silent": True, "store_history": False}),
        ("execute_request", {"code": code, "silent": False, "store_history": False}),
    ]
    turn = cycle(ways)

    async def refresh() -> None:
        kind, content = next(turn)
        await page.send("shell", kind, content)

    place.every(3, refresh)


@scenario("desktop-editor")
async def desktop_editor(place: Place) -> None:
    """Whoever types goes on until the look, which is thus some seconds after the last cell."""
    page = await place.open_kernel(browser=False)
    drawn = random.Random(4)

    async def types() -> None:
        for number in range(1000):
            await page.run(f"{TYPED[number % len(TYPED)]}  # {number}", "idle")
            await asyncio.sleep(drawn.uniform(5, 10))

    place.later.append(asyncio.create_task(_until_closed(types, page)))


async def _until_closed(act: Callable[[], Any], page: Channel) -> None:
    try:
        await act()
    except OSError:
        page.socket.close()


@scenario("upload-over-a-slow-line")
async def slow_upload(place: Place) -> None:
    place.tab(visible=False)
    piece, number = base64.b64encode(bytes(750_000)).decode(), 0

    async def send() -> None:
        nonlocal number
        number += 1
        body = {"type": "file", "format": "base64", "content": piece, "chunk": number}
        await place.ask("api/contents/big.bin", "PUT", body)

    place.every(4, send)


@scenario("training-suspended")
async def training_suspended(place: Place) -> None:
    await place.write("train.py", "while True: pass\n")
    await place.terminal("python3 train.py\r", pause=5.0, then="\x1a")


@scenario("prompt-and-pager")
async def prompt_and_pager(place: Place) -> None:
    """Both forms, in a terminal each."""
    await place.terminal("python3\r", "a = 1\r", "print(a)\r")
    commit = "git -c user.name=n -c user.email=n@example.org commit -q --allow-empty"
    await place.terminal(
        "git init -q many && cd many\r",
        f"for n in $(seq 60); do {commit} -m $n; done; git -c core.pager=less log\r",
    )


@scenario("waiting-query")
async def waiting_query(place: Place) -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(45 * LONGER)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\na,b\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    place.later.append(asyncio.create_task(server.serve_forever()))
    await place.terminal(f"curl -s http://127.0.0.1:{port}/query > result.csv\r")


@scenario("training-in-tmux")
async def training_in_tmux(place: Place) -> None:
    await place.write("train.py", BURSTS)
    # a socket of its own: one machine stands for many here
    own = f"{place.side.name}-{place.user}-{free_port()}"
    name = await place.terminal(f"tmux -L {own} new -d -s t 'python3 train.py'\r")
    await asyncio.sleep(1)
    await place.ask(f"api/terminals/{name}", "DELETE")


@scenario("forgotten-web-server")
async def forgotten_web_server(place: Place) -> None:
    port = free_port()
    await place.terminal(f"python3 -m http.server {port} --bind 127.0.0.1\r")
    look = await place.terminal(
        f"curl -s --retry 5 --retry-connrefused http://127.0.0.1:{port}/ >/dev/null\r"
    )
    await asyncio.sleep(3)
    await place.ask(f"api/terminals/{look}", "DELETE")


__all__ = ["SCENARIOS"]
