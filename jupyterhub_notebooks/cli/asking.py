"""Whom commands ask: the REST API, as a user with a token, or as the administrator on the machine where ``up`` runs.

Promises: a token is taken from the environment or a file, never from the command line; on the Hub's own machine nothing has to
be given, because who reads the state directory is its administrator.
"""

from __future__ import annotations

import http.cookiejar
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..client.rest import Rest
from ..errors import BadInput, Denied, HubAway, NotFound
from .state import State, write
from .where import STATE_VARIABLE, default_state

URL_VARIABLE = "JUPYTERHUB_NOTEBOOKS_URL"
TOKEN_VARIABLE = "JUPYTERHUB_NOTEBOOKS_TOKEN"
ADMIN = "admin"
TOKEN_SECONDS = 3600
SPARE_SECONDS = 120


def hub_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--url``, ``--token-file`` and ``--state`` to a command, given to it as ``hub``."""

    @click.option(
        "--url",
        envvar=URL_VARIABLE,
        metavar="URL",
        help=f"The Hub, such as https://hub.example.org; or {URL_VARIABLE}.",
    )
    @click.option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"File with a token of the Hub's page Token; or {TOKEN_VARIABLE}.",
    )
    @click.option(
        "--state",
        type=click.Path(path_type=Path),
        envvar=STATE_VARIABLE,
        help="State directory of `up` on this machine, to act as its administrator.",
    )
    def wrapped(url: str | None, token_file: Path | None, state: Path | None, **more: Any) -> Any:
        return command(hub=Where(url, token_file, state), **more)

    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    wrapped.__click_params__ = [*getattr(command, "__click_params__", []), *wrapped.__click_params__]  # type: ignore[attr-defined]
    return wrapped


def own_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--url`` and ``--token-file`` to a command that reads the ledger where neither is set; gives it ``own``."""

    @click.option(
        "--url", "hub_url", envvar=URL_VARIABLE, metavar="URL", help=f"Ask this Hub; or {URL_VARIABLE}."
    )
    @click.option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"File with a token of the Hub's page Token; or {TOKEN_VARIABLE}.",
    )
    def wrapped(hub_url: str | None, token_file: Path | None, **more: Any) -> Any:
        where = Where(hub_url, token_file, more.get("state"))
        asks = where.by_token and not more.get("url")
        return command(own=where.rest() if asks else None, **more)

    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    wrapped.__click_params__ = [*getattr(command, "__click_params__", []), *wrapped.__click_params__]  # type: ignore[attr-defined]
    return wrapped


class Where:
    """What was said of where the Hub is; ``rest`` asks it."""

    def __init__(self, url: str | None, token_file: Path | None, state: Path | None) -> None:
        self.url, self.token_file = url, token_file
        self.state = State((state or default_state()).absolute())

    @property
    def by_token(self) -> bool:
        """Whether somebody asks as themselves, rather than as the administrator of this machine."""
        return bool(self.url or self.token_file or os.environ.get(TOKEN_VARIABLE))

    def rest(self, seconds: float | None = None) -> Rest:
        """Raises BadInput, NotFound, Denied, HubAway."""
        more = {"seconds": seconds} if seconds is not None else {}
        if self.by_token:
            return Rest(self._url(), self._token(), **more)
        if not self.state.exists():
            raise BadInput(
                "It is not said which Hub is meant",
                f"Neither {URL_VARIABLE} is set nor does `up` keep its state in {self.state.folder}",
                [f"Set {URL_VARIABLE} and {TOKEN_VARIABLE}; the Hub's page Token makes one"],
            )
        return Rest(self._local_url(), admin_token(self.state, self._local_url()), **more)

    def _url(self) -> str:
        if self.url:
            return self.url
        if self.state.exists():
            return self._local_url()
        raise BadInput(
            "It is not said which Hub is meant", next=[f"Set {URL_VARIABLE}, or give --url"], field="url"
        )

    def _token(self) -> str:
        if self.token_file is not None:
            try:
                return self.token_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise BadInput(
                    f"{self.token_file} cannot be read", error.strerror or str(error), field="token-file"
                ) from None
        found = os.environ.get(TOKEN_VARIABLE, "").strip()
        if not found:
            raise BadInput(
                "There is no token",
                "",
                [f"Set {TOKEN_VARIABLE}; the Hub's page Token makes one"],
                field="token",
            )
        return found

    def _local_url(self) -> str:
        kept = self.state.address
        try:
            return kept.read_text(encoding="utf-8").strip()
        except OSError:
            raise HubAway(
                "`up` does not run here",
                f"{kept} does not say where",
                ["Start it with: jupyterhub-notebooks up"],
            ) from None


def admin_token(state: State, url: str) -> str:
    """A token of this machine's administrator, which ends by itself; kept for the next command. Raises Denied, HubAway."""
    kept = state.secret("command-token")
    try:
        known = json.loads(kept.read_text(encoding="utf-8"))
        if known["url"] == url and known["ends_at"] > time.time() + SPARE_SECONDS:
            return str(known["token"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # there is none yet: one is made
    token = _new_token(state, url)
    write(kept, json.dumps({"url": url, "token": token, "ends_at": time.time() + TOKEN_SECONDS}))
    return token


def _new_token(state: State, url: str) -> str:
    try:
        password = state.admin_password.read_text(encoding="utf-8").strip()
    except OSError:
        raise NotFound(
            "This machine's Hub has no administrator of ours",
            "Its people log in another way",
            [f"Set {TOKEN_VARIABLE}; the Hub's page Token makes one"],
        ) from None
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(jar), urllib.request.ProxyHandler({})
    )

    def xsrf() -> str:
        return next((one.value or "" for one in jar if one.name == "_xsrf" and one.path == "/hub/"), "")

    def ask(path: str, body: bytes | None = None, **headers: str) -> bytes:
        request = urllib.request.Request(url.rstrip("/") + path, body, headers)
        with opener.open(request, timeout=30) as answer:
            read: bytes = answer.read()
            return read

    try:
        ask("/hub/login")
        form = {"username": ADMIN, "password": password, "_xsrf": xsrf()}
        ask(f"/hub/login?next=%2Fhub%2Ftoken&_xsrf={xsrf()}", urllib.parse.urlencode(form).encode())
        asked = {"note": "jupyterhub-notebooks on this machine", "expires_in": TOKEN_SECONDS}
        headers = {"Content-Type": "application/json", "X-XSRFToken": xsrf()}
        made = json.loads(ask(f"/hub/api/users/{ADMIN}/tokens", json.dumps(asked).encode(), **headers))
        return str(made["token"])
    except urllib.error.HTTPError as error:
        raise Denied(
            "The administrator could not log in",
            f"The Hub answered {error.code}; the password in {state.admin_password} may be an old one",
            [f"Set {TOKEN_VARIABLE}; the Hub's page Token makes one"],
        ) from None
    except (OSError, ValueError) as error:
        raise HubAway(
            "The Hub on this machine does not answer", str(error), ["Start it with: jupyterhub-notebooks up"]
        ) from None
