"""Names of people: the form the Hub keeps them in, and which ones cannot be used, in words.

Promises: ``user_name`` answers the same text for every spelling that the Hub takes for one user, and an
accepted name can be part of an address, a cookie and a line of text.
"""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote

from ..errors import BadInput

LONGEST = 200
#: Unicode categories that nobody can see or type: control, format, surrogate, private, unassigned, line ends.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def normal(text: str) -> str:
    """The Hub's form of a name: composed letters, lower case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def user_name(text: str) -> str:
    """The name as the Hub keeps it. Raises BadInput that says what is wrong with it."""
    name = normal(text)
    wrong = _wrong(name)
    if wrong:
        raise BadInput("This user name cannot be used", wrong, ["Choose another one"], field="NAME")
    return name


def _wrong(name: str) -> str:
    if not name.strip():
        return "It is empty"
    if name != name.strip():
        return "It begins or ends with a space"
    if len(name) > LONGEST:
        return f"It has {len(name)} characters, and at most {LONGEST} are possible"
    if "/" in name:
        return "It contains a slash, which separates the parts of an address"
    if set(unquote(name)) == {"."}:
        return "It is made of dots only, which addresses read as a folder"
    if any(unicodedata.category(letter) in _UNSEEN for letter in name):
        return "It contains a character that cannot be seen"
    return ""
