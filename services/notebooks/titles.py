"""Names of notebooks as people type them: tidied, judged, and a free one where one is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyterhub_notebooks.errors import BadInput

from .bodies import TITLE_LENGTH


def checked(title: str, *, most: int = TITLE_LENGTH, field: str = "name") -> str:
    """The name without needless spaces. Raises BadInput."""
    title = " ".join(title.split())
    if len(title) > most:
        raise BadInput(
            f"The name is longer than {most} characters", next=["Choose a shorter one"], field=field
        )
    if any(ord(letter) < 32 or ord(letter) == 127 or 0xD800 <= ord(letter) < 0xE000 for letter in title):
        raise BadInput("The name holds a control character", next=["Write letters"], field=field)
    return title


def free_title(title: str, taken: Mapping[str, Any]) -> str:
    """The title, or the title with the smallest number that is free. taken: by ``casefold``."""
    if title.casefold() not in taken:
        return title
    number = 2
    while f"{title} {number}".casefold() in taken:
        number += 1
    return f"{title} {number}"
