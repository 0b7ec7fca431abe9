"""The profile form between a browser and ``choosing``: what was posted becomes options, cards become sections and chips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from .cards import Card
from .choosing import OPTIONS

#: Fields of the form that are no options of ``choosing``: the pages read them themselves.
OTHER_FIELDS = ("_xsrf", "next", "name", "title", "display_name")
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
