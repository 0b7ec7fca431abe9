"""The Dockerfiles of images/, read as a person would who looks for what goes wrong in builds; and what their pins say."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

IMAGES = Path(__file__).parents[2] / "images"
spec = importlib.util.spec_from_file_location("images_build", IMAGES / "build.py")
build = sys.modules["images_build"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)
NAMES = sorted(path.parent.name for path in IMAGES.glob("*/Dockerfile"))


def instructions(name):
    """(instruction, rest) in order, continued lines joined, comments left out."""
    text = (IMAGES / name / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_an_image_can_be_built_on_another_base_says_what_it_is_and_keeps_what_it_shall_not(name):
    told = instructions(name)
    kinds = {kind for kind, _ in told}
    assert kinds <= {
        "ARG",
        "FROM",
        "RUN",
        "COPY",
        "ENV",
        "USER",
        "LABEL",
        "WORKDIR",
        "EXPOSE",
        "CMD",
        "ENTRYPOINT",
        "VOLUME",
        "SHELL",
    }
    assert told[0][0] == "ARG" and told[0][1].startswith("BASE_IMAGE=") and ":" in told[0][1]
    assert all(rest.split()[0] == "${BASE_IMAGE}" for kind, rest in told if kind == "FROM")
    assert any(f"org.opencontainers.image.title={name}" in rest for kind, rest in told if kind == "LABEL")
    for kind, rest in told:
        if kind == "RUN" and "apt-get install" in rest:
            assert "--no-install-recommends" in rest and "apt-get update" in rest and "rm -rf" in rest, rest
            assert " -y" in rest and "sudo" not in rest
        if kind == "RUN" and re.search(r"pip install\b", rest) and "apt-get" not in rest:
            assert " -c " in rest or "environments.sh" in rest, f"without pins: {rest}"
        if kind in ("RUN", "ENV"):
            assert "--trusted-host" not in rest and "http://" not in rest and "PASSWORD" not in rest
            assert "curl " not in rest.split("&&")[0] or "apt-get" in rest
        if kind in ("CMD", "ENTRYPOINT"):
            assert rest.startswith("["), "a shell in between hears no signal"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "notebook-egress"])
def test_an_image_ends_with_a_user_that_is_not_root(name):
    users = [rest for kind, rest in instructions(name) if kind == "USER"]
    assert users[-1] == "1000:1000"


@pytest.mark.parametrize("name", NAMES)
def test_what_a_dockerfile_copies_is_there(name, tmp_path):
    files = {path.name for path in (IMAGES / name).iterdir()} | {"constraints.txt", "wheels", "certs"}
    for kind, rest in instructions(name):
        if kind == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert source.rstrip("/") in files, source


@pytest.mark.parametrize("name", NAMES)
def test_the_shell_of_each_step_is_well_formed(name):
    for kind, rest in instructions(name):
        if kind == "RUN":
            done = subprocess.run(["bash", "-n"], input=rest, text=True, capture_output=True)
            assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "listed", "pins"), [(name, *one) for name, both in build.PINS.items() for one in both.items()]
)
def test_every_package_that_is_listed_has_one_pin_which_agrees_with_the_others(name, listed, pins):
    def read(path):
        return dict(line.split("==") for line in path.read_text().splitlines() if "==" in line)

    pinned = read(IMAGES / name / pins)
    for line in (IMAGES / name / listed).read_text().splitlines():
        wanted = re.match(r"[A-Za-z0-9_.-]+", line)
        if wanted and not line.startswith("#"):
            assert wanted[0].lower() in pinned, line
    if listed == "packages.txt":
        common = read(IMAGES / "constraints.txt")
        assert not {one for one in pinned if one in common and pinned[one] != common[one]}


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("name", "listed", "pins"), [(name, *one) for name, both in build.PINS.items() for one in both.items()]
)
def test_the_pins_resolve(name, listed, pins):
    """pip finds each of them for the oldest Python of a base, and all of them together; nothing is fetched but their metadata."""
    folder = IMAGES / name
    found = build.resolved(["-r", str(folder / listed), "-c", str(folder / pins)])
    written = [line for line in (folder / pins).read_text().splitlines() if "==" in line]
    print(f"{name}/{pins}: {len(found)} packages resolve")
    assert set(found) <= set(written)
