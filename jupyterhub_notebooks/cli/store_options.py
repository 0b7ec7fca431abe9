"""``--store-option NAME=VALUE`` as a person types it, without a secret that others could read."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import BadInput

#: Never typed as they are: everybody on the machine can read a command line.
SECRETS = ("secret", "token", "put_secret", "put_token")


def parsed(options: Iterable[str]) -> dict[str, str]:
    """The options by name. Raises BadInput, which never repeats a value."""
    values = {}
    for option in options:
        name, sign, value = option.partition("=")
        if not sign:
            raise BadInput(f"{name!r} is no option", next=["Write NAME=VALUE"], field="--store-option")
        if name in SECRETS and not value.startswith(("env:", "file:")):
            raise BadInput(
                f"A {name} on the command line can be read by everybody on this machine",
                next=[f"Write {name}=env:NAME or {name}=file:PATH"],
                field="--store-option",
            )
        values[name] = value
    return values
