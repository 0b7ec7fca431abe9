"""What we put into a workspace: seen to be there at every start, made anew where it is not, and said.

Nothing here stops a start: what the disk refuses becomes a sentence. A user's own file is never replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import NotebooksError
from ..workspace.volume import Volume
from . import kernelspec, venv
from .interpreter import Interpreter


@dataclass(frozen=True)
class Initialized:
    """venv: None where it could not be made. made_anew: empty for a workspace that is new."""

    venv: Path | None
    made_anew: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def initialize(
    volume: Volume,
    workspace_id: str,
    python: Interpreter,
    *,
    known: bool,
    further: Sequence[Interpreter] = (),
) -> Initialized:
    """Marker, virtualenv and kernel of the Python that runs the server, then of each further one. known: the workspace was
    initialized by an earlier session."""
    made_anew: list[str] = []
    warnings: list[str] = []
    environment: Path | None = None
    try:
        if volume.marker() != workspace_id:
            volume.write_marker(workspace_id)
            made_anew.append("The file .workspace.initialized was missing or damaged and was made anew")
    except (OSError, NotebooksError) as error:
        warnings.append(_not_made("The file .workspace.initialized", error))
    pythons = (python, *further)
    for one in pythons:
        first = one is python
        beside = [other.minor for other in pythons if other is not one]
        try:
            made = venv.make(volume.files, one, beside)
        except OSError as error:
            warnings.append(
                _not_made(f"The Python{'' if first else ' ' + one.minor} environment of the workspace", error)
            )
            continue
        environment = made.path if first else environment
        if made.fresh and not made.notes and (first or not known):
            made_anew.append(
                f"The Python environment {made.path.name} was missing and was made anew:"
                " what was installed in it has to be installed again"
            )
        made_anew += made.mended
        warnings += made.notes
        try:
            said = kernelspec.make(volume.files, made.path, one, first=first)
            made_anew += said if first or not made.fresh else ()
        except OSError as error:
            warnings.append(
                _not_made(f"The kernel Python {'3' if first else one.minor} of the workspace", error)
            )
    return Initialized(environment, tuple(made_anew) if known else (), tuple(warnings))


def _not_made(what: str, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{what} could not be made ({why}): the notebook starts without it"
