"""Memory that runs out: the biggest kernel is named, and ended before everything else is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyterhub_notebooks.agent.memory import (
    SETTLE_SECONDS,
    Decision,
    Held,
    Memory,
    container,
    decide,
    family,
)
from jupyterhub_notebooks.contract import LocalKernel

GB = 10**9
SMALL = Held(LocalKernel("s", "small.ipynb", 1), 1 * GB)
BIG = Held(LocalKernel("b", "big.ipynb", 2), 6 * GB)


@pytest.mark.parametrize(
    ("used", "kernels", "expected"),
    [
        (5.0, [SMALL, BIG], Decision("calm")),
        (7.0, [SMALL, BIG], Decision("keep", BIG)),
        (7.2, [SMALL, BIG], Decision("name", BIG)),
        (7.76, [SMALL, BIG], Decision("end", BIG)),
        (7.9, [], Decision("name", None)),
        (7.9, [Held(LocalKernel("t", "tiny.ipynb", 3), GB // 2)], None),
    ],
    ids=["far", "between", "90 %", "97 %", "no kernel", "a kernel whose end would help nobody"],
)
def test_what_follows_from_how_much_is_used(
    used: float, kernels: list[Held], expected: Decision | None
) -> None:
    got = decide(int(used * GB), 8 * GB, kernels)
    assert got == (expected or Decision("name", kernels[0]))


def test_without_a_limit_nothing_is_ended() -> None:
    assert decide(100 * GB, 0, [BIG]) == Decision("calm")


def test_a_family_is_a_process_and_what_it_started() -> None:
    assert family(2, {2: 1, 3: 2, 4: 3, 5: 1}) == {2, 3, 4}


def test_a_container_s_memory_leaves_out_what_can_be_dropped(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("8000000000\n")
    (tmp_path / "memory.current").write_text("7000000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 2000000000\n")
    assert container(tmp_path) == (5 * GB, 8 * GB)
    (tmp_path / "memory.max").write_text("max\n")
    assert container(tmp_path) is None


def test_the_biggest_kernel_is_named_and_then_ended_and_both_are_said() -> None:
    code = "import sys; held = bytearray(int(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for size in (20_000_000, 120_000_000)
    ]
    try:
        for one in processes:
            assert one.stdout is not None
            assert one.stdout.readline() == "held\n"
        small, big = processes
        said: list[str] = []
        memory = Memory(lambda: {one.pid: 1 for one in processes}, said.append, said.append)
        kernels = (LocalKernel("s", "small.ipynb", small.pid), LocalKernel("b", "big.ipynb", big.pid))
        memory.kernels(kernels)
        memory._limit = 10**12
        memory.look()
        memory._limit = int(memory.used_bytes / 0.93)
        memory.look()
        (named,) = memory.notices()
        assert (named.reason, named.id) == ("memory_soon", "memory-b")
        assert named.why.startswith("big.ipynb holds ")
        assert big.poll() is None
        memory._limit = int(memory.used_bytes / 0.98)
        memory.look()
        assert big.wait(10) == -9
        assert small.poll() is None
        ended = next(one for one in memory.notices() if one.reason == "out_of_memory")
        assert ended.title == "The kernel ran out of memory"
        assert ended.why.startswith("big.ipynb held ") and any("big.ipynb" in line for line in said)
        memory.shown((ended.id,))
        assert not [one for one in memory.notices() if one.reason == "out_of_memory"]
    finally:
        for one in processes:
            one.kill()
            one.wait()


def test_a_kernel_that_the_system_ended_is_told_with_numbers() -> None:
    there, kills, said, now = {10: 1, 11: 1}, [0], [], [0.0]
    memory = Memory(lambda: there, lambda line: None, said.append, lambda: now[0], lambda: kills[0])
    memory.kernels((LocalKernel("a", "load.ipynb", 10), LocalKernel("b", "other.ipynb", 11)))
    memory._limit = 8 * GB
    memory.look()
    assert not said
    there.pop(10)
    memory.look()
    assert not said  # a kernel that its user ended
    memory.kernels((LocalKernel("a", "load.ipynb", 12), LocalKernel("b", "other.ipynb", 11)))
    there[12] = 1
    memory.look()
    kills[0] = 1
    memory.look()
    assert not said  # the list of processes is a little older
    there.pop(12)
    memory.look()
    (told,) = memory.notices()
    assert told.reason == "out_of_memory" and told.title == "The kernel ran out of memory"
    assert said[0].startswith(
        f"{told.title}: load.ipynb wanted more than the 8\u00a0GB that the profile gives"
    )
    kills[0] = 2
    memory.look()
    assert len(said) == 1
    now[0] = SETTLE_SECONDS
    memory.look()
    assert said[1].startswith("A program ran out of memory: A program wanted more than the 8\u00a0GB")


def test_watching_ends_when_it_is_stopped() -> None:
    memory = Memory(dict, lambda line: None, lambda line: None)
    memory.start(8 * GB)
    assert memory.limit_bytes > 0
    memory.stop()
