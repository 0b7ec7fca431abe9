"""Flavors and profiles as values: frozen, complete, every number in one unit.

A key of profiles.yaml is the alias of its field (``memory`` is ``memory_bytes``). ``content`` is the
canonical form of a value, as JSON carries it; reading that gives an equal value.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from . import fields as f

DEFAULT_IDLE_STOP_SECONDS = 30 * 60
DEFAULT_MAX_SESSION_SECONDS = 8 * 3600
DEFAULT_WARN_SECONDS = (600, 120)
DEFAULT_EXTEND_SECONDS = 2 * 3600
DEFAULT_EXTENSIONS = 2
DEFAULT_VARIABLES_BYTES = 500_000_000
DEFAULT_VARIABLES_SECONDS = 60


class Part(BaseModel):
    """Base of everything in profiles.yaml: unknown keys are errors, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False)

    def content(self) -> dict[str, Any]:
        """A dict ready for json.dumps, by the keys of profiles.yaml, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Gpu(Part):
    """GPUs of a flavor. kind is what quotas and prices name; resource is Kubernetes' name of it (a MIG slice, say)."""

    kind: f.Line
    count: f.Count = 1
    memory_bytes: f.SizeBytes | None = Field(default=None, alias="memory")
    resource: f.Line = "nvidia.com/gpu"


class Placement(Part):
    """Where it may run, for backends with several machines."""

    node_selector: f.Texts = Field(default_factory=dict)
    tolerations: Annotated[tuple[f.Texts, ...], f.AsTuple] = ()
    priority_class: f.Line | None = None
    affinity: f.Object | None = None


class Kubernetes(Part):
    """What only Kubernetes needs to know of a profile.

    workspace: ``claim`` (a volume that outlives the pod) or ``ephemeral`` (fetched from storage at each start; what was not
    saved is gone with the pod); None: the Hub's setting. storage_class, size_bytes: of the claim, None: the Hub's settings.
    pull_secrets: names of Secrets beside those of the Hub. pod, container: more fields, as Kubernetes names them, of the
    pod's spec and of the notebook's container.
    """

    workspace: f.Workspace | None = None
    storage_class: f.Line | None = None
    size_bytes: f.SizeBytes | None = Field(default=None, alias="size")
    pull_secrets: f.Names = ()
    pod: f.Object = Field(default_factory=dict)
    container: f.Object = Field(default_factory=dict)


class Flavor(Part):
    """Compute: what a notebook gets and costs. ``data`` is the size of /data."""

    name: str
    use: f.Line
    cpu: f.Cpus
    memory_bytes: f.SizeBytes = Field(alias="memory")
    gpu: Gpu | None = None
    price_per_hour: f.Price = Decimal(0)
    data_bytes: f.SizeBytes | None = Field(default=None, alias="data")
    placement: Placement = Placement()


class Who(Part):
    """Those who may start a profile: members of any of the groups, and the users named."""

    groups: f.Names | None = None
    users: f.Names | None = None


class Tool(Part):
    """A button beside the editors."""

    title: f.Line
    command: f.Line


class Volume(Part):
    """A shared volume that the profile mounts at /shared/NAME."""

    name: f.Name
    mode: f.Mode = "rw"


class Retention(Part):
    """Which snapshots stay: all of so many hours, one a day, one a week; what is not set: the Hub's setting."""

    hours: f.Periods | None = None
    days: f.Periods | None = None
    weeks: f.Periods | None = None


class Deprecated(Part):
    """replacement is the profile that a start uses once the day ``after`` is over."""

    replacement: f.Name
    after: f.Day
    why: f.Line | None = None


class Profile(Part):
    """What may be started. Durations of 0 mean none; workspace_bytes, save_interval_seconds and enforcement None: the
    Hub's setting. signals: those that count as activity, None for all. variables_bytes, variables_seconds: of the kernels'
    variables so much is kept before a stop, within that time; 0: none."""

    name: str
    title: f.Line
    use: f.Line
    flavors: f.Names = Field(alias="flavor")
    image: f.Image | None = None
    idle_stop_seconds: f.Seconds = Field(default=DEFAULT_IDLE_STOP_SECONDS, alias="idle_stop")
    max_session_seconds: f.Seconds = Field(default=DEFAULT_MAX_SESSION_SECONDS, alias="max_session")
    warn_seconds: f.Durations = Field(default=DEFAULT_WARN_SECONDS, alias="warn_before")
    extend_seconds: f.Seconds = Field(default=DEFAULT_EXTEND_SECONDS, alias="extend_by")
    extensions: f.Times = DEFAULT_EXTENSIONS
    signals: f.Signals | None = None
    variables_bytes: f.SizeBytes = Field(default=DEFAULT_VARIABLES_BYTES, alias="variables_size")
    variables_seconds: f.Seconds = Field(default=DEFAULT_VARIABLES_SECONDS, alias="variables_time")
    enforcement: f.Enforcement | None = None
    framework: f.Line | None = None
    editors: f.Editors = Field(default=("jupyterlab",), alias="editor")
    environment: f.Environment = Field(default_factory=dict)
    startup_script: f.Script | None = None
    tools: Annotated[tuple[Tool, ...], f.AsTuple] = ()
    volumes: Annotated[tuple[Volume, ...], f.AsTuple] = ()
    no_public_internet: f.Switch = False
    egress_allowlist: f.Hosts | None = None
    who: Who | None = None
    contact: f.Line | None = None
    agent: f.Agent = "inside"
    workspace_bytes: f.SizeBytes | None = Field(default=None, alias="workspace_size")
    save_interval_seconds: f.Seconds | None = Field(default=None, alias="save_interval")
    retention: Retention | None = None
    kubernetes: Kubernetes | None = None
    deprecated: Deprecated | None = None

    @property
    def restricts_egress(self) -> bool:
        """Whether a backend must be able to enforce an egress rule to run it."""
        return self.no_public_internet or self.egress_allowlist is not None


class Rest(Part):
    """The keys of profiles.yaml beside flavors and profiles."""

    allowed_registries: f.Names | None = None
    contact: f.Line | None = None


def keys_of(part: type[Part]) -> list[str]:
    """The keys that a person may write there."""
    return [
        item.alias or name for name, item in part.model_fields.items() if name != "name" or part is Volume
    ]
