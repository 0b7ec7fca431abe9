"""What the parts of a session share, once the first answer of services/agents is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..contract import HelloAnswer
from ..workspace.volume import Volume
from .lease import HeldLease
from .log import SessionLog
from .service import Service
from .standing import Standing

if TYPE_CHECKING:
    from .remote import Patience, RemoteBlocks, RemoteSnapshots


@dataclass(frozen=True)
class Context:
    """One session. stopped: whether its end was asked for."""

    service: Service
    standing: Standing
    lease: HeldLease
    log: SessionLog
    volume: Volume
    answer: HelloAnswer
    stopped: Callable[[], bool]

    def store(self, patience: Patience) -> tuple[RemoteBlocks, RemoteSnapshots]:
        """Blocks and snapshots of the workspace; trouble is met with patience."""
        from ..workspace.keys import keys_of_hex
        from .remote import RemoteBlocks, RemoteSnapshots, Signer

        signer = Signer(self.service)
        wire = self.service.wire
        keys = keys_of_hex(self.answer.secret_key)
        return (
            RemoteBlocks(signer, wire, patience, keys),
            RemoteSnapshots(self.service, signer, wire, patience, self.lease, keys),
        )
