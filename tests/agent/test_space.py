"""The words about a full workspace: one sentence at a time, at 80 % and 95 % and above, and nothing is refused for it."""

import json
from types import SimpleNamespace

from jupyterhub_notebooks.agent.errors import Oversized, ServiceAway
from jupyterhub_notebooks.agent.service import _error
from jupyterhub_notebooks.agent.space import SpaceWords
from jupyterhub_notebooks.agent.standing import Standing
from jupyterhub_notebooks.agent.wire import Answer
from jupyterhub_notebooks.errors import StorageAway


def words_of(tmp_path, limit=1000, **head):
    said = []
    now = [0.0]
    context = SimpleNamespace(
        answer=SimpleNamespace(**{"limit_bytes": limit, "never_saved": (), "head": 0, **head}),
        volume=SimpleNamespace(files=tmp_path),
        standing=Standing(),
        log=SimpleNamespace(say=said.append),
    )
    return SpaceWords(context, lambda: now[0]), context.standing, now


def test_one_sentence_stands_as_long_as_it_holds(tmp_path):
    words, standing, now = words_of(tmp_path)
    words.saved(100)
    assert standing.warnings == ()
    words.saved(810)
    assert [line.split(":")[0] for line in standing.warnings] == ["The workspace fills up"]
    words.saved(970)
    assert [line.split(":")[0] for line in standing.warnings] == ["The workspace is nearly full"]
    words.saved(2000)
    [line] = standing.warnings
    assert "over its size" in line and "saved all the same" in line
    now[0] = 5000.0
    words.saved(300)
    assert standing.warnings == ()


def test_what_fills_it_is_looked_at_again_only_after_a_while_or_at_another_level(tmp_path):
    words, standing, now = words_of(tmp_path)
    words.saved(850)
    first = standing.warnings
    words.saved(860)
    assert standing.warnings == first
    now[0] = 601.0
    words.saved(870)
    assert standing.warnings != first and len(standing.warnings) == 1


def test_a_full_workspace_is_told_from_the_start_on(tmp_path):
    words, standing, _ = words_of(tmp_path, head=7, head_size_bytes=990)
    words.begun()
    assert [line.split(":")[0] for line in standing.warnings] == ["The workspace is nearly full"]
    words.saved(100)
    assert standing.warnings == ()
    words, standing, _ = words_of(tmp_path)
    words.begun()
    assert standing.warnings == ()


def test_what_is_too_much_to_be_saved_is_named_with_what_to_do_until_a_save_worked(tmp_path):
    for name, size in (("data.parquet", 60 * 10**9), ("small.csv", 10)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    words, standing, now = words_of(tmp_path)
    words.too_much()
    [line] = standing.warnings
    assert "Nothing is saved now" in line
    assert "data.parquet (60\u00a0GB)" in line and "small.csv" not in line
    assert "stop the notebook and start it again" in line
    (tmp_path / "data.parquet").unlink()
    words.too_much()  # it is looked at again after a while
    assert standing.warnings == (line,)
    now[0] = 700.0
    words.too_much()
    assert "data.parquet" not in standing.warnings[0]
    words.saved(10)
    assert standing.warnings == ()


def test_more_than_may_be_sent_is_not_asked_for_again():
    body = json.dumps(
        {"error": {"reason": "workspace_limit", "title": "This notebook sends more", "next": ["x"]}}
    )
    error = _error(Answer(429, {}, body.encode()), "http://x")
    assert isinstance(error, Oversized) and not isinstance(error, StorageAway)
    other = json.dumps({"error": {"reason": "rate", "title": "Too often"}})
    assert isinstance(_error(Answer(429, {}, other.encode()), "http://x"), ServiceAway)


def test_without_a_limit_nothing_is_said(tmp_path):
    words, standing, _ = words_of(tmp_path, limit=0)
    words.saved(10**15)
    assert standing.warnings == ()
