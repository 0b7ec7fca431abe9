"""Cells that are run by the server go on after their kernel was killed or restarted in the middle of one."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from .harness import LabServer, until


def asked(lab: LabServer, kernel: str, code: str) -> str:
    """Runs code in the server as JupyterLab does; the address of its result."""
    address = f"http://127.0.0.1:{lab.port}/api/kernels/{kernel}/execute"
    request = urllib.request.Request(address, json.dumps({"code": code}).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.headers["Location"])


def result(lab: LabServer, address: str) -> tuple[int, str] | None:
    """(status, what it says) once it is over."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{lab.port}{address}", timeout=60) as answer:
            return (answer.status, answer.read().decode()) if answer.status == 200 else None
    except urllib.error.HTTPError as error:
        return error.code, ""


@pytest.mark.parametrize("end", [LabServer.kill, LabServer.restart])
def test_a_cell_runs_after_its_kernel_ended_in_the_middle_of_another(
    lab: LabServer, end: Callable[[LabServer, str], None]
) -> None:
    body = {"path": "r.ipynb", "type": "notebook", "name": "r", "kernel": {"name": "python3"}}
    kernel = lab.call("POST", "api/sessions", body)["kernel"]["id"]
    first = asked(lab, kernel, "print('begun', flush=True)\nimport time; time.sleep(600)")
    lab.says("kernel", "busy", "A cell runs in r.ipynb")
    end(lab, kernel)
    assert until(lambda: result(lab, first), "the cell is over", 60)[0] == 500
    second = asked(lab, kernel, "print(6 * 7)")
    status, text = until(lambda: result(lab, second), "the next cell is over", 60)
    assert status == 200 and "42" in text
    lab.call("DELETE", f"api/kernels/{kernel}")
