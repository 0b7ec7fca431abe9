"""``openapi.json``: the document of the REST API, made from the table of actions, the table of reads and the bodies themselves."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from jupyterhub_notebooks import __version__
from jupyterhub_notebooks.client.actions import ACTIONS, NOTEBOOK, Action

from . import answers, bodies
from .api import ApiHandler
from .reads import READS, Read

#: What any request may be answered with, beside its success.
ERRORS = {
    400: "What was sent cannot be used",
    403: "Not allowed, or not logged in",
    404: "Not there, or somebody else's",
    409: "Refused now, with the reason",
    500: "Stored data is damaged, or this program did not expect it",
    503: "The Hub, the database or storage does not answer",
    507: "A disk is full",
}
_REF = "#/components/schemas/{model}"
_PARTS = {
    "user": "whose, by name",
    "server": "the last part of its address; the default server is -",
    "number": "of the snapshot",
    "id": "an id, or its unambiguous end",
    "name": "its name",
}


def document(prefix: str) -> dict[str, Any]:
    """The document. prefix: of this service, such as ``/services/notebooks/``."""
    paths: dict[str, dict[str, Any]] = {}
    for action in ACTIONS.values():
        if action.method != "GET":
            paths.setdefault(f"/{action.path}", {})[action.method.lower()] = _action(action)
    for read in READS:
        paths.setdefault(f"/{read.path}", {})["get"] = _read(read)
    paths[f"/{NOTEBOOK}"]["get"] = _one("Says what a notebook is and does.", answers.Notebook, NOTEBOOK)
    extend = _one(
        "Moves the deadline of a session that comes first.", answers.Extended, "sessions/{id}/extend"
    )
    paths["/sessions/{id}/extend"] = {"post": {**extend, "requestBody": _body(bodies.Extend)}}
    paths["/openapi.json"] = {"get": _one("This document.", answers.Document, "")}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Managed notebooks for JupyterHub",
            "version": __version__,
            "description": "Times are RFC 3339 in UTC, sizes bytes, durations seconds. A token of the Hub is the login.",
        },
        "servers": [{"url": f"{prefix}api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _schemas() -> dict[str, Any]:
    models: list[type[BaseModel]] = [
        answers.Error,
        answers.Acted,
        answers.Said,
        answers.Notebook,
        answers.Extended,
    ]
    models += [answers.Document, *bodies.BODIES.values()]
    models += [read.answer for read in READS if read.answer is not None]
    unique = {model.__name__: model for model in models}
    made = models_json_schema(
        [(model, "validation") for model in unique.values()], ref_template=_REF, by_alias=True
    )
    schemas: dict[str, Any] = made[1]["$defs"]
    return schemas


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}


def _action(action: Action) -> dict[str, Any]:
    answer = answers.Said if action.name == "empty" else answers.Acted
    made = _one(action.help, answer, action.path, action.success)
    made["operationId"] = action.name
    made["description"] = (
        f"The same as `jupyterhub-notebooks {action.command}`. In the audit: {action.audit}."
    )
    if action.name == "duplicate":
        made["responses"]["202"] = _response("It is being copied", answers.Said)
    if bodies.BODIES[action.name] is not bodies.Nothing:
        made["requestBody"] = _body(bodies.BODIES[action.name])
    return made


def _body(model: type[bodies.Body]) -> dict[str, Any]:
    required = any(field.is_required() for field in model.model_fields.values())
    return {"required": required, "content": {"application/json": {"schema": _ref(model)}}}


def _read(read: Read) -> dict[str, Any]:
    made = _one(read.help, read.answer, read.path, kind=read.kind)
    made["parameters"] += [
        {"name": name, "in": "query", "required": False, "description": says, "schema": {"type": "string"}}
        for name, says in read.query
    ]
    return made


def _one(
    help: str,
    answer: type[BaseModel] | None,
    path: str,
    status: int = 200,
    kind: str = "application/json",
) -> dict[str, Any]:
    parts = re.findall(r"\{(\w+)\}", path)
    responses = {str(status): _response("Done", answer, kind)}
    responses |= {str(code): _response(says, answers.Error) for code, says in ERRORS.items()}
    return {
        "summary": help,
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": _PARTS[name],
                "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999}
                if name == "number"
                else {"type": "string"},
            }
            for name in parts
        ],
        "responses": responses,
    }


def _response(says: str, answer: type[BaseModel] | None, kind: str = "application/json") -> dict[str, Any]:
    schema: dict[str, Any] = _ref(answer) if answer is not None else {"type": "string", "format": "binary"}
    return {"description": says, "content": {kind: {"schema": schema}}}


class DocumentHandler(ApiHandler):
    """GET openapi.json."""

    def get(self) -> None:
        self.write_json(document(self.context.prefix))
