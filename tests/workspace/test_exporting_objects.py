"""A snapshot as plain objects at a real S3 server: each file is an object that any program reads."""

import json
import os
from pathlib import Path

import pytest

from jupyterhub_notebooks.cli.main import cli, run
from jupyterhub_notebooks.errors import Refusal
from jupyterhub_notebooks.workspace import Cancelled
from jupyterhub_notebooks.workspace.exporting_objects import MANIFEST, export_objects
from jupyterhub_notebooks.workspace.store.plain_objects import PART_BYTES, PlainObjects, part_bytes

from ..s3 import BUCKET


@pytest.fixture
def place(s3_server):
    return PlainObjects(f"s3://{BUCKET}/out-{os.urandom(6).hex()}", s3_server.options)


@pytest.fixture
def filled(space, volume):
    files = volume.files
    (files / "data" / "deep").mkdir(parents=True)
    for number in range(300):
        (files / "data" / f"small {number}.csv").write_bytes(b"row %d" % number)
    (files / "data" / "large.bin").write_bytes(os.urandom(PART_BYTES + 12_345))
    (files / "data" / "middle.bin").write_bytes(os.urandom(9 * 2**20))
    with (files / "holes").open("wb") as file:
        file.seek(3 * 2**20)
        file.write(b"end")
    (files / "nothing").touch()
    (files / "run.sh").write_text("#!/bin/sh\n")
    (files / "run.sh").chmod(0o755)
    (files / "to").symlink_to("data/large.bin")
    os.link(files / "run.sh", files / "same.sh")
    (files / "ünïcode ☃").write_text("snow")
    (files / MANIFEST).write_text("of the user")
    with open(os.fsencode(files) + b"/latin-\xe9", "wb") as file:
        file.write(b"latin")
    (files / ".hidden").write_text("hidden")
    space.save(volume)
    return volume


def objects(server, place):
    """Key below the place to body and metadata, as another program sees them."""
    client, prefix = server.client(), place.url.removeprefix(f"s3://{BUCKET}/") + "/"
    found = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        for item in page.get("Contents", ()):
            one = client.get_object(Bucket=BUCKET, Key=item["Key"])
            found[item["Key"].removeprefix(prefix)] = (one["Body"].read(), one["Metadata"])
    return found


def test_each_file_is_an_object_and_the_rest_stands_in_the_manifest(space, filled, s3_server, place):
    seen = []
    report = export_objects(space.store, space.store, 1, place, part_bytes=part_bytes, progress=seen.append)
    found = objects(s3_server, place)
    manifest = json.loads(found[MANIFEST][0])
    assert manifest["complete"] is True
    notes = {one["path"]: one for one in manifest["entries"]}
    files = {
        os.fsencode(os.path.relpath(os.path.join(folder, name), filled.files))
        for folder, _, names in os.walk(filled.files)
        for name in names
        if not os.path.islink(os.path.join(folder, name))
    }
    assert len(found) == len(files) + 1 == report.files + 1
    for path in files:
        text = path.decode("utf-8", "backslashreplace")
        body, about = found[notes.get(text, {}).get("key", text)]
        real = os.fsencode(filled.files) + b"/" + path
        assert body == Path(os.fsdecode(real)).read_bytes(), path
        seconds, _, rest = about["mtime"].partition(".")
        assert int(seconds) * 10**9 + int(rest) == os.stat(real).st_mtime_ns
    assert notes["run.sh"]["mode"] == "0755"
    assert notes["same.sh"]["same_as"] == "run.sh"
    assert notes["to"] == {"path": "to", "kind": "symlink", "target": "data/large.bin"}
    assert notes["data/deep"]["empty"] is True
    assert notes["latin-\\xe9"]["path_base64"] == "bGF0aW4t6Q=="
    assert notes[MANIFEST]["key"] == f"{MANIFEST}.1"
    assert seen[-1].done_bytes == seen[-1].total_bytes == report.size_bytes
    assert seen[-1].done_files == report.files
    assert dict(report.renamed) == {"latin-\\xe9": "latin-\ufffd.1", MANIFEST: f"{MANIFEST}.1"}


def test_a_place_that_is_not_empty_is_refused_and_stays(space, filled, s3_server, place):
    place.put_plain("mine.txt", b"mine", {})
    with pytest.raises(Refusal, match="is not empty"):
        export_objects(space.store, space.store, 1, place, part_bytes=part_bytes)
    assert list(objects(s3_server, place)) == ["mine.txt"]


def test_cut_off_it_goes_on_and_a_whole_one_is_not_written_again(space, filled, s3_server, place):
    asked = iter(range(10**6))
    with pytest.raises(Cancelled):
        export_objects(
            space.store, space.store, 1, place, part_bytes=part_bytes, cancelled=lambda: next(asked) > 150
        )
    before = objects(s3_server, place)
    assert json.loads(before[MANIFEST][0])["complete"] is False
    assert 1 < len(before) < 310
    pending = s3_server.client().list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    assert not [one for one in pending if one["Key"].startswith(place.url.rpartition("/")[2])]
    report = export_objects(space.store, space.store, 1, place, part_bytes=part_bytes)
    assert report.there == len(before) - 1
    assert len(objects(s3_server, place)) == report.files + 1
    with pytest.raises(Refusal, match="is not empty"):
        export_objects(space.store, space.store, 1, place, part_bytes=part_bytes)


def test_the_command_writes_objects_and_never_a_folder_of_that_name(
    space, filled, s3_server, place, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THE_SECRET", s3_server.secret)
    store = (tmp_path / "store").as_uri()
    options = [f"{name}={value}" for name, value in s3_server.options.items() if name != "secret"]
    given = [part for option in [*options, "secret=env:THE_SECRET"] for part in ("--to-option", option)]
    assert run(cli, ["workspace", "export", "1", place.url, "--store", store, "--path", "data", *given]) == 0
    out = capsys.readouterr().out.replace("\u00a0", " ")
    assert out.startswith("Exported 302 files of snapshot 1, ")
    assert MANIFEST in out
    assert "data/large.bin" in objects(s3_server, place)
    for arguments in (
        ["restore", "--to", place.url, "--store", store],
        ["restore", place.url, "--store", store],
        ["export", "1", "gs://bucket/out", "--store", store],
        ["export", "1", f"{store}/x", "--store", "s3://notebooks"],
    ):
        assert run(cli, ["workspace", *arguments]) != 0, arguments
    assert "is an address, and a folder of this machine is meant" in capsys.readouterr().err
    assert not (tmp_path / "s3:").exists()
    assert not (tmp_path / "gs:").exists()
    assert run(cli, ["workspace", "export", "1", (tmp_path / "plain").as_uri(), "--store", store]) == 0
    assert (tmp_path / "plain" / "run.sh").read_text() == "#!/bin/sh\n"
