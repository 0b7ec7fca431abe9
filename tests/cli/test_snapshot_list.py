"""``snapshot list`` beside a Hub of another version: what that does not answer is shown as not known."""

from click.testing import CliRunner

from jupyterhub_notebooks.cli import snapshot

ROW = {
    "number": 7,
    "kind": "save",
    "session": "s",
    "at": "2026-11-01T10:00:00Z",
    "size_bytes": 2_000_000,
    "files": 3,
    "stored_bytes": 5200,
    "name": None,
}


class Answers:
    def __init__(self, row):
        self.row = row

    def every(self, path, name):
        yield self.row


def listed(monkeypatch, row):
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(snapshot, "_base", lambda hub, notebook: (Answers(row), {}, ""))
    done = CliRunner().invoke(snapshot.snapshot, ["list", "churn"])
    assert done.exit_code == 0, done.output
    return [word for word in done.output.replace("\u00a0", " ").splitlines()[1].split("  ") if word.strip()]


def test_what_the_hub_says_of_a_snapshot_is_shown_also_where_it_says_less(monkeypatch):
    said = [one.strip() for one in listed(monkeypatch, ROW)]
    assert said[-3:] == ["5.2 kB", "-", "-"]
    said = [one.strip() for one in listed(monkeypatch, {**ROW, "needed_bytes": None, "shared_bytes": None})]
    assert said[-3:] == ["5.2 kB", "-", "-"]
    said = [one.strip() for one in listed(monkeypatch, {**ROW, "needed_bytes": 6900, "shared_bytes": 5100})]
    assert said[-3:] == ["5.2 kB", "6.9 kB", "5.1 kB"]
