"""What lies in the workspace: a folder for each file whose kernel's variables were kept, and so in the snapshots.

``.local/share/notebooks/variables/ID/`` holds ``offer.json``, ``manifest.jsonl``, a file for each variable, and a program
that brings them back from a cell. What a folder says was written by kernels: it is read with care, and one that cannot
be read is no offer.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...contract import LostVariable, SavedVariable, VariablesOffer
from ...errors import NotebooksError
from . import in_r

FOLDER = Path(".local/share/notebooks/variables")
NEW = ".new"
MOST_LOST, MOST_WORDS = 200, 200
IN_PYTHON = Path(__file__).with_name("in_python.py")


@dataclass(frozen=True)
class Manifest:
    """What a kernel wrote: entries of what is kept, what is lost, whether it came to its end."""

    kept: tuple[Mapping[str, Any], ...] = ()
    lost: tuple[tuple[str, str], ...] = ()
    heard: bool = False


def read_manifest(folder: Path, within: str) -> Manifest:
    """within: the bound in words, for what was not reached."""
    kept: dict[str, Mapping[str, Any]] = {}
    lost: dict[str, str] = {}
    names: list[str] = []
    begun = ""
    done = False
    for line in _lines(folder / "manifest.jsonl"):
        names = [str(one) for one in line.get("names", names)]
        begun = str(line.get("begin", begun))
        done = done or bool(line.get("done"))
        if "kept" in line and _is_there(folder, line):
            kept[str(line["kept"])] = line
        elif "lost" in line:
            lost[str(line["lost"])] = str(line.get("why", ""))[:MOST_WORDS]
    for name in names:
        if name not in kept and name not in lost:
            lost[name] = (
                f"it took longer than {within}" if name == begun and not done else f"{within} were over"
            )
    return Manifest(tuple(kept.values()), tuple(lost.items()), bool(names) or done)


def _is_there(folder: Path, line: Mapping[str, Any]) -> bool:
    file = line.get("file")
    return file is None or ("/" not in str(file) and (folder / str(file)).is_file())


def _lines(path: Path) -> Iterable[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found


def id_of(notebook: str, kernel: str) -> str:
    """The same for the same file; a kernel without one has its own."""
    return hashlib.sha256((notebook or kernel).encode()).hexdigest()[:16]


class Offers:
    """All of one workspace. home: its folder."""

    def __init__(self, home: Path) -> None:
        self.root = home / FOLDER

    def begin(self) -> Path:
        """An empty folder for what kernels write now; what an earlier round left half done is gone."""
        new = self.root / NEW
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True, mode=0o700)
        return new

    def add(self, folder: Path, offer: VariablesOffer) -> VariablesOffer:
        """Takes a kernel's folder in, in place of an older one of the same file."""
        place = self.root / offer.id
        suffix = "R" if offer.language == "R" else "py"
        command = f'source("~/{FOLDER}/{offer.id}/bring_back.R")' if suffix == "R" else ""
        offer = replace(offer, command=command or f"%run -i ~/{FOLDER}/{offer.id}/bring_back.py")
        program = _r_program(place, folder) if suffix == "R" else _python_program(place)
        (folder / f"bring_back.{suffix}").write_text(program, encoding="utf-8")
        (folder / "offer.json").write_text(json.dumps({**offer.to_json(), "brought": []}), encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        folder.rename(place)
        return offer

    def all(self) -> tuple[VariablesOffer, ...]:
        """The newest first."""
        found = [self.get(place.name) for place in self.root.glob("*") if place.name != NEW]
        return tuple(
            sorted((one for one in found if one is not None), key=lambda one: one.saved_at, reverse=True)
        )

    def get(self, id: str) -> VariablesOffer | None:
        """What is still to be brought back of it; None where there is none."""
        if not id.isalnum():
            return None
        try:
            raw = json.loads((self.root / id / "offer.json").read_text(encoding="utf-8"))
            offer = VariablesOffer.from_json(raw)
        except (OSError, ValueError, NotebooksError):
            return None
        brought = set(raw.get("brought") or ())
        rest = tuple(one for one in offer.saved if one.name not in brought)
        return replace(offer, id=id, saved=rest) if rest or not brought else None

    def brought(self, id: str, names: Sequence[str]) -> None:
        """These are back; an offer of which all are back goes."""
        path = self.root / id / "offer.json"
        raw = json.loads(path.read_text(encoding="utf-8"))
        raw["brought"] = sorted({*raw.get("brought", ()), *names})
        path.write_text(json.dumps(raw), encoding="utf-8")
        if self.get(id) is None:
            self.remove(id)

    def remove(self, id: str) -> None:
        if id.isalnum():
            shutil.rmtree(self.root / id, ignore_errors=True)

    def entries(self, id: str) -> tuple[Mapping[str, Any], ...]:
        return read_manifest(self.root / id, "").kept


def offer_of(
    manifest: Manifest, id: str, notebook: str, language: str, saved_at: str, cause: str
) -> VariablesOffer:
    saved = tuple(
        SavedVariable(str(one["kept"]), str(one.get("kind", "")), _size(one)) for one in manifest.kept
    )
    return VariablesOffer(
        id,
        notebook,
        language,
        saved_at,
        cause,
        saved,
        tuple(LostVariable(notebook, name, why) for name, why in manifest.lost[:MOST_LOST]),
        sum(one.size_bytes for one in saved),
    )


def _size(entry: Mapping[str, Any]) -> int:
    size = entry.get("size", 0)
    return size if isinstance(size, int) and size >= 0 else 0


def python_code(given: Mapping[str, Any]) -> str:
    """For ``execute_request``: leaves nothing in the kernel's namespace."""
    source = IN_PYTHON.read_text(encoding="utf-8")
    scope = {"__name__": "notebooks_variables"}
    return f"exec(compile({source!r}, '<notebooks>', 'exec'), {{**{scope!r}, 'GIVEN': {dict(given)!r}}})"


def r_entries(kept: Iterable[Mapping[str, Any]], names: Sequence[str] = ()) -> list[tuple[str, str]]:
    return [
        (str(one["kept"]), str(one["file"]))
        for one in kept
        if one.get("file") and (not names or one["kept"] in names)
    ]


def _python_program(place: Path) -> str:
    code = python_code({"do": "bring", "folder": str(place), "say": True})
    return f"# Run with %run -i in a new kernel: brings back what was kept before the notebook was stopped.\n{code}\n"


def _r_program(place: Path, folder: Path) -> str:
    return in_r.bring_code(str(place), r_entries(read_manifest(folder, "").kept), [])
