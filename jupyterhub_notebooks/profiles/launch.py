"""What a backend can do, and what a session starts with: as rows of the ledger and settings carry them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .model import (
    DEFAULT_EXTEND_SECONDS,
    DEFAULT_EXTENSIONS,
    DEFAULT_VARIABLES_BYTES,
    DEFAULT_VARIABLES_SECONDS,
    Flavor,
)


@dataclass(frozen=True)
class Abilities:
    """What a backend can do, as it states it. The least is a plain process on this machine.

    images: takes a profile's image. gpu_kinds: kinds it has. egress: can enforce an egress rule.
    limits_time: something on this Hub stops what is idle or over its session limit.
    editors: names of the editors it can start. note: sentences that every card shows.
    """

    name: str = "local"
    images: bool = False
    limits_cpu: bool = False
    limits_memory: bool = False
    limits_time: bool = False
    gpu_kinds: frozenset[str] = frozenset()
    egress: bool = False
    editors: frozenset[str] = frozenset({"jupyterlab"})
    note: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        raw = dataclasses.asdict(self)
        return raw | {
            "gpu_kinds": sorted(self.gpu_kinds),
            "editors": sorted(self.editors),
            "note": list(self.note),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Abilities:
        """The abilities in raw, as to_json made it; what is not there has its default."""
        known = {item.name: raw[item.name] for item in dataclasses.fields(cls) if item.name in raw}
        for name in ("gpu_kinds", "editors"):
            if name in known:
                known[name] = frozenset(known[name])
        if "note" in known:
            known["note"] = tuple(known["note"])
        return cls(**known)


@dataclass(frozen=True)
class Launch:
    """All that a session starts with. It is stored in the session's row, so that a changed profile changes no session.

    Durations of 0 mean none. workspace_bytes, save_interval_seconds and retention None: the Hub's setting.
    """

    profile: str
    version: str
    title: str
    flavor: str
    resources: Flavor
    image: str | None = None
    editor: str = "jupyterlab"
    environment: Mapping[str, str] = field(default_factory=dict)
    startup_script: str | None = None
    idle_stop_seconds: int = 0
    max_session_seconds: int = 0
    warn_seconds: tuple[int, ...] | None = None
    extend_seconds: int = DEFAULT_EXTEND_SECONDS
    extensions: int = DEFAULT_EXTENSIONS
    signals: tuple[str, ...] | None = None
    enforcement: str | None = None
    workspace_bytes: int | None = None
    save_interval_seconds: int | None = None
    retention: Mapping[str, int] | None = None
    agent: str = "inside"
    no_public_internet: bool = False
    egress_allowlist: tuple[str, ...] | None = None
    variables_bytes: int = DEFAULT_VARIABLES_BYTES
    variables_seconds: int = DEFAULT_VARIABLES_SECONDS
    kubernetes: Mapping[str, Any] = field(default_factory=dict)
    run: str = "work"

    def to_json(self) -> dict[str, Any]:
        """A dict ready for json.dumps."""
        raw = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        raw["resources"] = self.resources.content()
        raw["environment"], raw["kubernetes"] = dict(self.environment), dict(self.kubernetes)
        for name in _LISTS:
            if raw[name] is not None:
                raw[name] = list(raw[name])
        return raw

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Launch:
        """The launch in raw; fields of a later version are ignored."""
        values = {item.name: raw[item.name] for item in dataclasses.fields(cls) if item.name in raw}
        values["resources"] = Flavor.model_validate(values["resources"])
        for name in _LISTS:
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        return cls(**values)


_LISTS = ("warn_seconds", "signals", "egress_allowlist")
