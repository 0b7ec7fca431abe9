"""Builds the images of this folder with Docker, from this checkout.

    python images/build.py [--base-image IMAGE] [--tag-prefix registry.example.org/] [--build-arg NAME=VALUE] IMAGE…
    python images/build.py --lock [IMAGE…]    writes constraints.txt and pins anew: the newest versions that fit together

Promises: an image is built from what it names and nothing else: its own folder, the wheel of this checkout,
``constraints.txt`` and, where `--certificates FOLDER` is given, an own authority's certificates; the rest of the
checkout never reaches the engine. Each image has two tags: the version of the bundle, and ``latest``. Package
indexes are taken from PIP_INDEX_URL and GOPROXY where these are set. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
#: In the order in which they need one another; the value: which of these an image is built on.
IMAGES: dict[str, str | None] = {
    "notebook-base": None,
    "notebook-full": "notebook-base",
    "notebook-gpu": "notebook-base",
    "notebook-egress": None,
    "hub": None,
}
#: What images install beside our wheel, and which of its extras.
EXTRAS = "s3,postgresql,docker,kubernetes,oidc"
BESIDE = ("ipykernel", "ipywidgets", "jupyter-server-proxy", "pycurl")
#: The oldest Python of a base that the pins fit: Debian 12's.
LOWEST_PYTHON = "3.11.2"
#: Wheels for these, the newest first: what pip itself would say on Debian 12.
PLATFORMS = (
    "manylinux_2_36_x86_64",
    *(f"manylinux_2_{n}_x86_64" for n in range(35, 16, -1)),
    "manylinux2014_x86_64",
    "any",
)
#: Images that install more: what they list -> the pins of that.
PINS = {
    "notebook-full": {"packages.txt": "pins.txt"},
    "notebook-gpu": {"packages.txt": "pins.txt", "vllm.txt": "vllm-pins.txt"},
}
PASSED_ON = ("PIP_INDEX_URL", "GOPROXY")


def version() -> str:
    """The bundle's version."""
    text = (ROOT / "jupyterhub_notebooks" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "([^"]+)"', text)
    assert found is not None
    return found[1]


def wheel(folder: Path) -> None:
    """This checkout's wheel, into folder: from a copy, because a build leaves what an earlier one made in its place."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines()
    with tempfile.TemporaryDirectory(prefix="wheel-") as made:
        for name in names:
            if os.path.lexists(ROOT / name):
                (Path(made) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, Path(made) / name, follow_symlinks=False)
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(folder), made]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def lock(names: Sequence[str]) -> None:
    """``constraints.txt``: one version of each package that any image installs from the package index; and the pins of images
    that install more (PINS), which agree with it. names: only these images' pins; none: everything."""
    if not names:
        with tempfile.TemporaryDirectory(prefix="lock-") as made:
            wheel(Path(made))
            ours = next(Path(made).glob("*.whl"))
            wanted = [f"jupyterhub-notebooks[{EXTRAS}] @ {ours.as_uri()}", *BESIDE]
            _write(HERE / "constraints.txt", resolved(wanted))
    for name in names or PINS:
        for listed, pins in PINS[name].items():
            beside = ["-c", str(HERE / "constraints.txt")] if listed == "packages.txt" else []
            _write(HERE / name / pins, resolved(["-r", str(HERE / name / listed), *beside]))


def resolved(wanted: Sequence[str]) -> list[str]:
    """NAME==VERSION of all that pip would install for these arguments of its, on the oldest Python that images have; nothing
    is installed. Raises CalledProcessError where nothing fits together."""
    with tempfile.TemporaryDirectory(prefix="lock-") as made:
        report = Path(made) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed"]
        command += [
            "--python-version",
            LOWEST_PYTHON,
            "--only-binary=:all:",
            "--target",
            str(Path(made) / "none"),
        ]
        command += [word for platform in PLATFORMS for word in ("--platform", platform)]
        subprocess.run([*command, "--report", str(report), *wanted], check=True, stdin=subprocess.DEVNULL)
        installed = [one["metadata"] for one in json.loads(report.read_text(encoding="utf-8"))["install"]]
    return sorted(
        f"{one['name'].lower()}=={one['version']}"
        for one in installed
        if one["name"] != "jupyterhub-notebooks"
    )


