"""What an image that we build has in it, and a team's own image on top of it."""

import pytest

from tests import docker_engine

from .conftest import docker_hub, profile
from .test_containers import container, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

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
