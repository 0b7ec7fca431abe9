"""The catalog: every flavor and profile of one profiles.yaml, checked whole, and the file that keeps it current.

A ``Catalog`` never changes. A ``CatalogFile`` reads again when the file was changed; a wrong edit leaves the
last good catalog in force, and ``problem`` says what is wrong until the file is whole again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError

from .egress import PROXY_VARIABLES
from .fields import is_name
from .model import Flavor, Part, Profile, Rest, keys_of
from .problems import Problem, WrongProfiles, suggestion, told
from .reading import Document, parse_document, read_document

log = logging.getLogger(__name__)

SHIPPED = Path(__file__).resolve().parent.parent / "config" / "profiles.yaml"
P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class Catalog:
    """flavors and profiles by name, in the order of the file. contact: whom to ask, '' where the file does not say."""

    flavors: Mapping[str, Flavor]
    profiles: Mapping[str, Profile]
    contact: str = ""
    file: str = ""
    versions: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "flavors", MappingProxyType(dict(self.flavors)))
        object.__setattr__(self, "profiles", MappingProxyType(dict(self.profiles)))
        versions = {name: self._version(profile) for name, profile in self.profiles.items()}
        object.__setattr__(self, "versions", MappingProxyType(versions))

    def flavors_of(self, profile: Profile) -> tuple[Flavor, ...]:
        """The flavors of a profile, its default first."""
        return tuple(self.flavors[name] for name in profile.flavors)

    def content_of(self, profile: Profile) -> dict[str, Any]:
        """All that a version of a profile means: the profile and its flavors, ready for json.dumps."""
        return {
            "profile": profile.content(),
            "flavors": [flavor.content() for flavor in self.flavors_of(profile)],
        }

    def _version(self, profile: Profile) -> str:
        text = json.dumps(self.content_of(profile), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def load(path: Path | str) -> Catalog:
    """The catalog in the file at path. Raises WrongProfiles with every mistake."""
    return checked(read_document(Path(path)))


def parse(text: str, path: Path | str = "profiles.yaml") -> Catalog:
    """The catalog in text. Raises WrongProfiles with every mistake."""
    return checked(parse_document(text, Path(path)))


def checked(document: Document) -> Catalog:
    """The catalog of a document. Raises WrongProfiles with every mistake."""
    problems: list[Problem] = []
    for key in document.value:
        if key not in (known := ["flavors", "profiles", *keys_of(Rest)]):
            problems.append(document.problem((key,), "There is no such key", suggestion(key, known)))
    rest = _part(
        document, (), Rest, {k: document.value[k] for k in keys_of(Rest) if k in document.value}, problems
    )
    flavors = _parts(document, "flavors", Flavor, problems)
    profiles = _parts(document, "profiles", Profile, problems)
    _check_references(document, problems)
    for name, profile in profiles.items():
        if profile.agent == "beside":
            _check_beside(document, name, profile, problems)
        if profile.restricts_egress:
            _check_egress(document, name, profile, problems)
    if rest and rest.allowed_registries is not None:
        _check_images(document, profiles, rest.allowed_registries, problems)
    if problems:
        raise WrongProfiles(document.file, problems)
    return Catalog(flavors, profiles, (rest.contact if rest else None) or "", document.file)


def _part(
    document: Document, path: tuple[str, ...], kind: type[P], raw: Any, problems: list[Problem]
) -> P | None:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        for below, message, remedy in told(error, kind):
            problems.append(document.problem((*path, *below), message, remedy))
        return None


def _parts(document: Document, key: str, kind: type[P], problems: list[Problem]) -> dict[str, P]:
    """What stands below ``flavors:`` or ``profiles:``, without those that are wrong."""
    section = document.value.get(key)
    if not isinstance(section, dict) or not section:
        message = "This key is missing" if key not in document.value else "Nothing stands below this key"
        if section is not None and not isinstance(section, dict):
            message = "This must be a group of keys"
        problems.append(
            document.problem((key,), message, f"Write {key}: and, indented below it, one name: for each")
        )
        return {}
    found: dict[str, P] = {}
    for name, raw in section.items():
        place = (key, name)
        if not is_name(name):
            remedy = "Use small letters, digits and hyphens, such as notebook-cpu-small"
            problems.append(document.problem(place, f"{name!r} cannot be a name", remedy))
        elif not isinstance(raw, dict):
            known = ", ".join(f"{item}:" for item in keys_of(kind)[:3])
            problems.append(
                document.problem(
                    place, "This must be a group of keys", f"Write, indented below it, {known} …"
                )
            )
        elif "name" in raw:
            remedy = f"The name is {name}, above it; leave this line out"
            problems.append(document.problem((*place, "name"), "There is no such key", remedy))
        else:
            part = _part(document, place, kind, {"name": name, **raw}, problems)
            if part is not None:
                found[name] = part
    return found


def _check_references(document: Document, problems: list[Problem]) -> None:
    """Every flavor and replacement that a profile names, also of one that is wrong otherwise."""
    flavors, names = _section(document, "flavors"), _section(document, "profiles")
    for name, raw in names.items():
        if not isinstance(raw, dict):
            continue
        chosen = raw.get("flavor")
        for number, flavor in enumerate(chosen if isinstance(chosen, list) else [chosen]):
            below = (number,) if isinstance(chosen, list) else ()
            if isinstance(flavor, str) and flavor not in flavors:
                message = f"There is no flavor {flavor!r}"
                place = ("profiles", name, "flavor", *below)
                problems.append(document.problem(place, message, suggestion(flavor, flavors)))
        deprecated = raw.get("deprecated")
        other = deprecated.get("replacement") if isinstance(deprecated, dict) else None
        if not isinstance(other, str):
            continue
        there = ("profiles", name, "deprecated", "replacement")
        if other == name:
            problems.append(
                document.problem(there, "A profile cannot replace itself", "Name another profile")
            )
        elif other not in names:
            message = f"There is no profile {other!r}"
            problems.append(document.problem(there, message, suggestion(other, names)))
        elif isinstance(names[other], dict) and "deprecated" in names[other]:
            remedy = "Name the profile that stays"
            problems.append(document.problem(there, f"{other} is itself marked as deprecated", remedy))


def _check_beside(document: Document, name: str, profile: Profile, problems: list[Problem]) -> None:
    """What needs our parts in the image stands in no profile whose image has none."""
    if profile.image is None:
        message = "A profile with `agent: beside` needs an image"
        problems.append(document.problem(("profiles", name), message, "Add `image: …`"))
    if profile.startup_script is not None:
        message = "The startup script would run in an image that knows nothing of it"
        remedy = "Leave it out, or put it into the image"
        problems.append(document.problem(("profiles", name, "startup_script"), message, remedy))


def _check_egress(document: Document, name: str, profile: Profile, problems: list[Problem]) -> None:
    """The proxy that enforces the rule is the only one."""
    for variable in profile.environment:
        if variable.lower() in PROXY_VARIABLES:
            message = f"{variable} is set by the rule for the network"
            place = ("profiles", name, "environment", variable)
            problems.append(document.problem(place, message, "Leave it out"))


def _section(document: Document, key: str) -> dict[str, Any]:
    section = document.value.get(key)
    return section if isinstance(section, dict) else {}


def _check_images(
    document: Document, profiles: Mapping[str, Profile], allowed: tuple[str, ...], problems: list[Problem]
) -> None:
    prefixes = [registry.rstrip("/") + "/" for registry in allowed]
    for profile in profiles.values():
        if profile.image and not whole_image(profile.image).startswith(tuple(prefixes)):
            problems.append(
                document.problem(
                    ("profiles", profile.name, "image"),
                    f"{profile.image} is not from an allowed registry",
                    f"Use one below {' or '.join(allowed)}, or add its registry to allowed_registries",
                )
            )


def whole_image(image: str) -> str:
    """An image with the registry that its short name leaves out: ``docker.io/library/python:3.12``."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"


class CatalogFile:
    """One profiles.yaml on disk. Any thread may ask."""

    def __init__(self, path: Path | str) -> None:
        """Reads it the first time. Raises WrongProfiles."""
        self.path = Path(path)
        self._lock = threading.Lock()
        self._seen = _signature(self.path)
        self._catalog = load(self.path)
        self._problem: WrongProfiles | None = None

    @property
    def problem(self) -> WrongProfiles | None:
        """What is wrong with the file as it is now, None where ``current`` is what it says."""
        return self._problem

    def current(self) -> Catalog:
        """The catalog in force: what the file says now, or said when it was last whole."""
        with self._lock:
            signature = _signature(self.path)
            if signature != self._seen:
                self._seen = signature
                self._read()
            return self._catalog

    def _read(self) -> None:
        try:
            catalog = load(self.path)
        except WrongProfiles as problem:
            self._problem = problem
            log.error("The last good profiles stay in force.\n%s", problem.sentence())
            return
        self._problem = None
        if catalog != self._catalog:
            log.info("Profiles read again from %s", self.path)
        self._catalog = catalog


def _signature(path: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
