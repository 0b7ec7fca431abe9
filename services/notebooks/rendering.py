"""Templates to HTML: everything escaped, times in a form that the browser can write in its own zone."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from jupyterhub_notebooks import __version__
from jupyterhub_notebooks.client.actions import command_line
from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.enforcement.state import Moment, Sentence, show_moment
from jupyterhub_notebooks.profiles.form import html as cards_html

from .context import Context

HERE = Path(__file__).parent
STATIC = HERE / "static"


class Pages:
    """Renders the templates of this folder."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            base_url=context.base_url,
            hub_url=f"{context.hub_host}{context.base_url}hub/",
            prefix=context.prefix,
            contact=context.settings.contact,
            trash_days=context.settings.trash_days,
            version=__version__,
            static=self.static,
            command_line=command_line,
            cards=lambda made, chosen="": Markup(cards_html(made, chosen)),
        )
        self._environment.filters.update(
            sentence=self._sentence, moment=self._moment, ago=self._ago, at=self._at, stopped=_stopped
        )

    def page(self, template: str, shared: dict[str, Any], values: dict[str, Any]) -> str:
        return self._environment.get_template(template).render({**shared, **values})

    def static(self, name: str) -> str:
        """The address of one of our static files; it changes with its content."""
        return f"{self._context.prefix}static/{name}?v={self._marks.get(name, __version__)}"

    @cached_property
    def _marks(self) -> dict[str, str]:
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            for path in STATIC.iterdir()
            if path.is_file()
        }

    def _sentence(self, sentence: Sentence) -> Markup:
        return Markup("").join(
            self._moment(part) if isinstance(part, Moment) else Markup.escape(part) for part in sentence
        )

    def _moment(self, moment: Moment) -> Markup:
        shown = show_moment(moment, self._context.now(), self._context.zone)
        return Markup('<time datetime="{}" data-nb-time="{}">{}</time>').format(
            to_text(moment.at), moment.form, shown
        )

    def _ago(self, at: datetime | None) -> Markup:
        return self._moment(Moment(at, "ago")) if at is not None else Markup("")

    def _at(self, at: datetime) -> Markup:
        return self._moment(Moment(at))


def _stopped(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?:" else text + "."
