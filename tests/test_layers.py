"""Who imports whom, read from every file: the table below is the design, and the code has to keep it.

Imports inside functions count too. Rooms meet over contract/, REST, the ledger or the store.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "jupyterhub_notebooks"
FOUNDATION = {"errors", "units", "names", "clock", "retrying", "settings", "messages"}
BASE = FOUNDATION | {"contract"}

#: room -> the rooms of ours that it may import, besides itself
ROOMS = {
    **{name: FOUNDATION for name in FOUNDATION},
    "contract": FOUNDATION,
    "profiles": BASE,
    "workspace": BASE,
    "hubapi": BASE,
    "client": BASE,
    "enforcement": BASE,
    "ledger": BASE | {"profiles"},
    "spawners": BASE | {"profiles", "ledger", "enforcement"},
    "login": FOUNDATION | {"ledger"},
    "agent": BASE | {"workspace"},
    "lab": BASE | {"workspace"},
    "configure": FOUNDATION,
    "listening": set(),
    "cli": BASE | {"client", "hubapi", "workspace", "profiles", "ledger", "login", "configure", "listening"},
    "services": BASE
    | {
        "profiles",
        "workspace",
        "hubapi",
        "client",
        "enforcement",
        "ledger",
        "login",
        "configure",
        "listening",
    },
    "config": {"configure"},
}

#: room -> what it may import beyond the standard library; rooms that are not named may import nothing else
OTHERS = {
    "profiles": {"pydantic", "pydantic_core", "ruamel", "jinja2", "markupsafe"},
    "workspace": {"zstandard", "blake3", "msgpack", "pathspec", "cryptography"},
    "workspace.store": {"fsspec", "s3fs", "botocore", "aiobotocore"},
    "hubapi": {"tornado"},
    "client": {"tornado"},
    "ledger": {"sqlalchemy", "alembic"},
    "spawners": {
        "jupyterhub",
        "traitlets",
        "tornado",
        "psutil",
        "jinja2",
        "markupsafe",
        "docker",
        "dockerspawner",
        "kubespawner",
        "kubernetes_asyncio",
        "aiohttp",
    },
    "login": {"jupyterhub", "traitlets", "tornado"},
    "agent": {"aiohttp", "psutil"},
    "lab": {"jupyter_server", "traitlets", "tornado", "psutil"},
    "listening": {"psutil"},
    "cli": {"click", "rich", "psutil", "traitlets"},
    "services": {"jupyterhub", "tornado", "uvloop", "jinja2", "markupsafe", "pydantic", "psutil"},
    "config": {"docker"},
}

#: a distribution's module -> the only rooms that may import it
CONFINED = {
    "jupyterhub": {"spawners", "login", "services"},
    "jupyter_server": {"lab"},
    "docker": {"spawners", "config"},
    "dockerspawner": {"spawners"},
    "kubespawner": {"spawners"},
    "kubernetes_asyncio": {"spawners"},
    "s3fs": {"workspace.store"},
    "sqlalchemy": {"ledger"},
    "cryptography": {"workspace"},
    "alembic": {"ledger"},
}

#: Never anywhere: each has a reason in the design.
FORBIDDEN = {"httpx", "requests", "niquests", "moto"}


def files() -> list[Path]:
    """Every Python file of the package, through its two links."""
    found = [path for top in (PACKAGE, ROOT / "services", ROOT / "config") for path in top.rglob("*.py")]
    return sorted({path.resolve() for path in found if "node_modules" not in path.parts})


def module_of(path: Path) -> tuple[str, ...]:
    """The module's name within the package, in parts: ('cli', 'main'); a package is named by its folder."""
    base = PACKAGE.resolve() if path.is_relative_to(PACKAGE.resolve()) else ROOT.resolve()
    parts = path.relative_to(base).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute name) of everything a file imports; ours begin with ``jupyterhub_notebooks``."""
    module = module_of(path)
    package = module if path.name == "__init__.py" else module[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = ["jupyterhub_notebooks", *package[: len(package) - node.level + 1]]
                base += [node.module] if node.module else []
            else:
                base = [node.module or ""]
            for alias in node.names:
                yield node.lineno, ".".join([*base, alias.name])


def room_of(module: tuple[str, ...]) -> str:
    return module[0] if module else ""


def place_of(module: tuple[str, ...]) -> str:
    """The room, or the part of it that has rules of its own."""
    return "workspace.store" if module[:2] == ("workspace", "store") else room_of(module)


def ours(name: str) -> str | None:
    """The room that an imported name of ours belongs to; None for other names and for the package itself."""
    parts = name.split(".")
    if parts[0] != "jupyterhub_notebooks":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else None


def test_every_file_belongs_to_a_room() -> None:
    rooms = {room_of(module_of(path)) for path in files()} - {""}
    assert rooms <= set(ROOMS), f"{rooms - set(ROOMS)} are new rooms: give them a line in the tables"


def test_the_package_itself_imports_nothing() -> None:
    assert list(imports_of(PACKAGE.resolve() / "__init__.py")) == []


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_it_may(room: str) -> None:
    wrong = []
    for path in (path for path in files() if room_of(module_of(path)) == room):
        place = place_of(module_of(path))
        others = OTHERS.get(room, set()) | OTHERS.get(place, set())
        for line, name in imports_of(path):
            top, target = name.split(".")[0], ours(name)
            where = f"{path.relative_to(ROOT)}:{line}"
            if target is not None:
                if target != room and target not in ROOMS[room]:
                    wrong.append(f"{where}: {room} may not import {target}")
            elif top != "jupyterhub_notebooks" and top not in sys.stdlib_module_names and top not in others:
                wrong.append(f"{where}: {place} may not import {top}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", sorted(CONFINED))
def test_a_confined_module_is_imported_by_its_room_alone(module: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files()
        for line, name in imports_of(path)
        if name.split(".")[0] == module and place_of(module_of(path)) not in CONFINED[module]
    ]
    assert not wrong, f"{module} is imported by {wrong}"


def test_what_design_forbids_is_imported_nowhere() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in files()
        for line, name in imports_of(path)
        if name.split(".")[0] in FORBIDDEN
    ]
    assert not wrong


def test_services_are_imported_by_their_one_name() -> None:
    """`import services` would load a second copy of the same code."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in files()
        for line, name in imports_of(path)
        if name.split(".")[0] in ("services", "config")
    ]
    assert not wrong


def test_nothing_imports_the_rooms_at_the_top() -> None:
    """Spawners, agent, lab, cli and services are met over contract, REST, the ledger or the store."""
    for room, allowed in ROOMS.items():
        assert not allowed & {"spawners", "agent", "lab", "cli", "services"} - {room}


def test_only_cli_and_services_import_login() -> None:
    assert {room for room, allowed in ROOMS.items() if "login" in allowed} == {"cli", "services"}


def test_the_reader_of_imports_sees_those_inside_functions_and_relative_ones() -> None:
    path = PACKAGE.resolve() / "cli" / "main.py"
    names = {name for _, name in imports_of(path)}
    assert "jupyterhub_notebooks.errors.NotebooksError" in names
    assert "jupyterhub_notebooks.cli.where.default_state" in names
