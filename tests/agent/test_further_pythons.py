"""An image with several Pythons: each has a virtualenv and a kernel in the workspace."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jupyterhub_notebooks.agent import interpreter
from jupyterhub_notebooks.agent.initialize import initialize
from jupyterhub_notebooks.workspace.volume import Volume

WORKSPACE = "01j" + "0" * 23


def other_python():
    """A Python of this machine of another minor version, where it has one."""
    places = [shutil.which(f"python3.{minor}") for minor in range(10, 20) if minor != sys.version_info.minor]
    places += sorted(map(str, Path(sys.base_prefix).parent.glob("3.1*/bin/python3")))
    for place in filter(None, places):
        found = interpreter._asked(place)
        if (
            found is not None
            and found.minor != interpreter.own().minor
            and int(found.minor.split(".")[1]) >= 10
        ):
            return found
    return None


@pytest.fixture
def opt(tmp_path):
    """A folder as /opt of an image: an environment of another Python with ipykernel, and what is none."""
    other = other_python()
    if other is None:
        pytest.skip("this machine has one Python only")
    made = tmp_path / "opt" / f"python-{other.minor}"
    subprocess.run([other.executable, "-m", "venv", "--without-pip", str(made)], check=True)
    next(made.glob("lib/python*/site-packages")).joinpath("ipykernel").mkdir()
    bare = tmp_path / "opt" / "python-3.99" / "bin"
    bare.mkdir(parents=True)
    (bare / "python").symlink_to("/bin/false")
    return other, tmp_path / "opt"


def test_each_further_python_of_an_image_has_a_virtualenv_and_a_kernel(opt, tmp_path):
    other, folder = opt
    first = interpreter.own()
    (found,) = interpreter.further(first, folder)
    assert found.minor == other.minor
    volume = Volume(tmp_path / "files", tmp_path / "state")
    made = initialize(volume, WORKSPACE, first, known=False, further=[found])
    assert made.venv == volume.files / f".venv-{first.minor}" and not made.warnings
    kernels = volume.files / ".local/share/jupyter/kernels"
    told = json.loads((kernels / f"python{other.minor}" / "kernel.json").read_text())
    assert told["display_name"] == f"Python {other.minor}"
    assert json.loads((kernels / "python3" / "kernel.json").read_text())["argv"][0].startswith(str(made.venv))
    asked = "import ipykernel, sys; print('%d.%d' % sys.version_info[:2], sys.prefix)"
    said = subprocess.run([told["argv"][0], "-c", asked], capture_output=True, text=True, check=True).stdout
    assert said.split() == [other.minor, str(volume.files / f".venv-{other.minor}")]
    assert initialize(volume, WORKSPACE, first, known=True, further=[found]).made_anew == ()


def test_an_image_that_has_one_python_more_than_before_needs_no_words(opt, tmp_path):
    other, folder = opt
    first = interpreter.own()
    volume = Volume(tmp_path / "files", tmp_path / "state")
    initialize(volume, WORKSPACE, first, known=False)
    again = initialize(volume, WORKSPACE, first, known=True, further=interpreter.further(first, folder))
    assert again.made_anew == () and again.warnings == ()
    assert (volume.files / f".venv-{other.minor}" / "pyvenv.cfg").is_file()
