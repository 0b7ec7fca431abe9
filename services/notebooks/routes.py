"""The addresses of this service, made from the tables: (pattern below the prefix, handler, more of its arguments)."""

from __future__ import annotations

import re
from typing import Any

from jupyterhub_notebooks.client.actions import ACTIONS, NOTEBOOK, SNAPSHOT

from . import api, help_pages, page_actions, page_parts, pages, reads
from .openapi import DocumentHandler
from .progress import Stream

Route = tuple[str, Any, dict[str, Any]]
_NOTEBOOK = r"([^/]+)/([^/]+)"
_PART = {"number": r"(\d{1,9})"}


def pattern(path: str) -> str:
    """A regular expression for a path of the tables."""
    pieces = re.split(r"\{(\w+)\}", path)
    return "".join(
        re.escape(piece) if index % 2 == 0 else _PART.get(piece, "([^/]+)")
        for index, piece in enumerate(pieces)
    )


def of_api() -> list[Route]:
    """Below ``api/v1/``."""
    by_path: dict[str, dict[str, str]] = {}
    for action in ACTIONS.values():
        if action.method != "GET" and action.name != "create":
            by_path.setdefault(action.path, {})[action.method] = action.name
    routes: list[Route] = []
    for path, by_method in by_path.items():
        handler = api.NotebookHandler if path == NOTEBOOK else api.ActionHandler
        routes.append((f"api/v1/{pattern(path)}", handler, {"by_method": by_method}))
    routes += [(f"api/v1/{pattern(read.path)}", read.handler, {}) for read in reads.READS]
    routes += [
        (r"api/v1/sessions/([^/]+)/extend", api.SessionExtendHandler, {}),
        (r"api/v1/openapi\.json", DocumentHandler, {}),
        (r"api/.*", api.NothingHandler, {}),
    ]
    return routes


def of_pages() -> list[Route]:
    """The pages, their parts, and what their forms are posted to."""
    routes: list[Route] = [
        (r"", pages.ListHandler, {}),
        (r"rows", pages.RowsHandler, {}),
        (r"new", pages.NewHandler, {}),
        (r"sessions/([^/]+)/log", page_parts.LogHandler, {}),
        (r"help/?", help_pages.HelpHandler, {"name": "index"}),
        (r"help/guide", help_pages.HelpHandler, {"name": "guide"}),
        (r"help/admin", help_pages.HelpHandler, {"name": "admin"}),
        (r"feedback", help_pages.HelpHandler, {"name": "feedback"}),
        (r"about", help_pages.HelpHandler, {"name": "about"}),
    ]
    for action in ACTIONS.values():
        if action.name in ("create", "download"):
            continue
        below = f"/snapshots/{_PART['number']}" if action.path.startswith(SNAPSHOT) else ""
        last = action.page.rpartition("/")[2]
        routes.append((rf"n/{_NOTEBOOK}{below}/{last}", page_actions.ActHandler, {"name": action.name}))
    routes += [
        (rf"n/{_NOTEBOOK}/progress", Stream, {}),
        (rf"n/{_NOTEBOOK}/snapshots", page_parts.SnapshotsHandler, {}),
        (rf"n/{_NOTEBOOK}/snapshots/{_PART['number']}", page_parts.SnapshotHandler, {}),
        (rf"n/{_NOTEBOOK}/snapshots/{_PART['number']}/file", page_parts.FileHandler, {}),
        (rf"n/{_NOTEBOOK}/snapshots/{_PART['number']}/zip", page_parts.ZipHandler, {}),
        (rf"n/{_NOTEBOOK}/space", page_parts.SpaceHandler, {}),
        (rf"n/{_NOTEBOOK}/change", page_parts.ChangeHandler, {}),
        (rf"n/{_NOTEBOOK}/?", pages.NotebookHandler, {}),
        (r"n/([^/]+)/?", pages.UserRootHandler, {}),
    ]
    return routes
