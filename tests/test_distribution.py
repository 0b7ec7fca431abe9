"""What is built can be installed elsewhere: wheel and sdist are whole, and the wheel works in an empty place.

For every run the wheel is installed into a fresh virtual environment without its dependencies, which are
lent from the environment of the tests; the slow one installs them too, from the package index.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: One of each kind that is easily lost on the way.
WANTED = [
    "config/profiles.yaml",
    "config/local/jupyterhub_config.py",
    "services/running.py",
    "services/agents/__main__.py",
    "services/notebooks/__main__.py",
    "services/idle_culler/__main__.py",
    "cli/npm/package.json",
    "cli/npm/package-lock.json",
    "ledger/migrations/env.py",
    "ledger/migrations/script.py.mako",
    "workspace/FORMAT.md",
    "py.typed",
    "lab/share/jupyter/labextensions/jupyterhub-notebooks/package.json",
    "lab/ui/src/index.ts",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, made from the sdist, as an index would offer them."""
    out = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source")
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in names:
        if (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name, follow_symlinks=False)
    build = [sys.executable, "-m", "build", "--outdir", str(out), str(source)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out


def tracked() -> set[str]:
    """Every file that belongs to the package, as the package names it."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "jupyterhub_notebooks", "services", "config"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    links = ("jupyterhub_notebooks/services", "jupyterhub_notebooks/config")
    return {
        name.removeprefix("jupyterhub_notebooks/")
        for name in names
        if name not in links and (ROOT / name).is_file()
    }


def test_the_wheel_holds_every_file_of_the_package(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    held = {name.removeprefix("jupyterhub_notebooks/") for name in zipfile.ZipFile(wheel).namelist()}
    assert tracked() - held == set()
    assert set(WANTED) <= held


def test_the_wheel_holds_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    data = {name for name in held if ".data/data/" in name}
    assert {name.removeprefix("jupyterhub_notebooks/") for name in held - data} == tracked()
    assert {name.partition(".data/data/")[2] for name in data} == {
        name.removeprefix("lab/") for name in tracked() if name.startswith("lab/share/")
    }


def test_the_sdist_holds_every_file_of_the_package(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2].removeprefix("jupyterhub_notebooks/") for name in archive.getnames()}
    assert (tracked() | {"LICENSE", "README.md"}) - held == set()


@pytest.fixture(scope="module")
def elsewhere(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a virtual environment with the wheel in it, far from the checkout."""
    place = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(place, with_pip=True, symlinks=True)
    programs = place / "bin"
    (wheel,) = built.glob("*.whl")
    subprocess.run(
        [programs / "python", "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel], check=True
    )
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    lent = place / "lib" / version / "site-packages" / "lent.pth"
    lent.write_text(lending(sysconfig.get_paths()["purelib"]))
    return programs


def lending(packages: str) -> str:
    """A .pth line for the tests' packages that leaves the editable install of this checkout behind."""
    return (
        f"import sys; sys.path.append({packages!r}); sys.path.remove({str(ROOT)!r})"
        f" if {str(ROOT)!r} in sys.path else None\n"
    )


def run(programs: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs / "jupyterhub-notebooks", *arguments],
        cwd=folder,
        env={
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "JUPYTERHUB_NOTEBOOKS_STATE": str(folder / "state"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_installed_wheel_is_the_one_that_runs(elsewhere: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [elsewhere / "python", "-c", "import jupyterhub_notebooks as n; print(n.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.startswith(str(elsewhere.parent))


def test_up_check_finds_nothing_wrong_after_a_plain_install(elsewhere: Path, tmp_path: Path) -> None:
    from tests.s3 import free_port

    done = run(elsewhere, tmp_path, "up", "--check", "--port", str(free_port()))
    assert done.returncode == 0, done.stderr
    assert "Nothing is wrong." in done.stdout
    assert str(elsewhere.parent) in done.stdout
    assert not (tmp_path / "state").exists()


def test_jupyterlab_has_the_extension_after_a_plain_install(elsewhere: Path, tmp_path: Path) -> None:
    listed = subprocess.run(
        [elsewhere / "python", "-m", "jupyterlab.labextensions", "list"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = listed.stdout + listed.stderr
    (line,) = [one for one in said.splitlines() if "jupyterhub-notebooks v" in one]
    assert "enabled" in line and "OK" in line, said


def test_every_command_shows_its_help_after_a_plain_install(elsewhere: Path, tmp_path: Path) -> None:
    listed = run(elsewhere, tmp_path, "--help")
    assert listed.returncode == 0
    for name in ("up", "user", "profile", "session", "workspace", "ledger"):
        assert f"\n  {name} " in listed.stdout
        shown = run(elsewhere, tmp_path, name, "--help")
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.startswith(f"Usage: jupyterhub-notebooks {name}")


@pytest.mark.slow
def test_a_plain_pip_install_brings_all_that_up_needs(built: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True, symlinks=True)
    programs = tmp_path / "venv" / "bin"
    (wheel,) = built.glob("*.whl")
    subprocess.run([programs / "python", "-m", "pip", "install", "-q", wheel], check=True)
    subprocess.run([programs / "python", "-m", "pip", "check"], check=True)
    from tests.s3 import free_port

    done = run(programs, tmp_path, "up", "--check", "--port", str(free_port()))
    assert done.returncode == 0, done.stderr
