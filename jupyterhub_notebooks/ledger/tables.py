"""The ledger's tables. All times are UTC; every id is ours (26 characters); sizes are bytes.

Changing one of these means a migration in migrations/versions that works beside the version before it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from ..names import ID_LENGTH


class Utc(TypeDecorator[datetime]):
    """An aware UTC time. SQLite keeps it as text without a zone, PostgreSQL with one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id(name: str, **more: Any) -> Column[str]:
    return Column(name, String(ID_LENGTH), **more)


#: Facts about this Hub: ``hub_id``.
hub = Table(
    "hub",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)

#: A Hub user is ours when name and created agree. gone_at: the Hub made the name anew or deleted it.
users = Table(
    "users",
    metadata,
    _id("id", primary_key=True),
    Column("hub_name", String(255), nullable=False, index=True),
    Column("hub_created", String(40), nullable=False),
    Column("last_seen", Utc),
    Column("gone_at", Utc),
    UniqueConstraint("hub_name", "hub_created"),
)

#: Passwords of the embedded default's authenticator; hash is salted and slow.
passwords = Table(
    "passwords",
    metadata,
    Column("hub_name", String(255), primary_key=True),
    Column("hash", Text, nullable=False),
    Column("admin", Integer, nullable=False, server_default=text("0")),
    Column("changed_at", Utc, nullable=False),
)

#: Each version of a profile that ever started something.
profile_versions = Table(
    "profile_versions",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("content", JSON, nullable=False),
    Column("seen_at", Utc, nullable=False),
)

#: What a user owns and names. volume_number: how often it was given another volume in place of one that was not to be
#: reached. trashed_at: in the trash; emptied_at: gone for good, the name is free.
notebooks = Table(
    "notebooks",
    metadata,
    _id("id", primary_key=True),
    _id("user", nullable=False, index=True),
    Column("server_name", String(30), nullable=False),
    Column("title", String(200), nullable=False),
    Column("project", String(80), nullable=False, server_default=""),
    Column("profile", String(80), nullable=False, server_default=""),
    Column("options", JSON, nullable=False),
    _id("workspace", nullable=False, unique=True),
    Column("created_at", Utc, nullable=False),
    Column("trashed_at", Utc),
    Column("trashed_by", String(ID_LENGTH)),
    Column("emptied_at", Utc),
    Column("volume_number", Integer, nullable=False, server_default=text("0")),
    Column("repo", String(300), nullable=False, server_default=""),
    Column("opens", String(300), nullable=False, server_default=""),
)
Index(
    "uq_notebooks_user_server_name",
    notebooks.c.user,
    notebooks.c.server_name,
    unique=True,
    sqlite_where=text("emptied_at IS NULL"),
    postgresql_where=text("emptied_at IS NULL"),
)

