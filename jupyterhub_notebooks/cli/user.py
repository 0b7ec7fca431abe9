"""``user``: people who log in with a password of ours.

Promises: a password is printed once, when it is made; a name is refused in words before anything is
written; removing a user closes their way in at once, at the Hub too.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ..errors import Conflict, HubAway, NotFound, Refusal
from .state import State, write
from .where import default_state, ledger_options, opened

if TYPE_CHECKING:
    from ..ledger import Ledger

SHARED_ACCOUNT = (
    "All users of this machine's notebooks share one account: whoever runs code in a notebook can read the "
    "files of the others."
)


@click.group()
def user() -> None:
    """People who log in with a password."""


@user.command()
@ledger_options
@click.argument("name")
@click.option("--admin", is_flag=True, help="May see and stop everybody's notebooks, and add users.")
def add(url: str | None, state: Path | None, name: str, admin: bool) -> None:
    """Let NAME log in; prints the password, once."""
    from ..ledger import passwords
    from ..login.making import set_new
    from ..login.names import user_name

    name = user_name(name)
    with opened(url, state) as base:
        if passwords.get(base, name) is not None:
            raise Conflict(
                f"{name} can log in already",
                next=[f"For a new password run: jupyterhub-notebooks user password {_quoted(name)}"],
                field="NAME",
            )
        password = set_new(base, name, admin=admin)
        others = len(passwords.every(base))
    click.echo(f"{name} can log in with the password {password}")
    if others == 2:
        click.echo(SHARED_ACCOUNT)


@user.command("list")
@ledger_options
def list_users(url: str | None, state: Path | None) -> None:
    """Who can log in, and since when the password is theirs."""
    from ..ledger import passwords

    with opened(url, state) as base:
        rows = passwords.every(base)
    width = max([len(row.hub_name) for row in rows], default=0)
    for row in rows:
        kind = "administrator" if row.admin else "user"
        click.echo(f"{row.hub_name:<{width}}  {kind:<13}  password of {row.changed_at:%Y-%m-%d}")
    if not rows:
        click.echo("Nobody can log in with a password yet.")


@user.command()
@ledger_options
@click.argument("name")
def password(url: str | None, state: Path | None, name: str) -> None:
    """Give NAME a new password; prints it, once. The old one ends at once."""
    from ..ledger import passwords
    from ..login.making import set_new
    from ..login.names import normal

    name = normal(name)
    with opened(url, state) as base:
        row = passwords.get(base, name) or _nobody(name)
        made = set_new(base, name, admin=row.admin)
    kept = State((state or default_state()).absolute()).admin_password
    if name == "admin" and kept.exists():
        write(kept, made + "\n")
    click.echo(f"{name} can log in with the password {made}")


@user.command()
@ledger_options
@click.argument("name")
def remove(url: str | None, state: Path | None, name: str) -> None:
    """Take NAME's way in. Their notebooks must be stopped; the files are kept."""
    from ..ledger import passwords
    from ..login.names import normal

    name = normal(name)
    folder = State((state or default_state()).absolute())
    with opened(url, state) as base:
        row = passwords.get(base, name) or _nobody(name)
        _keep_one_administrator(base, name, row.admin)
        _remove_from_hub(folder, name)
        passwords.remove(base, name)
    if name == "admin":
        folder.admin_password.unlink(missing_ok=True)
    click.echo(f"{name} cannot log in any more")


def _nobody(name: str) -> NoReturn:
    raise NotFound(f"Nobody logs in as {name}", next=["See: jupyterhub-notebooks user list"], field="NAME")


def _keep_one_administrator(base: Ledger, name: str, admin: bool) -> None:
    from ..ledger import passwords

    if admin and not any(row.admin and row.hub_name != name for row in passwords.every(base)):
        raise Refusal(
            f"{name} is the only administrator",
            next=["Add another one first: jupyterhub-notebooks user add NAME --admin"],
            field="NAME",
        )


def _remove_from_hub(state: State, name: str) -> None:
    """Removes the Hub's user, so that a later one of the same name is a new person."""
    if not state.hub_database.exists():
        return
    try:
        asyncio.run(_ask_hub_to_remove(state, name))
    except NotFound:
        return  # never logged in: the Hub has no such user
    except HubAway as error:
        raise HubAway(
            f"{name} was not removed",
            "The Hub does not answer, and it would still know this user",
            ["Start it with: jupyterhub-notebooks up"],
        ) from error


async def _ask_hub_to_remove(state: State, name: str) -> None:
    from ..hubapi.client import HubApi

    if not state.address.exists():
        raise HubAway("The Hub does not answer", "It was never started to its end")
    token = state.secret("up-token").read_text().strip()
    hub = HubApi(f"{state.address.read_text().strip()}/hub/api", token)
    try:
        if any(not server.stopped for server in (await hub.user(name)).servers.values()):
            raise Refusal(
                f"{name} has running notebooks",
                "They would be ended",
                ["Stop them on the page of all notebooks first"],
                field="NAME",
            )
        await hub.delete_user(name)
    finally:
        hub.close()


def _quoted(name: str) -> str:
    return f"'{name}'" if " " in name else name
