"""The words about a full workspace: one sentence at a time, at 80 % and 95 % and above, and nothing is refused for it."""

from types import SimpleNamespace

from jupyterhub_notebooks.agent.space import SpaceWords
from jupyterhub_notebooks.agent.standing import Standing


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


def test_without_a_limit_nothing_is_said(tmp_path):
    words, standing, _ = words_of(tmp_path, limit=0)
    words.saved(10**15)
    assert standing.warnings == ()
