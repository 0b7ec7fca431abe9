"""The verdict on what a notebook says: labelled scenarios as readings of its signals, and the idle clock over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from jupyterhub_notebooks.clock import to_text
from jupyterhub_notebooks.contract import Signal
from jupyterhub_notebooks.enforcement.verdict import Before, counted_of, judge

NOW = datetime(2026, 10, 14, 14, 30, tzinfo=UTC)
ALL = ("kernel", "terminal", "cpu", "browser", "editor", "cell", "download")


def at(**ago: float) -> str:
    return to_text(NOW - timedelta(**ago))


def reading(has_gpu: bool = False, **said: str) -> tuple[Signal, ...]:
    """Everything idle for an hour but what is said; ``-`` leaves a signal out."""
    names = (*ALL, "gpu") if has_gpu else ALL
    states = {name: "idle" for name in names} | said
    return tuple(Signal(name, state, at(hours=1)) for name, state in states.items() if state != "-")


def value(signals: tuple[Signal, ...], chosen: tuple[str, ...] = (), has_gpu: bool = False) -> str:
    return judge(signals, counted_of(chosen, has_gpu), Before(), NOW).value


SCENARIOS = {
    # what a person does: (readings, profile's signals, has a GPU, label)
    "a silent cell with the tab closed": (reading(kernel="busy"), "working"),
    "a printing cell": (reading(kernel="busy", browser="busy"), "working"),
    "while True": (reading(kernel="busy", cpu="busy"), "working"),
    "a training job in a terminal": (reading(terminal="busy", cpu="busy"), "working"),
    "a terminal that only waits": (reading(terminal="idle"), "quiet"),
    "a forgotten tab": (reading(), "quiet"),
    "a hidden tab": (reading(browser="idle"), "quiet"),
    "a reader who only scrolls": (reading(browser="busy"), "present"),
    "somebody who types": (reading(browser="busy", editor="busy"), "present"),
    "an open editor without input": (reading(editor="idle"), "quiet"),
    "a long download": (reading(download="busy"), "working"),
    "a notebook with a dead kernel": (reading(kernel="idle"), "quiet"),
    "a debugger that stopped at a breakpoint": (reading(kernel="busy"), "working"),
    "a kernel that waits for input()": (reading(kernel="busy"), "working"),
    "many kernels of which one works": (reading(kernel="busy"), "working"),
    "a background thread in an idle kernel": (reading(cpu="busy"), "working"),
    "a subprocess left behind that computes": (reading(cpu="busy"), "working"),
    "a subprocess left behind that sleeps": (reading(), "quiet"),
    "a server that was never opened": (reading(browser="idle", cell="idle"), "quiet"),
    "no terminals in this image": (reading(terminal="-"), "quiet"),
    "a cell run a moment ago": (reading(cell="busy"), "present"),
    "the extension is missing": (reading(kernel="-", terminal="-", browser="-"), "unknown"),
    "nothing is said at all": ((), "unknown"),
    "the kernels cannot be asked": (reading(kernel="unknown"), "unknown"),
    "the browser part is missing": (reading(browser="unknown"), "unknown"),
    "the kernels cannot be asked and a job computes": (reading(kernel="unknown", cpu="busy"), "working"),
    "the kernels cannot be asked and somebody types": (reading(kernel="unknown", browser="busy"), "present"),
    "a state that nobody knows": (reading(kernel="sleeping"), "unknown"),
}
GPU_SCENARIOS = {
    "a GPU in use by an idle kernel": (reading(True, gpu="busy"), (), "working"),
    "an idle GPU and nobody there": (reading(True), (), "quiet"),
    "a GPU without a tool to read it": (reading(True, gpu="unknown"), (), "unknown"),
    "a GPU that nothing is said about": (reading(True, gpu="-"), (), "unknown"),
    "only the GPU counts, a cell runs without it": (reading(True, kernel="busy"), ("gpu",), "quiet"),
    "only the GPU counts and it is used": (reading(True, gpu="busy"), ("gpu",), "working"),
    "only the GPU counts and it cannot be read": (reading(True, gpu="unknown"), ("gpu",), "unknown"),
    "only kernels count, somebody types": (reading(True, browser="busy"), ("kernel",), "quiet"),
    "only kernels count, the browser is not known": (reading(True, browser="unknown"), ("kernel",), "quiet"),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_has_its_label(name: str) -> None:
    signals, label = SCENARIOS[name]
    assert value(signals) == label


@pytest.mark.parametrize("name", GPU_SCENARIOS)
def test_a_scenario_with_a_gpu_has_its_label(name: str) -> None:
    signals, chosen, label = GPU_SCENARIOS[name]
    assert value(signals, chosen, True) == label


def test_an_unread_gpu_of_a_flavor_without_one_does_not_count() -> None:
    assert value((*reading(), Signal("gpu", "unknown"))) == "quiet"


@dataclass
class Watched:
    """A notebook judged again and again, as services/agents does it."""

    now: datetime = NOW
    before: Before = field(default_factory=Before)

    def hears(self, *signals: Signal, after: float = 30) -> str:
        self.now += timedelta(seconds=after)
        judged = judge(signals, counted_of((), False), self.before, self.now)
        self.before = Before(judged.value, judged.since, self.now, judged.quiet_since, signals)
        return judged.value

    @property
    def quiet_seconds(self) -> float:
        assert self.before.quiet_since is not None
        return (self.now - self.before.quiet_since).total_seconds()


def kernel(state: str, since: datetime | None) -> Signal:
    return Signal("kernel", state, to_text(since) if since else None)


def test_the_idle_clock_runs_from_the_first_quiet_reading() -> None:
    notebook = Watched()
    for _ in range(10):
        assert notebook.hears(kernel("idle", NOW - timedelta(hours=9))) == "quiet"
    assert notebook.quiet_seconds == 9 * 30


def test_work_that_ends_starts_the_idle_clock_anew() -> None:
    notebook = Watched()
    notebook.hears(kernel("idle", NOW))
    notebook.hears(kernel("busy", NOW), after=1700)
    notebook.hears(kernel("busy", NOW), after=3600)
    assert notebook.hears(kernel("idle", notebook.now + timedelta(seconds=3)), after=5) == "quiet"
    assert notebook.quiet_seconds == 0


def test_work_between_two_readings_starts_it_anew_too() -> None:
    notebook = Watched()
    notebook.hears(kernel("idle", NOW))
    notebook.hears(kernel("idle", NOW), after=600)
    notebook.hears(kernel("idle", notebook.now + timedelta(seconds=20)), after=30)
    assert notebook.quiet_seconds == 10


@pytest.mark.parametrize("skew", [timedelta(hours=9), -timedelta(hours=9)])
def test_a_clock_of_the_notebook_that_is_wrong_neither_stops_nor_keeps_it(skew: timedelta) -> None:
    notebook = Watched()
    since = NOW + skew
    for _ in range(20):
        notebook.hears(kernel("idle", since))
    assert notebook.quiet_seconds == 19 * 30
    notebook.hears(kernel("idle", notebook.now + skew))
    assert notebook.quiet_seconds == 0


def test_a_time_that_is_read_again_a_little_differently_is_the_same_time() -> None:
    notebook = Watched()
    for number in range(10):
        notebook.hears(kernel("idle", NOW + timedelta(milliseconds=300 * (number % 3))))
    assert notebook.quiet_seconds == 9 * 30


def test_an_unknown_stretch_does_not_count_as_quiet() -> None:
    notebook = Watched()
    notebook.hears(kernel("idle", NOW))
    assert notebook.hears(after=3000) == "unknown"
    assert notebook.hears(kernel("idle", NOW)) == "quiet"
    assert notebook.quiet_seconds == 0


def test_a_time_that_nobody_can_read_counts_as_something_that_went_on() -> None:
    notebook = Watched()
    notebook.hears(Signal("kernel", "idle", "yesterday"))
    notebook.hears(Signal("kernel", "idle", "yesterday"))
    assert notebook.quiet_seconds == 30
    notebook.hears(Signal("kernel", "idle", "today"))
    assert notebook.quiet_seconds == 0


def test_the_sentence_says_what_and_for_how_long() -> None:
    notebook = Watched()
    notebook.hears(Signal("kernel", "busy", None, "train.ipynb runs a cell"))
    judged = judge(
        (Signal("kernel", "busy", None, "train.ipynb runs a cell"),),
        ALL,
        notebook.before,
        notebook.now + timedelta(minutes=72),
    )
    assert judged.sentence.replace("\u00a0", " ") == "train.ipynb runs a cell, 1 h 12 min so far."
    assert judge((), ALL, Before(), NOW).sentence == "The notebook does not say what goes on in it."
    assert judge(reading(kernel="unknown"), ALL, Before(), NOW).sentence == "Nothing is known about kernels."
