"""What an image that we build has in it, and a team's own image on top of it."""

import json
import os
import shutil
import sys
import urllib.request
from pathlib import Path

import pytest

from tests import docker_engine

from .conftest import docker_hub, profile
from .test_containers import container, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

TWO_TAG = "notebooks-test/two-pythons:1"
TWO = """\
FROM {base}
ARG PIP_INDEX_URL
USER 0:0
COPY other/ /usr/local/
RUN ldconfig && PYTHONS="{first} {minor}" sh /opt/build/environments.sh /opt/build && chown -R notebook:notebook /opt/python-{minor}
USER 1000:1000
"""
#: Debian 12's; the image asks for 4.3, which comes with Debian 13.
R_OF_BASE = "4.2"
FULL = (
    "pandas", "numpy", "sklearn", "polars", "duckdb", "xgboost", "torch", "tensorflow", "jax", "transformers", "datasets",
    "accelerate",
)  # fmt: skip
SERVER = ("jupyterlab", "jupyter_server", "jupyterhub", "jupyter_server_nbmodel", "jupyterhub_notebooks")
KERNEL = ("ipykernel", "ipywidgets")
TOOLS = ("git", "gh", "make", "gcc", "g++", "aws", "mc", "curl", "ssh", "unzip")
TEAM = "notebooks-test/team:1"
DOCKERFILE = """\
FROM {base}
ARG PIP_INDEX_URL
RUN pip install --no-cache-dir tabulate
"""


def inside(engine, image, *command):
    """What a command prints in an image, as its user."""
    made = ["run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", image, *command]
    done = engine.run(*made, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def test_each_library_is_imported_in_each_kernel_and_each_tool_runs(engine, base):
    pythons = inside(
        engine, base, "sh", "-c", "ls -d /opt/notebook/bin/python /opt/python-*/bin/python 2>/dev/null; true"
    )
    assert pythons.split()
    for python in pythons.split():
        wanted = (*KERNEL, *(SERVER if "/opt/notebook/" in python else ()))
        said = inside(
            engine, base, python, "-P", "-c", f"import sys, {', '.join(wanted)}; print(sys.version_info[:2])"
        )
        print(python, said.strip(), "imports", ", ".join(wanted))
    kernels = inside(engine, base, "sh", "-c", "cd /tmp; HOME=/tmp jupyter kernelspec list --json")
    assert "python3" in kernels
    for tool in TOOLS:
        inside(engine, base, "sh", "-c", f"command -v {tool}")
    assert inside(engine, base, "id", "-u").strip() == "1000"


def other_python():
    """The folder of a Python of this machine of another minor version than the base's, and that version."""
    for place in sorted(Path(sys.base_prefix).parent.glob("3.1*/bin/python3.*[0-9]")):
        minor = place.name.removeprefix("python")
        if minor != docker_engine.PYTHONS and int(minor.partition(".")[2]) > 11:
            return place.parents[1], minor
    pytest.skip("this machine has no second Python to put into a base")


def test_a_base_with_two_pythons_has_a_kernel_and_a_virtualenv_for_each(engine, base, tmp_path):
    prefix, minor = other_python()
    left_out = shutil.ignore_patterns("test", "tests", "__pycache__", "*.a", "share")
    shutil.copytree(prefix, tmp_path / "image" / "other", symlinks=True, ignore=left_out)
    (tmp_path / "image" / "Dockerfile").write_text(
        TWO.format(base=base, first=docker_engine.PYTHONS, minor=minor)
    )
    docker_engine.build(engine, TWO_TAG, tmp_path / "image")
    with docker_hub(engine, base, tmp_path, also=profile("two", TWO_TAG)) as hub:
        hub.user("zoe")
        assert hub.start("zoe", options={"profile": "two"}).status == 201, hub.log()[-3000:]
        token = hub.admin("POST", "/hub/api/users/zoe/tokens", {}).json["token"]
        asked = urllib.request.Request(
            f"{hub.url}/user/zoe/api/kernelspecs", headers={"Authorization": f"token {token}"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            kernels = json.loads(answer.read())["kernelspecs"]
        for name, version in (("python3", docker_engine.PYTHONS), (f"python{minor}", minor)):
            program = kernels[name]["spec"]["argv"][0]
            assert program == f"/workspace/.venv-{version}/bin/python"
            code = "import ipykernel, sys; print('%d.%d' % sys.version_info[:2])"
            assert run(hub, "zoe", f'{program} -c "{code}"') == version
            said = run(hub, "zoe", f"/workspace/.venv-{version}/bin/pip --version")
            print(name, program, said)
            assert f"python {version}" in said
        hub.end("zoe")
    engine.run("rmi", TWO_TAG, check=False)


@pytest.mark.skipif(os.environ.get("ALL") != "1", reason="notebook-full takes 15 GB: only with ALL=1")
@pytest.mark.timeout(3600)
def test_notebook_full_has_each_library_in_each_kernel_and_r(engine, base):
    full = docker_engine.image(engine, "notebook-full", "--build-arg", f"LOWEST_R={R_OF_BASE}")
    pythons = inside(
        engine, full, "sh", "-c", "ls -d /opt/notebook/bin/python /opt/python-*/bin/python 2>/dev/null; true"
    )
    for python in pythons.split():
        for library in FULL:
            said = inside(
                engine, full, python, "-P", "-c", f"import {library} as one; print(one.__version__)"
            )
            print(python, library, said.strip().splitlines()[-1])
    kernels = inside(engine, full, "sh", "-c", "cd /tmp; HOME=/tmp jupyter kernelspec list --json")
    assert '"ir"' in kernels and '"python3"' in kernels
    said = inside(engine, full, "Rscript", "-e", "library(IRkernel); cat(as.character(getRversion()))")
    print("R", said)
    assert said.startswith("4.") and inside(engine, full, "id", "-u").strip() == "1000"


def test_three_lines_make_a_team_s_image_which_starts(engine, base, tmp_path):
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.format(base=base))
    docker_engine.build(engine, TEAM, tmp_path)
    with docker_hub(engine, base, tmp_path, also=profile("team", TEAM)) as hub:
        hub.user("tina")
        assert hub.start("tina", options={"profile": "team"}).status == 201, hub.log()[-3000:]
        assert container(hub, "tina").attrs["Config"]["Image"] == TEAM
        assert run(hub, "tina", "python -c 'import tabulate; print(tabulate.__name__)'") == "tabulate"
        hub.end("tina")
    engine.run("rmi", TEAM, check=False)
