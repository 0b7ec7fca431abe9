"""A workspace is worked on by one process at a time, and is free again when that ends, however it ends."""

import signal
import subprocess
import sys
import time

import pytest

from jupyterhub_notebooks.errors import Conflict
from jupyterhub_notebooks.ledger import Ledger
from jupyterhub_notebooks.ledger.locks import Locks

HOLDS = """
import sys
from jupyterhub_notebooks.ledger import Ledger
from jupyterhub_notebooks.ledger.locks import Locks
locks = Locks(Ledger(sys.argv[1]))
print(locks.take("one"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def two(ledger):
    """Two processes' locks."""
    pair = Locks(ledger), Locks(ledger)
    yield pair
    for one in pair:
        one.close()


def test_one_of_two_has_a_workspace_and_the_other_gets_it_afterwards(two):
    first, second = two
    assert first.take("one")
    assert not second.take("one")
    assert second.take("other")
    first.still("one")
    with pytest.raises(Conflict):
        second.still("one")
    first.give("one")
    first.give("one")
    with pytest.raises(Conflict):
        first.still("one")
    assert second.take("one")
    assert not first.take("other")


def test_the_same_process_takes_it_once(two):
    assert two[0].take("one")
    assert not two[0].take("one")


def test_what_was_held_is_free_after_kill_9_and_kept_while_frozen(url, ledger):
    text = url if isinstance(url, str) else str(url)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    mine = Locks(Ledger(text))
    try:
        assert process.stdout.readline() == "True\n"
        process.send_signal(signal.SIGSTOP)
        assert not mine.take("one")
        process.kill()
        process.wait()
        end = time.monotonic() + 10
        while not (taken := mine.take("one")) and time.monotonic() < end:
            time.sleep(0.05)  # PostgreSQL notices the end of a connection a moment later
        assert taken
    finally:
        process.kill()
        process.communicate()
        mine.close()


def test_a_lock_whose_connection_broke_is_lost_and_its_holder_knows(ledger, two):
    if ledger.is_sqlite:
        two[0].take("one")
        two[0].close()
    else:
        two[0].take("one")
        with ledger.connection() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
    with pytest.raises(Conflict):
        two[0].still("one")
    assert two[1].take("one")
