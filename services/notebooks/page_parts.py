"""Parts of a notebook's page with addresses of their own: one of its snapshots, all of them, what a change means, a session's log.

Files of a workspace are its owner's alone. Each works without a script in the browser.
"""

from __future__ import annotations

import re
from typing import Any

from jupyterhub_notebooks.client.actions import ACTIONS, command_line
from jupyterhub_notebooks.clock import from_text
from jupyterhub_notebooks.errors import BadInput, NotebooksError, NotFound
from jupyterhub_notebooks.ledger import NotebookView, Snapshot, sessions, snapshots
from jupyterhub_notebooks.units import count, show_size

from . import acting, actions, bodies, changing, keeping
from .handling import Handler
from .listing import page_of, row_of, states
from .notebook_page import called
from .page_actions import quoted_path
from .people import notebook_of
from .reading import Reader
from .reads import send

FOLDER_SHOWN = 500
CHANGES_SHOWN = 500
LOG_SHOWN = 2000
PAGE_SHOWN = 100
FILLS_SHOWN = 8
#: The picture of what fills it is this wide, in its own units.
WIDE = 1000
#: Whether it is safe to delete, as ``workspace.fills`` judges it.
SAFE = {"yes": "Yes", "again": "It has to be made again", "look": "Yours to decide"}
WHAT = {"added": "new", "removed": "deleted", "changed": "changed", "attributes": "other attributes"}


class Part(Handler):
    """What they share."""

    async def own(self, owner: str, part: str) -> NotebookView:
        """A notebook whose files this person may read. Raises NotFound, Denied."""
        view = await notebook_of(self.context, self.person, owner, part)
        if view is None:
            raise NotFound("There is no such notebook")
        acting.allowed(ACTIONS["download"], self.person, view)
        return view


class SnapshotsHandler(Part):
    """GET n/USER/SERVER/snapshots: all of them, a page at a time (``?before=NUMBER``)."""

    async def get(self, owner: str, part: str) -> None:
        view = await self.own(owner, part)
        before = self.get_argument("before", "")
        workspace, below = view.notebook.workspace, int(before[:9]) if before.isdecimal() else None
        rest = await self.context.ledger.run(snapshots.newest, workspace, PAGE_SHOWN + 1, below)
        self.page(
            "snapshots.html",
            title=view.notebook.title,
            base=page_of(self.context, view),
            saves=rest[:PAGE_SHOWN],
            sizes={one.number: show_size(one.size_bytes) for one in rest[:PAGE_SHOWN]},
            added={one.number: show_size(one.stored_bytes) for one in rest[:PAGE_SHOWN]},
            needs={one.number: _needs(one) for one in rest[:PAGE_SHOWN]},
            more=rest[PAGE_SHOWN - 1].number if len(rest) > PAGE_SHOWN else None,
            command=f"jupyterhub-notebooks snapshot list {called(self.person, view)}",
        )


