"""A Hub that is not set up for notebooks ends at its start, with the line to change."""

import pytest

from jupyterhub_notebooks.spawners import checking

CHANGED = """
settings = json.loads(c.NotebookSpawner.settings_json)
settings[{name!r}] = {value!r}.replace("STATE", given["state"])
Path(given["state"], "wrong.yaml").write_text("flavors: 3")
c.NotebookSpawner.settings_json = json.dumps(settings)
"""
WRONG_PROFILES = CHANGED.format(name="profiles", value="STATE/wrong.yaml")
EMPTY_LEDGER = CHANGED.format(name="ledger", value="sqlite:///STATE/empty.sqlite")
SERVICES = [{"name": name} for name in checking.SERVICES]
ROLES = [{"name": name} for name in checking.ROLES]


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (
            "c.JupyterHub.cleanup_servers = True",
            3,
            "c.JupyterHub.cleanup_servers: The Hub would stop every notebook",
        ),
        pytest.param(
            "c.JupyterHub.services = []",
            3,
            "c.JupyterHub.services: notebooks and agents are not there",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "c.JupyterHub.load_roles = []",
            3,
            "Move the line `c.JupyterHub.load_roles = …` above that call",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "c.NotebookSpawner.settings_json = ''",
            3,
            "This Hub has no settings of notebooks",
            marks=pytest.mark.slow,
        ),
        (WRONG_PROFILES, 3, "wrong.yaml"),
        (EMPTY_LEDGER, 12, "Run: jupyterhub-notebooks ledger upgrade"),
    ],
)
def test_a_wrong_hub_says_what_is_wrong_and_ends(own_hub, more, code, words):
    hub = own_hub(
        agents=False,
        wait=False,
        more=more,
    )
    assert hub.processes["hub"].wait(60) == code, hub.log()
    assert words in hub.log()
    assert "Traceback" not in hub.log()


def test_what_is_missing_is_named_list_by_list():
    assert checking.wrong(False, SERVICES, ROLES, checking.SCOPES) is None
    problem = checking.wrong(False, SERVICES[:1], ROLES, checking.SCOPES)
    assert problem.field == "c.JupyterHub.services" and problem.title == "agents is not there"
    assert checking.wrong(False, SERVICES, ROLES[1:], checking.SCOPES).title.startswith("notebook.user is")
    assert checking.wrong(False, SERVICES, ROLES, []).field == "c.JupyterHub.custom_scopes"
