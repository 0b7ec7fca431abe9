"""Which programs in a terminal work: by what they are, what they wait for, and who started them."""

from __future__ import annotations

import pytest

from jupyterhub_notebooks.lab.terminals import Process, resting, working

SHELL = Process(1, ("bash",), False, 0.0, 0.0, is_shell=True)


def one(
    pid: int,
    command: str,
    parent: int = 1,
    *,
    front: bool = True,
    cores: float = 0.0,
    bytes_: float = 0.0,
    waits_for: str = "",
    serves: bool = False,
) -> Process:
    words = tuple(command.split())
    return Process(pid, words, front, cores, bytes_, False, parent, waits_for, serves)


@pytest.mark.parametrize(
    ("processes", "busy"),
    [
        ([one(2, "curl http://x/query")], [2]),
        ([one(2, "python3 wait.py", waits_for="time")], [2]),
        ([one(2, "tensorboard --logdir runs", serves=True)], []),
        ([one(2, "tensorboard --logdir runs", serves=True, cores=0.03)], []),
        ([one(2, "python3 app.py", serves=True, cores=0.2)], [2]),
        ([one(2, "python3 app.py", serves=True, bytes_=5000.0)], [2]),
        ([one(2, "git log", waits_for="child"), one(3, "less", 2)], []),
        ([one(2, "git log", waits_for="child", cores=0.5), one(3, "less", 2)], [2]),
        ([one(2, "bash run.sh", waits_for="child"), one(3, "sleep 100", 2, waits_for="time")], [3]),
        ([one(2, "mlflow ui", waits_for="child"), one(3, "python3 -m serve", 2, serves=True)], []),
        ([one(2, "launcher", waits_for="child"), one(3, "ssh far job", 2, front=False)], [3]),
        ([one(2, "launcher", waits_for="child")], [2]),
        ([one(2, "launcher"), one(3, "less log", 2)], [2]),
        ([one(2, "watch nvidia-smi"), one(3, "sh -c nvidia-smi", 2), one(4, "nvidia-smi", 3, cores=0.5)], []),
        ([one(2, "tmux", front=True), one(3, "python3 train.py", 2, front=False)], []),
        ([one(2, "sudo make", waits_for="child"), one(3, "make", 2)], [3]),
    ],
)
def test_what_works_in_a_terminal(processes: list[Process], busy: list[int]) -> None:
    assert [each.pid for each in working([SHELL, *processes])] == busy


def test_a_suspended_job_is_named() -> None:
    job = Process(2, ("python3", "train.py"), False, 0.0, 0.0, parent=1, suspended=True)
    assert resting(1, [SHELL, job]) == "1 terminal, python3 train.py is suspended"
    assert resting(2, [SHELL]) == "2 terminals, nothing runs"
    assert resting(0, []) == "No terminal is open"