class SnapshotHandler(Part):
    """GET n/USER/SERVER/snapshots/N: what changed in it; ``?browse=1``: its folders (``?path=``, hidden files too)."""

    async def get(self, owner: str, part: str, number: str) -> None:
        view = await self.own(owner, part)
        one = await keeping.snapshot_of(self.context, view, int(number))
        state = (await states(self.context, self.person, [view]))[0]
        row = row_of(self.context, self.person, view, state)
        browse = self.get_argument("browse", "") == "1"
        shown: dict[str, Any] = {
            "problem": None,
            "entries": [],
            "changes": [],
            "counts": "",
            "more": None,
            "unshown": "",
            "before": None,
        }
        try:
            shown |= await (self._folder(view, one.number) if browse else self._changes(view, one.number))
        except NotebooksError as error:
            self.set_status(error.http_status)
            shown["problem"] = error
        name = called(self.person, view)
        self.page(
            "snapshot.html",
            row=row,
            one=one,
            browse=browse,
            size=show_size(one.size_bytes),
            newest=view.head is not None and view.head.number == one.number,
            path=shown.pop("path", ""),
            crumbs=shown.pop("crumbs", []),
            command=command_line("restore_files", name, {"number": one.number, "paths": ["PATH"]}),
            **shown,
        )

    async def _folder(self, view: NotebookView, number: int) -> dict[str, Any]:
        path, after = self.path_argument("path"), self.path_argument("after")
        found = await Reader.of(self.context).ask(
            "folder", view.notebook.workspace, number=number, path=path, after=after, most=FOLDER_SHOWN
        )
        entries = [
            {
                "path": quoted_path(one["path"]),
                "name": plain(one["name"]),
                "kind": one["kind"],
                "size": show_size(one["size_bytes"]) if one["kind"] == "file" else "",
                "mtime": from_text(one["mtime"]),
                "target": plain(one["target"] or ""),
            }
            for one in found["entries"]
        ]
        parts = [part for part in found["path"].split("/") if part]
        crumbs = [(plain(part), quoted_path("/".join(parts[: at + 1]))) for at, part in enumerate(parts)]
        more = quoted_path(found["next"]) if found["next"] else None
        return {"entries": entries, "path": quoted_path(found["path"]), "crumbs": crumbs, "more": more}

    async def _changes(self, view: NotebookView, number: int) -> dict[str, Any]:
        found = await keeping.changes(self.context, view, number, None, CHANGES_SHOWN)
        older = await self.context.ledger.run(snapshots.newest, view.notebook.workspace, 1, number)
        rows = [
            {
                "path": quoted_path(one["path"]),
                "folder": quoted_path(one["path"].rpartition("/")[0]),
                "name": plain(one["path"]),
                "what": WHAT[one["what"]],
                "there": one["what"] != "removed",
                "is_file": one["kind"] == "file",
                "size": show_size(one["size_bytes"]) if one["size_bytes"] is not None else "",
            }
            for one in found["changes"]
        ]
        words = [f"{number:,} {WHAT[what]}" for what, number in found["counts"].items() if number]
        total = sum(found["counts"].values())
        more = count(total - len(rows), "more file") if total > len(rows) else ""
        return {
            "changes": rows,
            "counts": ", ".join(words) or "nothing changed",
            "unshown": more,
            "before": older[0].number if older else None,
        }


class SpaceHandler(Part):
    """GET n/USER/SERVER/space: what fills the newest save, and what of it is safe to delete; ``?part=1``: the table alone."""

    async def get(self, owner: str, part: str) -> None:
        view = await self.own(owner, part)
        if view.head is None:
            raise NotFound(f"{view.notebook.title} was not saved yet")
        number = view.head.number
        found = await Reader.of(self.context).ask(
            "fills", view.notebook.workspace, number=number, most=FILLS_SHOWN
        )
        whole = max(1, found["size_bytes"])
        tops = [
            {
                "path": quoted_path(one["path"]),
                "name": plain(one["name"]),
                "size": show_size(one["size_bytes"]),
                "files": count(one["files"], "file"),
                "share": round(WIDE * one["size_bytes"] / whole),
            }
            for one in found["tops"]
        ]
        for at, one in enumerate(tops):
            one["x"] = sum(before["share"] for before in tops[:at])
        self.page(
            "space_part.html" if self.get_argument("part", "") == "1" else "space.html",
            title=view.notebook.title,
            base=page_of(self.context, view),
            number=number,
            whole=show_size(found["size_bytes"]),
            files=count(found["files"], "file"),
            fills=[
                {
                    **one,
                    "path": plain(one["path"]),
                    "size": show_size(one["size_bytes"]),
                    "says": SAFE[one["safe"]],
                }
                for one in found["fills"]
            ],
            tops=tops,
        )


