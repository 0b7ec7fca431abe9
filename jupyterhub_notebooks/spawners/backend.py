"""What a backend adds to the one algorithm: what it can do, and a few named steps. Base never asks for its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigError
from ..ledger import Session
from ..profiles.choosing import Abilities, Launch
from ..settings import Settings
from .waiting import Patience


class Backend:
    """The steps. Each may be called again for the same session."""

    abilities = Abilities()

    @classmethod
    def wrong_settings(cls, given: Sequence[Mapping[str, Any]], settings: Settings) -> ConfigError | None:
        """What of a starting Hub's configuration would lose work, or has no effect. given: the parts of it that the class
        reads, the one that holds first."""
        return None

    def volume_of(self, notebook: str) -> str:
        """The name of a notebook's volume: the same at every start that finds the same files.

        notebook: its id; with ``.N`` behind it once it was given an N-th other volume, because one with unsaved files
        was not to be reached. A session's volume is this name, or that of a volume that was left behind.
        """
        raise NotImplementedError

    def translate(self, launch: Launch) -> dict[str, Any]:
        """A launch as traits of this spawner; a dict is added to what the trait has."""
        raise NotImplementedError

    async def backend_start(self, session: Session) -> str | tuple[str, int]:
        """Starts the agent of a session; where its server will answer: a URL, or address and port."""
        raise NotImplementedError

    async def backend_goes_on(self, session: Session) -> str | tuple[str, int] | None:
        """Where the server of a start that the Hub's death cut off will answer, once that is known; raises as
        ``backend_start`` does. None: where the Hub's database says."""
        return None

    async def backend_restored(self, session: Session) -> None:
        """The agent has the workspace ready: what else the session needs may start now. May take as long as that takes."""

    def backend_says_running(self, session: Session) -> bool:
        """Whether only the agent knows when the server answers."""
        return False

    async def backend_poll(self) -> int | None:
        """None while this session's agent runs, else its exit status, 0 where that is not known."""
        raise NotImplementedError

    async def backend_running(self, session: Session) -> bool:
        """Whether the agent of any session runs, also of one that this spawner does not know."""
        raise NotImplementedError

    async def backend_stop(self, session: Session, patience: Patience) -> str:
        """Asks the agent once to end, waits as long as there is patience, then ends it by force.

        Answers '' when it ended by itself, else why it was ended. May be called for one that is gone. Raises where it is
        not known whether it ended.
        """
        raise NotImplementedError

    async def backend_left_over(self, session: Session) -> list[str]:
        """Ends whatever a session left though its agent is gone, and says what that was."""
        raise NotImplementedError

    def backend_keeps_volume(self, session: Session) -> bool:
        """Whether the workspace's volume outlives what a session ran in: what is not saved is lost with it otherwise."""
        return True

    async def backend_death(self, session: Session) -> tuple[str, str]:
        """Why the agent of a session ended without a word, where the backend knows: a cause of ``enforcement.causes`` and
        a sentence, each '' where it does not. Asked before what the session left is cleared away."""
        return "", ""

    async def backend_log(self) -> list[str]:
        """The last lines that the session wrote, as far as the backend keeps them."""
        return []


def agent_flags(session: Session) -> list[str]:
    """The switches that tell an agent which kind of run a session is."""
    if session.kind == "save":
        return ["--only-save"]
    return ["--safe"] if session.launch.get("run") == "safe" else []


def volume_key_of(session: Session, prefix: str) -> str:
    """By what the volume of a session is named, as ``ledger.aside.volume_key`` made it: its notebook's id, and a number
    where it came in the place of one that was left behind. prefix: what this backend puts before it."""
    name = (session.volume or "").removeprefix(prefix)
    notebook, _, number = name.partition(".")
    return name if notebook == session.notebook and (number or "0").isdecimal() else session.notebook
