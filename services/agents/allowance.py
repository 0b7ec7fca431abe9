"""How much a session may have signed: bytes not committed yet, and URLs a minute. In memory, per workspace."""

from __future__ import annotations

from collections.abc import Iterable

from jupyterhub_notebooks.units import show_size

from .refusals import TooMuch

URLS_A_MINUTE = 60_000
EXTRA_BYTES = 10 * 10**9


class Allowance:
    """What was signed since the last commit. A block asked for again counts once."""

    def __init__(self) -> None:
        self._signed: dict[str, dict[str, int]] = {}
        self._bytes: dict[str, int] = {}
        self._minutes: dict[str, tuple[float, int]] = {}

    def take(
        self, workspace: str, urls: int, puts: Iterable[tuple[str, int]], limit_bytes: int, now: float
    ) -> None:
        """Counts what is about to be signed. Raises TooMuch and counts nothing. now: monotonic seconds.

        puts: hash and length of each.
        """
        began, count = self._minutes.get(workspace, (now, 0))
        if now - began >= 60:
            began, count = now, 0
        if count + urls > URLS_A_MINUTE:
            raise TooMuch(
                "This notebook asks for too many objects at once",
                f"More than {URLS_A_MINUTE:,} addresses in a minute are not given to one notebook.",
                ["Wait a minute; the save goes on by itself"],
                label="rate",
            )
        signed = self._signed.get(workspace, {})
        new = {hash: length for hash, length in puts if hash not in signed}
        most = 2 * limit_bytes + EXTRA_BYTES
        total = self._bytes.get(workspace, 0) + sum(new.values())
        if total > most:
            raise TooMuch(
                "This notebook sends more than it may save",
                f"{show_size(total)} were sent or announced without a finished save; {show_size(most)} is the most.",
                ["Delete files that are not needed", "Keep what must not be saved in /tmp"],
                label="workspace_limit",
            )
        self._minutes[workspace] = (began, count + urls)
        if new:
            self._signed.setdefault(workspace, {}).update(new)
            self._bytes[workspace] = total

    def committed(self, workspace: str) -> None:
        """What was signed is used now."""
        self._signed.pop(workspace, None)
        self._bytes.pop(workspace, None)