class FileHandler(Part):
    """GET n/USER/SERVER/snapshots/N/file: one file (``?path=``), as an attachment."""

    async def get(self, owner: str, part: str, number: str) -> None:
        view = await self.own(owner, part)
        await keeping.snapshot_of(self.context, view, int(number))
        path = self.path_argument("path")
        if not path:
            raise BadInput("It is not said which file", field="path")
        await keeping.read_noted(self.context, self.person, view, int(number))
        reader = Reader.of(self.context)
        await send(self, reader.stream("file", view.notebook.workspace, number=int(number), path=path))


class ZipHandler(Part):
    """GET n/USER/SERVER/snapshots/N/zip: the ticked ones (``?paths=``, several), or all of it."""

    async def get(self, owner: str, part: str, number: str) -> None:
        view = await self.own(owner, part)
        await keeping.snapshot_of(self.context, view, int(number))
        paths = [bodies.path_of(one) for one in self.get_arguments("paths")]
        await keeping.read_noted(self.context, self.person, view, int(number))
        asked = Reader.of(self.context).stream(
            "zip", view.notebook.workspace, number=int(number), paths=paths
        )
        name = f"{view.notebook.server_name or 'main'}-snapshot-{number}.zip"
        await send(self, asked, name, "application/zip")


class ChangeHandler(Part):
    """GET n/USER/SERVER/change: what another profile, size or editor means, as a piece of the page."""

    async def get(self, owner: str, part: str) -> None:
        view = await self.own(owner, part)
        form = {name: self.get_arguments(name) for name in self.request.query_arguments}
        known = ("profile", "flavor", "editor")
        body = bodies.of_form(
            bodies.Options, {name: form[name] for name in form if name in known or name.startswith("flavor-")}
        )
        assert isinstance(body, bodies.Options)
        problem, said = None, []
        try:
            said = await changing.what_changes(self.context, self.person, view, body.chosen())
        except NotebooksError as error:
            problem = error
        command = command_line("set", called(self.person, view), body.chosen())
        was, wanted = view.notebook.profile, body.chosen().get("profile", "")
        title = f"From {was} to {wanted}" if was and wanted not in ("", was) else ""
        self.page("change.html", title=title, said=said, problem=problem, command=command)


class LogHandler(Handler):
    """GET sessions/ID/log: what a session printed, also one that never started (``?find=``, ``?download=1``)."""

    async def get(self, id: str) -> None:
        session, view = await actions.own_session(self.context, self.person, id)
        find, download = self.get_argument("find", ""), self.get_argument("download", "") == "1"
        lines = await self.context.ledger.run(sessions.log, session.id, sessions.LOG_LINES)
        picked = [(at, line) for at, line in lines if find.casefold() in line.casefold()]
        if download:
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
            self.set_header("Content-Disposition", f'attachment; filename="session-{session.id[-6:]}.log"')
            self.write("".join(f"{at.isoformat()} {line}\n" for at, line in picked))
            return
        self.page(
            "log.html",
            title=view.notebook.title,
            base=page_of(self.context, view),
            session=session,
            find=find,
            lines=[(at, shown_line(line)) for at, line in picked[-LOG_SHOWN:]],
            found=len(picked),
            whole=len(lines),
            command=f"jupyterhub-notebooks session log {session.id[-6:]}" + (" --find TEXT" if find else ""),
        )


def _needs(one: Snapshot) -> tuple[str, str]:
    """What it takes in the store, and what of that earlier ones take too; in words."""
    if one.measured_bytes is None or one.shared_bytes is None:
        return "not measured yet", ""
    return show_size(one.measured_bytes), f"{show_size(one.shared_bytes)} shared with earlier ones"


def shown_line(line: str) -> str:
    """A line of a log without the time that stands before it already."""
    return re.sub(r"^\d{4}-\d\d-\d\dT[\d:.]+Z ", "", line)


def plain(name: str) -> str:
    """A name as a page shows it: what is no text, or would not be seen, as a question mark."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name)
