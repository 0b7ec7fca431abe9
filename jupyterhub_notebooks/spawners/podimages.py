"""An image that does not come, in words: what the registry answered, and whether asking again can help. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .. import messages
from .podwords import FAILS, PULL, SHORT, WAITS, Told, short

Evidence = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Words:
    """said: a pattern of the answer, small letters; the first that fits is told. {image}, {said}, {contact} are values."""

    said: str
    cause: str
    title: str
    why: str
    next: tuple[str, ...]
    what: str = FAILS
    patience: str = ""


_MISSING = messages.MESSAGES["image missing"]
_UNFETCHED = "The image {image} could not be fetched"
_OTHER = "Choose another profile"

_TOLD = (
    _Words(
        r"429|too many requests|toomanyrequests|rate limit",
        "image_limited",
        "The registry of {image} limits downloads",
        "It answers again in a while, and is asked again by itself",
        ("Start it again in a while", "Ask {contact}"),
        WAITS,
        PULL,
    ),
    _Words(
        r"401|unauthorized|no basic auth|authentication required|authorization failed|insufficient_scope|access denied"
        r"|may require authorization",
        "image_login",
        _UNFETCHED,
        "Its registry wants a login that this Hub has not, or that has ended",
        (_OTHER, "Ask {contact} to add a login for the registry"),
    ),
    _Words(
        r"403|forbidden|denied",
        "image_denied",
        _UNFETCHED,
        "Its registry does not give it to this Hub",
        (_OTHER, "Ask {contact} to let this Hub have it"),
    ),
    _Words(
        r"not found|manifest unknown|name unknown|does not exist",
        "image_missing",
        _MISSING.title,
        _MISSING.why,
        (_OTHER, "Ask {contact}"),
    ),
    _Words(
        r"no match for platform|exec format",
        "image_missing",
        "The image {image} is not for these machines",
        "It was made for another kind of processor",
        (_OTHER, "Ask {contact}"),
    ),
    _Words(
        r"no space left",
        "machine_full",
        "The machine has no space for the image {image}",
        "Its disk is full",
        ("Start it again", "Ask {contact}"),
        WAITS,
        SHORT,
    ),
    _Words(
        r"dial tcp|no such host|i/o timeout|connection refused|tls handshake|x509|deadline exceeded|eof|reset by peer"
        r"|server gave http|unavailable|5\d\d ",
        "registry_away",
        _UNFETCHED,
        "Its registry cannot be reached: {said}",
        ("Start it again in a moment", "Ask {contact}"),
        WAITS,
        SHORT,
    ),
    _Words(
        "", "registry_away", _UNFETCHED, "The registry answered “{said}”", ("Start it again", "Ask {contact}"), WAITS, SHORT
    ),
)  # fmt: skip


def told(said: str, image: str, contact: str, evidence: Evidence) -> Told:
    """A pull that did not work. said: the machine's message."""
    answer = _answer(said)
    words = next(one for one in _TOLD if re.search(one.said, answer.lower()))
    filled = {"image": image, "said": answer, "contact": contact}
    steps = tuple(step.format(**filled) for step in words.next)
    return Told(
        words.what, "pulling", words.cause, words.title.format(**filled), words.why.format(**filled), steps,
        evidence, words.patience, image,
    )  # fmt: skip


def refused(reason: str, said: str, image: str, contact: str, evidence: Evidence) -> Told:
    """An image that was not even asked for."""
    if reason == "InvalidImageName":
        title, why = "The profile names no image", f"`{image}` is not the name of an image"
        cause = "image_name"
    elif reason == "ErrImageNeverPull":
        title, why = f"The image {image} is not on the machine", "The profile says that it is never fetched"
        cause = "image_missing"
    else:
        title, why = f"The image {image} cannot be used", f"The machine answered: {short(said)}"
        cause = "image_missing"
    steps = (_OTHER, f"Ask {contact} to put the profile right")
    return Told(FAILS, "pulling", cause, title, why, steps, evidence, subject=image)


def _answer(said: str) -> str:
    """What the registry said, without the layers above it and the image's own name."""
    inner = re.sub(r"^Back-off pulling image \"[^\"]*\"(: ErrImagePull: ?)?", "", said)
    inner = re.sub(r"^rpc error: code = \w+ desc = ", "", inner)
    inner = re.sub(r"failed to (pull and unpack|pull|resolve) (image|reference) \"[^\"]*\": ?", "", inner)
    inner = re.sub(
        r"failed to resolve image: |failed to do request: |unexpected status (code|from \w+ request to) ",
        "",
        inner,
    )
    inner = re.sub(r"https?://\S+/v2/\S*:? ?", "", inner)
    inner = re.sub(r"^[\w.:/-]+[:@][\w.-]+: ", "", inner)
    return short(inner, 160) or short(said, 160)
