"""A repository that a notebook was made with: cloned at its first start, updated at later ones.

Promises: nothing of its user's is overwritten or removed: where the changes of both meet, the folder stays as it is, and
that is said; no question waits for an answer; trouble is a sentence and never stops a start.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from ..names import repository_folder as folder_of

SECONDS = 120.0
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:git",
    "GCM_INTERACTIVE": "never",
}


class _Failed(Exception):
    """git's last line."""


def bring(
    url: str,
    files: Path,
    environment: Mapping[str, str],
    say: Callable[[str], None],
    seconds: float = SECONDS,
) -> str | None:
    """The repository's folder as it is at its source now, as far as its user's changes allow. A sentence where it is
    not so, None where all is well."""
    name = folder_of(url)
    place = files / name
    if shutil.which("git", path=environment.get("PATH")) is None:
        return f"The repository was not brought: there is no git here. {url}"
    own = {**environment, **_QUIET}

    def git(*words: str, at: Path = files) -> str:
        try:
            done = subprocess.run(
                ["git", *words],
                cwd=at,
                env=own,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise _Failed(f"it took longer than {seconds:.0f} s") from None
        if done.returncode:
            raise _Failed((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:200])
        return done.stdout.strip()

    try:
        if _there(place):
            return _update(url, place, git, say)
        _clone(url, place, git, say)
    except _Failed as error:
        return f"The repository in {name} is as it was: {error}"
    return None


def _there(place: Path) -> bool:
    return place.exists() and any(place.iterdir())


def _clone(url: str, place: Path, git: Callable[..., str], say: Callable[[str], None]) -> None:
    """Whole or not at all: a clone that was cut off would look like a folder of the user's."""
    aside = place.with_name(f".{place.name}-being-cloned")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        git("clone", "--quiet", "--", url, str(aside))
        if place.exists():
            place.rmdir()
        aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    say(f"The repository {url} was cloned into {place.name}")


def _update(url: str, place: Path, git: Callable[..., str], say: Callable[[str], None]) -> str | None:
    name = place.name
    if not (place / ".git").exists():
        return f"The folder {name} is yours and no repository: it was left as it is"

    def here(*words: str) -> str:
        return git(*words, at=place)

    if here("remote", "get-url", "origin") != url:
        return f"The folder {name} holds another repository: it was left as it is"
    here("fetch", "--quiet", "origin")
    before = here("rev-parse", "HEAD")
    try:
        upstream = here("rev-parse", "--abbrev-ref", "@{upstream}")
    except _Failed:
        return f"The branch in {name} follows none of the repository: it was left as it is"
    try:
        here("-c", "core.hooksPath=/dev/null", "merge", "--quiet", "--ff-only", upstream)
    except _Failed:
        behind = here("rev-list", "--count", f"HEAD..{upstream}")
        return (
            f"The repository in {name} has {behind} newer commit{'' if behind == '1' else 's'} that meet your changes: your"
            " files were left as they are. Commit them and run `git pull` to bring both together"
        )
    after = here("rev-parse", "HEAD")
    say(
        f"The repository in {name} "
        + ("is up to date" if before == after else f"was updated to {after[:10]}")
    )
    return None
