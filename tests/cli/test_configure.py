"""The one call for jupyterhub_config.py, and reading such a file for `up`."""

import json

import pytest
from jupyterhub.app import JupyterHub
from traitlets.config import Config

from jupyterhub_notebooks.cli import read_config
from jupyterhub_notebooks.configure import notebooks
from jupyterhub_notebooks.errors import ConfigError
from jupyterhub_notebooks.settings import ADMIN_SCOPE, HUB_ADMIN_SCOPE, USE_SCOPE, Settings

GIVEN = {
    "ledger": "sqlite:////x/ledger.sqlite",
    "store": "file:///x/store",
    "profiles": "/x/profiles.yaml",
    "agents_url": "http://127.0.0.1:1/services/agents",
    "agents_api_token": "token-of-agents",
    "signing_key": "key",
}


def configured(c=None, **more):
    c = Config() if c is None else c
    notebooks(c, **GIVEN, **more)
    return c


def names(items):
    return [item["name"] for item in items]


def test_the_hub_takes_every_value_that_the_call_sets():
    """A trait that the Hub does not have, or a value that it refuses, fails here."""
    c = configured()
    hub = JupyterHub(config=c)
    for name in c.JupyterHub:
        if name != "spawner_class":
            assert name in hub.traits(config=True)
    assert names(hub.services) == ["notebooks", "agents", "idle-culler", "janitor"]
    roles = {
        "notebook.user",
        "notebook.admin",
        "notebooks-pages",
        "notebooks-idle-culler",
        "notebooks-janitor",
    }
    assert set(names(hub.load_roles)) == roles
    assert hub.cleanup_servers is False
    assert hub.allow_named_servers is True
    assert hub.default_url == "/services/notebooks/"
    assert hub.extra_user_scopes == {f"{USE_SCOPE}!user", "access:services!service=notebooks"}


def test_what_an_administrator_has_put_there_stays():
    c = Config()
    c.JupyterHub.services = [{"name": "theirs"}]
    c.JupyterHub.load_roles.append({"name": "their-role"})
    c.JupyterHub.template_paths = ["/theirs"]
    c.JupyterHub.extra_user_scopes.update({"shares!user"})
    c.JupyterHub.custom_scopes = {"custom:theirs": {"description": "Theirs"}}
    c.JupyterHub.default_url = "/theirs"
    c.Spawner.http_timeout = 7
    configured(c)
    assert names(c.JupyterHub.services) == ["theirs", "notebooks", "agents", "idle-culler", "janitor"]
    assert names(c.JupyterHub.load_roles)[0] == "their-role"
    assert c.JupyterHub.template_paths[0] == "/theirs"
    assert "shares!user" in c.JupyterHub.extra_user_scopes
    assert set(c.JupyterHub.custom_scopes) == {"custom:theirs", USE_SCOPE, ADMIN_SCOPE}
    assert c.JupyterHub.default_url == "/theirs"
    assert c.Spawner.http_timeout == 7
    assert c.Spawner.start_timeout == 6 * 3600


def test_spawner_and_services_get_the_same_settings():
    c = configured(save_interval_seconds=60)
    inside = Settings.from_json(c.NotebookSpawner.settings_json)
    pages = next(service for service in c.JupyterHub.services if service["name"] == "notebooks")
    assert Settings.from_json(pages["environment"]["NOTEBOOKS_SETTINGS"]) == inside
    assert inside.save_interval_seconds == 60
    assert c.PasswordAuthenticator.ledger_url == inside.ledger


def test_agents_are_registered_but_not_managed_by_the_hub():
    agents = next(service for service in configured().JupyterHub.services if service["name"] == "agents")
    assert "command" not in agents
    assert agents["api_token"] == "token-of-agents"


def test_a_secret_of_the_environment_is_nowhere_in_what_the_hub_is_told_and_keeps(monkeypatch):
    monkeypatch.setenv("S3_SECRET", "very secret")
    c = configured(store_options={"secret": "env:S3_SECRET"})
    assert "env:S3_SECRET" in c.JupyterHub.services[0]["environment"]["NOTEBOOKS_SETTINGS"]
    assert "very secret" not in repr(c)


@pytest.mark.parametrize("name", ["secret", "token", "put_secret", "put_token"])
def test_a_secret_that_stands_in_the_configuration_itself_is_refused_and_not_repeated(name):
    with pytest.raises(ConfigError) as refused:
        configured(store_options={name: "very secret"})
    assert refused.value.field == f"store_options.{name}"
    assert "env:NAME" in refused.value.sentence() and "very secret" not in refused.value.sentence()


def test_only_a_group_uses_notebooks_where_that_is_asked():
    c = configured(users="group:science")
    assert "extra_user_scopes" not in c.JupyterHub
    role = next(role for role in c.JupyterHub.load_roles if role["name"] == "notebook.user")
    assert role["groups"] == ["science"]


