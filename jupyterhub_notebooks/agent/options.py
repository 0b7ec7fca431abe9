"""The command line and the environment of the agent, read without a parser: it must start fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput

USAGE = "python -m jupyterhub_notebooks.agent run [--only-save | --safe] [--beside PORT] [--egress URL] --state DIR --run-dir DIR [--log FILE] -- COMMAND…"
_PATHS = ("--state", "--run-dir", "--log")


@dataclass(frozen=True)
class Options:
    """files: the workspace. state: what this machine knows of it. run_dir: what lives as long as the session.

    only_save: nothing is set up in the workspace, which nobody uses; it is saved and that is all.
    safe: the server starts in safe mode (agent/safe.py).
    beside: the port of a server in a container of its own (agent/beside.py); COMMAND is then what stands in front. 0: none.
    egress: the address of the proxy that a rule for the network makes the only way out (agent/egress.py). '': there is no rule.
    """

    files: Path
    state: Path
    run_dir: Path
    log: Path | None
    command: tuple[str, ...]
    session: str
    token: str
    service_url: str
    only_save: bool = False
    safe: bool = False
    beside: int = 0
    egress: str = ""


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Raises BadInput naming the argument or variable."""
    if not arguments or arguments[0] != "run":
        raise BadInput("The agent knows one command, run", next=[f"Usage: {USAGE}"])
    given: dict[str, Path] = {}
    rest = list(arguments[1:])
    only_save, safe, beside, egress = _taken(rest, "--only-save"), _taken(rest, "--safe"), 0, ""
    while rest and rest[0] != "--":
        name, equals, value = rest.pop(0).partition("=")
        if name == "--beside":
            beside = _port(value if equals else rest.pop(0) if rest else "")
            continue
        if name == "--egress":
            egress = _address(value if equals else rest.pop(0) if rest else "")
            continue
        if name not in _PATHS:
            raise BadInput("There is no such option", next=[f"Usage: {USAGE}"], field=name)
        if not equals:
            value = rest.pop(0) if rest else ""
        if not value:
            raise BadInput("This option needs a path", next=[f"Usage: {USAGE}"], field=name)
        given[name] = Path(value).absolute()
    command = tuple(rest[1:])
    for name in ("--state", "--run-dir"):
        if name not in given:
            raise BadInput("This option is missing", next=[f"Usage: {USAGE}"], field=name)
    if not command:
        raise BadInput("No command was given", next=[f"Usage: {USAGE}"], field="COMMAND")
    return Options(
        files=Path(_variable(environment, "NOTEBOOK_WORKSPACE")).absolute(),
        state=given["--state"],
        run_dir=given["--run-dir"],
        log=given.get("--log"),
        command=command,
        session=_variable(environment, "NOTEBOOK_SESSION_ID"),
        token=_variable(environment, "NOTEBOOK_SESSION_TOKEN"),
        service_url=_variable(environment, "NOTEBOOK_SERVICE_URL"),
        only_save=only_save,
        safe=safe,
        beside=beside,
        egress=egress,
    )


def _address(value: str) -> str:
    if not value.startswith("http://"):
        raise BadInput("This option needs an address, http://…", next=[f"Usage: {USAGE}"], field="--egress")
    return value


def _port(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise BadInput("This option needs a port, 1 to 65535", next=[f"Usage: {USAGE}"], field="--beside")
    return int(value)


def _taken(rest: list[str], switch: str) -> bool:
    """Whether the switch stands before ``--``; it is taken out."""
    given = switch in rest[: rest.index("--")] if "--" in rest else False
    if given:
        rest.remove(switch)
    return given


def _variable(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise BadInput("This variable is not set", "Whoever starts a notebook sets it", field=name)
    return value
