"""Variables of real kernels: kept before a stop, within the bound, and back in a new kernel; what is lost is named."""

from __future__ import annotations

import json
import shutil
import urllib.error
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyterhub_notebooks.agent.checkpointing import Checkpointing
from jupyterhub_notebooks.contract import KeptVariables

from .harness import LabServer, Page

MB = 10**6


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    place: Path = tmp_path_factory.mktemp("variables")
    spec = place / ".local/share/jupyter/kernels/ir"
    spec.mkdir(parents=True)
    argv = ["R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"]
    spec.joinpath("kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "R", "language": "R", "interrupt_mode": "signal"})
    )
    server = LabServer(place)
    yield server
    server.close()


@pytest.fixture(autouse=True)
def alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test leaves behind is no other's."""
    yield
    if "lab" in request.fixturenames:
        lab = request.getfixturevalue("lab")
        for kernel in lab.call("GET", "api/kernels"):
            lab.call("DELETE", f"api/kernels/{kernel['id']}")
        for offer in offers(lab):
            lab.call("DELETE", f"notebooks/variables?id={offer['id']}")


def keep(lab: LabServer, seconds: float = 30, size: int = 50 * MB, cause: str = "idle") -> KeptVariables:
    """As the agent does it before a stop."""

    def tell() -> None:
        lab.state = replace(lab.state, checkpoint=asking.wanted)
        lab.ears.tell()

    asking = Checkpointing(tell)
    lab.took = asking.took
    try:
        return asking.run(seconds, size, cause, there=True)
    finally:
        lab.state = replace(lab.state, checkpoint=None)


def done(page: Page, code: str) -> str:
    """Runs code to its end; what it printed, or the error's name and value."""
    content = {"code": code, "silent": False, "allow_stdin": False, "stop_on_error": True}
    id = page.send("shell", "execute_request", content)
    printed, over = "", set()
    while len(over) < 2:  # the two come on different channels, in any order
        message = json.loads(page.socket.recv())
        kind, said = message["header"]["msg_type"], message["content"]
        if message["parent_header"].get("msg_id") != id:
            continue
        if kind == "stream":
            printed += said["text"]
        elif kind == "error":
            printed += f"{said['ename']}: {said['evalue']}"
        elif kind == "execute_reply" or (kind == "status" and said["execution_state"] == "idle"):
            over.add(kind)
    return printed


def end(lab: LabServer, *pages: Page) -> None:
    for page in pages:
        page.close()
        lab.call("DELETE", f"api/kernels/{page.kernel}")


def offers(lab: LabServer) -> list[dict]:
    return lab.call("GET", "notebooks/variables")["offers"]


MADE = """
import sqlite3
import numpy as np, pandas as pd
frame = pd.DataFrame({"a": range(1000), "b": ["x"] * 1000})
same = frame
array = np.arange(10**5)
factor = 3
times = lambda value: value * factor
class Point:
    def __init__(self, x): self.x = x
    def twice(self): return 2 * self.x * factor
point = Point(4)
log = open("log.txt", "w")
holder = {"file": log}
con = sqlite3.connect(":memory:")
huge = np.zeros(20 * 10**6)
"""


def test_what_can_be_stored_comes_back_into_a_new_kernel_and_the_rest_is_named(lab: LabServer) -> None:
    page = lab.kernel("deep/work.ipynb") if (lab.files / "deep").mkdir() is None else None
    assert page is not None
    assert done(page, MADE) == ""
    kept = keep(lab)
    lost = {one.name: one.why for one in kept.lost}
    assert set(lost) == {"log", "holder", "con", "huge"}
    assert lost["log"] == "an open file; open it again" and lost["holder"] == "it holds an open file"
    assert lost["con"] == "an open connection; it cannot be stored"
    assert lost["huge"] == "160 MB, more than is left of the 50 MB that are kept"
    assert kept.saved == 10 and kept.notebooks == 1 and kept.size_bytes < 2 * MB
    assert (
        done(page, "print(sorted(name for name in globals() if 'notebooks' in name or name == 'GIVEN'))")
        == "[]\n"
    )
    end(lab, page)

    [offer] = offers(lab)
    assert (
        offer["notebook"] == "deep/work.ipynb" and offer["language"] == "python" and offer["cause"] == "idle"
    )
    assert {one["name"]: one["kind"] for one in offer["saved"]}["frame"] == "DataFrame"
    page = lab.kernel("deep/work.ipynb")
    assert done(page, "array = 'mine'") == ""
    back = lab.call("POST", "notebooks/variables", {"id": offer["id"], "kernel": page.kernel})
    assert set(back["back"]) == {"sqlite3", "np", "pd", "frame", "same", "factor", "times", "Point", "point"}
    assert [(one["name"], one["why"]) for one in back["lost"]] == [
        ("array", "it is set here already and was left as it is")
    ]
    assert done(page, "factor = 10\nprint(frame.shape, same is frame, times(2), point.twice(), array)") == (
        "(1000, 2) True 20 80 mine\n"
    )
    [rest] = offers(lab)
    assert [one["name"] for one in rest["saved"]] == ["array"]
    named = {"id": offer["id"], "kernel": page.kernel, "names": ["array"]}
    assert lab.call("POST", "notebooks/variables", named)["back"] == ["array"]
    assert done(page, "print(array.sum())") == "4999950000\n"
    assert offers(lab) == []
    end(lab, page)


