"""What a real server says of real kernels, terminals, transfers and pages."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
import urllib.error
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import websocket

from jupyterhub_notebooks.contract import Verdict
from tests.agents_service import free_port

from .harness import BROWSER, LabServer, Page, until


def test_a_server_that_was_never_opened_is_at_rest(lab: LabServer) -> None:
    assert lab.says("browser", "idle").detail == "No page was opened yet"
    assert lab.says("kernel", "idle").detail == "No kernel runs"
    assert lab.says("terminal", "idle").detail == "No terminal is open"
    for name in ("cell", "editor", "download"):
        lab.says(name, "idle")


def test_a_silent_cell_is_busy_also_after_its_tab_was_closed(lab: LabServer) -> None:
    page = lab.kernel()
    page.run("import time; time.sleep(3)")
    lab.says("kernel", "busy", "A cell runs in churn.ipynb")
    lab.says("cell", "busy", "churn.ipynb")
    page.close()
    first = lab.says("kernel", "busy").since_seconds
    until(lambda: (lab.signal("kernel").since_seconds or 0) > (first or 0), "its age grows")
    idle = lab.says("kernel", "idle", "kernel is idle")
    assert idle.since_seconds is not None and idle.since_seconds < 2
    lab.says("cell", "idle", "A cell was run in churn.ipynb")
    lab.call("DELETE", f"api/kernels/{page.kernel}")


def test_a_kernel_that_waits_for_input_is_at_rest_and_named_until_it_has_it(lab: LabServer) -> None:
    page = lab.kernel("ask.ipynb")
    page.run("import time; name = input('who? '); time.sleep(2)")
    page.waits_for("input_request")
    lab.says("kernel", "idle", "Waits for a person: ask.ipynb waits for input()")
    page.send("stdin", "input_reply", {"value": "mara", "status": "ok"})
    lab.says("kernel", "busy", "A cell runs in ask.ipynb")
    lab.says("kernel", "idle")
    page.close()
    lab.call("DELETE", f"api/kernels/{page.kernel}")


def test_a_kernel_at_a_breakpoint_is_at_rest_and_named(lab: LabServer) -> None:
    page = lab.kernel("debug.ipynb")

    number = 0

    def debug(command: str, arguments: dict[str, object]) -> dict[str, object]:
        nonlocal number
        number += 1
        content = {"type": "request", "seq": number, "command": command, "arguments": arguments}
        page.send("control", "debug_request", content)
        return page.waits_for("debug_reply")["content"]

    code = "a = 1\nb = 2\nc = 3"
    debug("initialize", {"clientID": "test", "adapterID": "", "pathFormat": "path", "linesStartAt1": True})
    debug("attach", {})
    source = debug("dumpCell", {"code": code})["body"]["sourcePath"]  # type: ignore[index]
    debug("setBreakpoints", {"source": {"path": source}, "breakpoints": [{"line": 2}], "lines": [2]})
    debug("configurationDone", {})
    page.run(code)
    lab.says("kernel", "idle", "Waits for a person: debug.ipynb is stopped at a breakpoint")
    debug("continue", {"threadId": 1})
    lab.says("kernel", "idle")
    page.close()
    lab.call("DELETE", f"api/kernels/{page.kernel}")


def test_of_many_kernels_the_one_that_works_is_named(lab: LabServer) -> None:
    pages = [lab.kernel(f"n{number}.ipynb") for number in range(3)]
    pages[1].run("import time; time.sleep(2)")
    lab.says("kernel", "busy", "A cell runs in n1.ipynb")
    lab.says("kernel", "idle", "3 kernels are idle")
    for page in pages:
        page.close()
        lab.call("DELETE", f"api/kernels/{page.kernel}")
    lab.says("kernel", "idle", "No kernel runs")


def test_a_program_that_runs_the_same_cell_again_is_nobody_and_a_desktop_editor_with_other_cells_is_somebody(
    lab: LabServer,
) -> None:
    person, program = lab.kernel("mine.ipynb"), lab.kernel("job.ipynb", browser=False)
    program.run("import time; time.sleep(2)")
    lab.says("cell", "busy", "job.ipynb")
    person.run("1")
    lab.says("cell", "busy", "mine.ipynb")
    program.run("import time; time.sleep(2)")
    lab.says("kernel", "busy", "A cell runs in job.ipynb")
    lab.says("kernel", "idle")
    assert "mine.ipynb" in lab.signal("cell").detail
    program.run("import time; time.sleep(1)")
    lab.says("cell", "busy", "job.ipynb")
    for page in (person, program):
        page.close()
        lab.call("DELETE", f"api/kernels/{page.kernel}")


def test_what_a_page_s_timer_asks_of_a_kernel_is_no_work_until_it_takes_long(lab: LabServer) -> None:
    page = lab.kernel("plot.ipynb")
    page.run("import time")
    page.waits_for("execute_reply")
    lab.says("cell", "busy", "plot.ipynb")
    lab.says("cell", "idle", "plot.ipynb")
    lab.says("kernel", "idle", "kernel is idle")
    before = lab.signal("kernel").since_seconds or 0.0
    quick = {"code": "time.sleep(0.05)", "silent": False, "store_history": False}
    for _ in range(5):
        for kind, content in (
            ("execute_request", quick),
            ("execute_request", {**quick, "silent": True}),
            ("comm_msg", {"comm_id": "nobody's", "data": {}}),
            ("is_complete_request", {"code": "time"}),
        ):
            page.send("shell", kind, content)
        page.waits_for("is_complete_reply")
        assert lab.signal("kernel").state == "idle"
    assert lab.ears.ask(5)
    now = lab.signal("kernel")
    assert now.state == "idle" and (now.since_seconds or 0.0) > before
    assert lab.signal("cell").state == "idle"
    page.send("shell", "execute_request", {**quick, "code": "time.sleep(6)"})
    lab.says("kernel", "busy", "A cell runs in plot.ipynb")
    assert (lab.says("kernel", "idle").since_seconds or 0.0) < 2
    page.close()
    lab.call("DELETE", f"api/kernels/{page.kernel}")


def test_a_kernel_that_died_in_a_cell_is_not_busy_and_its_next_cells_are_seen(lab: LabServer) -> None:
    dies_and_goes_on(lab)


def test_a_kernel_that_came_back_at_other_ports_is_listened_to_there(tmp_path: Path) -> None:
    """As one that dies in its first seconds does where ports are not kept, and one on another machine."""
    config = tmp_path / "config" / "jupyter_server_config.json"
    config.parent.mkdir()
    config.write_text(json.dumps({"KernelManager": {"cache_ports": False}}))
    server = LabServer(tmp_path, cell_seconds=1.0)

    def listens_at(kernel: str) -> int:
        return int(json.loads((tmp_path / "runtime" / f"kernel-{kernel}.json").read_text())["iopub_port"])

    try:
        assert len({*dies_and_goes_on(server, listens_at)}) == 2
    finally:
        server.close()


def dies_and_goes_on(lab: LabServer, look: Callable[[str], int] = lambda kernel: 0) -> tuple[int, int]:
    """What a look at the kernel said before it died and after."""
    page = lab.kernel("gone.ipynb")
    page.run("import os\nwhile not os.path.exists('now'): pass\nos._exit(9)")
    lab.says("cell", "busy", "gone.ipynb")
    lab.says("kernel", "busy", "A cell runs in gone.ipynb")
    before = look(page.kernel)
    (lab.files / "now").touch()
    lab.says("kernel", "idle")
    page.close()
    again = Page(lab, page.kernel)
    again.run("import time; time.sleep(2)")
    lab.says("kernel", "busy", "A cell runs in gone.ipynb")
    lab.says("kernel", "idle")
    after = look(page.kernel)
    again.close()
    lab.call("DELETE", f"api/kernels/{page.kernel}")
    return before, after


@pytest.mark.parametrize("end", [LabServer.kill, LabServer.restart])
def test_a_kernel_whose_first_words_after_a_restart_nobody_heard_is_not_busy(
    tmp_path: Path, end: Callable[[LabServer, str], None]
) -> None:
    """The kernel says nothing at all the second time. A server of its own: one in a restart cannot be deleted."""
    spec = tmp_path / ".local/share/jupyter/kernels/silent"
    spec.mkdir(parents=True)
    speaks_once = '[ -e begun ] && exec sleep 20; : > begun; exec "$@"'
    real = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    argv = ["sh", "-c", speaks_once, "sh", *real]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "silent", "language": "python"})
    )
    lab = LabServer(tmp_path)
    try:
        page = lab.kernel("quiet.ipynb", "silent")
        page.run("import time; time.sleep(600)")
        lab.says("kernel", "busy", "A cell runs in quiet.ipynb")

        def asked() -> None:
            with suppress(OSError):  # a restart waits for a word of the new kernel
                end(lab, page.kernel)

        threading.Thread(target=asked, daemon=True).start()
        lab.says("kernel", "idle", "1 kernel is idle")
        assert lab.call("GET", f"api/kernels/{page.kernel}")["execution_state"] != "busy"
        page.close()
    finally:
        lab.close()


def typed(lab: LabServer, line: str, name: str) -> websocket.WebSocket:
    terminal = websocket.create_connection(
        f"ws://127.0.0.1:{lab.port}/terminals/websocket/{name}", timeout=30
    )
    terminal.send(json.dumps(["stdin", line + "\r"]))
    return terminal


def test_a_silent_command_in_a_terminal_is_work_and_a_prompt_or_an_editor_is_not(lab: LabServer) -> None:
    name = lab.call("POST", "api/terminals")["name"]
    lab.says("terminal", "idle", "1 terminal, nothing runs")
    typed(lab, "sleep 2", name).close()
    lab.says("terminal", "busy", "sleep 2 runs in a terminal")
    lab.says("terminal", "idle")
    typed(lab, "tail -f /dev/null", name).close()
    typed(lab, "", name).close()
    heard = lab.ears.heard()["lab"].at
    until(lambda: lab.ears.heard()["lab"].at > heard + 1.5, "reports go on")
    assert lab.signal("terminal").state == "idle"
    lab.call("DELETE", f"api/terminals/{name}")


def stays_idle(lab: LabServer) -> bool:
    """Whether terminals are at rest in five reports, one after the other."""
    return all(lab.ears.ask(5) and lab.signal("terminal").state == "idle" for _ in range(5))


def test_a_server_that_nobody_calls_a_pager_a_monitor_and_a_suspended_job_are_no_work(
    lab: LabServer, tmp_path: Path
) -> None:
    (tmp_path / "long").write_text("one more line\n" * 1000)

    def opened(line: str) -> tuple[str, websocket.WebSocket]:
        name = lab.call("POST", "api/terminals")["name"]
        return name, typed(lab, line, name)

    port = free_port()
    name, _ = opened(f"python3 -m http.server {port} --bind 127.0.0.1")
    until(lambda: answers(port), "the server")
    lab.says("terminal", "idle", "nothing runs")
    with socket.create_connection(("127.0.0.1", port)):
        lab.says("terminal", "busy", "python3")
    lab.says("terminal", "idle")
    lab.call("DELETE", f"api/terminals/{name}")
    for line, program in (
        (f"bash -c 'more {tmp_path / 'long'}; true'", "more"),
        ("watch -n 0.1 sleep 0.3", "watch"),
    ):
        name, _ = opened(line)
        until(lambda: is_running(program), program)  # noqa: B023  called at once
        lab.says("terminal", "idle", "nothing runs")
        # A shell that has just started computes for a moment.
        until(lambda: stays_idle(lab), f"{program} at rest")
        lab.call("DELETE", f"api/terminals/{name}")
    name, job = opened("python3 -c 'while True: pass' job")
    lab.says("terminal", "busy", "python3")
    job.send(json.dumps(["stdin", "\x1a"]))
    lab.says("terminal", "idle", "python3 while True: pass is suspended")
    lab.call("DELETE", f"api/terminals/{name}")


def answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def is_running(name: str) -> bool:
    return any(one.info["name"] == name for one in psutil.process_iter(["name"]))


def test_a_job_in_the_background_of_a_terminal_counts_while_it_computes(lab: LabServer) -> None:
    name = lab.call("POST", "api/terminals")["name"]
    typed(lab, "sleep 300 &", name).close()
    line = 'python3 -c "import time; e=time.time()+3\nwhile time.time()<e: pass" &'
    typed(lab, line.replace("\n", "\r"), name).close()
    assert "cores" in lab.says("terminal", "busy", "python3").detail
    lab.says("terminal", "idle", "nothing runs")
    lab.call("DELETE", f"api/terminals/{name}")


def test_a_page_with_input_is_somebody_and_a_page_without_is_nobody(lab: LabServer) -> None:
    told = lab.call("POST", "notebooks/presence", {"visible": True, "last_input_seconds": 0.0}, **BROWSER)
    assert told["verdict"]["value"] == "unknown"
    lab.says("browser", "busy")
    idle = lab.says("browser", "idle", "A page is open, without input")
    assert idle.since_seconds is not None and idle.since_seconds >= 1
    lab.call("POST", "notebooks/presence", {"visible": False, "last_input_seconds": 0.0}, **BROWSER)
    until(lambda: lab.ears.ask(5), "a report")
    assert lab.signal("browser").state == "idle"


@pytest.mark.parametrize(
    "body",
    [[], {"visible": 1}, {"visible": True, "last_input_seconds": "x"}, {"visible": True, "page": "x" * 200}],
)
def test_what_is_no_presence_is_refused_by_its_field(lab: LabServer, body: object) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        lab.call("POST", "notebooks/presence", body)
    assert refused.value.code == 400
    assert json.loads(refused.value.read())["error"]["field"]


def test_a_saved_document_is_told(lab: LabServer) -> None:
    body = {"type": "file", "format": "text", "content": "x"}
    lab.call("PUT", "api/contents/notes.txt", body)
    lab.says("editor", "busy", "notes.txt was saved")
    lab.says("editor", "idle", "notes.txt was saved")


def test_an_upload_in_pieces_is_a_transfer_until_its_last_piece(lab: LabServer) -> None:
    def piece(number: int) -> None:
        body = {"type": "file", "format": "text", "content": "x" * 1000, "chunk": number}
        lab.call("PUT", "api/contents/big.txt", body)

    piece(1)
    lab.says("download", "busy", "big.txt is transferred")
    piece(-1)
    lab.says("download", "idle")


def test_a_download_counts_while_it_runs(lab: LabServer) -> None:
    (lab.files / "large.bin").write_bytes(b"\0" * 60_000_000)
    with socket.create_connection(("127.0.0.1", lab.port)) as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        taker.sendall(b"GET /files/large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        taker.recv(65536)
        lab.says("download", "busy", "large.bin is transferred")
    lab.says("download", "idle", "No file is transferred")


def test_a_report_that_is_asked_for_comes_at_once(lab: LabServer) -> None:
    before = lab.ears.heard()["lab"].at
    assert lab.ears.ask(2.0)
    assert lab.ears.heard()["lab"].at > before


def test_jupyters_last_activity_follows_the_verdict(lab: LabServer) -> None:
    def last() -> str:
        return str(lab.call("GET", "api/status?no_track_activity=1")["last_activity"])

    lab.state = type(lab.state)(heard_seconds_ago=0.0, verdict=Verdict("working"))
    lab.ears.tell()
    before = last()
    until(lambda: last() > before, "it advances while the verdict says working")
    lab.state = type(lab.state)(heard_seconds_ago=0.0, verdict=Verdict("quiet"))
    lab.ears.tell()
    until(lambda: lab.ears.ask(5), "a report")
    stands = last()
    heard = lab.ears.heard()["lab"].at
    until(lambda: lab.ears.heard()["lab"].at > heard + 1, "reports go on")
    assert last() == stands


def test_an_agent_that_comes_back_is_found_again(lab: LabServer) -> None:
    lab.ears.stop()

    lab.ears.start()
    at = time.monotonic()
    until(lambda: lab.ears.heard()["lab"].at > at, "a report")


def test_a_question_that_the_server_is_asked_in_place_of_a_page_is_seen_until_it_is_answered() -> None:
    from types import SimpleNamespace

    from jupyterhub_notebooks.lab.kernels import Kernel, Kernels, watch_server_side_input

    manager = SimpleNamespace(list_kernel_ids=lambda: [])
    kernels = Kernels(manager)
    kernels._seen["k"] = Kernel("busy", 0.0)
    passed: list[str] = []

    class ExecutionStack:
        async def send_input(self, kernel_id: str, value: str) -> None:
            passed.append(value)

    actions = SimpleNamespace(_stdin_hook=lambda kernel_id, *_: passed.append(kernel_id))
    modules = {
        "jupyter_server_nbmodel.actions": actions,
        "jupyter_server_nbmodel.execution_stack": SimpleNamespace(ExecutionStack=ExecutionStack),
    }
    undo = watch_server_side_input(modules, lambda: kernels)
    actions._stdin_hook("k", "request", None, {})
    assert kernels.is_waiting("k")
    asyncio.run(ExecutionStack().send_input("k", "mara"))
    assert not kernels.is_waiting("k") and passed == ["k", "mara"]
    undo()
    assert watch_server_side_input({}, lambda: kernels)() is None
