"""The base of every handler: who asks, which headers answer, and how an error reads.

Promises: nobody is served before the Hub has said who they are; an error is HTML for a page and the body of
``errors.as_json`` for a request, never a traceback; every answer carries the security headers; a redirect
leads only to a path on this host below the Hub's base URL.
"""

from __future__ import annotations

import json
import logging
import shlex
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuthenticated, UserNotAllowed
from tornado.web import HTTPError, RequestHandler

from jupyterhub_notebooks import messages
from jupyterhub_notebooks.errors import BadInput, Denied, HubAway, NotebooksError, NotFound

from .context import Context
from .people import People, Person
from .rendering import Pages

log = logging.getLogger(__name__)


class Unexpected(NotebooksError):
    """A bug of ours, as a person reads it; its details are in the log."""

    reason = "unexpected"


class WrongMethod(BadInput):
    """The address is there, and is asked in another way."""

    http_status = 405


class LogInAgain(Denied):
    """The login ended, or the page is too old to act for it."""

    reason = "log_in_again"
    http_status = 403


def safe_path(base_url: str, wanted: str, otherwise: str) -> str:
    """wanted if it is a path on this host below base_url, else otherwise."""
    parts = urlsplit(wanted)
    plain = not parts.scheme and not parts.netloc and wanted.startswith(base_url)
    clean = all(33 <= ord(letter) < 127 for letter in wanted) and "\\" not in wanted
    steps = "/../" not in parts.path + "/" and "//" not in parts.path
    return wanted if plain and clean and steps else otherwise


class Handler(HubOAuthenticated, RequestHandler):
    """A handler for a person. ``person`` is set before get or post runs."""

    context: Context
    person: Person
    asks_json = False

    def initialize(self, context: Context, people: People, pages: Pages) -> None:
        self.context, self.people, self.pages = context, people, pages

    def set_default_headers(self) -> None:
        host = self.settings.get("hub_host", "")
        own = f"'self' {host}" if host else "'self'"
        self.set_header(
            "Content-Security-Policy", f"default-src {own}; frame-ancestors 'none'; object-src 'none'"
        )
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    async def prepare(self) -> None:
        """Asks the Hub who this is; without an answer a page leads to the login and a request says so."""
        try:
            model = await self.hub_auth.get_user(self, sync=False)
        except HTTPError as error:
            raise HubAway(
                "The Hub does not answer", str(error.log_message or ""), ["Try again in a moment"]
            ) from None
        if model is None:
            self._send_to_login()
            return
        try:
            self.check_hub_user(model)
        except UserNotAllowed:
            raise Denied(
                "You may not use notebooks on this Hub",
                "Your login is fine; it only lacks this right",
                [f"Ask {self.context.settings.contact}"],
            ) from None
        self._hub_auth_user_cache = model
        self.hub_auth._persist_url_token_if_set(self)
        credential = self.hub_auth.get_token(self) or ""
        self.person = await self.people.person(model, credential)

    def _send_to_login(self) -> None:
        if self.request.method in ("GET", "HEAD") and self.is_page:
            self.redirect(self.get_login_url())
            return
        raise LogInAgain(messages.title("log in again"), messages.why("log in again"))

    @property
    def is_page(self) -> bool:
        """Whether a browser goes here to show it, rather than a script asking."""
        mode = self.request.headers.get("Sec-Fetch-Mode", "navigate")
        token = self.request.headers.get("Authorization")
        return not self.asks_json and mode == "navigate" and not token and not self.wants_json

    @property
    def wants_json(self) -> bool:
        return self.asks_json or "application/json" in self.request.headers.get("Accept", "")

    def compute_etag(self) -> None:
        return None

    def page(self, template: str, **values: Any) -> None:
        """Writes a page."""
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.write(self.pages.page(template, self.shared_values(), values))

    def shared_values(self) -> dict[str, Any]:
        """What every page has."""
        person = getattr(self, "person", None)
        return {
            "person": person,
            "xsrf": self.xsrf_token.decode() if person is not None else "",
            "now": self.context.now(),
        }

    def write_json(self, value: Any, status: int = 200) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        text = json.dumps(value, ensure_ascii=False)
        self.write(text if text.isascii() else _as_utf8(text, value))

    def body(self) -> dict[str, Any]:
        """The JSON object that was sent; empty without one. Raises BadInput."""
        if not self.request.body:
            return {}
        try:
            raw = json.loads(self.request.body)
        except (ValueError, RecursionError):
            raise BadInput(
                "The body is not JSON", next=["Send an object, such as {}"], field="body"
            ) from None
        if not isinstance(raw, dict):
            raise BadInput("The body must be an object", field="body")
        return raw

    def path_arguments(self, name: str) -> list[str]:
        """Paths in the address, whose bytes need be no text; those then are lone surrogates."""
        given = self.request.query_arguments.get(name, [])
        return [raw.decode("utf-8", "surrogateescape") for raw in given]

    def path_argument(self, name: str) -> str:
        """The last of them, '' without one."""
        return (self.path_arguments(name) or [""])[-1]

    def not_that_way(self) -> WrongMethod:
        """What is told of a method that an address does not take."""
        return WrongMethod(
            "This address cannot be asked that way", f"{self.request.method} is not one of its methods"
        )

    def curl(self, path: str, body: dict[str, str] | None = None) -> str:
        """The command that asks the same of the REST API."""
        host = f"{self.request.protocol}://{self.request.host}"
        words = ["curl", "-H", '"Authorization: Bearer $TOKEN"']
        if body is not None:
            words += ["-d", shlex.quote(json.dumps(body, ensure_ascii=False))]
        return " ".join([*words, shlex.quote(f"{host}{self.context.prefix}api/v1/{path}")])

    def back(self, otherwise: str) -> None:
        """Redirects to the form's ``next``, or otherwise."""
        self.redirect(safe_path(self.context.base_url, self.get_argument("next", ""), otherwise), status=303)

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        if isinstance(value, NotebooksError):
            log.info("%s %s: %s", self.request.method, self.request.path, value.sentence())
            return
        if isinstance(value, HTTPError) and value.status_code < 500:
            log.info("%s %s: %s", self.request.method, self.request.path, value)
            return
        log.error("%s %s", self.request.method, self.request.path, exc_info=(kind, value, trace))

    def write_error(self, status_code: int, **more: Any) -> None:
        error = _told(status_code, more.get("exc_info", (None, None, None))[1])
        self.set_status(status_code if isinstance(error, Unexpected) else error.http_status)
        if self.is_page:
            self.page("error.html", error=error)
        else:
            self.write_json(error.as_json(), self.get_status())
        self.finish()


def _as_utf8(text: str, value: Any) -> bytes:
    """What holds a name that is no text is written with its escapes."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def _told(status: int, error: BaseException | None) -> NotebooksError:
    if isinstance(error, NotebooksError):
        return error
    if status == 404:
        return NotFound("There is no such page", "Its address may be misspelt")
    if status == 405:
        return WrongMethod("This address cannot be asked that way", "The method is not one of its own")
    if status < 500:
        said = error.log_message if isinstance(error, HTTPError) else ""
        return BadInput("This request cannot be answered", str(said or ""))
    return Unexpected(
        "Something unexpected happened",
        "It is in the log of the service; nothing was changed in your workspace",
        ["Try again", "If it happens again, tell the administrators what you did"],
    )


class JsonHandler(Handler):
    """A handler of the REST API: every answer is JSON, no redirect to a login."""

    asks_json = True
