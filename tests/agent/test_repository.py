"""A repository at a start: cloned, updated, and never over what its user did. Real git, over http."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from jupyterhub_notebooks.agent.repository import bring
from jupyterhub_notebooks.names import repository_folder

WHO = ("-c", "user.name=Mara", "-c", "user.email=mara@example.org", "-c", "init.defaultBranch=main")


def git(at: Path, *words: str) -> str:
    done = subprocess.run(["git", *WHO, *words], cwd=at, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Source:
    """A repository that others write, and its address."""

    def __init__(self, folder: Path) -> None:
        self.work, self.bare = folder / "work", folder / "served" / "maps.git"
        self.work.mkdir(parents=True)
        git(self.work, "init", "--quiet")
        self.commit("start.ipynb", "first")
        git(folder, "clone", "--quiet", "--bare", str(self.work), str(self.bare))
        quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
        handler = partial(quiet, directory=str(folder / "served"))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/maps.git"
        git(self.bare, "update-server-info")

    def commit(self, name: str, text: str) -> None:
        (self.work / name).write_text(text)
        git(self.work, "add", name)
        git(self.work, "commit", "--quiet", "-m", name)
        if self.bare.exists():
            git(self.work, "push", "--quiet", str(self.bare), "HEAD:main")
            git(self.bare, "update-server-info")


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    made = Source(tmp_path / "source")
    yield made
    made.server.shutdown()


class Place:
    def __init__(self, folder: Path, url: str) -> None:
        self.files, self.url, self.said = folder / "files", url, []
        self.files.mkdir()

    def bring(self) -> str | None:
        environment = {**os.environ, "HOME": str(self.files)}
        return bring(self.url, self.files, environment, self.said.append, 30)

    def text(self, name: str) -> str:
        return (self.files / "maps" / name).read_text()


@pytest.fixture
def place(tmp_path: Path, source: Source) -> Place:
    return Place(tmp_path, source.url)


def test_it_is_cloned_and_later_brought_up_to_date(source: Source, place: Place) -> None:
    assert place.bring() is None and place.text("start.ipynb") == "first"
    source.commit("more.ipynb", "more")
    assert place.bring() is None and place.text("more.ipynb") == "more"
    assert "updated to" in place.said[-1]
    assert place.bring() is None and "up to date" in place.said[-1]


def test_a_user_s_changes_are_never_overwritten_and_it_is_said(source: Source, place: Place) -> None:
    place.bring()
    (place.files / "maps" / "start.ipynb").write_text("mine")
    (place.files / "maps" / "notes.txt").write_text("mine too")
    source.commit("start.ipynb", "second")
    told = place.bring()
    assert told is not None and "1 newer commit that meet your changes" in told and "git pull" in told
    assert place.text("start.ipynb") == "mine" and place.text("notes.txt") == "mine too"


def test_changes_that_meet_nothing_stay_and_the_rest_is_updated(source: Source, place: Place) -> None:
    place.bring()
    (place.files / "maps" / "start.ipynb").write_text("mine")
    source.commit("more.ipynb", "more")
    assert place.bring() is None
    assert place.text("start.ipynb") == "mine" and place.text("more.ipynb") == "more"


def test_commits_of_the_user_stay(source: Source, place: Place) -> None:
    place.bring()
    (place.files / "maps" / "own.txt").write_text("mine")
    git(place.files / "maps", "add", "own.txt")
    git(place.files / "maps", "commit", "--quiet", "-m", "own")
    source.commit("more.ipynb", "more")
    assert "newer commit" in str(place.bring())
    assert place.text("own.txt") == "mine"


def test_a_folder_of_that_name_and_another_repository_are_left_as_they_are(
    source: Source, place: Place
) -> None:
    (place.files / "maps").mkdir()
    (place.files / "maps" / "mine.txt").write_text("mine")
    assert "is yours and no repository" in str(place.bring())
    assert place.text("mine.txt") == "mine" and len(list((place.files / "maps").iterdir())) == 1
    git(place.files / "maps", "init", "--quiet")
    git(place.files / "maps", "remote", "add", "origin", "https://example.org/else.git")
    assert "another repository" in str(place.bring())


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/maps.git", "file:///etc", "ext::sh -c touch% /tmp/x"])
def test_a_source_that_does_not_answer_or_may_not_be_used_is_a_sentence(tmp_path: Path, url: str) -> None:
    place = Place(tmp_path, url)
    told = place.bring()
    assert told is not None and "is as it was" in told and "\n" not in told
    assert list(place.files.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("https://example.org/team/maps.git", "maps"),
        ("git@example.org:team/maps.git", "maps"),
        ("https://example.org/a b/", "a-b"),
        ("https://example.org/../..", "repository"),
        ("https://example.org/.git", "repository"),
    ],
)
def test_its_folder_is_a_plain_name(url: str, folder: str) -> None:
    assert repository_folder(url) == folder
