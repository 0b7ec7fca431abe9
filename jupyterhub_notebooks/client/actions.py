"""Every action on notebooks and snapshots, once: its words on a page, its REST call, its command, its row in the audit, its undo.

Page, REST API, command line and OpenAPI document are made from this table, so that they cannot differ. Pure: only says.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

NOTEBOOK = "notebooks/{user}/{server}"
SNAPSHOT = NOTEBOOK + "/snapshots/{number}"


@dataclass(frozen=True)
class Action:
    """One action.

    name: its key here. words: its button. method and path: its REST call, below ``api/v1/``. command: group and word.
    audit: the action of the audit row that it writes. undo: the action that takes it back ('' where nothing is to be
    taken back, or it cannot be). fields: of its body, in the order of the command's options. owner_only: an
    administrator may not do it for somebody else. success: its HTTP status.
    """

    name: str
    words: str
    method: str
    path: str
    command: str
    audit: str
    help: str
    undo: str = ""
    fields: tuple[str, ...] = ()
    owner_only: bool = True
    success: int = 200

    @property
    def page(self) -> str:
        """The address that a page's form posts to, below ``n/USER/SERVER/``."""
        return self.path.removeprefix(NOTEBOOK).strip("/") or self.name


_ALL = (
    Action(
        "create",
        "New notebook",
        "POST",
        "notebooks",
        "notebook create",
        "notebook.created",
        "Make a notebook, and start it.",
        undo="delete",
        fields=("name", "profile", "flavor", "editor", "project", "repo", "file", "start"),
        success=201,
    ),
    Action(
        "start",
        "Start",
        "POST",
        f"{NOTEBOOK}/start",
        "notebook start",
        "notebook.start_asked",
        "Start a notebook, with what it had the last time or with something else.",
        undo="stop",
        fields=("profile", "flavor", "editor", "safe"),
        owner_only=False,
        success=202,
    ),
    Action(
        "stop",
        "Stop",
        "POST",
        f"{NOTEBOOK}/stop",
        "notebook stop",
        "session.stop",
        "Save a notebook and stop it.",
        undo="start",
        fields=("variables",),
        owner_only=False,
        success=202,
    ),
    Action(
        "save",
        "Save now",
        "POST",
        f"{NOTEBOOK}/save",
        "notebook save",
        "session.save",
        "Save a notebook now.",
        owner_only=False,
        success=202,
    ),
    Action(
        "extend",
        "Keep working",
        "POST",
        f"{NOTEBOOK}/extend",
        "notebook extend",
        "session.extended",
        "Move the deadline that comes first.",
        fields=("seconds",),
        owner_only=False,
        success=202,
    ),
    Action(
        "rename",
        "Rename",
        "POST",
        f"{NOTEBOOK}/rename",
        "notebook rename",
        "notebook.renamed",
        "Give a notebook another name. Its address stays.",
        undo="rename",
        fields=("name",),
    ),
    Action(
        "set",
        "Change profile",
        "POST",
        f"{NOTEBOOK}/set",
        "notebook set",
        "notebook.changed",
        "Change profile, size or editor, from the next start on or at once.",
        undo="set",
        fields=("profile", "flavor", "editor", "project", "restart"),
    ),
    Action(
        "duplicate",
        "Duplicate",
        "POST",
        f"{NOTEBOOK}/duplicate",
        "notebook duplicate",
        "notebook.created",
        "Make a new notebook with the files of a snapshot.",
        undo="delete",
        fields=("name", "snapshot"),
        success=201,
    ),
    Action(
        "delete",
        "Move to trash",
        "DELETE",
        NOTEBOOK,
        "notebook delete",
        "notebook.trashed",
        "Stop a notebook and move it to the trash.",
        undo="restore",
    ),
    Action(
        "restore",
        "Put back",
        "POST",
        f"{NOTEBOOK}/restore",
        "notebook restore",
        "notebook.put_back",
        "Take a notebook out of the trash.",
        undo="delete",
    ),
    Action(
        "empty",
        "Delete for good",
        "POST",
        f"{NOTEBOOK}/empty",
        "notebook empty",
        "notebook.emptied",
        "Delete a notebook in the trash for good, with all its snapshots.",
        success=202,
    ),
    Action(
        "dismiss",
        "Dismiss",
        "POST",
        f"{NOTEBOOK}/dismiss",
        "notebook dismiss",
        "session.dismissed",
        "Take note of an error, so that the notebook is shown as stopped.",
        undo="dismiss",
        fields=("dismissed",),
    ),
    Action(
        "start_from_save",
        "Start from the last save",
        "POST",
        f"{NOTEBOOK}/start-from-save",
        "notebook start-from-save",
        "volume.set_aside",
        "Start from the last save, without the files on a volume that cannot be reached.",
        success=202,
    ),
    Action(
        "dismiss_recovery",
        "Dismiss",
        "POST",
        f"{SNAPSHOT}/dismiss",
        "snapshot dismiss",
        "snapshot.dismissed",
        "Be done with a recovery snapshot, so that nothing asks for you any more; it stays as others do.",
        undo="dismiss_recovery",
        fields=("dismissed",),
    ),
    Action(
        "keep",
        "Keep",
        "POST",
        f"{SNAPSHOT}/name",
        "snapshot keep",
        "snapshot.named",
        "Give a snapshot a name, so that it is kept; or take the name away.",
        undo="keep",
        fields=("name",),
    ),
    Action(
        "restore_files",
        "Restore",
        "POST",
        f"{SNAPSHOT}/restore",
        "snapshot restore",
        "session.restore",
        "Bring files of a snapshot back into a running notebook, in place or as copies below restored/.",
        undo="restore_files",
        fields=("paths", "copies"),
        success=202,
    ),
    Action(
        "restore_all",
        "Restore everything",
        "POST",
        f"{SNAPSHOT}/restore-all",
        "snapshot restore --all",
        "snapshot.restored",
        "Make a stopped notebook what a snapshot says; the present state stays as a snapshot.",
        undo="restore_all",
    ),
    Action(
        "download",
        "Download",
        "GET",
        f"{SNAPSHOT}/file",
        "snapshot cat",
        "snapshot.read",
        "Write a file of a snapshot to standard output.",
        fields=("path",),
    ),
)

