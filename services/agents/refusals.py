"""Answers of this service that no other room gives, each with its HTTP status."""

from __future__ import annotations

from jupyterhub_notebooks.errors import Denied, NotebooksError, Refusal, Unchecked


class NoSession(NotebooksError):
    """The token opens nothing: unknown, or of a session that is over."""

    reason = "no_session"
    exit_code = 5
    http_status = 401


class TooOld(NotebooksError):
    """An agent of a version that this service does not speak to any more."""

    reason = "agent_too_old"
    exit_code = 5
    http_status = 426


class TooBig(Unchecked):
    """A body longer than what may be sent there."""

    reason = "too_big"
    http_status = 413


class TooMuch(Refusal):
    """A bound on what one session may ask for, now."""

    http_status = 429


class BadUrl(Denied):
    """A signed URL that was changed, used for something else, or is too old."""

    reason = "bad_url"


class IsThere(NotebooksError):
    """The object exists already; its bytes stay."""

    reason = "is_there"
    exit_code = 5
    http_status = 412


def no_session() -> NoSession:
    return NoSession(
        "This token opens no session",
        "It is unknown, or its session is over.",
        ["Start the notebook again"],
    )
