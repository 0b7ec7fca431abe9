"""Our own database: who owns what, what ran, who asked for what, what was saved.

One module per question: users, passwords, notebooks, sessions, intents, leases, snapshots, storage, audit. Their
functions take the ``Ledger`` first, are synchronous and short, and run through ``Ledger.run`` where an
event loop is near. Rows come back as frozen dataclasses of ``rows``.
"""

from . import (
    alone,
    aside,
    audit,
    burying,
    clocks,
    egress,
    evidence,
    hearing,
    hub,
    intents,
    leases,
    notebooks,
    passwords,
    profile_versions,
    sessions,
    snapshots,
    storage,
    stretches,
    users,
)
from .database import Ledger
from .rows import Intent, Notebook, NotebookView, Session, SetAside, Snapshot, User, Workspace
from .upgrading import upgrade, wait_for_revision

__all__ = [
    "Intent",
    "Ledger",
    "Notebook",
    "NotebookView",
    "Session",
    "SetAside",
    "Snapshot",
    "User",
    "Workspace",
    "alone",
    "aside",
    "audit",
    "burying",
    "clocks",
    "egress",
    "evidence",
    "hearing",
    "hub",
    "intents",
    "leases",
    "notebooks",
    "passwords",
    "profile_versions",
    "sessions",
    "snapshots",
    "storage",
    "stretches",
    "upgrade",
    "users",
    "wait_for_revision",
]
