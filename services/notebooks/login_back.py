"""Where the Hub's login leads back to: a login that does not come to its end is told as every other error, with the way on."""

from __future__ import annotations

from typing import Any

from jupyterhub.services.auth import HubOAuthCallbackHandler
from tornado.web import HTTPError

from jupyterhub_notebooks import messages
from jupyterhub_notebooks.errors import Denied, HubAway, NotebooksError

from .context import Context
from .handling import Handler
from .people import People
from .rendering import Pages


class LoginBroken(Denied):
    """The browser came back from the login without the cookie that it left with."""

    reason = "login_broken"


def told(status: int, error: BaseException | None, host: str) -> NotebooksError:
    """What is told of a login that ended with status. host: this Hub, as the browser calls it."""
    if status >= 500:
        return HubAway(
            "The Hub does not answer", "The login could not be finished", ["Try again in a moment"]
        )
    said = str(error.log_message or "") if isinstance(error, HTTPError) else ""
    if said.startswith("Error in oauth"):
        return Denied("The Hub did not log you in", said.removeprefix("Error in oauth: "), ["Log in again"])
    return LoginBroken(
        messages.title("login broken"),
        messages.why("login broken", host=host),
        messages.steps("login broken", host=host),
    )


class LoginBackHandler(HubOAuthCallbackHandler):
    """GET oauth_callback."""

    def initialize(self, context: Context, people: People, pages: Pages) -> None:
        self.context, self.pages = context, pages

    set_default_headers = Handler.set_default_headers

    def write_error(self, status_code: int, **more: Any) -> None:
        error = told(status_code, more.get("exc_info", (None, None, None))[1], self.request.host_name)
        self.set_status(error.http_status)
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        shared = {"person": None, "xsrf": "", "now": self.context.now()}
        self.finish(self.pages.page("error.html", shared, {"error": error}))
