"""The algorithm stands in front of any other spawner: traits, state and steps of both are there."""

from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets.config import Config

from jupyterhub_notebooks.spawners.base import NotebookSpawner


class Mixed(NotebookSpawner, SimpleLocalProcessSpawner):
    """A backend that hands its steps to the spawner behind."""

    async def backend_start(self, session):
        return await SimpleLocalProcessSpawner.start(self)

    async def backend_poll(self):
        return await SimpleLocalProcessSpawner.poll(self)


def test_state_of_both_is_kept_and_found_again():
    state = {"pid": 4711, "notebook_session": {"id": "s1", "ready": True, "options": {"profile": "p"}}}
    spawner = Mixed()
    spawner.load_state(state)
    assert spawner.pid == 4711 and spawner.user_options == {"profile": "p"}
    assert spawner.get_state() == state
    spawner._stop_pending = True
    spawner.clear_state()  # some spawners clear it while they stop: our part is still needed then
    assert spawner.get_state() == {"notebook_session": state["notebook_session"]}
    spawner._stop_pending = False
    spawner.clear_state()
    assert spawner.get_state() == {}


def test_settings_of_every_class_reach_it():
    config = Config()
    config.NotebookSpawner.settings_json = "{}"
    config.SimpleLocalProcessSpawner.home_dir_template = "/somewhere/{username}"
    config.Spawner.http_timeout = 7
    spawner = Mixed(config=config)
    assert (spawner.settings_json, spawner.http_timeout) == ("{}", 7)
    assert spawner.home_dir_template == "/somewhere/{username}" and spawner.start_timeout == 6 * 3600


async def test_the_one_start_and_the_one_stop_are_ours():
    assert Mixed.start is NotebookSpawner.start and Mixed.stop is NotebookSpawner.stop
    assert await Mixed().poll() == 0
    await Mixed().stop()
