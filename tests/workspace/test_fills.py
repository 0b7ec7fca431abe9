"""What fills a workspace is named with what is safe to delete, and a full one is told, saved and started all the same."""

import json
import os
import subprocess
import sys

import pytest

from jupyterhub_notebooks.errors import BadInput
from jupyterhub_notebooks.settings import NEVER_SAVED
from jupyterhub_notebooks.workspace import Volume, fills, listing
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


def test_a_snapshot_alone_says_nearly_the_same(crowded, space):
    volume = Volume(crowded, crowded.parent / "state of it")
    space.save(volume)
    found = by_path(fills.of_listing(listing(space.store, space.store, 1)))
    assert {path for path in found} == {path for path in by_path(look(crowded))}
    assert found["envs/torch"].size_bytes == by_path(look(crowded))["envs/torch"].size_bytes


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
    assert look(tmp_path).fills == ()
    with pytest.raises(BadInput):
        look(tmp_path / "nowhere")


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
    assert told["fills"][0]["path"] == ".cache/huggingface"
    assert told["warning"] is None
