"""Who is killed when, and what must be so afterwards. Pure: no process is touched here.

Promises: each of the seven processes has a row and each of the five phases a column; a cell that cannot be says why;
each other cell says the cause that the killed session's row must have.
"""

from __future__ import annotations

from dataclasses import dataclass

AGENT, SERVER, KERNEL, HUB = "agent", "server", "kernel", "Hub"
AGENTS, JANITOR, PROXY = "services/agents", "janitor", "proxy"
VICTIMS = (AGENT, SERVER, KERNEL, HUB, AGENTS, JANITOR, PROXY)
#: Processes of one notebook; all others serve every notebook and are started again by whoever started them.
OWN = (AGENT, SERVER, KERNEL)

RESTORING, STARTING, RUNNING = "restoring", "starting", "running"
SAVING, STOPPING = "saving", "stopping"
PHASES = (RESTORING, STARTING, RUNNING, SAVING, STOPPING)

#: What each phase is, as it is brought about and proved.
MEANS = {
    RESTORING: "some blocks of the workspace are fetched, storage holds back the others",
    STARTING: "the server's process is there and frozen before it listens",
    RUNNING: "the user works; a file is newer than the last save",
    SAVING: "a save of 500 MB was asked for; half is stored, and the next blocks are there by half",
    STOPPING: "a stop was asked for; the block of its save is there by half",
}

IMPOSSIBLE = {
    (SERVER, RESTORING): "the agent starts the server only once the workspace is whole",
    (KERNEL, RESTORING): "kernels are children of the server, which is not there yet",
    (KERNEL, STARTING): "the server starts a kernel only once it answers",
}

#: The rooms that decide what happens when one dies, as tools/draw.py takes it.
ROOMS = {
    AGENT: ("agent", "workspace", "spawners"),
    SERVER: ("agent", "lab"),
    KERNEL: ("lab", "agent"),
    HUB: ("spawners", "ledger"),
    AGENTS: ("services/agents", "contract"),
    JANITOR: ("services/janitor", "ledger"),
    PROXY: ("cli", "hubapi", "services/janitor"),
}

#: What a death that the Hub did not cause is called, by who died.
_CAUSES = {AGENT: "agent_died", SERVER: "server_died"}


@dataclass(frozen=True)
class Cell:
    """One kill. cause: what the session's row says in the end. goes_on: the session lives on as if nothing had been."""

    victim: str
    phase: str

    @property
    def name(self) -> str:
        return f"{self.victim} while {self.phase}"

    @property
    def impossible(self) -> str:
        """Why this cannot be; '' where it can."""
        return IMPOSSIBLE.get((self.victim, self.phase), "")

    @property
    def cause(self) -> str:
        """A stop that was asked for stays the cause, whoever dies in it."""
        return "stopped" if self.phase == STOPPING else _CAUSES.get(self.victim, "stopped")

    @property
    def goes_on(self) -> bool:
        return self.phase != STOPPING and self.victim not in _CAUSES

    @property
    def actor_is_nobody(self) -> bool:
        """Whether the audit must name nobody for the end: nobody asked for it."""
        return self.cause != "stopped"


#: By phase first: one process is then not killed twice within a minute, which its supervisor would take for a loop.
CELLS = tuple(Cell(victim, phase) for phase in PHASES for victim in VICTIMS)
POSSIBLE = tuple(cell for cell in CELLS if not cell.impossible)
