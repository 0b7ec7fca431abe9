"""The badge of each state: icon (Font Awesome solid, in the Hub's CSS), words and colour."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Badge:
    """colour: ``work`` (blue), ``wait`` (amber), ``err`` (red), ``move`` (outline) or ``rest`` (grey)."""

    words: str
    icon: str
    colour: str


BADGES: dict[str, Badge] = {
    "RUNNING": Badge("Running", "circle", "work"),
    "working": Badge("Running, working", "circle", "work"),
    "present": Badge("Running, in use", "circle-half-stroke", "rest"),
    "quiet": Badge("Running, quiet", "hourglass-half", "rest"),
    "quiet soon": Badge("Running, quiet", "hourglass-half", "wait"),
    "ends soon": Badge("Running, ends soon", "hourglass-half", "wait"),
    "unknown": Badge("Running, not known", "circle-question", "rest"),
    "unsaved": Badge("Running, not saved", "triangle-exclamation", "wait"),
    "STARTING": Badge("Starting", "spinner", "move"),
    "waiting": Badge("Waiting", "hourglass-half", "move"),
    "STOPPING": Badge("Stopping", "spinner", "move"),
    "STOPPED": Badge("Stopped", "stop", "rest"),
    "not saved": Badge("Error: not saved", "triangle-exclamation", "err"),
    "did not start": Badge("Error: did not start", "triangle-exclamation", "err"),
    "ended": Badge("Error: ended", "triangle-exclamation", "err"),
    "TRASHED": Badge("In the trash", "trash", "move"),
    "DELETING": Badge("Deleting", "spinner", "move"),
}
