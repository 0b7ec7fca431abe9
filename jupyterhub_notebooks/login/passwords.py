"""Login of the embedded default: one password per user, made by ``jupyterhub-notebooks user add``.

Promises: a person logs in with their own password only (the Hub's shared password would let anyone be
anyone); whoever has a password may log in, nobody else; the ledger keeps a scrypt hash, never the
password; hashes are computed in threads of their own; guessing is slowed down per name; removing a user
at the Hub removes the password.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from jupyterhub.auth import Authenticator
from tornado import web
from traitlets import Bool, Unicode, default

from .. import ledger as ledgers
from ..errors import BadInput
from . import hashing
from .names import normal, user_name
from .slowing import Slowing, TooMany


class PasswordAuthenticator(Authenticator):
    """One password per user, kept as a hash in the ledger."""

    ledger_url = Unicode(
        help="""The ledger's database, as SQLAlchemy URL or `env:NAME` or `file:PATH`.

        `configure.notebooks` sets it; it is the same database as everything else of ours."""
    ).tag(config=True)

    allow_all = Bool(True, help="Whoever has a password may log in.").tag(config=True)

    @default("any_allow_config")
    def _any_allow_config(self) -> bool:
        return True

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._slowing = Slowing(time.monotonic)
        # scrypt takes 32 MiB and a quarter of a second of one core: two at a time, others wait their turn.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="passwords")
        self._ledger: ledgers.Ledger | None = None

    @property
    def ledger(self) -> ledgers.Ledger:
        """Our database, opened at the first use."""
        if self._ledger is None:
            self._ledger = ledgers.Ledger(self.ledger_url)
        return self._ledger

    def normalize_username(self, username: str) -> str:
        name = normal(username)
        return self.username_map.get(name, name)

    def validate_username(self, username: str) -> bool:
        try:
            user_name(username)
        except BadInput:
            return False
        return bool(super().validate_username(username))

    async def authenticate(self, handler: Any, data: Mapping[str, str]) -> dict[str, Any] | None:
        """The user of this name and password, or None. Answers as slowly for a name that does not exist."""
        name = self.normalize_username(data.get("username", "").strip())
        password = data.get("password", "")
        try:
            async with self._slowing.turn(name) as told:
                found = await self.ledger.run(ledgers.passwords.get, name)
                nobodys = await self._run(hashing.dummy)
                right = await self._run(partial(hashing.verify, password, found.hash if found else nobodys))
                told(right and found is not None)
        except TooMany:
            raise web.HTTPError(
                429, "Several logins of this name are being checked. Wait half a minute, then log in again."
            ) from None
        if found is None or not right:
            return None
        return {"name": name, "admin": True if found.admin else None}

    async def delete_user(self, user: Any) -> None:
        """Called by the Hub when a user is removed: the password goes too."""
        await self.ledger.run(ledgers.passwords.remove, user.name)
        super().delete_user(user)

    async def _run(self, act: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, act)
