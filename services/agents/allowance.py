"""How much one session may ask for: requests and URLs a minute, and what is signed and not committed. In memory.

Promises: what is refused costs no reading of its body and no signature; other notebooks are answered
meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable

from jupyterhub_notebooks.units import show_size

from .refusals import TooMuch

#: Several times what an agent needs that restores and saves at once.
REQUESTS_A_MINUTE = 1_200
URLS_A_MINUTE = 60_000
#: A request for URLs counts as at least one for so many bytes of its body, whatever stands in it.
BYTES_OF_A_URL = 300
EXTRA_BYTES = 10 * 10**9
#: Blocks are megabytes, or bundles of small files: of what may be sent, none needs more of them than one for so many bytes.
LEAST_BLOCK_BYTES = 2**18
MINUTE_SECONDS = 60.0


class Minutes:
    """Counts what each asks for within a minute of its own."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[str, tuple[float, int]] = {}
        self._swept = 0.0

    def take(self, who: str, number: int, now: float) -> bool:
        """Counts it; False where that is more than may be, and nothing is counted. now: monotonic seconds."""
        if now - self._swept >= MINUTE_SECONDS:
            self._swept = now
            self._counts = {name: one for name, one in self._counts.items() if now - one[0] < MINUTE_SECONDS}
        began, count = self._counts.get(who, (now, 0))
        if now - began >= MINUTE_SECONDS:
            began, count = now, 0
        if count + number > self._most:
            return False
        self._counts[who] = (began, count + number)
        return True


class Allowance:
    """What was signed since the last commit. A block asked for again counts once."""

    def __init__(self) -> None:
        self._signed: dict[str, dict[str, int]] = {}
        self._bytes: dict[str, int] = {}
        self._requests = Minutes(REQUESTS_A_MINUTE)
        self._urls = Minutes(URLS_A_MINUTE)

    def request(self, session: str, now: float) -> None:
        """Counts a request. Raises TooMuch. now: monotonic seconds."""
        if not self._requests.take(session, 1, now):
            raise TooMuch(
                "This notebook asks too often",
                f"More than {REQUESTS_A_MINUTE:,} requests in a minute are not answered to one notebook.",
                ["Wait a minute"],
                label="rate",
            )

    def body(self, workspace: str, length: int, now: float) -> int:
        """Counts a request for URLs by the bytes of its body, before it is read; as how many. Raises TooMuch."""
        urls = max(1, length // BYTES_OF_A_URL)
        if not self._urls.take(workspace, urls, now):
            raise _too_many()
        return urls

    def take(
        self,
        workspace: str,
        urls: int,
        puts: Iterable[tuple[str, int]],
        limit_bytes: int,
        now: float,
    ) -> None:
        """Counts what is about to be signed, beyond what ``body`` counted. Raises TooMuch. now: monotonic seconds.

        puts: hash and length of each.
        """
        if urls > 0 and not self._urls.take(workspace, urls, now):
            raise _too_many()
        signed = self._signed.get(workspace, {})
        new = {hash: length for hash, length in puts if hash not in signed}
        most = 2 * limit_bytes + EXTRA_BYTES
        total = self._bytes.get(workspace, 0) + sum(new.values())
        if total > most or len(signed) + len(new) > max(100_000, most // LEAST_BLOCK_BYTES):
            raise TooMuch(
                "This notebook sends more than it may save",
                f"{show_size(total)} were sent or announced without a finished save; {show_size(most)} is the most.",
                [
                    "Delete files that are not needed, or move them to /tmp",
                    "Then stop the notebook and start it again, where it is still not saved",
                ],
                label="workspace_limit",
            )
        if new:
            self._signed.setdefault(workspace, {}).update(new)
            self._bytes[workspace] = total

    def committed(self, workspace: str) -> None:
        """What was signed is used now."""
        self._signed.pop(workspace, None)
        self._bytes.pop(workspace, None)


def _too_many() -> TooMuch:
    return TooMuch(
        "This notebook asks for too many objects at once",
        f"More than {URLS_A_MINUTE:,} addresses in a minute are not given to one notebook.",
        ["Wait a minute; the save goes on by itself"],
        label="rate",
    )
