"""What happens in each scenario of tests/benchmarks/activity_labels.yaml, by its name: the same on either Hub.

``SCENARIOS[name](place)`` sets it up and returns; what must go on until the end of the look is left in the place.
"Nobody is there": every connection is closed when the set-up is over.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
from tornado.iostream import StreamClosedError
from tornado.tcpclient import TCPClient

from .activity_hubs import FACTOR, IDLE_SECONDS, Ours
from .activity_places import Place

SCENARIOS: dict[str, Callable[[Place], Awaitable[None]]] = {}
#: Profiles of those that need another than ``plain``.
PROFILE = {
    "endless-loop-limit": "limited",
    "extension-missing": "bare",
    "extension-missing-limit": "bare-limited",
}
#: A fifth of a core: both Hubs and all scenarios share this machine.
COMPUTE = """import os, time
def compute(seconds=10**6):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        busy = time.process_time() + 0.02
        while time.process_time() < busy: pass
        time.sleep(0.08)
"""
TRAIN = COMPUTE + "compute()\n"


def scenario(name: str) -> Callable[[Callable[[Place], Awaitable[None]]], Callable[[Place], Awaitable[None]]]:
    def kept(function: Callable[[Place], Awaitable[None]]) -> Callable[[Place], Awaitable[None]]:
        SCENARIOS[name] = function
        return function

    return kept


def cell(name: str, code: str, wait: str = "busy") -> None:
    """A scenario that is one cell, with its tab closed."""

    async def run(place: Place) -> None:
        await place.run(code, wait=wait)

    SCENARIOS[name] = run


def shell(name: str, *lines: str, **files: str) -> None:
    """A scenario that is typed into one terminal, with its tab closed."""

    async def run(place: Place) -> None:
        for path, text in files.items():
            await place.write(f"{path}.py", text)
        await place.terminal(*lines)

    SCENARIOS[name] = run


cell("silent-cell", COMPUTE + "compute()")
cell("sleeping-cell", "import time; time.sleep(7200)")
cell("printing-cell", "import time\nwhile True:\n    print('tick', flush=True)\n    time.sleep(1)")
cell("endless-loop", "import os; os.nice(19)\nwhile True: pass")
cell("endless-loop-limit", "import os; os.nice(19)\nwhile True: pass")
cell(
    "background-thread",
    COMPUTE + "import threading; threading.Thread(target=compute, daemon=True).start()",
    "idle",
)
cell(
    "sleeping-thread",
    "import threading, time\ndef look():\n    while True: time.sleep(1)\nthreading.Thread(target=look, daemon=True).start()",
    "idle",
)
cell(
    "subprocess-left-behind",
    f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {TRAIN!r}], start_new_session=True)",
    "idle",
)
cell("idle-kernel", "numbers = list(range(10**5))", "idle")
cell("failed-cell", "1 / 0", "idle")
cell("deadlocked-cell", "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()")
cell("work-ends-then-quiet", f"import time; time.sleep({IDLE_SECONDS * 0.4})")
cell("result-just-finished", f"import time; time.sleep({IDLE_SECONDS * 5 / 3})")
shell("terminal-training", "python3 train.py\r", train=TRAIN)
shell("terminal-waiting-job", "python3 wait.py\r", wait="import time\nwhile True: time.sleep(3)\n")
shell(
    "short-pauses", "python3 pauses.py\r", pauses=COMPUTE + "while True:\n    compute(1)\n    time.sleep(3)\n"
)
shell("idle-terminal")
shell("suspended-job", "python3 train.py\r", "\x1a", train=TRAIN)
shell("finished-terminal-job", "python3 job.py\r", job="import time; time.sleep(2)\n")
shell("editor-in-terminal", "nano notes.txt\r")
shell("python-prompt-in-terminal", "python3\r")


@scenario("queued-cells")
async def queued(place: Place) -> None:
    page = await place.run("import time; time.sleep(7200)", close=False)
    for _ in range(2):
        await page.send(
            "shell", "execute_request", {"code": "print(1)", "silent": False, "allow_stdin": False}
        )
    await asyncio.sleep(1)
    page.socket.close()


@scenario("detached-job")
async def detached(place: Place) -> None:
    await place.write("train.py", TRAIN)
    name = await place.terminal("nohup python3 train.py >/dev/null 2>&1 &\r")
    await asyncio.sleep(1)
    await place.ask(f"api/terminals/{name}", "DELETE")


@scenario("forgotten-tab")
async def forgotten(place: Place) -> None:
    place.tab(visible=True, kernel=await place.run("a = 1", wait="idle", close=False))


@scenario("hidden-tab")
async def hidden(place: Place) -> None:
    place.tab(visible=False, kernel=await place.run("a = 1", wait="idle", close=False))


@scenario("person-typing")
async def typing(place: Place) -> None:
    place.tab(visible=True, input_every=2, kernel=await place.open_kernel())


@scenario("scrolling-reader")
async def scrolling(place: Place) -> None:
    place.tab(visible=True, input_every=9, kernel=await place.open_kernel())


@scenario("typed-and-left")
async def typed_and_left(place: Place) -> None:
    place.tab(visible=True, kernel=await place.open_kernel())
    if place.ours:
        body = {"visible": True, "last_input_seconds": 0.5, "page": "p"}
        await place.ask("notebooks/presence", "POST", body, **{"User-Agent": "Mozilla/5.0 (scenario)"})


@scenario("two-tabs")
async def two_tabs(place: Place) -> None:
    kernel = await place.open_kernel()
    place.tab(visible=False, page="hidden", kernel=kernel)
    place.tab(visible=True, input_every=2, page="seen", kernel=await place.connect(kernel.kernel))


@scenario("person-in-one-kernel-in-another")
async def both(place: Place) -> None:
    await place.run("import time; time.sleep(7200)", name="other.ipynb")
    place.tab(visible=True, input_every=9, kernel=await place.open_kernel("read.ipynb"))


@scenario("closed-notebook-running-cell")
async def closed_notebook(place: Place) -> None:
    await place.run("import time; time.sleep(7200)")
    place.tab(visible=False)


async def _raw_get(place: Place, path: str, take: Callable[[bytes], Awaitable[Any]], piece: int) -> None:
    """A download through the proxy, taken piece by piece."""
    host, port = place.side.url.removeprefix("http://").split(":")
    stream = await TCPClient().connect(host, int(port), max_buffer_size=200_000)
    head = f"GET /user/{place.user}/{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: token {place.token}\r\n\r\n"
    await stream.write(head.encode())
    try:
        while True:
            await take(await stream.read_bytes(piece, partial=True))
    except StreamClosedError:
        return


async def _large_file(place: Place, megabytes: int) -> None:
    await place.run(f"open('large.bin', 'wb').truncate({megabytes} * 10**6)", wait="idle")


@scenario("long-download")
async def download(place: Place) -> None:
    await _large_file(place, 800)

    async def slowly(_: bytes) -> None:
        await asyncio.sleep(0.02)

    place.later.append(asyncio.create_task(_raw_get(place, "files/large.bin", slowly, 100_000)))


@scenario("stalled-download")
async def stalled(place: Place) -> None:
    await _large_file(place, 400)

    async def never(_: bytes) -> None:
        await asyncio.sleep(10**6)

    place.later.append(asyncio.create_task(_raw_get(place, "files/large.bin", never, 65536)))


@scenario("long-upload")
async def upload(place: Place) -> None:
    number = 0

    async def piece() -> None:
        nonlocal number
        number += 1
        body = {"type": "file", "format": "text", "content": "x" * 50_000, "chunk": number}
        await place.ask("api/contents/upload.txt", "PUT", body)

    place.every(2, piece)


@scenario("dead-kernel")
async def dead(place: Place) -> None:
    """It cannot come up again either: Jupyter tries five times."""
    code = """import os, time
