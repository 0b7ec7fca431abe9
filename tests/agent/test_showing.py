"""What editors show of saves and use, in words."""

from __future__ import annotations

from jupyterhub_notebooks.agent.gpu import Gpu
from jupyterhub_notebooks.agent.showing import cores, gpu_meters, meter, saved_shown
from jupyterhub_notebooks.contract import Part, Progress, Saved

AT = "2026-10-01T14:02:00Z"


def bar(shown) -> str:
    return "".join(one.text or f"<{one.form} {one.at}>" for one in shown.bar)


def test_a_save_that_is_done_is_told_by_its_age() -> None:
    shown = saved_shown(Saved(3, AT), 2_200_000_000, "running", Progress(), None)
    assert (bar(shown), shown.icon, shown.lines) == (f"Saved <ago {AT}>", "check", ("2.2\u00a0GB.",))
    shown = saved_shown(Saved(3, AT, 10, 2), 2_200_000_000, "running", Progress(), None)
    assert shown.lines == ("2.2\u00a0GB. 2\u00a0files changed since.",)


def test_a_save_that_runs_is_shown_once_it_takes_longer_than_two_seconds() -> None:
    progress = Progress(85_000_000, 212_000_000)
    assert bar(saved_shown(Saved(3, AT), 1, "running", progress, 1.0)) == f"Saved <ago {AT}>"
    shown = saved_shown(Saved(3, AT), 1, "running", progress, 3.0)
    assert (bar(shown), shown.percent) == ("Saving 40\u00a0%", 40)
    assert shown.lines[0].startswith("85 of 212\u00a0MB. Go on working")


def test_what_is_not_saved_says_why_and_what_is_kept() -> None:
    error = "Storage does not answer. Connection refused."
    shown = saved_shown(Saved(3, AT, 38_000_000, 12, error), 1, "running", Progress(), None)
    assert (bar(shown), shown.colour, shown.heading) == (
        "Not saved: storage does not answer",
        "err",
        "Not saved",
    )
    assert shown.end == (Part("since "), Part(at=AT))
    assert "12\u00a0files (38\u00a0MB) are only on this machine" in shown.lines[1]


def test_a_stop_shows_how_far_its_save_is() -> None:
    shown = saved_shown(Saved(3, AT), 1, "saving", Progress(41, 100), None)
    assert bar(shown) == "Stopping, saving 41\u00a0%"


def test_before_the_first_save_nothing_is_claimed() -> None:
    assert bar(saved_shown(Saved(), None, "running", Progress(), None)) == "Not saved yet"


def test_meters_turn_amber_at_80_and_red_at_90_percent() -> None:
    colours = [meter("memory", "Memory", used, 100).colour for used in (79, 80, 89, 90, 120)]
    assert colours == ["rest", "wait", "wait", "err", "err"]
    assert meter("disk", "Space", 2_200_000_000, 10_000_000_000).text == "2.2 of 10\u00a0GB"
    assert meter("disk", "Space", 5, 0).percent is None
    assert cores(0.44, 2).text == "0.4 of 2 cores"


def test_each_gpu_has_a_meter_of_its_memory_and_says_its_use() -> None:
    first, second = gpu_meters((Gpu("A", 87, 31 * 10**9, 80 * 10**9), Gpu("A", None, 0, 80 * 10**9)))
    assert (first.name, first.label, first.percent) == ("gpu0", "GPU 0", 39)
    assert first.text == "87\u00a0% used, 31 of 80\u00a0GB"
    assert second.text == "0\u00a0B of 80\u00a0GB"
