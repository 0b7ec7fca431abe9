"""The Hub's own form: the profile cards, for those who start from the Hub's address instead of our pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ..errors import NotebooksError
from ..profiles.cards import Card
from ..profiles.form import options_of, sections
from ..profiles.words import EDITOR_NAMES
from .refusing import html_of

FIELDS = ("profile", "flavor", "editor")


def options_of_fields(fields: Mapping[str, Any]) -> dict[str, str]:
    """The options in what was posted or stood in an address; any other field is left out."""
    texts = {
        name: [values] if isinstance(values, str) else [one for one in values if isinstance(one, str)]
        for name, values in fields.items()
    }
    options = options_of(texts)
    own = texts.get(f"editor-{options.get('profile', '')}")
    if own and own[-1] and "editor" not in options:
        options["editor"] = own[-1]
    return {name: options[name] for name in FIELDS if name in options}


def cards_html(cards: Sequence[Card], chosen: str = "") -> str:
    """Radios in cards, one of them checked; those that cannot be started are there with the reason."""
    able = [card.name for card in cards if card.denied is None]
    checked = chosen if chosen in able else (able[0] if able else "")
    parts = ['<div class="nb-cards">']
    for heading, members in sections(cards):
        parts.append(f'<fieldset class="nb-cards-group mb-3"><legend class="fs-6">{escape(heading)}</legend>')
        parts += [_card(card, card.name == checked) for card in members]
        parts.append("</fieldset>")
    parts.append("</div>")
    return "\n".join(parts)


def problem_html(error: NotebooksError) -> str:
    """The form where there is nothing to choose from."""
    return f'<div class="alert alert-danger" role="alert">{html_of(error)}</div>'


def _card(card: Card, checked: bool) -> str:
    state = "disabled" if card.denied else "checked" if checked else ""
    lines = [
        f'<label class="nb-card d-block border rounded p-2 mb-2{" nb-card-denied text-muted" if card.denied else ""}">',
        f'<input type="radio" name="profile" value="{escape(card.name)}" {state} required>',
        f"<strong>{escape(card.title)}</strong> <code>{escape(card.name)}</code>",
        f'<span class="d-block">{escape(card.use)}</span>',
        f'<span class="d-block">{escape(card.flavor.limits)} · {escape(card.flavor.price)}</span>',
        f'<span class="d-block small">{escape(card.clock)}</span>',
    ]
    lines += [f'<span class="d-block small">{escape(line)}</span>' for line in card.exceptions]
    if card.deprecated:
        lines.append(f'<span class="d-block small">{escape(card.deprecated)}</span>')
    if card.denied is not None:
        lines.append(f'<span class="d-block small">{escape(card.denied.sentence())}</span>')
    else:
        able = [choice for choice in card.flavors if not choice.denied]
        flavors = [(choice.name, f"{choice.name}: {choice.limits}, {choice.price}") for choice in able]
        editors = [(name, EDITOR_NAMES.get(name, name)) for name in card.editors]
        lines.append(_select(f"flavor-{card.name}", "Flavor", flavors))
        lines.append(_select(f"editor-{card.name}", "Editor", editors))
    return "\n".join([*(line for line in lines if line), "</label>"])


def _select(name: str, words: str, choices: Sequence[tuple[str, str]]) -> str:
    if len(choices) < 2:
        return ""
    options = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in choices)
    return f'<span class="d-block small">{words} <select name="{escape(name)}">{options}</select></span>'
