"""What an agent says of its notebook: processes, GPU and what the server reports, in heartbeats and at once on order."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from jupyterhub_notebooks.agent import gpu
from jupyterhub_notebooks.agent.activity import NOT_KNOWN, STOPPING, ServiceTime, merged, of_reports, shown
from jupyterhub_notebooks.agent.computing import Computing, Usage, used
from jupyterhub_notebooks.agent.ears import Ears, Heard, line_of
from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.contract import (
    Clock,
    Heartbeat,
    HeartbeatAnswer,
    LocalSignal,
    Notice,
    Part,
    SessionState,
    Signal,
    SignalsReport,
    socket_address,
)
from jupyterhub_notebooks.ledger import intents

from .gate import Gate
from .harness import Notebook, RunningAgent, until

BUSY_KERNEL = LocalSignal("kernel", "busy", 100.0, "A cell runs in churn.ipynb")


class Caller:
    """What a server's extension does, by hand."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        with socket_address(path) as address:
            self.socket.connect(address)
        self.lines = self.socket.makefile("rb")

    def report(self, *signals: LocalSignal, answers: int = 0) -> None:
        self.socket.sendall(line_of(SignalsReport("lab", signals, answers)))

    def hears(self) -> SessionState:
        line = self.lines.readline()
        if not line:
            raise ConnectionResetError("the agent hung up")
        return SessionState.from_json(json.loads(line))

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


# ── on the real agent ──


def beats(gate: Gate) -> list[Heartbeat]:
    return [Heartbeat.from_json(json.loads(body)) for path, body in gate.bodies if path.endswith("heartbeat")]


def last_signals(gate: Gate) -> dict[str, Signal]:
    return {one.name: one for one in beats(gate)[-1].signals}


def order_report(agent: RunningAgent) -> str:
    asked = intents.ask(
        agent.notebook.service.ledger,
        agent.session.id,
        "report",
        "asked",
        agent.row().user,
        SYSTEM_CLOCK.now(),
    )
    return asked.id


def ordered(agent: RunningAgent, gate: Gate) -> dict[str, Signal]:
    """The signals of the heartbeat that carried out an order to report."""
    order = order_report(agent)
    until(lambda: any(order in one.done_orders for one in beats(gate)), f"order {order} is done")
    (beat, *_) = [one for one in beats(gate) if order in one.done_orders]
    return {one.name: one for one in beat.signals}


def test_signals_of_the_server_go_up_with_their_beginning_in_the_services_time(
    behind: Notebook, gate: Gate
) -> None:
    gate.bodies.clear()
    agent = behind.start().phase("running")
    path = agent.run_dir / "agent.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lab = Caller(path)
    lab.report(BUSY_KERNEL)
    state = lab.hears()
    assert state.phase == "running" and state.server_time

    def answer() -> None:
        while not (asked := lab.hears().report):
            pass
        lab.report(replace(BUSY_KERNEL, since_seconds=101.0), answers=asked)

    thread = threading.Thread(target=answer)
    thread.start()
    found = ordered(agent, gate)
    thread.join()
    kernel = found["kernel"]
    assert (kernel.state, kernel.detail) == ("busy", "A cell runs in churn.ipynb")
    assert kernel.since is not None and kernel.since.endswith("Z")
    assert {"cell", "terminal", "browser", "editor", "download", "cpu", "gpu"} <= set(found)
    assert found["terminal"].state == "unknown"
    assert found["cpu"].state in ("idle", "busy", "unknown")
    lab.close()


def test_a_server_that_does_not_answer_an_order_is_unknown_and_not_its_last_word(
    behind: Notebook, gate: Gate
) -> None:
    gate.bodies.clear()
    agent = behind.start().phase("running")
    lab = Caller(agent.run_dir / "agent.sock")
    lab.report(LocalSignal("kernel", "idle", 3600.0, "1 kernel is idle"))
    lab.hears()
    assert ordered(agent, gate)["kernel"].state == "unknown"
    lab.report(LocalSignal("kernel", "idle", 3600.0, "1 kernel is idle"))
    until(lambda: ordered(agent, gate)["cpu"].state == "idle", "the processes are measured", 40)
    lab.close()


def test_without_an_extension_the_server_is_unknown_and_the_session_goes_on(
    behind: Notebook, gate: Gate
) -> None:
    gate.bodies.clear()
    agent = behind.start().phase("running")
    found = ordered(agent, gate)
    assert found["kernel"].state == found["browser"].state == "unknown"
    assert agent.stop() == 0, agent.said()
    assert not (agent.run_dir / "agent.sock").exists()