def test_a_command_in_a_cell_brings_them_back_too(lab: LabServer) -> None:
    page = lab.kernel("command.ipynb")
    done(page, "numbers = list(range(5))\nfirst = lambda: numbers[0]")
    assert keep(lab).saved == 2
    end(lab, page)
    [offer] = offers(lab)
    page = lab.kernel("command.ipynb")
    assert done(page, offer["command"]) == "Back: first, numbers.\n"
    assert done(page, "numbers[0] = 7\nprint(first())") == "7\n"
    lab.call("DELETE", f"notebooks/variables?id={offer['id']}")
    assert offers(lab) == []
    end(lab, page)


def test_a_busy_kernel_is_left_alone_before_an_idle_stop_and_interrupted_where_the_session_ends(
    lab: LabServer,
) -> None:
    busy, idle = lab.kernel("busy.ipynb"), lab.kernel("idle.ipynb")
    done(busy, "step = 0")
    done(idle, "result = 41")
    busy.run("import time\nfor step in range(10**6): time.sleep(0.01)")
    lab.says("kernel", "busy", "busy.ipynb")
    kept = keep(lab, cause="idle")
    assert [(one.notebook, one.name, one.why) for one in kept.lost] == [
        ("busy.ipynb", "", "a cell still ran")
    ]
    assert kept.saved == 1
    lab.says("kernel", "busy", "busy.ipynb")
    kept = keep(lab, cause="session_limit")
    assert kept.lost == () and kept.notebooks == 2
    assert {one["notebook"] for one in offers(lab)} == {"busy.ipynb", "idle.ipynb"}
    for offer in offers(lab):
        lab.call("DELETE", f"notebooks/variables?id={offer['id']}")
    end(lab, busy, idle)


def test_a_kernel_that_does_not_come_back_costs_its_own_variables_and_no_more_than_the_bound(
    lab: LabServer,
) -> None:
    hung, fine = lab.kernel("hung.ipynb"), lab.kernel("fine.ipynb")
    done(
        hung, "kept_before = 1\nclass Slow:\n    def __reduce__(self):\n        import time; time.sleep(600)"
    )
    done(hung, "slow = [Slow()] * 1000")
    done(fine, "value = 5")
    kept = keep(lab, seconds=8)
    assert kept.seconds < 60, "what would take hours was not waited for"
    lost = {one.name: one.why for one in kept.lost}
    assert "took longer than" in lost["slow"] or "were over" in lost["slow"]
    assert kept.notebooks == 2 and kept.saved >= 2
    for offer in offers(lab):
        lab.call("DELETE", f"notebooks/variables?id={offer['id']}")
    end(lab, hung, fine)


@pytest.mark.skipif(
    shutil.which("R") is None, reason="R with IRkernel is not installed (Debian: r-cran-irkernel)"
)
def test_an_r_kernels_variables_come_back_too(lab: LabServer) -> None:
    page = lab.kernel("analysis.ipynb", "ir")
    assert "error" not in done(
        page,
        'frame <- data.frame(a = 1:10); name <- "Zoë \\"x\\""; double <- function(x) 2 * x\n'
        'con <- file("r.txt", "w"); big <- numeric(10^7)',
    )
    kept = keep(lab)
    lost = {one.name: one.why for one in kept.lost}
    assert lost["con"] == "an open file or connection; open it again"
    assert lost["big"] == "80 MB, more than is left of the 50 MB that are kept"
    assert kept.saved == 3
    end(lab, page)
    [offer] = offers(lab)
    assert offer["language"] == "R"
    page = lab.kernel("analysis.ipynb", "ir")
    back = lab.call("POST", "notebooks/variables", {"id": offer["id"], "kernel": page.kernel})
    assert sorted(back["back"]) == ["double", "frame", "name"] and back["lost"] == []
    assert done(page, "cat(nrow(frame), name, double(21))") == '10 Zoë "x" 42'
    assert offers(lab) == []
    end(lab, page)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"id": "nothing", "kernel": "x"}, 404),
        ({"id": 3}, 400),
        ([], 400),
        ({"id": "../../etc", "kernel": "x"}, 404),
    ],
)
def test_what_cannot_be_brought_back_is_refused_in_words(lab: LabServer, body: object, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        lab.call("POST", "notebooks/variables", body)
    assert refused.value.code == status
    assert json.loads(refused.value.read())["error"]["title"]


def test_a_server_that_is_not_there_or_silent_puts_a_stop_off_no_longer_than_the_bound() -> None:
    asking = Checkpointing(lambda: None)
    assert asking.run(60, MB, "idle", there=False).lost[0].why == "JupyterLab's server does not answer"
    assert asking.run(0.2, MB, "idle", there=True).lost[0].why == "JupyterLab's server did not answer in time"
    assert asking.run(0, MB, "idle", there=True) == KeptVariables()