open("ipykernel_launcher.py", "w").write("raise SystemExit(1)")
time.sleep(1)
os.kill(os.getpid(), 9)"""
    await place.run(code)


@scenario("breakpoint")
async def at_breakpoint(place: Place) -> None:
    page = await place.open_kernel("debug.ipynb")
    number = 0

    async def debug(command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        nonlocal number
        number += 1
        content = {"type": "request", "seq": number, "command": command, "arguments": arguments}
        await page.send("control", "debug_request", content)
        found: dict[str, Any] = (await page.waits_for("debug_reply"))["content"]
        return found

    code = "a = 1\nb = 2\nc = 3"
    await debug("initialize", {"clientID": "s", "adapterID": "", "pathFormat": "path", "linesStartAt1": True})
    await debug("attach", {})
    source = (await debug("dumpCell", {"code": code}))["body"]["sourcePath"]
    await debug("setBreakpoints", {"source": {"path": source}, "breakpoints": [{"line": 2}], "lines": [2]})
    await debug("configurationDone", {})
    await page.run(code, "debug_event")
    await asyncio.sleep(2)
    page.socket.close()


@scenario("waiting-for-input")
async def waiting_for_input(place: Place) -> None:
    await place.run("answer = input('who? ')", wait="input_request")


@scenario("one-of-many-kernels")
async def one_of_many(place: Place) -> None:
    for number in range(3):
        await place.run("a = 1", wait="idle", name=f"idle{number}.ipynb")
    await place.run(COMPUTE + "compute()", name="busy.ipynb")


@scenario("never-opened")
async def never_opened(place: Place) -> None:
    return


@scenario("interrupted-cell")
async def interrupted(place: Place) -> None:
    page = await place.run("import time; time.sleep(7200)")
    await asyncio.sleep(2)
    await place.ask(f"api/kernels/{page.kernel}/interrupt", "POST")


@scenario("restarted-kernel")
async def restarted(place: Place) -> None:
    page = await place.run("import time; time.sleep(7200)")
    await asyncio.sleep(2)
    await place.ask(f"api/kernels/{page.kernel}/restart", "POST")


@scenario("polling-client")
async def polling(place: Place) -> None:
    place.every(2, lambda: place.ask("api/status"))


@scenario("open-connection")
async def open_connection(place: Place) -> None:
    page = await place.run("a = 1", wait="idle", close=False)
    place.later.append(asyncio.create_task(page.read_on()))


@scenario("extension-missing")
@scenario("extension-missing-limit")
async def nothing(place: Place) -> None:
    return


@scenario("heartbeat-cut")
async def heartbeat_cut(place: Place) -> None:
    """The peer has no heartbeat: there, the notebook is one in which nothing runs."""
    if isinstance(place.side, Ours):
        agent = _agent_of(place.side.session(place.user).id)
        place.side.cut.add(agent.environ()["NOTEBOOK_SESSION_TOKEN"])


@scenario("agent-frozen")
async def agent_frozen(place: Place) -> None:
    """The peer has no agent: there, too, nothing runs."""
    if isinstance(place.side, Ours):
        agent = _agent_of(place.side.session(place.user).id)
        agent.send_signal(signal.SIGSTOP)
        place.data["undo"] = [lambda: agent.send_signal(signal.SIGCONT)]


def _agent_of(session: str) -> psutil.Process:
    for one in psutil.process_iter():
        try:
            if (
                one.environ().get("NOTEBOOK_SESSION_ID") == session
                and "jupyterhub_notebooks.agent" in one.cmdline()
            ):
                return one
        except (psutil.Error, OSError):
            continue
    raise AssertionError(f"no agent of {session}")


def jump(place: Place, hours: float) -> None:
    """The clock of that notebook's machine is set; the peer's keeps its time, since its server reads no clock to stop by."""
    if isinstance(place.side, Ours):
        path = Path(place.side.clocks) / place.user
        path.write_text(f"{hours * 3600:+.0f}\n")


@scenario("clock-ahead")
async def clock_ahead(place: Place) -> None:
    place.tab(visible=True, input_every=2, kernel=await place.open_kernel())
    await asyncio.sleep(5)
    jump(place, 10)


@scenario("clock-back")
async def clock_back(place: Place) -> None:
    await place.run("a = 1", wait="idle")
    jump(place, -10)


@scenario("runner-without-browser")
async def runner(place: Place) -> None:
    page = await place.open_kernel(browser=False)
    await page.run("a = 1", "idle")

    async def run() -> None:
        await page.run("sum(range(10**6))", "idle")

    place.every(180 / FACTOR, run)


@scenario("keep-working")
async def keep_working(place: Place) -> None:
    """Clicks whenever a warning is due; the peer gives none."""
    side = place.side
    if not isinstance(side, Ours):
        return

    async def look() -> None:
        row = side.session(place.user)
        if row.warned_at is not None and row.stop_asked_at is None:
            from tornado.httpclient import AsyncHTTPClient, HTTPRequest

            url = f"{side.url}/services/notebooks/api/v1/sessions/{row.id}/extend"
            head = {"Authorization": f"token {place.token}", "Content-Type": "application/json"}
            await AsyncHTTPClient().fetch(HTTPRequest(url, "POST", head, body="{}"))

    place.every(1, look)


@scenario("copying-thread")
async def copying(place: Place) -> None:
    code = """import threading, time, os
def copy():
    with open("copied.bin", "wb") as out:
        while True:
            out.write(os.urandom(64_000)); out.flush()
            time.sleep(1)
threading.Thread(target=copy, daemon=True).start()"""
    await place.run(code, wait="idle")
