"""Storage away, slow, full or busy while notebooks run and when they end: what is seen, and that all goes on by itself."""

from __future__ import annotations

import os
import time

import pytest

from tests.hub import until
from tests.outages import Place, place


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Each test uses a user of its own, and leaves the store as it was."""
    with place(tmp_path_factory.mktemp("outage")) as made:
        yield made


@pytest.fixture(autouse=True)
def whole_again(here):
    yield
    here.store.mode = "through"


def met(here: Place, mode: str) -> None:
    assert here.store.met[mode] > 0, f"nothing met the fault {mode}"


def test_storage_away_while_running_and_at_the_end_is_said_and_everything_is_saved_by_itself(here):
    here.start("anna")
    here.saved_after("anna", 0)
    here.store.mode = "away"
    here.file("anna").write_text("made while storage was away")
    said = here.until_said("anna", "Not saved since", "Storage does not answer", "kept on the volume")
    assert "1\u00a0file" in said and "tried again by itself" in said
    told = here.seen("anna")
    assert told["state"] == "RUNNING"
    status, page = here.ask("anna", "")
    assert status == 200 and "Running, not saved" in page and "Storage does not answer" in page
    number = here.head("anna")

    here.store.mode = "through"
    print("saved again after", here.saved_after("anna", number), "s")
    until(lambda: "Not saved" not in here.seen("anna")["sentence"], what="the good news")

    here.store.mode = "away"
    here.file("anna", "late.csv").write_text("made right before the end")
    here.stop("anna")
    here.until_said(
        "anna", "Storage does not answer", "the files are kept, and it is tried again", "You stopped it"
    )
    told = here.until_state("anna", "ERROR", 120, "not saved")
    assert told["sentence"].startswith("Storage does not answer. You stopped it at")
    assert "kept on the volume" in told["safe"]
    page = here.ask("anna", "n/anna/-")[1]
    assert "is not saved" in page and "Save now" in page and "as soon as storage answers" in page
    met(here, "away")
    number = here.head("anna")

    here.store.mode = "through"  # and nobody at the screen
    print("saved by itself after", here.saved_after("anna", number), "s")
    told = here.until_state("anna", "STOPPED")
    assert "You stopped it" in told["sentence"]
    assert here.past("anna")[0].kind == "save" and here.past("anna")[0].cause == "saved"
    until(lambda: not here.hub.active("anna"), what="the Hub's end of the run")


def test_a_notebook_started_by_its_user_in_the_middle_of_the_run_that_saves_it_starts_right_after_it(here):
    here.start("berta")
    here.saved_after("berta", 0)
    here.store.mode = "away"
    here.file("berta").write_text("not saved")
    here.stop("berta")
    here.until_state("berta", "ERROR", 120, "not saved")
    number = here.head("berta")
    here.store.mode = "slow"
    run = until(lambda: here.view("berta").saving, 60, 0.02, "the run that saves")
    status, told = here.ask("berta", "api/v1/notebooks/berta/-/start", "POST", {})
    assert status == 202, told
    assert (told["state"], told["sub_state"]) == ("STARTING", "waiting")
    assert told["sentence"] == "Its files are saved first; it starts right after that."
    assert here.ask("berta", "api/v1/notebooks/berta/-/start", "POST", {})[0] == 202  # and impatiently again
    here.store.mode = "through"
    begun = time.monotonic()
    here.until_state("berta", "RUNNING", 240)
    print("started after", time.monotonic() - begun, "s")
    assert here.head("berta") > number and here.view("berta").workspace.unsaved_on is None
    past = here.past("berta")
    assert [one.kind for one in past[:2]] == ["work", "save"]
    assert past[1].id == run.id and past[1].closed_at <= past[0].asked_at
    assert here.file("berta").read_text() == "not saved"
    until(lambda: (here.hub.server("berta") or {}).get("ready"), what="the way to the server")
    here.stop("berta")
    here.until_state("berta", "STOPPED")


def met_by(here: Place, mode: str, act) -> None:
    """act, and that the fault met something in it."""
    before = here.store.met[mode]
    act()
    assert here.store.met[mode] > before, f"nothing met the fault {mode}"


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["silent", "slow", "busy", "full"])
def test_storage_that_is_silent_slow_busy_or_full_is_said_and_everything_is_saved_afterwards(here, mode):
    user = f"user-{mode}"
    here.start(user)
    here.saved_after(user, 0)
    here.store.bytes_a_second = 30_000
    here.store.mode = mode
    here.file(user).write_bytes(os.urandom(400_000))
    number = here.head(user)
    if mode == "slow":  # slow is no trouble: it is saved, only later
        met_by(here, mode, lambda: here.saved_after(user, number, 120))
        assert "Not saved" not in here.seen(user)["sentence"]
    else:
        word = "Storage is full" if mode == "full" else "does not answer"
        met_by(
            here,
            mode,
            lambda: print(mode, "said:", here.until_said(user, "Not saved since", word, seconds=120)),
        )
    assert here.hub.server(user)["ready"]
    begun = time.monotonic()
    here.store.mode = "through"
    here.saved_after(user, number, 120)
    until(lambda: "Not saved" not in here.seen(user)["sentence"], 60, what="the good news")
    print(mode, "over: well again after", round(time.monotonic() - begun, 1), "s")
    here.stop(user)
    here.until_state(user, "STOPPED", 120)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_start_while_storage_is_away_says_so_touches_nothing_and_works_afterwards(here):
    here.start("frida")
    here.file("frida").write_text("mine")
    here.stop("frida")
    here.until_state("frida", "STOPPED")
    here.store.mode = "away"
    assert here.ask("frida", "api/v1/notebooks/frida/-/start", "POST", {})[0] == 202
    print("while it waits:", here.until_said("frida", "Storage does not answer", "tried again"))
    assert here.seen("frida")["state"] == "STARTING"
    told = here.until_state("frida", "ERROR", 240, "did not start")
    print("said:", told["sentence"], told["safe"])
    assert "Storage does not answer" in told["sentence"] and "was not touched" in told["safe"]
    here.store.mode = "through"
    here.start("frida")
    assert here.file("frida").read_text() == "mine"
    here.stop("frida")
    here.until_state("frida", "STOPPED")
