"""What a spawner is asked for: names that a person sent become the launch that it starts, or a refusal in words.

Promises: nothing that was posted is started as it came; it is chosen here again from names, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from traitlets import HasTraits, default

from ..errors import NotebooksError
from ..profiles.choosing import Launch
from . import asking, form, opening
from .refusing import Refused

if TYPE_CHECKING:
    from jupyterhub.spawner import Spawner
else:
    Spawner = HasTraits  # the Hub takes only what can start and stop for a spawner


class Choosing(Spawner):
    """The Hub's options form, its API's body and its query, all by one way. Stands in front of a spawner."""

    _launch: Launch | None = None
    _asked: Mapping[str, Any] = {}

    @default("options_form")
    def _default_options_form(self) -> Callable[..., Any]:
        return asking.cards_form

    @default("options_from_form")
    def _default_options_from_form(self) -> Callable[..., Any]:
        return form.options_of_fields

    def options_from_query(self, query_data: Mapping[str, Any]) -> dict[str, str]:
        return form.options_of_fields(query_data)

    @default("apply_user_options")
    def _default_apply_user_options(self) -> Callable[..., Any]:
        return Choosing.choose

    async def _run_apply_user_options(self, user_options: Mapping[str, Any]) -> None:
        """As the Hub's own, but a refusal is no exception in the Hub's log."""
        hook = self.apply_user_options
        if not callable(hook):
            await super()._run_apply_user_options(user_options)
            return
        try:
            done = hook(self, user_options)
            if isawaitable(done):
                await done
        except NotebooksError as error:
            raise Refused(error) from None

    async def choose(self, user_options: Mapping[str, Any]) -> None:
        """``apply_user_options``: what will be started, or ``Refused`` with the reason; nothing is written."""
        asked = dict(user_options)
        # The Hub keeps what was posted, also when it is refused. What a notebook starts with is our row's to say.
        self.orm_spawner.user_options = {}
        self.user.db.commit()
        try:
            self._launch = await asking.chosen(self, asked)
        except NotebooksError as error:
            raise Refused(error) from None
        self._asked = asked
        self.user_options = {"profile": self._launch.profile, **opening.remembered(asked)}

    @property
    def group_names(self) -> list[str]:
        """The Hub's groups of the owner."""
        return [group.name for group in self.user.groups]