@pytest.mark.parametrize("hub_admins", [True, False])
def test_administrators_of_the_hub_see_all_notebooks_unless_that_is_off(hub_admins):
    c = configured(hub_admins=hub_admins, admin_groups=["ops"])
    allowed = c.JupyterHub.services[0]["oauth_client_allowed_scopes"]
    assert (HUB_ADMIN_SCOPE in allowed) is hub_admins
    assert {USE_SCOPE, ADMIN_SCOPE} <= set(allowed)
    role = next(role for role in c.JupyterHub.load_roles if role["name"] == "notebook.admin")
    assert role["groups"] == ["ops"]


def test_the_scope_that_marks_an_administrator_of_the_hub_is_theirs_alone():
    from jupyterhub import roles, scopes

    holders = [role["name"] for role in roles.get_default_roles() if HUB_ADMIN_SCOPE in role["scopes"]]
    assert holders == ["admin"]
    assert HUB_ADMIN_SCOPE not in scopes.scope_definitions["self"].get("subscopes", [])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"save_intervall_seconds": 1}, "Did you mean save_interval_seconds"),
        ({"users": "all"}, "Write 'everyone' or 'group:NAME'"),
        ({"trash_days": 3, "lease_seconds": 0}, "lease_seconds: 0 is not a number of seconds above 0"),
        ({"lease_seconds": 20}, "lease_seconds: 20 s end before the next heartbeat .* Write 45 or more"),
        ({"lease_seconds": 120, "heartbeat_seconds": 90}, "reports every 90 s; in between nothing"),
    ],
)
def test_a_wrong_argument_is_told(wrong, said):
    with pytest.raises(ConfigError, match=said):
        configured(**wrong)


def test_a_scope_of_ours_that_means_something_else_is_told():
    c = Config()
    c.JupyterHub.custom_scopes = {USE_SCOPE: {"description": "Other"}}
    with pytest.raises(ConfigError, match="This name is ours"):
        configured(c)


CALL = "from jupyterhub_notebooks.configure import notebooks\nc = get_config()\nnotebooks(c, **{given})\n"


def read(tmp_path, text):
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(text.replace("{given}", json.dumps(GIVEN)))
    return path, read_config.read(path)


def test_a_configuration_is_read_for_its_settings_and_its_login(tmp_path):
    _, found = read(tmp_path, CALL + "c.JupyterHub.authenticator_class = 'notebooks-passwords'\n")
    assert Settings.from_json(found["settings"]).store == GIVEN["store"]
    assert found["own_passwords"] is True
    _, found = read(tmp_path, CALL + "c.JupyterHub.authenticator_class = 'pam'\n")
    assert found["own_passwords"] is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = (\n", "FILE:1: This line is not Python. '(' was never closed."),
        ("import os\nos.environ['NOT_THERE']\n", "FILE:2: A name is not set. There is no 'NOT_THERE'."),
        ("\n\n1 / 0\n", "FILE:3: This line does not work. ZeroDivisionError: division by zero."),
        (
            "c = get_config()\n",
            "FILE: This configuration has no notebooks. It never calls"
            " jupyterhub_notebooks.configure.notebooks. Start from a copy of the one that is shipped.",
        ),
        (
            CALL + "c.JupyterHub.cleanup_servers = True\n",
            "FILE: The Hub would end notebooks without saving them. c.JupyterHub.cleanup_servers is on."
            " Remove that line.",
        ),
        (
            CALL.replace("c, **{given}", "c, **{**{given}, 'store': 'x'}"),
            "FILE:3 store: 'x' is not the address of a store. Write file:///an/absolute/path or"
            " s3://bucket/prefix.",
        ),
    ],
)
def test_a_wrong_configuration_is_told_by_file_line_and_field(tmp_path, text, said):
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert error.value.sentence().replace(str(tmp_path / "jupyterhub_config.py"), "FILE") == said


def test_the_idle_culler_is_the_hubs_unless_nothing_is_enforced_or_it_runs_by_itself():
    assert "idle-culler" in names(configured().JupyterHub.services)
    assert "idle-culler" in names(configured(enforcement="observe").JupyterHub.services)
    for more in ({"enforcement": "off"}, {"manage_culler": False}):
        c = configured(**more)
        assert "idle-culler" not in names(c.JupyterHub.services)
        assert "notebooks-idle-culler" not in names(c.JupyterHub.load_roles)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"data": {}}, "'data' names nobody. Write everyone, group:NAME or user:NAME."),
        ({"user:mara": {"idle": "1h"}}, "There is no such limit"),
        ({"everyone": {"idle_stop": "soon"}}, "'soon' is not a duration"),
        ({"everyone": {"enforcement": "maybe"}}, "Write stop, observe or off"),
    ],
)
def test_a_wrong_limit_is_told(limits, said):
    with pytest.raises(ConfigError) as error:
        configured(limits=limits)
    assert said in error.value.sentence()


def test_the_janitor_is_the_hubs_unless_it_runs_by_itself():
    assert "janitor" in names(configured().JupyterHub.services)
    c = configured(manage_janitor=False)
    assert "janitor" not in names(c.JupyterHub.services)
    assert "notebooks-janitor" not in names(c.JupyterHub.load_roles)
