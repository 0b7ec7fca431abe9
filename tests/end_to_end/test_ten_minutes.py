"""Storage away for ten minutes with the times that are set by default: what is seen, and that all goes on by itself."""

from __future__ import annotations

import time

import pytest

from tests.hub import until
from tests.outages import place

TEN_MINUTES = 600.0
USUAL = {
    name: value
    for name, value in (
        ("janitor_interval_seconds", 15.0),
        ("save_again_seconds", 60.0),
        ("lease_seconds", 120.0),
        ("heartbeat_seconds", 30.0),
        ("heartbeat_soon_seconds", 3.0),
        ("save_interval_seconds", 300.0),
        ("save_timeout_seconds", 3600.0),
        ("no_progress_seconds", 120.0),
    )
}


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_storage_away_for_ten_minutes_while_running_and_at_a_stop_with_nobody_at_the_screen(tmp_path):
    """With the times that are set by default. One notebook runs on, one is stopped and left alone, one is stopped and
    started by its user in the middle of the run that saves it."""
    with place(tmp_path, settings=USUAL) as here:
        users = ("runs", "left", "started")
        for user in users:  # all at once; below each is waited for
            assert here.ask(user, f"api/v1/notebooks/{user}/-/start", "POST", {})[0] == 202
        for user in users:
            here.start(user)
            here.file(user, "before.txt").write_text("before")
            assert here.ask(user, f"api/v1/notebooks/{user}/-/save", "POST", {})[0] == 202
            here.saved_after(user, 0, 300)
        before = {user: here.head(user) for user in users}
        here.store.mode = "away"
        begun = time.monotonic()

        def say(*what: object) -> None:
            print(f"{time.monotonic() - begun:6.1f} s", *what, flush=True)

        for user in users:
            here.file(user).write_text(f"{user}: made while storage was away")
        here.stop("left")
        here.stop("started")
        say("left:", here.until_said("left", "Storage does not answer", "You stopped it", seconds=300))
        for user in ("left", "started"):
            told = here.until_state(user, "ERROR", 400, "not saved")
            say(f"{user}:", told["sentence"], told["safe"])
            assert "Storage does not answer. You stopped it at" in told["sentence"]
            assert "kept on the volume" in told["safe"]
        said = here.until_said("runs", "Not saved since", "Storage does not answer", seconds=560)
        say("runs:", said)
        until(lambda: time.monotonic() - begun >= TEN_MINUTES, TEN_MINUTES + 60, 1.0, "the tenth minute")
        assert {user: here.head(user) for user in users} == before
        assert here.seen("runs")["state"] == "RUNNING" and here.hub.server("runs")["ready"]
        assert here.store.met["away"] > 0

        here.store.mode, here.store.bytes_a_second = "slow", 20_000
        back = time.monotonic()
        run = until(lambda: here.view("started").saving, 400, 0.05, "the run that saves it")
        status, told = here.ask("started", "api/v1/notebooks/started/-/start", "POST", {})
        assert status == 202 and told["sentence"] == "Its files are saved first; it starts right after that."
        say("started:", told["sentence"])
        here.store.mode = "through"
        here.until_state("started", "RUNNING", 400)
        say("started: runs", round(time.monotonic() - back, 1), "s after storage was back")
        past = here.past("started")
        assert [one.kind for one in past[:2]] == ["work", "save"] and past[1].id == run.id
        assert past[1].closed_at <= past[0].asked_at and past[1].pending_files == 0

        here.saved_after("left", before["left"], 400)
        say("left: saved", round(time.monotonic() - back, 1), "s after storage was back, by nobody")
        here.until_state("left", "STOPPED", 120)
        here.saved_after("runs", before["runs"], 500)
        say("runs: saved", round(time.monotonic() - back, 1), "s after storage was back")
        for user in users:
            assert here.view(user).workspace.unsaved_on is None
            assert here.file(user).read_text() == f"{user}: made while storage was away"
        until(lambda: not here.hub.active("left"), 60, what="the Hub's end of the run")
        for user in ("runs", "started"):
            here.stop(user)
            here.until_state(user, "STOPPED", 120)
