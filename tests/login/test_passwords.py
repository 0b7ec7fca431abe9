"""The authenticator: one password a user, against a real ledger."""

from types import SimpleNamespace

import pytest
from tornado.web import HTTPError

from jupyterhub_notebooks.ledger import Ledger, passwords, upgrade
from jupyterhub_notebooks.login.making import set_new
from jupyterhub_notebooks.login.passwords import PasswordAuthenticator
from jupyterhub_notebooks.login.slowing import TooMany


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    upgrade(made)
    yield made
    made.close()


@pytest.fixture
def login(ledger, tmp_path):
    return PasswordAuthenticator(ledger_url=f"sqlite:///{tmp_path / 'ledger.sqlite'}")


async def enter(login, name, password):
    return await login.get_authenticated_user(None, {"username": name, "password": password})


async def test_a_person_logs_in_with_their_own_password_only(login, ledger):
    ann, bob = set_new(ledger, "ann", admin=False), set_new(ledger, "bob", admin=False)
    assert (await enter(login, "ann", ann))["name"] == "ann"
    assert await enter(login, "ann", bob) is None
    assert await enter(login, "bob", ann) is None
    assert await enter(login, "ann", "") is None


async def test_somebody_without_a_password_does_not_log_in(login, ledger):
    assert await enter(login, "nobody", "") is None
    assert await enter(login, "", "") is None


async def test_every_spelling_of_a_name_is_the_same_user(login, ledger):
    password = set_new(ledger, "jos\u00e9 m\u00fcller", admin=False)
    for spelling in ("Jos\u00e9 M\u00fcller", "JOSE\u0301 MU\u0308LLER", " jos\u00e9 m\u00fcller "):
        assert (await enter(login, spelling, password))["name"] == "jos\u00e9 m\u00fcller"


async def test_an_administrator_is_one_and_others_stay_what_the_hub_made_them(login, ledger):
    password = set_new(ledger, "boss", admin=True)
    assert (await enter(login, "boss", password))["admin"] is True
    password = set_new(ledger, "ann", admin=False)
    assert (await enter(login, "ann", password))["admin"] is None


async def test_a_new_password_ends_the_old_one(login, ledger):
    old = set_new(ledger, "ann", admin=False)
    new = set_new(ledger, "ann", admin=False)
    assert await enter(login, "ann", old) is None
    assert await enter(login, "ann", new)


async def test_removing_a_user_at_the_hub_removes_the_password(login, ledger):
    password = set_new(ledger, "ann", admin=False)
    await login.delete_user(SimpleNamespace(name="ann"))
    assert passwords.get(ledger, "ann") is None
    assert await enter(login, "ann", password) is None


@pytest.mark.parametrize("name", ["a/b", ".", "..", "%2e", "x" * 201, "a\x00b", "a\u200bb", ""])
def test_a_name_that_the_command_refuses_is_refused_by_the_hub_too(login, name):
    assert not login.validate_username(name)


@pytest.mark.parametrize("name", ["a@b.org", "josé müller", "名前", "ü" * 200, "a?b#c&d", "<b>", "100%"])
def test_a_name_that_the_command_takes_is_taken_by_the_hub_too(login, name):
    assert login.validate_username(name)


async def test_too_many_logins_of_one_name_at_a_time_are_told_to_wait(login, monkeypatch):
    def full(name):
        raise TooMany(name)

    monkeypatch.setattr(login._slowing, "turn", full)
    with pytest.raises(HTTPError) as error:
        await enter(login, "ann", "x")
    assert error.value.status_code == 429
    assert "Wait half a minute" in error.value.log_message
