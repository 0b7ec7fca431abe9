"""The profile form between a browser and ``choosing``: what was posted becomes options, cards become sections and chips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from .cards import Card
from .choosing import OPTIONS

#: Fields of the form that are no options of ``choosing``: the pages read them themselves.
OTHER_FIELDS = ("_xsrf", "next", "name", "title", "display_name")
#: So many cards are shown at first; the filter and a button show the others.
MOST = 9
CHIPS = (("all", "All"), ("cpu", "CPU"), ("gpu", "GPU"), ("network", "No public internet"))


def options_of(form: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The options in a posted form: one value for each name, empty ones left out.

    A flavor is posted as ``flavor-PROFILE`` too, because each card has its own choice; the chosen profile's counts.
    Unknown names are kept, so that ``choose`` can refuse them by name.
    """
    options: dict[str, str] = {}
    for name, values in form.items():
        if name in OTHER_FIELDS or name.startswith("flavor-") or not values:
            continue
        if values[-1] or name not in OPTIONS:
            options[name] = values[-1]
    own = form.get(f"flavor-{options.get('profile', '')}")
    if own and own[-1] and "flavor" not in options:
        options["flavor"] = own[-1]
    return options


def sections(cards: Sequence[Card]) -> list[tuple[str, list[Card]]]:
    """The cards under their headings, in order."""
    return [(heading, list(members)) for heading, members in groupby(cards, key=lambda card: card.group)]


def chips(cards: Sequence[Card]) -> list[tuple[str, str, int]]:
    """(kind, words, how many cards) of each chip that would show some but not all, and All."""
    counted = [
        (kind, words, sum(kind == "all" or kind in card.kinds for card in cards)) for kind, words in CHIPS
    ]
    return [
        (kind, words, number) for kind, words, number in counted if kind == "all" or 0 < number < len(cards)
    ]


def common(cards: Sequence[Card]) -> tuple[str, ...]:
    """What every card that can be started says, where there are several: it is said once, above them."""
    able = [card for card in cards if card.denied is None]
    if len(able) < 2:
        return ()
    return tuple(line for line in able[0].exceptions if all(line in card.exceptions for card in able))


def html(cards: Sequence[Card], chosen: str = "") -> str:
    """The cards as HTML, everything in them escaped: a fieldset of radio buttons named ``profile``.

    chosen: the profile that is ticked; without it the first that can be started. Buttons and the form itself
    are the page's. Its looks and its filter come from notebooks.css and notebooks.js.
    """
    able = [card.name for card in cards if card.denied is None]
    if chosen not in able:
        chosen = able[0] if able else ""
    template = _environment().get_template("cards.html")
    said = common(cards)
    return template.render(
        sections=sections(cards), chips=chips(cards), chosen=chosen, shown=len(cards), common=said, most=MOST
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    made.filters["stopped"] = _stopped
    made.filters["lower_later"] = _lower_later
    return made


def _stopped(text: str) -> str:
    return text if not text or text[-1] in ".!?" else text + "."


def _lower_later(text: str) -> str:
    """``Start with x, or Ask y`` as one sentence: ``Start with x, or ask y``."""
    return text.replace(", or Ask ", ", or ask ").replace(", or Start ", ", or start ")
