"""The server extension of a notebook: what goes on in it goes to the agent, what the session's clocks say comes back."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "jupyterhub_notebooks.lab"}]


def _load_jupyter_server_extension(server: Any) -> None:
    from .extension import load

    load(server)
