"""Ids, names and the addresses made from them.

Promises: an id is 26 characters of ``0-9a-v`` and ``w-z`` without ``ilou``, sorts by time, and never
contains anything a user typed. A server name made here is one the Hub accepts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
ID_LENGTH = 26
SHORTEST = 4
_ID = re.compile(rf"[0-7][{ALPHABET}]{{25}}")
# What JupyterHub 6.1 accepts as a named server: slugs.is_valid_safe_slug
_SERVER_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SERVER_NAME_LENGTH = 30


def new_id(now: datetime, random: Callable[[int], bytes]) -> str:
    """A new id: 48 bits of milliseconds since 1970, then 80 bits of ``random`` (such as os.urandom)."""
    milliseconds = int(now.timestamp() * 1000)
    number = (milliseconds << 80) | int.from_bytes(random(10), "big")
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def id_after(id: str, now: datetime, random: Callable[[int], bytes]) -> str:
    """A new id that sorts behind id, also where the clock was set back since that was made."""
    made = new_id(now, random)
    if made > id:
        return made
    number = 0
    for letter in id:
        number = number << 5 | ALPHABET.index(letter)
    later = datetime.fromtimestamp(((number >> 80) + 1) / 1000, tz=now.tzinfo)
    return new_id(later, random)


def is_id(text: str) -> bool:
    """Whether text is a whole id."""
    return _ID.fullmatch(text) is not None


def short(id: str, among: Iterable[str] = ()) -> str:
    """The shortest end of id, at least 4 characters, that no other id of ``among`` ends with."""
    others = [other for other in among if other != id]
    for length in range(SHORTEST, len(id)):
        end = id[-length:]
        if not any(other.endswith(end) for other in others):
            return end
    return id


def is_server_name(text: str) -> bool:
    """Whether the Hub accepts text as the name of a named server ('' is the default one)."""
    return text == "" or (len(text) <= SERVER_NAME_LENGTH and _SERVER_NAME.fullmatch(text) is not None)


def server_name(title: str, taken: Iterable[str] = ()) -> str:
    """The URL part of a notebook called ``title``: a name the Hub accepts and that is not in ``taken``.

    Letters lose their accents, anything else becomes one hyphen; an empty result is ``notebook``.
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    base = re.sub(r"^[^a-z]+", "", base)[:SERVER_NAME_LENGTH].strip("-") or "notebook"
    used = set(taken)
    name, number = base, 2
    while name in used:
        ending = f"-{number}"
        name = base[: SERVER_NAME_LENGTH - len(ending)].rstrip("-") + ending
        number += 1
    return name


def address_part(server: str) -> str:
    """How our addresses write a server name: the default server is ``-``."""
    return server or "-"


def server_of(address_part: str) -> str:
    """The server name that an address means by its last part."""
    return "" if address_part == "-" else address_part


def repository_folder(url: str) -> str:
    """The folder that a repository is cloned into: the last part of its address, in letters that every system takes."""
    last = url.rstrip("/").removesuffix(".git").replace(":", "/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-")[:60] or "repository"
