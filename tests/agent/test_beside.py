"""What an agent beside a foreign server can say of it."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from jupyterhub_notebooks.agent.beside import Place, of_kernels, place_of, prepare_front
from jupyterhub_notebooks.agent.options import read
from jupyterhub_notebooks.errors import BadInput

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def kernel(state, seconds_ago=0):
    return {
        "execution_state": state,
        "last_activity": (NOW - timedelta(seconds=seconds_ago)).isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize(
    ("kernels", "state", "since"),
    [
        ([], "idle", None),
        ([kernel("idle", 40)], "idle", 40),
        ([kernel("idle", 40), kernel("busy", 10)], "busy", 10),
        ([kernel("starting", 5)], "idle", 5),
        ([kernel("unknown", 5)], "unknown", None),
        ([{"id": "x"}], "unknown", None),
        ({"message": "Forbidden"}, "unknown", None),
        (None, "unknown", None),
    ],
)
def test_kernels_are_judged_by_what_the_server_says_of_them(kernels, state, since):
    signal = of_kernels(kernels, NOW)
    assert (signal.name, signal.state, signal.since_seconds) == ("kernel", state, since)


def test_the_server_answers_below_the_notebook_s_own_address():
    given = {"JUPYTERHUB_SERVICE_PREFIX": "/user/mara/churn/"}
    assert place_of(8889, given) == Place(8889, "/user/mara/churn/proxy/absolute/8889/")
    assert place_of(8889, {"JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:8888/user/mara/"}).path == (
        "/user/mara/proxy/absolute/8889/"
    )


def test_the_front_gets_no_token_of_the_session_and_nothing_of_the_workspace(tmp_path):
    own = {
        "NOTEBOOK_SESSION_TOKEN": "s",
        "JUPYTERHUB_API_TOKEN": "h",
        "HOME": "/workspace",
        "PATH": os.environ["PATH"],
    }
    made = prepare_front(tmp_path, own, Place(8889, "/x/"))
    assert "NOTEBOOK_SESSION_TOKEN" not in made and made["JUPYTERHUB_API_TOKEN"] == "h"
    assert made["HOME"].startswith(str(tmp_path)) and made["JUPYTER_CONFIG_PATH"].startswith(str(tmp_path))


@pytest.mark.parametrize("port", ["0", "x", "70000", ""])
def test_a_port_that_is_none_is_refused_by_name(port):
    with pytest.raises(BadInput) as refused:
        read(["run", f"--beside={port}", "--state", "/s", "--run-dir", "/r", "--", "x"], {})
    assert refused.value.field == "--beside"
