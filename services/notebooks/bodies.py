"""What each action takes, checked whole: the bodies of the REST API, the fields of forms, and the schemas of its document."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jupyterhub_notebooks.errors import BadInput
from jupyterhub_notebooks.profiles.problems import suggestion

TITLE_LENGTH = 60
NAME_LENGTH = 200
MOST_PATHS = 1000
_TRUE = ("1", "true", "on", "yes")

#: Its length is judged by the action, in words; the document says it all the same.
Title = Annotated[str, Field(json_schema_extra={"maxLength": TITLE_LENGTH})]


class Body(BaseModel):
    """Nothing that is not named here is taken."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Nothing(Body):
    """No fields."""


class Stop(Body):
    """variables: those of the kernels are kept first, within the profile's bound, to be brought back at the next start."""

    variables: bool = False


class Options(Body):
    """What is to be started: names only; None: what it had the last time, or the profile's first."""

    profile: str | None = None
    flavor: str | None = None
    editor: str | None = None

    def chosen(self) -> dict[str, str]:
        """The names that were given."""
        given = {name: getattr(self, name) for name in ("profile", "flavor", "editor")}
        return {name: value for name, value in given.items() if value is not None}


class Start(Options):
    """safe: in safe mode, without the user's packages, settings and startup script."""

    safe: bool = False


class Create(Options):
    """A new notebook. start: whether it is started at once. repo: the address of a repository that each start clones or
    updates; file: what a start opens, in that repository where there is one."""

    name: Title = ""
    project: Annotated[str, Field(json_schema_extra={"maxLength": 80})] = ""
    repo: Annotated[str, Field(json_schema_extra={"maxLength": 300})] = ""
    file: Annotated[str, Field(json_schema_extra={"maxLength": 300})] = ""
    start: bool = True


class Extend(Body):
    """By how much the session's end moves; 0: by as much as one extension has."""

    seconds: Annotated[float, Field(ge=0, lt=10**8, strict=False)] = 0


class Rename(Body):
    name: Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": TITLE_LENGTH})]


class Set(Options):
    """Names only; what is not given stays. restart: save, stop and start it with them now."""

    project: Annotated[str | None, Field(json_schema_extra={"maxLength": 80})] = None
    restart: bool = False


class Duplicate(Body):
    """snapshot: a number; None: the newest."""

    name: Title = ""
    snapshot: Annotated[int | None, Field(ge=1, lt=2**31)] = None


class Dismiss(Body):
    """False: the error is shown again."""

    dismissed: bool = True


class Keep(Body):
    """'' takes the name away."""

    name: Annotated[str, Field(json_schema_extra={"maxLength": NAME_LENGTH})] = ""


class RestoreFiles(Body):
    """paths: of files and folders in the snapshot. copies: below restored/ in the workspace, nothing is overwritten."""

    paths: Annotated[list[str], Field(min_length=1, max_length=MOST_PATHS)]
    copies: bool = False


class Download(Body):
    path: str


def read(kind: type[Body], raw: Mapping[str, Any]) -> Body:
    """raw as that body. Raises BadInput that names the field."""
    try:
        return kind.model_validate(dict(raw))
    except ValidationError as error:
        raise told(error, kind) from None


def told(error: ValidationError, kind: type[Body]) -> BadInput:
    """The first mistake in words."""
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else "body"
    mistake = first["type"]
    if mistake == "extra_forbidden":
        known = list(kind.model_fields)
        return BadInput(
            "There is no such field", next=[suggestion(field, known)] if known else [], field=field
        )
    if mistake == "missing":
        return BadInput("This is missing", next=[f"Give {field}"], field=field)
    words = {
        "string_type": "This must be text",
        "bool_type": "This must be true or false",
        "int_type": "This must be a whole number",
        "float_type": "This must be a number of seconds",
        "float_parsing": "This must be a number of seconds",
        "list_type": "This must be a list",
        "too_short": "This must have at least one",
        "too_long": f"This has more than {MOST_PATHS}",
    }
    if field == "seconds":
        return BadInput("This must be a number of seconds", next=["Leave it out"], field=field)
    return BadInput(words.get(mistake, first["msg"]), field=field)


def of_form(kind: type[Body], arguments: Mapping[str, Sequence[str]]) -> Body:
    """The body that a form's fields mean; ``_xsrf`` and ``next`` are not its own. Raises BadInput."""
    raw: dict[str, Any] = {}
    own = arguments.get(f"flavor-{(arguments.get('profile') or [''])[-1]}")
    if own and own[-1] and "flavor" not in arguments:
        raw["flavor"] = own[-1]  # each card has its own choice; the chosen profile's counts
    for name, values in arguments.items():
        if name in ("_xsrf", "next") or name.startswith("flavor-"):
            continue
        field = kind.model_fields.get(name)
        raw[name] = _converted(field.annotation, values) if field is not None else values[0]
        if raw[name] == "" and field is not None and not field.is_required():
            del raw[name]
    return read(kind, raw)


def _converted(annotation: Any, values: Sequence[str]) -> Any:
    kinds = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    if bool in kinds:
        return values[-1].lower() in _TRUE
    if int in kinds or float in kinds:
        text = values[0].strip()
        return int(text) if text.isdecimal() and len(text) < 10 else text
    if any(typing.get_origin(one) is list for one in kinds):
        return [path_of(one) for one in values]
    return values[0]


def path_of(quoted: str) -> str:
    """A path as a form or an address carries it: percent-encoded bytes, which need be no text."""
    return unquote_to_bytes(quoted.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


BODIES: Mapping[str, type[Body]] = {
    "create": Create,
    "start": Start,
    "stop": Stop,
    "save": Nothing,
    "extend": Extend,
    "rename": Rename,
    "set": Set,
    "duplicate": Duplicate,
    "delete": Nothing,
    "restore": Nothing,
    "empty": Nothing,
    "dismiss": Dismiss,
    "start_from_save": Nothing,
    "dismiss_recovery": Dismiss,
    "keep": Keep,
    "restore_files": RestoreFiles,
    "restore_all": Nothing,
    "download": Download,
}
