"""JSON that json.loads takes and nobody expects: no reader, check and repair included, ends in anything but words."""

import json
import random
from datetime import timedelta

import pytest

from jupyterhub_notebooks.clock import from_text
from jupyterhub_notebooks.errors import BadInput, Damaged, NotebooksError
from jupyterhub_notebooks.workspace import WorkspaceStore
from jupyterhub_notebooks.workspace.snapshots import canonical, parse_object, parse_snapshot

from .conftest import NOW
from .fuzz import PARSERS, readers
from .hostile import DEPTHS, ODD_JSON, Memory, seed_objects, written

OBJECTS = {
    "snapshots/0000000003": ("at", "created_by", "kind", "lease", "more"),
    "condemned/0000000001": ("at", "blocks", "more"),
    "names/0000000001": ("name", "at"),
    "leases/0000000001": ("holder", "at", "more"),
    "workspace.json": ("encryption", "created_by", "more"),
}

KINDS = {"snapshots": "snapshot", "condemned": "condemned", "names": "name", "leases": "lease"}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return seed_objects(tmp_path_factory.mktemp("seed"))


def names(value):
    return ascii(value)[:30]


@pytest.mark.parametrize("value", ODD_JSON, ids=names)
def test_what_a_parser_takes_can_be_written_shown_and_counted_with(good, value):
    for key, fields in OBJECTS.items():
        kind = KINDS.get(key.split("/")[0], "workspace")
        for field in fields:
            body = written({**json.loads(good[key]), field: value})
            try:
                taken = PARSERS[kind](body)
            except Damaged:
                continue
            str(taken).encode()
            canonical(parse_object(body, json.loads(good[key])["magic"], 8 * 2**20, "it"))
            if kind == "snapshot":
                assert taken.at - timedelta(days=300_000) < taken.at.astimezone() + timedelta(days=300_000)


@pytest.mark.parametrize(
    "value",
    [float("nan"), "1e999", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "\ud800", "deep 960"],
)
@pytest.mark.parametrize("key", OBJECTS)
def test_every_reader_ends_in_words(good, tmp_path, key, value):
    for field in OBJECTS[key]:
        objects = {**good, key: written({**json.loads(good[key]), field: value})}
        for name in readers(WorkspaceStore(Memory(objects)), tmp_path, random.Random(1)):
            space = WorkspaceStore(Memory(objects))
            try:
                readers(space, tmp_path, random.Random(1))[name]()
            except NotebooksError as error:
                assert error.sentence().encode()


def test_an_object_of_very_many_values_is_refused_before_it_is_made():
    for body in (b'{"blocks":[' + b"[]," * 2_700_000 + b"0]}", b'{"a":' + b"[" * 10**6):
        with pytest.raises(Damaged):
            parse_object(body, "x", 8 * 2**20, "it")


def test_a_time_of_no_year_is_no_time():
    for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        with pytest.raises(ValueError, match="lies outside"):
            from_text(text)


def test_a_name_that_is_no_text_is_refused_where_it_is_given(space, volume):
    (volume.files / "x").write_text("x")
    space.save(volume)
    with pytest.raises(BadInput):
        space.store.name(1, "\udcff", NOW)
    assert space.store.names() == {}


@pytest.mark.parametrize("depth", DEPTHS)
def test_nesting_is_refused_alike_from_however_deep_it_is_asked(good, depth):
    body = written({**json.loads(good["snapshots/0000000003"]), "more": f"deep {depth}"})

    def asked(frames):
        return asked(frames - 1) if frames else parse_snapshot(body)

    for frames in (0, 300, 600):
        if depth > 50:
            with pytest.raises(Damaged):
                asked(frames)
        else:
            assert asked(frames).number == 3
