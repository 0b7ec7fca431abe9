"""`user add|list|password|remove`: passwords are shown once, names are told in words."""

import re
import sqlite3

import pytest

from jupyterhub_notebooks.cli import main
from jupyterhub_notebooks.cli.state import State
from jupyterhub_notebooks.cli.user import SHARED_ACCOUNT
from jupyterhub_notebooks.ledger import Ledger, passwords, upgrade
from jupyterhub_notebooks.login.hashing import verify
from jupyterhub_notebooks.login.making import set_new


@pytest.fixture
def state(tmp_path, monkeypatch):
    made = State(tmp_path / "state")
    made.prepare_folder()
    made.prepare()
    monkeypatch.setenv("JUPYTERHUB_NOTEBOOKS_STATE", str(made.folder))
    ledger = Ledger(made.ledger)
    upgrade(ledger)
    set_new(ledger, "admin", admin=True)
    ledger.close()
    return made


@pytest.fixture
def run(state, capsys):
    def run(*arguments):
        status = main.run(main.cli, ["user", *arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def hashed(state, name):
    ledger = Ledger(state.ledger)
    try:
        return passwords.get(ledger, name)
    finally:
        ledger.close()


def test_the_printed_password_is_the_one_that_works_and_is_kept_nowhere(run, state):
    status, out, _ = run("add", "Ann")
    assert status == 0
    password = re.match(r"ann can log in with the password (\S+)\n", out)[1]
    assert re.fullmatch(r"([a-z2-9]{5}-){3}[a-z2-9]{5}", password)
    assert verify(password, hashed(state, "ann").hash)
    for path in state.folder.rglob("*"):
        assert not path.is_file() or password.encode() not in path.read_bytes()


def test_the_second_user_is_told_that_all_share_one_account_and_the_third_is_not(run):
    assert SHARED_ACCOUNT in run("add", "ann")[1]
    assert SHARED_ACCOUNT not in run("add", "bob")[1]


def test_one_person_is_not_added_twice_whatever_the_spelling(run):
    run("add", "Jos\u00e9")
    status, _, err = run("add", "jose\u0301".upper())
    assert status == 5
    assert err.startswith("NAME: jos\u00e9 can log in already. For a new password run:")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "It is empty"),
        ("   ", "It is empty"),
        (" ann", "It begins or ends with a space"),
        ("a/b", "It contains a slash, which separates the parts of an address"),
        (".", "It is made of dots only, which addresses read as a folder"),
        ("..", "It is made of dots only, which addresses read as a folder"),
        ("%2e%2e", "It is made of dots only, which addresses read as a folder"),
        ("a" * 201, "It has 201 characters, and at most 200 are possible"),
        ("a\tb", "It contains a character that cannot be seen"),
        ("a\u200bb", "It contains a character that cannot be seen"),
        ("a\u202eb", "It contains a character that cannot be seen"),
        ("a\nb", "It contains a character that cannot be seen"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_in_words(run, name, why):
    assert run("add", name) == (
        2,
        "",
        f"NAME: This user name cannot be used. {why}. Choose another one.\n",
    )


def test_a_new_password_ends_the_old_one_and_keeps_who_is_an_administrator(run, state):
    before = hashed(state, "admin").hash
    status, out, _ = run("password", "ADMIN")
    assert status == 0
    after = hashed(state, "admin")
    assert after.admin and after.hash != before
    assert verify(out.split()[-1], after.hash)


def test_the_file_with_the_first_password_follows_a_change(run, state):
    state.admin_password.write_text("old\n")
    out = run("password", "admin")[1]
    assert state.admin_password.read_text().strip() == out.split()[-1]
    assert state.admin_password.stat().st_mode & 0o777 == 0o600


def test_the_list_says_who_is_an_administrator(run):
    run("add", "ann")
    run("add", "boss", "--admin")
    lines = run("list")[1].splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["admin", "administrator"],
        ["ann", "user"],
        ["boss", "administrator"],
    ]


def test_removing_takes_the_way_in(run, state):
    run("add", "ann")
    assert run("remove", "ann") == (0, "ann cannot log in any more\n", "")
    assert hashed(state, "ann") is None


def test_the_first_administrator_may_go_once_there_is_another(run, state):
    state.admin_password.write_text("old\n")
    run("add", "boss", "--admin")
    assert run("remove", "admin")[0] == 0
    assert not state.admin_password.exists()


def test_somebody_who_is_not_there_is_not_removed(run):
    assert run("remove", "ann") == (
        4,
        "",
        "NAME: Nobody logs in as ann. See: jupyterhub-notebooks user list.\n",
    )


def test_the_only_administrator_stays(run):
    status, _, err = run("remove", "admin")
    assert status == 5
    assert "admin is the only administrator" in err


def test_without_the_hub_nobody_is_removed_whom_it_would_still_know(run, state):
    run("add", "ann")
    state.choose_ports()
    sqlite3.connect(state.hub_database).close()
    state.hub_database.touch()
    status, _, err = run("remove", "ann")
    assert status == 13
    assert err.startswith("ann was not removed. The Hub does not answer, and it would still know this user.")
    assert hashed(state, "ann") is not None
