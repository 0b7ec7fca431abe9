"""Help of this Hub's own version: a user guide, an administrator guide, feedback, and what this is.

Promises: states, commands and exit statuses come from the tables that the product runs by; numbers from its settings.
Each page works without a script, and needs no other login than the pages'.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from typing import Any

import jupyterhub

from jupyterhub_notebooks import __version__
from jupyterhub_notebooks.client.actions import ACTIONS, PROGRAM
from jupyterhub_notebooks.enforcement.words import BADGES, Badge
from jupyterhub_notebooks.errors import EXIT_CODES, NotFound
from jupyterhub_notebooks.units import show_duration
from jupyterhub_notebooks.workspace.retention import rule_of, show_rule

from .handling import Handler

#: What each state means for its user: (badge, what it means, what to do).
STATES: tuple[tuple[str, str, str], ...] = (
    ("working", "Something computes, or a cell runs; also a silent one, with the tab closed.", "Nothing. It is not stopped as idle."),
    ("present", "You type or click in it.", "Nothing."),
    ("quiet", "Nothing runs, and nobody types. The idle clock runs.", "Nothing; it is saved before it stops."),
    ("quiet soon", "The idle stop is near.", "Keep working, if you still need it."),
    ("ends soon", "The longest time of a session is nearly over, also for what runs.", "Keep working, as often as the profile allows."),
    ("unknown", "It has not reported lately. It is never stopped as idle in that state.", "Wait; if it stays so, stop it and start it again."),
    ("unsaved", "It runs, and saving does not get on. Files are kept on its volume, and it is tried again.", "Look at the reason in its row."),
    ("STARTING", "A place is made, files are fetched, the editor starts.", "Its page shows each step. You can close it."),
    ("STOPPING", "What changed is saved, then it ends.", "You can close the page."),
    ("STOPPED", "Everything is saved. It costs storage only.", "Start it; everything is as it was."),
    ("not saved", "It ended before everything was saved. The files are kept on its volume.", "Save now, or wait: it happens by itself as soon as storage answers."),
    ("did not start", "The start ended before the editor was ready. Your files were not touched.", "Its page says why and what helps; safe mode, where something in your files is broken."),
    ("ended", "It ended and nobody asked for that, such as out of memory.", "Start it again. Its page says what was saved."),
    ("TRASHED", "Deleted, and kept for some days.", "Put it back, or delete it for good."),
)  # fmt: skip

#: What people complain of, as they say it: (words, what it is, what to do).
COMPLAINTS: tuple[tuple[str, str, str], ...] = (
    ("It does not start", "Its page says at which step it ended, why, and whether your files are safe.", "Try Start again first. Where something in your files may be broken, Start in safe mode stands beside it."),
    ("My kernel died", "Most often it wanted more memory than the profile has. JupyterLab names the cell; files are saved.", "Start the kernel again, load less at once, or change to a profile with more memory: Settings on its page."),
    ("No space left", "Caches, environments and outputs fill the workspace.", "What fills it stands on the notebook's page, with what is safe to delete. Where the disk is full, stop it and start it in safe mode."),
    ("It stopped my work", "Idle stop counts only time in which nothing ran and nobody typed; an open tab counts for nothing. A session's end holds for everything.", "The page says which clock it was and on what evidence. Keep working moves it, before the end."),
    ("A file is gone, or is wrong now", "Every save is a snapshot.", "Open the notebook's page, Snapshots, a snapshot, All files: tick the file, Restore. The present state is saved first."),
    ("An extension or a package is missing", "What you install with pip in the notebook stays in its workspace; another Python version has an environment of its own.", "Install it again in that notebook, or choose the profile that has it."),
    ("It is slow", "More runs than the profile has processors or memory for, or a file has very large outputs.", "JupyterLab shows both below. Stop what you do not need, clear outputs, or change the profile."),
    ("I am asked to log in again and again", "The browser does not keep this site's cookies, or this computer's clock is wrong.", "Allow cookies for this address, set the clock, then log in again."),
)  # fmt: skip

VOLUMES: tuple[tuple[str, str, str, str], ...] = (
    ("Workspace", "/workspace, your home", "Saved in snapshots, and there at every start, on whichever machine.", "Other products: home, PersistentVolumeClaim"),
    ("Snapshot", "in object storage", "One saved state of the workspace. The workspace on a machine is a copy of it.", "Other products: backup, VolumeSnapshot"),
    ("Temporary", "/data, where the profile has it", "Fast; gone when the notebook stops.", "Kubernetes: emptyDir"),
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A state as the guide shows it."""

    badge: Badge
    means: str
    do: str


class HelpHandler(Handler):
    """GET help, help/guide, help/admin, feedback, about. name: which."""

    def initialize(self, name: str, **rooms: Any) -> None:  # type: ignore[override]
        super().initialize(**rooms)
        self.name = name

    async def get(self) -> None:
        if self.name == "admin" and not self.person.is_admin:
            raise NotFound("There is no such page", "The administrator guide is for administrators")
        self.page(f"help_{self.name}.html", **self._values())

    def _values(self) -> dict[str, Any]:
        settings = self.context.settings
        if self.name == "guide":
            return {
                "states": [Shown(BADGES[badge], means, do) for badge, means, do in STATES],
                "complaints": COMPLAINTS,
                "volumes": VOLUMES,
                "commands": commands(),
                "retention": show_rule(rule_of(settings.retention)),
                "interval": show_duration(settings.save_interval_seconds),
            }
        if self.name == "admin":
            return {"statuses": sorted(EXIT_CODES.items()), "settings": settings}
        if self.name == "about":
            return {"versions": versions(), "profiles": len(self.context.catalog.profiles)}
        if self.name == "feedback":
            found = [word.strip(".,;()<>") for word in settings.contact.split() if "@" in word]
            return {"mail": found[0] if found else "", "versions": versions()}
        return {}


def commands() -> list[tuple[str, str]]:
    """Each action's command and what it does."""
    return [(f"{PROGRAM} {one.command}", one.help) for one in ACTIONS.values()]


def versions() -> list[tuple[str, str]]:
    """What runs here."""
    return [
        ("Managed notebooks", __version__),
        ("JupyterHub", jupyterhub.__version__),
        ("Python", platform.python_version()),
        ("System", f"{platform.system()} {platform.machine()}" if sys.platform else ""),
    ]