#: A notebook's files. unsaved_on names the volume with files newer than the newest snapshot. stored_bytes: what it takes
#: in the store, as the last look there (pruned_at) found it. prune_problem: what of it is damaged, so that none of its old
#: snapshots is removed.
workspaces = Table(
    "workspaces",
    metadata,
    _id("id", primary_key=True),
    _id("notebook", nullable=False, index=True),
    Column("store", Text, nullable=False, server_default=""),
    Column("unsaved_on", Text),
    Column("unsaved_files", Integer, nullable=False, server_default=text("0")),
    Column("unsaved_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("limit_bytes", BigInteger),
    Column("stored_bytes", BigInteger),
    Column("pruned_at", Utc),
    Column("prune_problem", Text),
)

#: The key of an encrypted workspace, wrapped: it opens with a key that is not in this database.
workspace_keys = Table(
    "workspace_keys",
    metadata,
    _id("workspace", primary_key=True),
    Column("key_id", String(32), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("made_at", Utc, nullable=False),
)

#: Workspaces whose files were on a profile with a rule for the network: they go to none that reaches more than the hosts
#: here, until an administrator releases them (the row goes, the audit says why).
workspace_rules = Table(
    "workspace_rules",
    metadata,
    _id("workspace", primary_key=True),
    Column("hosts", JSON, nullable=False),
    _id("session", nullable=False),
    Column("since", Utc, nullable=False),
)

#: Hosts that a session asked for and its profile's rule for the network refused, and how often.
blocked_hosts = Table(
    "blocked_hosts",
    metadata,
    _id("session", primary_key=True),
    Column("host", String(300), primary_key=True),
    Column("times", Integer, nullable=False),
    Column("first_at", Utc, nullable=False),
    Column("last_at", Utc, nullable=False),
)

#: One writer a workspace. number only grows; ends_at is judged by the database's clock alone.
leases = Table(
    "leases",
    metadata,
    _id("workspace", primary_key=True),
    _id("session"),
    Column("number", Integer, nullable=False),
    Column("ends_at", Utc, nullable=False),
)

#: One run of a notebook. kind: work or save. launch: what it started with (profiles.choosing.Launch).
#: dismissed_at: its user has read why it ended in an error and wants to see it no more.
#: verdict_at: when the newest heartbeat was judged, signals: what it said (contract.Signal). quiet_since: the idle
#: clock's start. warned_at, reached_at, delayed_at: idle warning given, seen by somebody, stop put off for it.
sessions = Table(
    "sessions",
    metadata,
    _id("id", primary_key=True),
    _id("notebook", nullable=False, index=True),
    _id("workspace", nullable=False),
    _id("user", nullable=False),
    Column("kind", String(8), nullable=False),
    Column("profile", String(80), nullable=False),
    Column("profile_version", String(64), nullable=False),
    Column("launch", JSON, nullable=False),
    Column("image_digest", String(200)),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("volume", Text),
    Column("asked_at", Utc, nullable=False),
    Column("allocated_at", Utc),
    Column("ready_at", Utc),
    Column("stop_asked_at", Utc),
    Column("ended_at", Utc),
    Column("closed_at", Utc),
    Column("heard_at", Utc),
    Column("phase", String(16), nullable=False, server_default=""),
    Column("done_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("total_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("done_files", Integer, nullable=False, server_default=text("0")),
    Column("total_files", Integer, nullable=False, server_default=text("0")),
    Column("pending_files", Integer, nullable=False, server_default=text("0")),
    Column("pending_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("save_error", Text),
    Column("made_anew", JSON),
    Column("warnings", JSON),
    Column("verdict", String(10)),
    Column("verdict_since", Utc),
    Column("verdict_at", Utc),
    Column("verdict_sentence", Text),
    Column("signals", JSON),
    Column("quiet_since", Utc),
    Column("idle_ends_at", Utc),
    Column("session_ends_at", Utc),
    Column("extended_seconds", Integer, nullable=False, server_default=text("0")),
    Column("extensions", Integer, nullable=False, server_default=text("0")),
    Column("warned_at", Utc),
    Column("reached_at", Utc),
    Column("delayed_at", Utc),
    Column("observed_idle_at", Utc),
    Column("observed_limit_at", Utc),
    Column("cause", String(40)),
    Column("detail", Text),
    Column("actor", String(ID_LENGTH)),
    Column("dismissed_at", Utc),
    Column("variables", JSON),
)

stretches = Table(
    "stretches",
    metadata,
    _id("session", primary_key=True),
    Column("since", Utc, primary_key=True),
    Column("verdict", String(10), nullable=False),
    Column("sentence", Text, nullable=False),
)
Index("ix_sessions_open", sessions.c.closed_at, sessions.c.notebook)

#: Who asked for a stop, a save …, and why; orders to agents are made from the open ones.
intents = Table(
    "intents",
    metadata,
    _id("id", primary_key=True),
    _id("session", nullable=False, index=True),
    Column("do", String(16), nullable=False),
    Column("cause", String(40), nullable=False),
    Column("actor", String(ID_LENGTH)),
    Column("evidence", JSON, nullable=False),
    Column("asked_at", Utc, nullable=False),
    Column("done_at", Utc),
)

#: Index of the snapshot objects. state: reserved (the object may exist) or committed. name: kept by its user for ever.
#: stored_bytes: what its save added to the store. measured_bytes: all that it needs there, shared_bytes: what of that
#: earlier ones need too; both as the last look of the janitor found them.
snapshots = Table(
    "snapshots",
    metadata,
    _id("workspace", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),
    Column("state", String(10), nullable=False),
    _id("session", nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("at", Utc, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("files", Integer, nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("shared_bytes", BigInteger),
    Column("measured_bytes", BigInteger),
    Column("name", String(200)),
    Column("dismissed_at", Utc),
    Column("dismissed_by", String(ID_LENGTH)),
)

#: Volumes with unsaved files that a notebook was started without (from its last save, number head). session: whose
#: files they are. settled_at: they were kept as recovery snapshot ``snapshot``, or nothing on it was unsaved.
set_aside = Table(
    "set_aside",
    metadata,
    _id("id", primary_key=True),
    _id("workspace", nullable=False, index=True),
    Column("volume", Text, nullable=False),
    _id("session"),
    Column("at", Utc, nullable=False),
    Column("actor", String(ID_LENGTH)),
    Column("head", Integer, nullable=False),
    Column("files", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("settled_at", Utc),
    Column("snapshot", Integer),
)

#: The log of each session, as its agent and its spawner wrote it.
session_log = Table(
    "session_log",
    metadata,
    _id("session", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    Column("line", Text, nullable=False),
)

#: Who did what on what evidence. hash covers all columns but itself; people appear by id only.
audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Utc, nullable=False),
    Column("actor", String(ID_LENGTH)),
    Column("subjects", JSON, nullable=False),
    Column("action", String(40), nullable=False),
    Column("cause", String(40), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