def test_what_computes_in_the_session_is_found_though_its_parent_is_gone(
    behind: Notebook, gate: Gate
) -> None:
    gate.bodies.clear()
    burn = "import os\nif os.fork(): os._exit(0)\nos.setsid()\nwhile True: pass"
    command = f"{sys.executable} -c '{burn}'; exec sleep 1000"
    agent = behind.start(["sh", "-c", command], {"JUPYTERHUB_SERVICE_URL": ""}).phase("running")
    until(lambda: ordered(agent, gate)["cpu"].state == "busy", "the program is found", 40)
    detail = last_signals(gate)["cpu"].detail
    assert "computes" in detail and "cores" in detail


# ── the socket ──


def test_who_says_what_cannot_be_read_is_cut_off_and_others_are_heard(tmp_path: Path) -> None:
    said: list[str] = []
    ears = Ears(tmp_path / "agent.sock", SessionState, said.append)
    ears.start()
    try:
        good, bad, long = (Caller(tmp_path / "agent.sock") for _ in range(3))
        bad.socket.sendall(b"[1, 2]\n")
        long.socket.sendall(b"x" * 300_000)
        for one in (bad, long):
            with pytest.raises(ConnectionError):
                one.hears()
        good.report(BUSY_KERNEL)
        assert good.hears().report == 0
        assert ears.heard()["lab"].report.signals == (BUSY_KERNEL,)
        until(lambda: len(said) == 2, f"both are told: {said}")
    finally:
        ears.stop()


def test_who_never_reads_holds_up_nobody(tmp_path: Path) -> None:
    state = SessionState(warnings=("x" * 10_000,))
    ears = Ears(tmp_path / "agent.sock", lambda: state, lambda _: None)
    ears.start()
    try:
        deaf, good = Caller(tmp_path / "agent.sock"), Caller(tmp_path / "agent.sock")
        good.report(BUSY_KERNEL)
        good.hears()
        deaf.report(BUSY_KERNEL)

        def drain() -> None:
            with suppress(ConnectionResetError):  # the agent ends with the test
                for _ in range(200):
                    good.hears()

        threading.Thread(target=drain, daemon=True).start()
        for _ in range(500):
            ears.tell()
        assert not ears.ask(0.2)
    finally:
        ears.stop()


def test_a_path_longer_than_a_sockets_address_can_be_used(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20) / ("longer" * 15)
    ears = Ears(folder / "agent.sock", SessionState, lambda _: None)
    ears.start()
    try:
        assert stat.S_IMODE((folder / "agent.sock").stat().st_mode) == 0o600
        caller = Caller(folder / "agent.sock")
        caller.report(BUSY_KERNEL)
        caller.hears()
    finally:
        ears.stop()


# ── what is believed ──


def heard(*signals: LocalSignal, at: float) -> Heard:
    return Heard(SignalsReport("lab", signals), at)


def test_a_report_grows_old_and_is_then_unknown() -> None:
    reports = {"lab": heard(BUSY_KERNEL, at=100.0)}
    (fresh,) = merged(of_reports(reports, 110.0, None), ["kernel"], "silent")
    assert (fresh.state, fresh.since_seconds) == ("busy", 110.0)
    (old,) = merged(of_reports(reports, 121.0, None), ["kernel"], "silent")
    assert old.state == "unknown"
    (unanswered,) = merged(of_reports(reports, 101.0, asked_at=100.5), ["kernel"], "silent")
    assert unanswered.state == "unknown"


def test_of_two_editors_the_busy_one_counts_and_of_two_at_rest_the_later() -> None:
    idle = LocalSignal("browser", "idle", 500.0)
    later = LocalSignal("browser", "idle", 20.0)
    busy = LocalSignal("browser", "busy", 5.0)
    for told in ([(idle, 0.0), (busy, 0.0), (later, 0.0)], [(busy, 0.0), (later, 0.0), (idle, 0.0)]):
        assert merged(told, ["browser"], "") == [busy]
    assert merged([(idle, 0.0), (later, 0.0)], ["browser"], "") == [later]


def test_nobody_says_for_the_agent_what_it_measures_itself() -> None:
    told = [(LocalSignal("cpu", "busy", 1.0), 0.0), (LocalSignal("kernel", "sleepy", 1.0), 0.0)]
    assert [(one.name, one.state) for one in merged(told, ["kernel"], "")] == [("kernel", "unknown")]


