"""What several processes of one Hub must agree on: one frozen value, written once, carried as JSON.

``configure.notebooks`` makes it; the spawner has it in-process; each service reads it from the variable
NOTEBOOKS_SETTINGS. A secret stands there as ``env:NAME`` or ``file:PATH`` and is read with ``secret``
only where it is used. What concerns the Hub alone is an ordinary trait and not here.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import BadInput, ConfigError
from .units import parse_duration

VARIABLE = "NOTEBOOKS_SETTINGS"
ENFORCEMENT = ("stop", "observe", "off")

#: Held by who uses notebooks (filtered to their own), and by who sees and stops all of them.
USE_SCOPE = "custom:notebooks:use"
ADMIN_SCOPE = "custom:notebooks:admin"
#: Held by every administrator of the Hub and by nobody else; the Hub's role `admin` takes no further scopes.
HUB_ADMIN_SCOPE = "admin-ui"

#: Patterns (gitignore syntax) of what is never saved, whatever .notebookignore says.
NEVER_SAVED: tuple[str, ...] = (
    "/.local/share/jupyter/runtime/",
    "/.cache/",
    "/.npm/_cacache/",
    "/.local/share/Trash/",
    "/lost+found/",
    ".ipynb_checkpoints/",
    "__pycache__/",
    ".nfs*",
)


@dataclass(frozen=True)
class Settings:
    """One Hub's settings.

    ledger: SQLAlchemy URL of our own database, or a secret reference to one.
    store: root of the object storage, ``file:///…`` or ``s3://bucket/prefix``.
    store_options: for s3: ``endpoint_url``, ``region``, ``key``, ``secret`` (secret references), ``addressing``,
    ``ca_file``, ``put_key``, ``put_secret`` (an identity that may only write), ``conditional``.
    profiles: path of profiles.yaml.
    agents_url: services/agents as Hub and services reach it. notebook_service_url: as a notebook reaches it
    (empty: the same). agents_api_token: secret reference, services/agents' own token at the Hub.
    enforcement: ``stop``, ``observe`` (nothing is stopped; each stop that would have been is recorded) or ``off``.
    limits: time limits instead of a profile's: ``{"user:mara": {"idle_stop": "1h"}, "group:data": {"max_session": "0",
    "enforcement": "observe"}, "everyone": {"idle_stop": "20min"}}``; see profiles.limits for which comes first.
    culler_interval_seconds: between two looks of services/idle_culler. culler_at_once: stops under way at a time.
    unsaved_idle_seconds: so long a notebook that cannot be saved is not stopped as idle.
    janitor_interval_seconds: between two looks of services/janitor. save_again_seconds: after a run that only saves did
    not work, the next comes so much later; then twice as much.
    abilities: what the Hub's backend can do, as it states it (profiles.choosing.Abilities); empty: a process here.
    volumes: where notebooks have their files, for those of emptied notebooks to be removed: a folder on this machine, or
    ``docker:`` for the Docker engine that the Hub uses (DOCKER_HOST), or ``kubernetes:`` for claims in the Hub's cluster.
    Behind that colon the namespace of the notebooks, as ``kubernetes:team``, where it is not the Hub's own; ``kubernetes:*``
    where each user has one (`enable_user_namespaces`): the Hub then needs the right to list and delete claims in all of
    them. Empty: they are left where they are.
    internal_networks: networks of one's own, as 10.20.0.0/16, that notebooks reach whose profile has a rule for the network.
    signing_key: secret reference to the key with which the directory store's URLs are signed.
    retention: which snapshots stay: ``{"hours": 24, "days": 30, "weeks": 12}``, all of so many hours, one a day, one a week;
    a profile may give other numbers. retention_wait_days: a rule of another profile that keeps less holds for a notebook
    only so long after its first start there (0: at once). prune_interval_seconds: a workspace's old snapshots are
    removed once in so long.
    encryption_key: ``file:PATH`` of the key that wraps the keys of workspaces; new workspaces are encrypted then. Empty:
    they are not. A workspace stays as it was made; see `jupyterhub-notebooks key`.
    """

    ledger: str
    store: str
    profiles: str
    agents_url: str
    agents_api_token: str
    signing_key: str
    store_options: Mapping[str, str] = field(default_factory=dict)
    notebook_service_url: str = ""
    users: str = "everyone"
    hub_admins: bool = True
    contact: str = "your administrator"
    currency: str = "€"
    time_zone: str = "UTC"
    save_interval_seconds: float = 300.0
    save_timeout_seconds: float = 3600.0
    no_progress_seconds: float = 120.0
    startup_script_seconds: float = 120.0
    heartbeat_seconds: float = 30.0
    heartbeat_soon_seconds: float = 3.0
    lease_seconds: float = 120.0
    janitor_interval_seconds: float = 15.0
    save_again_seconds: float = 60.0
    trash_days: int = 30
    retention: Mapping[str, int] = field(default_factory=dict)
    retention_wait_days: int = 7
    prune_interval_seconds: float = 6 * 3600.0
    volumes: str = ""
    workspace_limit_bytes: int = 20 * 10**9
    never_saved: tuple[str, ...] = NEVER_SAVED
    encryption_key: str = ""
    enforcement: str = "stop"
    limits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    culler_interval_seconds: float = 10.0
    culler_at_once: int = 100
    unsaved_idle_seconds: float = 2 * 3600.0
    abilities: Mapping[str, Any] = field(default_factory=dict)
    internal_networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "store_options", dict(self.store_options))
        object.__setattr__(self, "never_saved", tuple(self.never_saved))
        object.__setattr__(self, "abilities", dict(self.abilities))
        object.__setattr__(self, "retention", dict(self.retention))
        object.__setattr__(self, "limits", {name: dict(one) for name, one in self.limits.items()})
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name.endswith("_seconds") and not (isinstance(value, int | float) and value > 0):
                raise ConfigError(f"{value!r} is not a number of seconds above 0", field=item.name)
        if self.users != "everyone" and not self.users.startswith("group:"):
            raise ConfigError(
                f"{self.users!r} says nothing about users",
                next=["Write 'everyone' or 'group:NAME'"],
                field="users",
            )
        _check_lease(self.lease_seconds, self.heartbeat_seconds)
        _check_enforcement(self.enforcement, "enforcement")
        _check_limits(self.limits)
        object.__setattr__(self, "internal_networks", tuple(self.internal_networks))
        _check_networks(self.internal_networks)
        _check_retention(self.retention)
        if type(self.retention_wait_days) is not int or not 0 <= self.retention_wait_days <= 36_500:
            raise ConfigError("This is not a whole number of days from 0 on", field="retention_wait_days")
        if not isinstance(self.culler_at_once, int) or self.culler_at_once < 1:
            raise ConfigError("This is not a whole number above 0", field="culler_at_once")
        if self.encryption_key and not self.encryption_key.startswith("file:/"):
            raise ConfigError(
                "This names no file with a key",
                "The key itself is never a setting: settings are shown to many processes.",
                ["Write file:/path/of/the/key", "Make one with: jupyterhub-notebooks key make FILE"],
                field="encryption_key",
            )
        if not self.store.startswith(("file:///", "s3://")):
            raise ConfigError(
                f"{self.store!r} is not the address of a store",
                next=["Write file:///an/absolute/path or s3://bucket/prefix"],
                field="store",
            )

    @property
    def reachable_url(self) -> str:
        """services/agents as a notebook reaches it."""
        return self.notebook_service_url or self.agents_url

    @property
    def store_hosts(self) -> tuple[str, ...]:
        """host:port of what notebooks save to without a service between, an S3; none for a folder."""
        if not self.store.startswith("s3://"):
            return ()
        region = self.store_options.get("region") or "us-east-1"
        parts = urlsplit(self.store_options.get("endpoint_url") or f"https://s3.{region}.amazonaws.com")
        bucket = self.store.removeprefix("s3://").partition("/")[0]
        hosts = (parts.hostname or "", f"{bucket}.{parts.hostname}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        virtual = self.store_options.get("addressing") == "virtual"
        return tuple(f"{host}:{port}" for host in hosts[: 2 if virtual else 1])

    @property
    def admin_scopes(self) -> tuple[str, ...]:
        """Each of these makes its holder an administrator of notebooks."""
        return (ADMIN_SCOPE, HUB_ADMIN_SCOPE) if self.hub_admins else (ADMIN_SCOPE,)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Raises ConfigError for text that is no settings, naming the field."""
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ConfigError("The settings are not JSON", str(error), field=VARIABLE) from None
        return cls.of(values)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        known = {item.name: item for item in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                raise ConfigError(
                    "There is no such setting",
                    next=[f"Did you mean {near[0]}?"] if near else [],
                    field=name,
                )
        missing = [
            name
            for name, item in known.items()
            if name not in values
            and item.default is dataclasses.MISSING
            and item.default_factory is dataclasses.MISSING
        ]
        if missing:
            raise ConfigError("This setting is missing", field=missing[0])
        return cls(**values)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        text = environment.get(VARIABLE)
        if not text:
            raise ConfigError(
                "No settings were given",
                "Services are started by the Hub or by `jupyterhub-notebooks up`, which set this variable",
                field=VARIABLE,
            )
        return cls.from_json(text)


def _check_lease(lease_seconds: float, heartbeat_seconds: float) -> None:
    """A lease is renewed by heartbeats, and nothing is saved in its last sixth."""
    if lease_seconds < 1.5 * heartbeat_seconds:
        raise ConfigError(
            f"{lease_seconds:g} s end before the next heartbeat can renew it",
            f"A running notebook reports every {heartbeat_seconds:g} s; in between nothing could be saved.",
            [f"Write {1.5 * heartbeat_seconds:g} or more", "Write a smaller heartbeat_seconds"],
            field="lease_seconds",
        )


def _check_networks(networks: tuple[str, ...]) -> None:
    for network in networks:
        try:
            ipaddress.IPv4Network(network)
        except ValueError as error:
            raise ConfigError(
                f"{network!r} is not a network",
                str(error),
                ["Write it as 10.20.0.0/16, or 10.20.1.5/32 for one address"],
                field="internal_networks",
            ) from None


def _check_enforcement(value: Any, where: str) -> None:
    if value not in ENFORCEMENT:
        raise ConfigError(
            f"{value!r} says nothing about enforcement", next=["Write stop, observe or off"], field=where
        )


def _check_retention(retention: Mapping[str, Any]) -> None:
    for name, value in retention.items():
        if name not in ("hours", "days", "weeks"):
            raise ConfigError(
                "Retention has no such number", next=["Write hours, days or weeks"], field=f"retention.{name}"
            )
        if type(value) is not int or not 0 <= value <= 100_000:
            raise ConfigError(
                f"{value!r} is not a whole number from 0 on",
                next=["Write 0 to leave that part out"],
                field=f"retention.{name}",
            )


def _check_limits(limits: Mapping[str, Mapping[str, Any]]) -> None:
    for whom, entry in limits.items():
        if whom != "everyone" and not (whom.startswith(("group:", "user:")) and whom.partition(":")[2]):
            raise ConfigError(
                f"{whom!r} names nobody",
                next=["Write everyone, group:NAME or user:NAME"],
                field="limits",
            )
        for key, value in entry.items():
            where = f"limits[{whom!r}].{key}"
            if key == "enforcement":
                _check_enforcement(value, where)
            elif key in ("idle_stop", "max_session"):
                try:
                    parse_duration(value)
                except BadInput as error:
                    raise ConfigError(error.title, next=error.next, field=where) from None
            else:
                raise ConfigError(
                    "There is no such limit",
                    next=["Write idle_stop, max_session or enforcement"],
                    field=where,
                )


def secret(reference: str, environment: Mapping[str, str] = os.environ) -> str:
    """The secret that ``env:NAME`` or ``file:PATH`` names; any other text is the value itself.

    Raises ConfigError that names the reference, never the value.
    """
    if reference.startswith("env:"):
        value = environment.get(reference[4:])
        if not value:
            raise ConfigError("This variable is not set", field=reference)
        return value
    if reference.startswith("file:") and not reference.startswith("file://"):
        try:
            value = Path(reference[5:]).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(
                "This file cannot be read", error.strerror or str(error), field=reference
            ) from None
        if not value:
            raise ConfigError("This file is empty", field=reference)
        return value
    return reference
