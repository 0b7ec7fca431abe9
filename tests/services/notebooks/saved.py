"""A notebook with real snapshots: saved by the engine into the store of the site, with the rows that services/agents writes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyterhub_notebooks.clock import SYSTEM_CLOCK
from jupyterhub_notebooks.ledger import Notebook, Session, leases, notebooks, sessions, snapshots, users
from jupyterhub_notebooks.names import new_id
from jupyterhub_notebooks.workspace import (
    CommitFacts,
    Volume,
    WorkspaceStore,
    open_store,
    save,
    workspace_prefix,
)

from .conftest import CREATED, Site


class Commits:
    """Commits as services/agents does: the object by ``put_snapshot``, the row in the ledger."""

    def __init__(
        self, site: Site, space: WorkspaceStore, notebook: Notebook, session: str, lease: int
    ) -> None:
        self.site, self.space, self.notebook, self.session, self.lease = site, space, notebook, session, lease
        self.keys = space.keys

    def numbers(self) -> list[int]:
        return self.space.numbers()

    def get(self, number: int, /) -> bytes:
        return self.space.get(number)

    def commit(self, number: int, body: bytes, facts: CommitFacts) -> None:
        now, workspace = SYSTEM_CLOCK.now(), self.notebook.workspace
        digest = hashlib.sha256(body).hexdigest()
        said = snapshots.Facts(facts.kind, digest, facts.size_bytes, facts.files, facts.stored_bytes)
        snapshots.reserve(self.site.ledger, self.session, workspace, number, self.lease, said, now)
        self.space.put_snapshot(number, body)
        snapshots.settle(self.site.ledger, workspace, number, True, now)


class Saved:
    """One notebook of a user; ``save`` makes its files what it is given, and a snapshot of them."""

    def __init__(self, site: Site, folder: Path, user: str = "mara", server: str = "churn") -> None:
        self.site, ledger, now = site, site.ledger, SYSTEM_CLOCK.now()
        self.user = users.seen(ledger, user, CREATED, now)
        there = notebooks.find(ledger, self.user.id, server)
        self.notebook = there or notebooks.create(
            ledger,
            self.user.id,
            server,
            server,
            now,
            profile="notebook-cpu-small",
            store=site.context.settings.store,
        )
        self.volume = Volume(folder / "files", folder / "state")
        self.volume.files.mkdir(parents=True)
        store = open_store(site.context.settings.store, {}, serialized=True)
        self.space = WorkspaceStore(store, workspace_prefix(self.notebook.workspace))
        self.space.create(self.notebook.workspace, lease="service", now=now)

    def begin(self, *, ready: bool = True, **limits: Any) -> Session:
        """A session that runs. limits: of its launch, such as ``idle_stop_seconds``."""
        now = SYSTEM_CLOCK.now()
        id = new_id(now, os.urandom)
        launch = {"profile": "notebook-cpu-small", "version": "v", **limits}
        sessions.begin(
            self.site.ledger,
            id,
            self.notebook.id,
            launch,
            hashlib.sha256(id.encode()).hexdigest(),
            now,
            volume="v",
        )
        if ready:
            sessions.allocated(self.site.ledger, id, now)
            sessions.ready(self.site.ledger, id, now)
            sessions.report(self.site.ledger, [sessions.Report(id, {"phase": "running", "heard_at": now})])
        return sessions.get(self.site.ledger, id)

    def close(self, session: Session, cause: str = "stopped", detail: str = "") -> None:
        sessions.close(self.site.ledger, session.id, SYSTEM_CLOCK.now(), cause, detail)

    def save(
        self, files: Mapping[str, str | bytes | None], session: Session | None = None, kind: str = "save"
    ) -> int:
        """Writes files (None: removes one), saves; the snapshot's number. Without a session: in one of its own."""
        own = session or self.begin()
        for path, text in files.items():
            at = self.volume.files / path
            if text is None:
                at.unlink()
                continue
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_bytes(text.encode() if isinstance(text, str) else text)
        lease = leases.take(self.site.ledger, self.notebook.workspace, own.id, 120.0)
        commits = Commits(self.site, self.space, self.notebook, own.id, lease.number)
        number = max(self.space.numbers(), default=0) + 1
        report = save(
            self.volume,
            self.space,
            commits,
            number=number,
            parent=self.volume.base,
            workspace_id=self.notebook.workspace,
            kind=kind,
            now=SYSTEM_CLOCK.now(),
            created_by="test",
        )
        if session is None:
            self.close(own)
        return report.number
