"""Getting the proxy: the system's Node or the wheel's, whole or not at all, and a remedy where neither works."""

import json
import os
import subprocess

import pytest

from jupyterhub_notebooks.cli import tools
from jupyterhub_notebooks.errors import ToolMissing


def program(folder, name, text):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


@pytest.fixture
def alone(tmp_path):
    """An environment with nothing in PATH but what the test puts into bin/, and no package index."""
    (tmp_path / "bin").mkdir()
    return {
        "PATH": str(tmp_path / "bin"),
        "HOME": str(tmp_path),
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
    }


def test_the_proxy_is_installed_once_and_runs():
    tools.ensure(print)
    said = []
    found = tools.ensure(said.append)
    assert said == []
    told = subprocess.run([found.node, found.proxy, "--version"], capture_output=True, text=True)
    assert told.stdout.strip() == "5.3.0"


def test_the_lock_file_names_no_registry():
    locked = json.loads((tools.NPM / "package-lock.json").read_text())["packages"]
    assert not [name for name, about in locked.items() if "resolved" in about]
    assert all("integrity" in about for name, about in locked.items() if name)


@pytest.mark.parametrize("version", ["v18.20.4", "v12.0.0", "nonsense"])
def test_a_node_that_is_too_old_is_not_taken(tmp_path, alone, version):
    program(tmp_path / "bin", "node", f"echo {version}")
    program(tmp_path / "bin", "npm", "exit 0")
    assert tools.find_node(alone) is None


def test_a_node_without_npm_is_not_taken(tmp_path, alone):
    program(tmp_path / "bin", "node", "echo v22.1.0")
    assert tools.find_node(alone) is None


def test_a_new_enough_node_is_taken(tmp_path, alone):
    node = program(tmp_path / "bin", "node", "echo v22.1.0")
    npm = program(tmp_path / "bin", "npm", "exit 0")
    assert tools.find_node(alone) == tools.Node(node, (str(npm),), (22, 1, 0))


def test_without_node_and_without_a_package_index_the_remedy_is_told(tmp_path, alone):
    with pytest.raises(ToolMissing) as missing:
        tools.ensure(lambda line: None, alone)
    assert "Node could not be installed from PyPI" in missing.value.sentence()
    assert "Install Node 20 or newer with npm" in missing.value.sentence()
    assert missing.value.exit_code == 11
    assert [path.name for path in tools.folder(alone).iterdir()] == ["lock"]


def test_an_npm_that_cannot_download_is_told_by_its_own_reason_and_leaves_nothing(tmp_path, alone):
    program(tmp_path / "bin", "node", "echo v22.1.0")
    program(
        tmp_path / "bin",
        "npm",
        "echo 'npm error code ENOTFOUND' >&2; echo 'npm error network no such host' >&2; exit 1",
    )
    with pytest.raises(ToolMissing, match=r"could not be installed with npm\. network no such host"):
        tools.ensure(lambda line: None, alone)
    assert [path.name for path in tools.folder(alone).iterdir()] == ["lock"]


def test_an_interrupted_installation_is_begun_again(tmp_path, alone):
    program(tmp_path / "bin", "node", "echo v22.1.0")
    install = f"mkdir -p {tools.PROXY.parent}; : > {tools.PROXY}"
    program(tmp_path / "bin", "npm", f"PATH=/usr/bin:/bin; {install}")
    place = tools.folder(alone)
    place.mkdir(parents=True)
    half = place / f"npm-{tools._fingerprint()}"
    half.mkdir()
    (half / "package.json").write_text("half")
    found = tools.ensure(lambda line: None, alone)
    assert found.proxy.is_file()
    assert (half / "package.json").read_text() != "half"


def test_what_would_be_done_is_told_without_doing_it(tmp_path, alone):
    assert tools.outlook(alone) == "will be installed at the first start, with Node from PyPI"
    assert not tools.folder(alone).exists()


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("npm ERR! code EAI_AGAIN\nnpm ERR! errno EAI_AGAIN\nnpm ERR! request to X\n", "code EAI_AGAIN"),
        ("npm warn old\nnpm error code E404\nnpm error 404 not there\n", "404 not there"),
        ("ERROR: No matching distribution found for x\n", "No matching distribution found for x"),
        ("", "It gave no reason"),
    ],
)
def test_the_line_that_says_most_is_chosen(output, said):
    assert tools.why(output) == said