def test_once_a_stop_has_begun_no_clock_runs_and_nothing_can_be_moved() -> None:
    soon = Notice("idle-1-120", "idle_soon", "Idle stop", "", keep="Keep working")
    last = Notice("stopped-1", "was_stopped", "Stopped", "")
    clock = Clock("quiet", bar=(Part("Idle stop in 0:05 min"),), keep="Keep working", near=True)
    answer = HeartbeatAnswer(server_time="2026-01-01T00:00:00Z", clock=clock, notices=(soon, last))
    assert shown(answer, "running", 1.0) == (clock, (soon, last))
    assert shown(answer, "saving", 1.0) == (STOPPING, (last,)) == shown(answer, "ended", 500.0)
    assert not STOPPING.keep and not STOPPING.bar
    assert shown(answer, "running", 120.0) == (NOT_KNOWN, (soon, last))


def test_a_clock_that_jumps_in_the_notebook_moves_no_beginning() -> None:
    time = ServiceTime()
    assert time.at(5.0) is None
    time.heard("2026-01-01T00:00:10Z", 10.0)
    assert time.at(4.0) == "2026-01-01T00:00:04Z"
    time.heard("2026-01-01T00:00:23Z", 20.0)  # an answer that took three seconds
    assert time.at(4.0) == "2026-01-01T00:00:04Z"
    time.heard("2026-01-01T01:00:00Z", 30.0)  # the service's own time is another now
    assert time.at(30.0) == "2026-01-01T01:00:00Z"
    time.heard("no time", 40.0)
    assert time.at(30.0) == "2026-01-01T01:00:00Z"


# ── processes ──


def test_what_a_child_used_is_counted_once_also_when_it_has_ended() -> None:
    agent, server, kernel, child = (1, 0.0), (2, 0.0), (3, 0.0), (4, 0.0)
    before = {
        agent: Usage(0, "agent", 50.0, 0.0),
        server: Usage(1, "server", 80.0, 0.0),
        kernel: Usage(2, "python", 10.0, 1.0),
        child: Usage(3, "make", 4.0, 0.5),
    }
    after = {
        agent: Usage(0, "agent", 60.0, 0.0),
        server: Usage(1, "server", 99.0, 0.0),
        kernel: Usage(2, "python", 10.5, 6.0),  # make ended: 4.5 were known, 0.5 are new
    }
    assert used(before, after, {1, 2}) == pytest.approx({kernel: 1.0})


def test_a_session_is_busy_above_the_threshold_and_rests_since_it_fell_below() -> None:
    now, seconds = [0.0], [0.0]
    computing = Computing(
        lambda: {1},
        lambda: {(1, 0.0): Usage(0, "agent", now[0], 0.0), (2, 0.0): Usage(1, "python", seconds[0], 0.0)},
        lambda: now[0],
    )

    def go_on(steps: int, cores: float) -> None:
        for _ in range(steps):
            now[0] += 5
            seconds[0] += 5 * cores
            computing.look()

    computing.look()
    assert computing.signal().state == "unknown"
    go_on(3, 0.02)
    assert (computing.signal().state, computing.signal().since_seconds) == ("idle", 15)
    go_on(6, 0.95)
    assert computing.signal().state == "busy"
    assert computing.signal().detail == "python computes: 0.95 cores over the last 30 s"
    go_on(60, 0.02)
    signal = computing.signal()
    assert signal.state == "idle" and signal.since_seconds == pytest.approx(300 - 30, abs=10)


@pytest.mark.parametrize(
    ("workers", "each", "state"), [(6, 0.022, "idle"), (40, 0.03, "idle"), (2, 0.06, "busy")]
)
def test_workers_of_a_cluster_without_a_task_are_at_rest_however_many(
    workers: int, each: float, state: str
) -> None:
    now = [0.0]
    computing = Computing(
        lambda: {1},
        lambda: {
            (10 + number, 0.0): Usage(2, "python", now[0] * each, 0.0, 0.0, now[0] * 0.6)
            for number in range(workers)
        },
        lambda: now[0],
    )
    for _ in range(12):
        now[0] += 5
        computing.look()
    assert computing.signal().state == state
    assert computing.cores() == pytest.approx(workers * each)


def test_many_short_programs_that_compute_count_together_for_whoever_started_them() -> None:
    """Each lives for less than two looks: what was seen of it, and the rest, which its parent has."""
    now, looks = [0.0], [0]

    def read() -> dict[tuple[int, float], Usage]:
        looks[0] += 1
        make = Usage(1, "make", 0.0, looks[0] * 1.2)
        return {(2, 0.0): make, (100 + looks[0], now[0]): Usage(2, "cc", 0.6, 0.0)}

    computing = Computing(lambda: {1}, read, lambda: now[0])
    for _ in range(12):
        now[0] += 5
        computing.look()
    signal = computing.signal()
    assert signal.state == "busy"
    assert signal.detail.startswith(("make computes: 0.2", "cc computes: 0.2"))


