"""The one call for jupyterhub_config.py: ``notebooks(c, …)``.

Promises: what several processes must agree on is an argument of this call and nothing else; it becomes
one frozen ``Settings``, given to the spawner in-process and to each service as NOTEBOOKS_SETTINGS. The
call appends to services, roles, scopes and template paths and never replaces what an administrator put
there; every other trait that it sets can be set before or after it. It starts nothing and opens nothing.
No secret is given to the Hub for a service: the Hub keeps a service's environment in its database. A variable
that a setting names (``env:NAME``) is taken by the service itself from the Hub's process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .settings import ADMIN_SCOPE, USE_SCOPE, VARIABLE, Settings, secret

__all__ = ["let_up_act", "notebooks", "secret"]

ACCESS = "access:services!service=notebooks"
PAGES = "/services/notebooks/"
TEMPLATES = Path(__file__).with_name("templates")

SCOPES: dict[str, dict[str, Any]] = {
    USE_SCOPE: {"description": "Start, stop and see one's own notebooks."},
    ADMIN_SCOPE: {
        "description": "See and stop everybody's notebooks, and set profiles.",
        "subscopes": [USE_SCOPE],
    },
}

#: What services/notebooks may do at the Hub; the reason for each stands in its README.
PAGES_SCOPES: tuple[str, ...] = ("list:users", "read:users", "read:servers", "servers")

#: What services/idle_culler may do at the Hub; the reason for each stands in its README.
CULLER_SCOPES: tuple[str, ...] = ("delete:servers",)

#: What services/janitor may do at the Hub; the reason for each stands in its README.
JANITOR_SCOPES: tuple[str, ...] = ("list:users", "read:users:name", "read:servers", "servers", "proxy")

START_TIMEOUT_SECONDS = 6 * 3600
HTTP_TIMEOUT_SECONDS = 120


def notebooks(
    c: Any,
    *,
    ledger: str,
    store: str,
    profiles: str | os.PathLike[str],
    agents_url: str,
    agents_api_token: str,
    signing_key: str,
    pages_url: str = "http://127.0.0.1:10202",
    admin_groups: Sequence[str] = (),
    pages_environment: Mapping[str, str] | None = None,
    manage_culler: bool = True,
    manage_janitor: bool = True,
    **more: Any,
) -> Settings:
    """Makes this Hub one with notebooks. Raises ConfigError that names the argument.

    The first six and ``more`` are the fields of ``Settings`` and are explained there (``users``, ``contact``,
    ``save_interval_seconds``, …). pages_url: where the Hub runs services/notebooks. admin_groups: groups of
    the Hub whose members hold the role ``notebook.admin``. pages_environment: more variables for that service.
    manage_culler: the Hub runs services/idle_culler; False where it runs by itself, or ``enforcement`` is off.
    manage_janitor: the Hub runs services/janitor; False where it runs by itself.
    """
    settings = Settings.of(
        {
            "ledger": ledger,
            "store": store,
            "profiles": os.fspath(profiles),
            "agents_url": agents_url.rstrip("/"),
            "agents_api_token": agents_api_token,
            "signing_key": signing_key,
            **more,
        }
    )
    _refuse_plain_secrets(settings)
    hub = c.JupyterHub
    culler = manage_culler and settings.enforcement != "off"
    _extend(hub, "services", _services(settings, pages_url, pages_environment or {}))
    _extend(hub, "load_roles", _roles(settings, admin_groups))
    if culler:
        _extend(hub, "services", [_culler(settings)])
        _extend(hub, "load_roles", [CULLER_ROLE])
    if manage_janitor:
        _extend(hub, "services", [_janitor(settings)])
        _extend(hub, "load_roles", [JANITOR_ROLE])
    _join(hub, "custom_scopes", SCOPES)
    _join(hub, "template_vars", {"notebooks_url": PAGES})
    _extend(hub, "template_paths", [str(TEMPLATES)])
    if settings.users == "everyone":
        _add(hub, "extra_user_scopes", {f"{USE_SCOPE}!user", ACCESS})
    _set(hub, "allow_named_servers", True)
    _set(hub, "default_url", PAGES)
    _set(hub, "cleanup_servers", False)
    _set(hub, "spawner_class", "notebooks-local")
    _set(c.Spawner, "start_timeout", START_TIMEOUT_SECONDS)
    _set(c.Spawner, "http_timeout", HTTP_TIMEOUT_SECONDS)
    c.NotebookSpawner.settings_json = settings.to_json()
    _set(c.PasswordAuthenticator, "ledger_url", settings.ledger)
    return settings


def _services(settings: Settings, pages_url: str, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "name": "notebooks",
            "url": pages_url,
            "command": [
                sys.executable,
                "-m",
                "jupyterhub_notebooks.services.notebooks",
                "--ends-with-parent",
            ],
            "environment": {VARIABLE: settings.to_json(), **environment},
            "oauth_no_confirm": True,
            "oauth_client_allowed_scopes": [USE_SCOPE, *settings.admin_scopes],
            "display": False,
        },
        {
            "name": "agents",
            "url": settings.agents_url,
            "api_token": secret(settings.agents_api_token),
            "display": False,
        },
    ]


CULLER_ROLE: dict[str, Any] = {
    "name": "notebooks-idle-culler",
    "description": "What stops idle and over-long sessions",
    "scopes": list(CULLER_SCOPES),
    "services": ["idle-culler"],
}


def _culler(settings: Settings) -> dict[str, Any]:
    return {
        "name": "idle-culler",
        "command": [
            sys.executable,
            "-m",
            "jupyterhub_notebooks.services.idle_culler",
            "--ends-with-parent",
        ],
        "environment": {VARIABLE: settings.to_json()},
        "display": False,
    }


JANITOR_ROLE: dict[str, Any] = {
    "name": "notebooks-janitor",
    "description": "What makes ledger, Hub and store agree",
    "scopes": list(JANITOR_SCOPES),
    "services": ["janitor"],
}


def _janitor(settings: Settings) -> dict[str, Any]:
    return {
        "name": "janitor",
        "command": [sys.executable, "-m", "jupyterhub_notebooks.services.janitor", "--ends-with-parent"],
        "environment": {VARIABLE: settings.to_json(), **_engine()},
        "display": False,
    }


UP_ROLE: dict[str, Any] = {
    "name": "notebooks-up",
    "description": "What `jupyterhub-notebooks up` and `user remove` may do at the Hub",
    "scopes": ["list:users", "read:servers", "delete:servers", "delete:users"],
    "services": ["up"],
}


def let_up_act(c: Any, token: str) -> None:
    """Lets ``jupyterhub-notebooks up`` stop running notebooks when it ends, and `user remove` remove users. token: of it."""
    c.JupyterHub.services.append({"name": "up", "api_token": token, "display": False})
    c.JupyterHub.load_roles.append(UP_ROLE)


def _engine() -> dict[str, str]:
    """Which Docker engine or cluster this Hub uses; the Hub gives its services no variables but what it is told to."""
    names = (
        *("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
        *("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "NOTEBOOKS_NAMESPACE"),
    )
    return {name: os.environ[name] for name in names if name in os.environ}


def _refuse_plain_secrets(settings: Settings) -> None:
    """Settings are written into the Hub's database and into files: a secret stands there by its name only."""
    for name in ("secret", "token", "put_secret", "put_token"):
        value = settings.store_options.get(name, "")
        if value and not value.startswith(("env:", "file:")):
            raise ConfigError(
                "A secret cannot stand in the configuration itself",
                "The Hub keeps the settings of its services in its database.",
                [f'Write "{name}": "env:NAME" or "{name}": "file:/path"'],
                field=f"store_options.{name}",
            )


