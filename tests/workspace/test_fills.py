"""What fills a workspace is named with what is safe to delete, and a full one is told, saved and started all the same."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyterhub_notebooks.errors import BadInput
from jupyterhub_notebooks.settings import NEVER_SAVED
from jupyterhub_notebooks.workspace import Volume, fills, listing
from jupyterhub_notebooks.workspace.cell_outputs import outputs_size
from jupyterhub_notebooks.workspace.fills import Fill, level, look, words

MB = 10**6


def put(folder, path, size):
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(place, "wb") as file:
        file.truncate(size)


def notebook(folder, path, output):
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    cell = {"cell_type": "code", "source": "x", "outputs": [{"text": "o" * output}]}
    place.write_text(json.dumps({"cells": [cell], "nbformat": 4}))


@pytest.fixture
def crowded(tmp_path):
    tmp_path = tmp_path / "crowded"
    put(tmp_path, ".cache/huggingface/hub/model.bin", 60 * MB)
    put(tmp_path, ".cache/other/x", 20 * MB)
    put(tmp_path, "work/__pycache__/m.pyc", 11 * MB)
    put(tmp_path, "envs/torch/conda-meta/history", 10)
    put(tmp_path, "envs/torch/lib/libtorch.so", 50 * MB)
    put(tmp_path, ".venv-3.11/pyvenv.cfg", 10)
    put(tmp_path, ".venv-3.11/lib/x.so", 40 * MB)
    put(tmp_path, "web/node_modules/y.js", 30 * MB)
    put(tmp_path, "train/outputs/epoch-1/weights.pt", 35 * MB)
    put(tmp_path, "train/outputs/runs/z", 1 * MB)
    put(tmp_path, "small/outputs/x", 1 * MB)
    put(tmp_path, "data/table.parquet", 70 * MB)
    notebook(tmp_path, "report.ipynb", 12 * MB)
    notebook(tmp_path, "tidy.ipynb", 1000)
    return tmp_path


def test_folders_that_lie_very_deep_in_each_other_are_looked_at(tmp_path):
    deep = tmp_path / "deep"
    deep.mkdir()
    put(deep, "big", 20 * MB)
    here = os.open(deep, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir(b"d", dir_fd=here)
        here, above = os.open(b"d", os.O_RDONLY, dir_fd=here), here
        os.close(above)
    with open(os.open("below", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=here), "wb") as file:
        file.truncate(20 * MB)
    os.close(here)
    try:
        space, without = look(deep), look(deep, ["d/d/d/"])
    finally:
        subprocess.run(["rm", "-r", deep], check=True)  # Python's own removal goes not so deep
    assert (space.size_bytes, space.unsaved_bytes) == (40 * MB, 0)
    assert (without.size_bytes, without.unsaved_bytes) == (20 * MB, 20 * MB)


def by_path(space):
    return {one.path: one for one in space.fills}


def test_caches_environments_outputs_and_large_notebook_files_are_named_with_what_is_safe(crowded):
    space = look(crowded, NEVER_SAVED)
    found = by_path(space)
    assert {path: (one.kind, one.safe, one.saved) for path, one in found.items()} == {
        ".cache/huggingface": ("cache", "yes", False),
        ".cache": ("cache", "yes", False),
        "work/__pycache__": ("cache", "yes", False),
        "envs/torch": ("environment", "again", True),
        ".venv-3.11": ("environment", "again", True),
        "web/node_modules": ("environment", "again", True),
        "train/outputs": ("outputs", "look", True),
        "report.ipynb": ("cell_outputs", "look", True),
        "data/table.parquet": ("large", "look", True),
    }
    assert found[".cache/huggingface"].size_bytes == 60 * MB
    assert found[".cache"].size_bytes == 20 * MB
    assert found["train/outputs"].size_bytes == 36 * MB
    assert 12 * MB < found["report.ipynb"].size_bytes < 12 * MB + 1000
    assert [one.size_bytes for one in space.fills] == sorted(
        (one.size_bytes for one in space.fills), reverse=True
    )
    assert space.unsaved_bytes == (60 + 20 + 11) * MB
    assert 226 * MB < space.size_bytes < 241 * MB


def test_a_snapshot_alone_claims_nothing_that_a_listing_does_not_say(crowded, space):
    volume = Volume(crowded, crowded.parent / "state of it")
    space.save(volume)
    found, there = by_path(fills.of_listing(listing(space.store, space.store, 1))), by_path(look(crowded))
    assert set(found) == set(there)
    assert found["envs/torch"].size_bytes == there["envs/torch"].size_bytes
    assert there["train/outputs"].title == "Outputs of runs that no repository tracks"
    assert "no repository" not in found["train/outputs"].title
    assert (found["report.ipynb"].kind, found["report.ipynb"].title) == ("large", "A large notebook file")


def test_ordinary_files_are_named_where_they_are_what_fills_it(tmp_path):
    files = tmp_path / "files"
    put(files, "data/train.parquet", 25_000 * MB)
    for number in range(30):
        put(files, f"shards/part-{number:02}", (60 + number) * MB)
    put(files, "notes/small", 15 * MB)  # under a part in 50 of everything
    space = look(files)
    found = by_path(space)
    assert found["data/train.parquet"] == Fill(
        "large",
        "data/train.parquet",
        25_000 * MB,
        1,
        "A large file",
        "look",
        "only you know whether it is needed",
    )
    assert (found["shards"].kind, found["shards"].files) == ("large", 30)
    assert "notes" not in found and "data" not in found
    said = words(space.size_bytes, 20_000 * MB, space.fills).replace("\u00a0", " ")
    assert said.endswith("It is saved all the same. Look at: data/train.parquet (25 GB), shards (2.2 GB)")


def test_what_has_a_line_counts_in_no_other(tmp_path):
    for number in range(8):
        put(tmp_path, f"top/{number}", (20 + number) * MB)
    found = by_path(look(tmp_path))
    assert sum(one.size_bytes for one in found.values()) == sum(20 + number for number in range(8)) * MB
    assert (found["top"].size_bytes, found["top"].files) == ((20 + 21 + 22) * MB, 3)


def test_outputs_that_a_repository_tracks_are_none(crowded):
    train = crowded / "train"
    (train / "outputs" / "kept.txt").write_text("x")
    git = ["git", "-C", str(train), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert "train/outputs" in by_path(look(crowded))
    subprocess.run([*git, "add", "outputs/kept.txt"], check=True)
    assert "train/outputs" not in by_path(look(crowded))


def test_a_folder_with_very_many_files_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(fills, "MANY_FILES", 50)
    (tmp_path / "shards").mkdir()
    for number in range(51):
        (tmp_path / "shards" / f"{number}").write_bytes(b"12")
    [one] = look(tmp_path).fills
    assert (one.kind, one.path, one.files, one.size_bytes) == ("many_files", "shards", 51, 102)
    assert one.title == "51\u00a0files in one folder"


def test_what_is_no_notebook_or_leads_elsewhere_is_not_opened(tmp_path):
    put(tmp_path, "sparse.ipynb", 20 * MB)
    (tmp_path / "link.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "deep.ipynb").write_text("[" * 11_000_000)
    assert {one.path: one.kind for one in look(tmp_path).fills} == {
        "sparse.ipynb": "large",
        "deep.ipynb": "large",
    }
    with pytest.raises(BadInput):
        look(tmp_path / "nowhere")


def test_a_repository_that_cannot_be_read_whole_is_not_said_to_track_nothing(crowded):
    train = crowded / "train"
    git = ["git", "-C", str(train), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    (train / "outputs" / "kept.txt").write_text("x")
    subprocess.run([*git, "add", "outputs/kept.txt"], check=True)
    subprocess.run([*git, "update-index", "--index-version", "4"], check=True)  # paths are prefixes in it
    assert "train/outputs" not in by_path(look(crowded))


TEXTS = st.text(max_size=30) | st.sampled_from(["outputs", "cells", '[{"', "\\", '\\"', "😀"])
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)
CELLS = st.dictionaries(TEXTS, JSONS, max_size=3) | st.fixed_dictionaries(
    {"outputs": st.lists(JSONS, max_size=3)}
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(TEXTS, JSONS, max_size=3),
    st.lists(CELLS, max_size=4),
    st.booleans(),
    st.integers(1, 70),
)
def test_outputs_are_counted_as_they_stand_in_the_file_however_it_is_cut(more, cells, ascii_only, run):
    body = json.dumps({**more, "cells": cells}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    each = (cell["outputs"] for cell in cells if isinstance(cell.get("outputs"), list) and cell["outputs"])
    expected = sum(
        len(json.dumps(one, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")) for one in each
    )
    runs = [body[at : at + run] for at in range(0, len(body), run)]
    assert outputs_size(runs) == expected
    assert outputs_size(runs[:-1]) == 0


def test_a_very_large_notebook_file_is_looked_at_in_little_memory(tmp_path):
    """200 MB with an emoji, which a parsed tree holds in four bytes a character; and a string of nothing but escapes."""
    cell = b'{"cell_type": "code", "source": "x", "outputs": [{"text": "%s"}]}'
    with open(tmp_path / "huge.ipynb", "wb") as file:
        file.write(b'{"cells": [' + cell % "😀".encode())
        for _ in range(20):
            file.write(b", " + cell % (b"o" * 5 * MB))
            file.write(b", " + cell % (b"\\n" * (5 * MB // 2)))
        file.write(b'], "nbformat": 4}')
    program = (
        "import resource, sys; from jupyterhub_notebooks.workspace import fills;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "found = fills.look(sys.argv[1]).fills;"
        "print(found[0].size_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    size, kilobytes = map(int, done.stdout.split())
    assert 200 * MB <= size < 201 * MB
    assert kilobytes < 30_000


@pytest.mark.parametrize(
    ("size", "reached"),
    [(0, 0.0), (79, 0.0), (80, 0.8), (94, 0.8), (95, 0.95), (100, 0.95), (101, 1.0), (500, 1.0)],
)
def test_the_levels_are_80_and_95_percent_and_above_the_size(size, reached):
    assert level(size, 100) == reached
    assert level(size, 0) == 0.0


def test_the_words_say_how_full_it_is_and_what_can_go():
    parts = [
        Fill("cache", ".cache", 9 * 10**9, 5, "A cache", "yes", "x", saved=False),
        Fill("cache", ".conda/pkgs", 2 * 10**9, 5, "A cache", "yes", "x"),
        Fill("environment", ".venv-3.11", 3 * 10**9, 5, "A virtual environment", "again", "x"),
        Fill("outputs", "runs", 4 * 10**9, 5, "Outputs", "look", "x"),
    ]
    said = words(17 * 10**9, 20 * 10**9, parts).replace("\u00a0", " ")
    assert said == (
        "The workspace fills up: 17 GB of 20 GB. Safe to delete: .conda/pkgs (2 GB). "
        "Can be made again: .venv-3.11 (3 GB). Look at: runs (4 GB)"
    )
    assert words(19.5 * 10**9, 20 * 10**9).startswith("The workspace is nearly full")
    over = words(21 * 10**9, 20 * 10**9).replace("\u00a0", " ")
    assert over == (
        "The workspace is over its size: 21 GB of 20 GB. It is saved all the same. "
        "Delete files that are not needed any more"
    )
    assert words(10, 20 * 10**9, parts) == ""


def test_the_command_says_it_for_people_and_as_json(crowded, tmp_path):
    command = [sys.executable, "-m", "jupyterhub_notebooks.cli", "workspace", "space", str(crowded)]
    done = subprocess.run([*command, "--limit", "200MB"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout.replace("\u00a0", " ")
    assert "60 MB  .cache/huggingface  (A cache, 1 file; not part of snapshots)" in said
    assert "Safe to delete: models and data sets are fetched again when they are used." in said
    assert "The workspace is over its size: 2" in said
    told = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True).stdout)
    assert [one["path"] for one in told["fills"]][:2] == ["data/table.parquet", ".cache/huggingface"]
    assert told["warning"] is None
