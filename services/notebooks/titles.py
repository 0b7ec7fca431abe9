"""Names of notebooks as people type them: tidied, judged, and a free one where one is taken. The same for what a link
brings: the address of a repository, and a file in it."""

from __future__ import annotations

import re
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


ADDRESS_LENGTH = 300
_REPOSITORY = re.compile(
    r"https?://[\w.-]+(:\d+)?/[^\s?#]+|ssh://([\w.-]+@)?[\w.-]+(:\d+)?/\S+|[\w.-]+@[\w.-]+:[^\s:]+"
)


def checked_repository(url: str) -> str:
    """The address of a repository, '' for none. Raises BadInput; also where a password stands in it."""
    url = url.strip()
    if not url:
        return ""
    if re.match(r"https?://[^/]*@", url):
        raise BadInput(
            "The address of the repository holds a name or password",
            "It would be shown and kept",
            ["Leave out what stands before @"],
            field="repo",
        )
    if len(url) > ADDRESS_LENGTH or not _REPOSITORY.fullmatch(url):
        raise BadInput(
            "This is not the address of a repository",
            next=["Write one such as https://example.org/team/project.git"],
            field="repo",
        )
    return url


def checked_file(path: str) -> str:
    """A file below the workspace or the repository, '' for none. Raises BadInput."""
    path = path.strip().strip("/")
    parts = path.split("/")
    if (
        len(path) > ADDRESS_LENGTH
        or ".." in parts
        or any(ord(letter) < 32 or letter == "\\" for letter in path)
    ):
        raise BadInput(
            "This is not a file of the repository",
            next=["Write its path, such as notebooks/start.ipynb"],
            field="file",
        )
    return path
