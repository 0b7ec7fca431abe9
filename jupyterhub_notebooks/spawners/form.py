"""What is posted from the Hub's own form, and what stands there instead of the cards.

The cards themselves are those of our pages (profiles.form).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import NotebooksError
from ..profiles.form import options_of
from .refusing import html_of

FIELDS = ("profile", "flavor", "editor")


def options_of_fields(fields: Mapping[str, Any]) -> dict[str, str]:
    """The options in what was posted or stood in an address; any other field is left out."""
    texts = {
        name: [values] if isinstance(values, str) else [one for one in values if isinstance(one, str)]
        for name, values in fields.items()
    }
    options = options_of(texts)
    return {name: options[name] for name in FIELDS if name in options}


def problem_html(error: NotebooksError) -> str:
    """The form where there is nothing to choose from."""
    return f'<div class="alert alert-danger" role="alert">{html_of(error)}</div>'
