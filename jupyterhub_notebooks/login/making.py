"""Making and changing passwords: the one moment in which a password can be read."""

from __future__ import annotations

from datetime import UTC, datetime

from ..ledger import Ledger, passwords
from .hashing import generate, hash_password


def set_new(ledger: Ledger, name: str, *, admin: bool, password: str | None = None) -> str:
    """Gives this user a new password, generated unless one is given, and answers it."""
    chosen = password or generate()
    passwords.set_password(ledger, name, hash_password(chosen), datetime.now(UTC), admin=admin)
    return chosen
