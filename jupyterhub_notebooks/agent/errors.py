"""What can go wrong between the agent and services/agents, by what the agent does next.

``ServiceAway``: try again, the server runs on. ``TooOld``: go on without saving beyond the volume.
``LeaseLost``: never commit again, keep the files. ``Oversized``: asking again changes nothing. ``SessionClosed``: the token opens nothing any more.
"""

from __future__ import annotations

from ..errors import Conflict, Damaged, Denied, NotebooksError, StorageAway

#: Exit status of an agent that could not save everything (EX_TEMPFAIL): the volume has newer files.
EXIT_NOT_SAVED = 75


class ServiceAway(StorageAway):
    """services/agents does not answer, or cannot at the moment."""

    reason = "service_away"


class TooOld(NotebooksError):
    """services/agents speaks only newer versions of the protocol."""

    reason = "agent_too_old"
    exit_code = 1
    http_status = 426


class Contested(Conflict):
    """services/agents answered 409. field: what was contested, ``lease`` or ``number``."""


class LeaseLost(Conflict):
    """Another session writes this workspace now."""

    reason = "lease_lost"


class Oversized(NotebooksError):
    """More would be sent than may be between two saves: nothing is saved until there is less."""

    reason = "workspace_limit"


class SessionClosed(Denied):
    """The session was given up: its token is refused."""

    reason = "session_closed"


class OpenElsewhere(Conflict):
    """Another session holds the workspace and keeps it."""

    reason = "open_elsewhere"


class VolumeAway(Conflict):
    """The files that are newer than the last save lie on a volume that is not this one, or are not on it."""

    reason = "volume_away"


class SnapshotDamaged(Damaged):
    """The newest save cannot be fetched in full; earlier ones may be whole."""

    reason = "snapshot_damaged"


class Interrupted(NotebooksError):
    """A stop came before the workspace was ready."""

    reason = "interrupted"