def test_what_writes_steadily_without_computing_is_busy_and_named() -> None:
    now, written = [0.0], [0.0]
    computing = Computing(
        lambda: {1},
        lambda: {
            (1, 0.0): Usage(0, "agent", 0.0, 0.0, 10**9 * now[0]),
            (2, 0.0): Usage(1, "python", 0.0, 0.0, written[0]),
        },
        lambda: now[0],
    )
    for step in range(24):
        now[0] += 5
        written[0] += 5 * 64_000 if step < 12 else 500
        computing.look()
        if step == 11:
            signal = computing.signal()
            assert signal.state == "busy"
            assert signal.detail.replace("\N{NO-BREAK SPACE}", " ") == (
                "python writes 64 kB a second over the last 30 s"
            )
    assert computing.signal().state == "idle"


def test_what_computes_is_busy_also_where_a_full_machine_lets_it_wait() -> None:
    now, got, waited = [0.0], [0.0], [0.0]
    computing = Computing(
        lambda: {1},
        lambda: {(2, 0.0): Usage(1, "python", got[0], 0.0, 0.0, waited[0])},
        lambda: now[0],
    )
    for step in range(24):
        now[0] += 5
        got[0] += 5 * (0.04 if step < 12 else 0.005)
        waited[0] += 5 * 0.9
        computing.look()
        if step == 11:
            assert computing.signal().state == "busy"
            assert computing.cores() == pytest.approx(0.04)
    assert computing.signal().state == "idle"


def test_looking_at_processes_costs_little() -> None:
    """Ten looks, as many as come in fifty seconds, take less than one per cent of that."""
    computing = Computing(lambda: {os.getpid()})
    before = os.times()
    for _ in range(10):
        computing.look()
    after = os.times()
    assert after.user + after.system - before.user - before.system < 0.5


# ── GPU ──


def test_without_a_gpu_tool_nothing_is_known() -> None:
    gpus = gpu.Gpus(None)
    gpus.look()
    assert (gpus.signal().state, gpus.signal().detail) == ("unknown", gpu.NO_TOOL)


def test_a_gpu_is_busy_while_it_is_used_and_rests_since_its_last_use() -> None:
    now, percent = [0.0], [0]
    gpus = gpu.Gpus(lambda: [gpu.Gpu("L4", percent[0], 2**30, 24 * 2**30)], monotonic=lambda: now[0])
    gpus.look()
    assert gpus.signal().state == "idle"
    now[0], percent[0] = 10.0, 80
    gpus.look()
    assert gpus.signal().state == "busy"
    assert gpus.signal().detail == "GPU 0 is used to 80 % and holds 1.0 of 24.0 GiB"
    now[0], percent[0] = 30.0, 0
    gpus.look()
    assert gpus.signal().state == "busy"
    now[0] = 100.0
    gpus.look()
    assert (gpus.signal().state, gpus.signal().since_seconds) == ("idle", 90.0)


def test_a_gpu_that_does_not_answer_or_does_not_say_its_use_is_unknown() -> None:
    def gone() -> list[gpu.Gpu]:
        raise OSError("driver mismatch")

    for reader in (gone, lambda: [gpu.Gpu("A100 slice", None, 0, 1)]):
        gpus = gpu.Gpus(reader)
        gpus.look()
        assert gpus.signal().state == "unknown"


def test_what_nvidia_smi_prints_is_read() -> None:
    text = "NVIDIA A100-SXM4-80GB, 87, 31210, 81920\nNVIDIA A100, MIG, [N/A], 3, 4\n"
    assert gpu.parsed(text.splitlines()[0]) == [
        gpu.Gpu("NVIDIA A100-SXM4-80GB", 87, 31210 << 20, 81920 << 20)
    ]
    assert gpu.parsed(text)[1].percent is None
    with pytest.raises(OSError):
        gpu.parsed("no devices were found")


@pytest.mark.skipif(not Path("/proc/driver/nvidia").exists(), reason="this machine has no NVIDIA GPU")
def test_the_drivers_library_and_its_tool_agree() -> None:
    by_library, by_tool = gpu.Nvml().read(), gpu.by_tool()
    assert [one.name for one in by_library] == [one.name for one in by_tool]
    assert subprocess.run(["nvidia-smi", "-L"], check=True, capture_output=True).stdout
