"""Whether a store keeps what saving relies on: thirteen checks, what each means, and what is done about it.

Promises: a store is judged by what it does, never by its name. What passes, what is refused and what is handled another
way stands in one table; the result is kept in notebooks-store.json by who runs the checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ... import __version__
from ...clock import to_text
from ...errors import ConfigError, NoSpace, NotebooksError, StorageAway
from . import signed_checks, store_checks
from .probe import Failed, Probe

#: Looked at again at every start of the service that commits.
AT_EVERY_START = (2, 5, 6)
#: What a directory's first start looks at; its URLs are the service's own.
OF_A_DIRECTORY = (1, 2, 3)

_COMMITS = "Commits go through the ledger's unique row; whoever holds a session can overwrite blocks of its own workspace"
_CONDITIONAL = "Use a store with conditional writes, or set conditional to none: commits then go through the ledger alone"
_OWN = "The service serves a directory's bytes itself and checks the same"


@dataclass(frozen=True)
class Check:
    """One check. means: what it would mean to fail. next: the remedy. handled: what is done where failing is harmless.

    with_none: harmless only where the option conditional is none. directory: whether it applies to one.
    """

    number: int
    title: str
    act: Callable[[Probe], str]
    means: str
    next: str
    handled: str = ""
    with_none: bool = True
    directory: bool = False


CHECKS: tuple[Check, ...] = (
    Check(
        1,
        "What is written is there at once",
        store_checks.round_trip,
        "Saved files could not be found again",
        "Check what the access key may do: get, put, list and delete below the store's prefix",
        directory=True,
    ),
    Check(
        2,
        "An object is created only once",
        store_checks.created_once,
        "Two writers could each believe that they had saved",
        _CONDITIONAL,
        _COMMITS,
        directory=True,
    ),
    Check(
        3,
        "Of many writers one wins",
        store_checks.one_winner,
        "Two writers could each believe that they had saved",
        _CONDITIONAL,
        _COMMITS,
        directory=True,
    ),
    Check(
        4,
        "A signed condition holds",
        signed_checks.condition_signed,
        "Whoever holds a session could change blocks that are written already",
        _CONDITIONAL,
        _COMMITS,
    ),
    Check(
        5,
        "A URL opens one object, for one method, for a while",
        signed_checks.url_for_one,
        "A session could read or remove files of others",
        "Use another store; this one does not check signatures",
    ),
    Check(
        6,
        "Only the bytes that were signed are stored",
        signed_checks.body_as_signed,
        "Blocks could be stored torn or with other bytes than their name says",
        "Use a store that checks x-amz-checksum-sha256",
        "Every block is compared with its name when it is read; a session can damage its own workspace only",
    ),
    Check(
        7,
        "A write that is cut off leaves nothing",
        signed_checks.cut_off,
        "A lost connection could leave half a block under its name",
        "Use another store",
    ),
    Check(
        8,
        "A signed PUT cannot copy",
        signed_checks.no_copy,
        "Whoever holds a session could copy files of others into the own workspace and read them",
        "Set put_key and put_secret to an identity that may do s3:PutObject below the store's prefix and nothing else",
    ),
    Check(
        9,
        "Parts of objects can be read",
        signed_checks.part_of,
        "Reading a part would cost the whole object",
        "",
        "Blocks are read whole",
        with_none=False,
    ),
    Check(
        10,
        "More than a thousand objects are listed and deleted",
        store_checks.many_deleted,
        "Old blocks would stay, or blocks be overlooked",
        "Check what the access key may do; else use another store",
        directory=True,
    ),
    Check(
        11,
        "Big objects arrive whole",
        store_checks.big_ones,
        "Blocks could not be stored",
        "Check what stands between here and the store: limits of body sizes, time-outs",
        directory=True,
    ),
    Check(
        12,
        "Its clock and ours agree",
        signed_checks.clock,
        "Signed URLs would end too early or not be taken",
        "Set the clocks of this machine and of the store by NTP",
    ),
    Check(
        13,
        "Nothing is open to anybody",
        signed_checks.closed_doors,
        "Everybody on the network could read what is saved",
        "Take the public access away from the bucket",
    ),
)


@dataclass(frozen=True)
class Result:
    """outcome: passed, handled (done another way), failed, or not_here (does not apply to this kind of store)."""

    check: Check
    outcome: str
    said: str

    def line(self) -> str:
        """For people: what was seen, and where that is not what must be, what it means and what is done."""
        words = {"passed": "passed", "handled": "handled", "failed": "FAILED", "not_here": "not here"}
        head = f"({self.check.number:>2}) {words[self.outcome]:<8}  {self.check.title}: {self.said}."
        if self.outcome == "handled":
            return f"{head} {self.check.handled}."
        if self.outcome == "failed":
            return f"{head} {self.check.means}. {self.check.next}."
        return head

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"number": self.check.number, "title": self.check.title}
        found |= {"outcome": self.outcome, "said": self.said}
        if self.outcome == "failed":
            found |= {"means": self.check.means, "next": self.check.next}
        if self.outcome == "handled":
            found |= {"done": self.check.handled}
        return found


@dataclass(frozen=True)
class Validation:
    """What was found, of one store at one time."""

    at: datetime
    server: str
    reached: Mapping[str, Any]
    results: tuple[Result, ...]

    @property
    def usable(self) -> bool:
        return all(result.outcome != "failed" for result in self.results)

    def to_keep(self) -> dict[str, Any]:
        """What notebooks-store.json keeps under ``validated``."""
        return {
            "at": to_text(self.at),
            "by": f"jupyterhub-notebooks {__version__}",
            "server": self.server,
            "reached": dict(self.reached),
            "checks": {str(result.check.number): result.outcome for result in self.results},
        }

    def insist(self) -> None:
        """Raises ConfigError that names the first check that failed."""
        for result in self.results:
            if result.outcome == "failed":
                raise ConfigError(
                    f"The store cannot be used: {result.check.title.lower()}, check {result.check.number} of "
                    "`jupyterhub-notebooks store validate`, failed",
                    f"{result.said}. {result.check.means}",
                    [result.check.next],
                    field="store",
                )


def validate(
    url: str,
    options: Mapping[str, str],
    now: Callable[[], datetime],
    only: tuple[int, ...] | None = None,
    tell: Callable[[Result], object] = lambda result: None,
) -> Validation:
    """Runs the checks (only: those numbers). Raises StorageAway, NoSpace, ConfigError where they cannot be run."""
    probe = Probe(url, options, now)
    results = []
    try:
        for check in CHECKS:
            if only is None or check.number in only:
                results.append(_run(check, probe))
                tell(results[-1])
    finally:
        probe.sweep()
    return Validation(now(), probe.server, reached(url, options), tuple(results))


def reached(url: str, options: Mapping[str, str]) -> dict[str, Any]:
    """By which way a store was looked at: where that changes, it is looked at again. Holds no secret."""
    if not url.startswith("s3:"):
        return {}
    from .opening import s3_place

    place = s3_place(url, options)
    return {
        "endpoint": place.endpoint,
        "conditional": place.conditional,
        "put_key": bool(place.options["put_key"]),
    }


def _run(check: Check, probe: Probe) -> Result:
    if probe.place is None and not check.directory:
        return Result(check, "not_here", _OWN)
    if check.number == 4 and not probe.conditional:
        return Result(check, "handled", "The option conditional is none")
    try:
        return Result(check, "passed", check.act(probe))
    except Failed as failed:
        harmless = bool(check.handled) and failed.harmless and not (check.with_none and probe.conditional)
        return Result(check, "handled" if harmless else "failed", failed.said)
    except (NoSpace, StorageAway):
        raise
    except NotebooksError as error:
        return Result(check, "failed", error.sentence().rstrip("."))