def _roles(settings: Settings, admin_groups: Sequence[str]) -> list[dict[str, Any]]:
    group = settings.users.removeprefix("group:") if settings.users.startswith("group:") else ""
    return [
        {
            "name": "notebook.user",
            "description": "Uses own notebooks",
            "scopes": [f"{USE_SCOPE}!user", ACCESS],
            "groups": [group] if group else [],
        },
        {
            "name": "notebook.admin",
            "description": "Sees and stops all notebooks",
            "scopes": [ADMIN_SCOPE, ACCESS],
            "groups": list(admin_groups),
        },
        {
            "name": "notebooks-pages",
            "description": "What the pages may do at the Hub",
            "scopes": list(PAGES_SCOPES),
            "services": ["notebooks"],
        },
    ]


def _set(section: Any, name: str, value: Any) -> None:
    """A trait's value, unless the administrator gave one already."""
    if name not in section:
        section[name] = value


def _extend(section: Any, name: str, values: Iterable[Any]) -> None:
    """Adds to a list, whether the administrator set it, appended to it, or left it alone."""
    section[name] = [*_list(section, name), *values]


def _list(section: Any, name: str) -> list[Any]:
    if name not in section:
        return []
    value = section[name]
    if isinstance(value, list | tuple):
        return list(value)
    made: list[Any] = value.get_value([])  # what traitlets keeps for `c.JupyterHub.x.append(…)`
    return made


def _add(section: Any, name: str, values: set[str]) -> None:
    value = section.get(name, set())
    present = set(value) if isinstance(value, set | list | tuple) else value.get_value(set())
    section[name] = present | values


def _join(section: Any, name: str, values: Mapping[str, Any]) -> None:
    value = section.get(name, {})
    present = dict(value) if isinstance(value, Mapping) else value.get_value({})
    for key in values:
        if key in present and present[key] != values[key]:
            raise ConfigError(
                "This name is ours and is set to something else",
                next=["Remove the line that sets it"],
                field=f"c.JupyterHub.{name}[{key!r}]",
            )
    section[name] = {**present, **values}
