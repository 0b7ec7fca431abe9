"""A workspace.json that is lost or damaged: told as damage, never taken for no workspace, written again by repair."""

from __future__ import annotations

import json

import pytest

from .test_workspace import files, said, store, two  # noqa: F401  (fixtures)


@pytest.fixture
def first(tmp_path):
    return tmp_path / "store" / "workspace.json"


@pytest.mark.parametrize("how", ["lost", "cut off", "another id"])
def test_it_is_told_as_damage_and_written_again(said, two, files, store, first, how):  # noqa: F811
    was = json.loads(first.read_text())
    if how == "lost":
        first.unlink()
    elif how == "cut off":
        first.write_bytes(first.read_bytes()[:50])
    else:
        first.write_text(first.read_text().replace(was["id"], "0" * 26))
    status, out, _ = said("check", "--store", store)
    assert status == 7
    assert "workspace.json" in out
    assert "which repair does; the snapshots are there" in out
    if how != "another id":
        for command in (("list",), ("restore", files, "--replace"), ("save", files), ("prune",)):
            status, _, err = said(*command, "--store", store)
            assert (status, "workspace.json is" in err, "workspace repair" in err) == (7, True, True), err
    status, out, err = said("repair", "--store", store)
    assert (status, "It is written again, as the snapshots say." in err) == (0, True)
    now = json.loads(first.read_text())
    assert {**now, "created": ""} == {**was, "created": ""}
    assert said("check", "--store", store)[0] == 0
    (files / "hello.txt").write_text("once more")
    assert said("save", files, "--store", store)[1].startswith("Saved snapshot 3:")


def test_where_no_lease_was_ever_taken_a_person_says_that_no_hub_writes_it(said, two, store, first, tmp_path):  # noqa: F811
    was = json.loads(first.read_text())
    for lease in (tmp_path / "store" / "leases").iterdir():
        lease.unlink()
    first.unlink()
    status, _, err = said("repair", "--store", store)
    assert (status, "run again with --no-hub" in err, first.exists()) == (5, True, False)
    assert said("repair", "--store", store, "--no-hub")[0] == 0
    assert {**json.loads(first.read_text()), "created": ""} == {**was, "created": ""}


def test_a_workspace_json_that_names_a_hub_is_believed_before_a_person(said, two, store, first, tmp_path):  # noqa: F811
    was = json.loads(first.read_text())
    for lease in (tmp_path / "store" / "leases").iterdir():
        lease.unlink()
    first.write_text(first.read_text().replace(was["id"], "0" * 26).replace('"objects"', '"service"'))
    assert said("repair", "--store", store, "--no-hub")[0] == 5


def test_one_of_a_newer_version_is_left_alone(said, two, store, first):  # noqa: F811
    first.write_text(first.read_text().replace('"format":1', '"format":2'))
    was = first.read_bytes()
    status, _, err = said("repair", "--store", store)
    assert (status, "Use a newer version" in err) == (7, True)
    assert first.read_bytes() == was


def test_names_and_condemned_lists_that_cannot_be_read_are_told_as_hints(said, two, store, tmp_path):  # noqa: F811
    said("name", 1, "before", "--store", store)
    (tmp_path / "store" / "names" / "0000000001").write_bytes(b"{")
    (tmp_path / "store" / "condemned").mkdir()
    (tmp_path / "store" / "condemned" / "0000000001").write_bytes(b"{")
    status, out, _ = said("check", "--store", store)
    assert status == 0
    assert "Hint: The name of snapshot 1 cannot be read." in out
    assert "Hint: Condemned list 1: " in out