def _write(path: Path, pins: Sequence[str]) -> None:
    head = "# One version of each package. Made by: python images/build.py --lock\n"
    path.write_text(head + "\n".join(pins) + "\n", encoding="utf-8")
    print(f"{path.relative_to(HERE)}: {len(pins)} packages", flush=True)


def context(name: str, folder: Path, certificates: Path | None) -> None:
    """What the engine gets to build image name from."""
    shutil.copytree(HERE / name, folder, dirs_exist_ok=True)
    shutil.copy(HERE / "constraints.txt", folder)
    if "COPY wheels/" in (folder / "Dockerfile").read_text(encoding="utf-8"):
        (folder / "wheels").mkdir()
        wheel(folder / "wheels")
    (folder / "certs").mkdir(exist_ok=True)
    (folder / "certs" / "README").write_text("Certificates of an own authority, *.crt\n", encoding="utf-8")
    for file in sorted(certificates.glob("*.crt")) if certificates is not None else ():
        shutil.copy(file, folder / "certs")


def build(name: str, options: argparse.Namespace) -> str:
    """The image's tag. Raises CalledProcessError where the engine could not build it."""
    tag = f"{options.tag_prefix}{name}:{version()}"
    arguments = [
        f"VERSION={version()}",
        *(f"{one}={os.environ[one]}" for one in PASSED_ON if one in os.environ),
    ]
    base = f"{options.tag_prefix}{IMAGES[name]}:{version()}" if IMAGES[name] else options.base_image
    if base:
        arguments.append(f"BASE_IMAGE={base}")
    arguments += options.build_arg
    with tempfile.TemporaryDirectory(prefix=f"image-{name}-") as made:
        context(name, Path(made), options.certificates)
        command = [options.docker, "build", "--tag", tag, "--tag", f"{options.tag_prefix}{name}:latest"]
        for one in arguments:
            command += ["--build-arg", one]
        subprocess.run([*command, made], check=True, stdin=subprocess.DEVNULL)
    return tag


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds each image named, in the order in which they need one another."""
    parser = argparse.ArgumentParser(description="Builds the images of notebooks and of the Hub with Docker.")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help=", ".join(IMAGES))
    parser.add_argument("--base-image", help="what images without a base of ours are built on")
    parser.add_argument("--tag-prefix", default="", help="registry and folder, with a slash at its end")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--certificates", type=Path, help="folder with *.crt that builds and notebooks trust")
    parser.add_argument("--docker", default="docker", help="the program that builds (docker)")
    parser.add_argument(
        "--lock",
        action="store_true",
        help="write the pins anew, of the images named or of all, and build nothing",
    )
    options = parser.parse_args(arguments)
    if options.lock:
        lock([name for name in options.images if name in PINS])
        return 0
    unknown = [name for name in options.images if name not in IMAGES or not (HERE / name).is_dir()]
    if unknown:
        known = ", ".join(name for name in IMAGES if (HERE / name).is_dir())
        parser.error(f"there is no image {unknown[0]}; there are {known}")
    for name in [name for name in IMAGES if name in (options.images or ["notebook-base"])]:
        began = time.monotonic()
        try:
            tag = build(name, options)
        except subprocess.CalledProcessError as error:
            print(
                f"{name} was not built; the command above says why (status {error.returncode})",
                file=sys.stderr,
            )
            return 1
        except FileNotFoundError:
            print(f"{options.docker} is not there. Name the program with --docker", file=sys.stderr)
            return 1
        print(f"{tag} was built in {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