ACTIONS: Mapping[str, Action] = {one.name: one for one in _ALL}

#: How the command line gives a field: ARGUMENT, or the option that takes its value, or a switch (value, switch).
_SWITCHES: Mapping[tuple[str, Any], str] = {
    ("start", False): "--no-start",
    ("variables", True): "--variables",
    ("safe", True): "--safe",
    ("restart", True): "--restart",
    ("dismissed", False): "--undo",
    ("copies", True): "--copies",
}
_ARGUMENTS = {"create": ("name",), "rename": ("name",), "duplicate": ("name",), "keep": ("name",)}
_ARGUMENTS |= {"restore_files": ("paths",), "download": ("path",)}
PROGRAM = "jupyterhub-notebooks"


def command_line(name: str, notebook: str = "", values: Mapping[str, Any] | None = None) -> str:
    """The command that does the same: notebook as ``[USER/]SERVER``, values as in the body (and ``number``)."""
    action, values = ACTIONS[name], dict(values or {})
    words = [PROGRAM, *action.command.split()]
    if notebook:
        words.append(notebook)
    if "number" in values:
        words.append(str(values.pop("number")))
    placed = _ARGUMENTS.get(name, ())
    for field in placed:
        value = values.get(field)
        given = value if isinstance(value, list | tuple) else [value] if value else []
        words += [str(one) for one in given]
    if name == "keep" and not values.get("name"):
        words.append("--remove")
    for field in action.fields:
        value = values.get(field)
        if field in placed or value in (None, ""):
            continue
        if isinstance(value, bool):
            words += [_SWITCHES[field, value]] if (field, value) in _SWITCHES else []
        else:
            words += [f"--{field}", str(value)]
    return shlex.join(words)


def call(name: str, user: str = "", server: str = "", number: int | None = None) -> tuple[str, str]:
    """(method, path below ``api/v1/``) of an action. server: '' is the default one."""
    action = ACTIONS[name]
    parts = {"user": quote(user, safe="@~"), "server": server or "-", "number": str(number or "")}
    return action.method, action.path.format(**parts)
