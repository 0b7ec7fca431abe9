"""Our signer of S3 URLs makes what botocore makes, and a real server takes it."""

import base64
import hashlib
import os
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import botocore.auth
import botocore.config
import botocore.session
import pytest

from jupyterhub_notebooks.errors import ConfigError
from jupyterhub_notebooks.services.agents.signing import LIFETIME_SECONDS, S3Signer
from tests.agents_service import open_url, start_agents_service
from tests.s3 import running

from .conftest import commit, fresh, get, hello, looked_at_before, name_of, put, sign, to_get, to_put

NOW = datetime(2026, 10, 14, 14, 30, 5, tzinfo=UTC)
KEY = "workspaces/01m7z3t6v5jpxy9p9c37bhk0b8/blocks/ab/" + "ab" * 32


def signer(prefix="/some root/é", endpoint="http://127.0.0.1:7070", **more):
    return S3Signer(
        endpoint_url=endpoint,
        region="eu-central-1",
        key="AKIAEXAMPLE",
        secret="secret/+key",
        bucket="notebooks",
        prefix=prefix,
        now=lambda: NOW,
        **more,
    )


@pytest.fixture
def botocore_client(monkeypatch):
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *a, **m: NOW.replace(tzinfo=None))
    return client


def client(style="path", endpoint="http://127.0.0.1:7070", token=None):
    return botocore.session.get_session().create_client(
        "s3",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="secret/+key",
        aws_session_token=token,
        config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": style}),
    )


def parts(url):
    split = urlsplit(url)
    return split.scheme, split.netloc, split.path, parse_qs(split.query)


@pytest.mark.parametrize("prefix", ["", "root", "/some root/é"])
def test_a_get_is_signed_as_botocore_signs_it(botocore_client, prefix):
    key = "/".join(part for part in (prefix.strip("/"), KEY) if part)
    theirs = botocore_client().generate_presigned_url(
        "get_object", {"Bucket": "notebooks", "Key": key}, LIFETIME_SECONDS
    )
    assert parts(signer(prefix).get(KEY).url) == parts(theirs)


def test_a_put_is_signed_as_botocore_signs_it(botocore_client):
    digest = hashlib.sha256(b"body").hexdigest()
    theirs = botocore_client().generate_presigned_url(
        "put_object",
        {
            "Bucket": "notebooks",
            "Key": "root/" + KEY,
            "ContentLength": 4,
            "IfNoneMatch": "*",
            "ChecksumSHA256": base64.b64encode(bytes.fromhex(digest)).decode(),
        },
        LIFETIME_SECONDS,
    )
    ours = signer("root").put(KEY, 4, digest)
    assert parts(ours.url) == parts(theirs)
    names = parse_qs(urlsplit(ours.url).query)["X-Amz-SignedHeaders"][0].split(";")
    assert names == ["content-length", "host", "if-none-match", "x-amz-checksum-sha256"]
    assert set(names) - {"host"} == set(ours.headers)


def test_temporary_keys_and_the_bucket_in_the_host_name_are_signed_as_botocore_does(botocore_client):
    there = "https://s3.example.org"
    theirs = botocore_client("virtual", there, "a token/+=").generate_presigned_url(
        "get_object", {"Bucket": "notebooks", "Key": KEY}, LIFETIME_SECONDS
    )
    ours = signer("", there, token="a token/+=", virtual=True).get(KEY).url
    assert parts(ours) == parts(theirs)
    assert urlsplit(ours).netloc == "notebooks.s3.example.org"


def test_a_put_is_signed_by_the_identity_that_may_only_write_and_a_get_by_the_other():
    both = signer(put_key="ONLYPUTS", put_secret="its secret", put_token="its token")
    digest = hashlib.sha256(b"body").hexdigest()
    put_query = parse_qs(urlsplit(both.put(KEY, 4, digest).url).query)
    get_query = parse_qs(urlsplit(both.get(KEY).url).query)
    assert put_query["X-Amz-Credential"][0].startswith("ONLYPUTS/")
    assert put_query["X-Amz-Security-Token"] == ["its token"]
    assert get_query["X-Amz-Credential"][0].startswith("AKIAEXAMPLE/")
    assert "X-Amz-Security-Token" not in get_query
    assert both.get(KEY) == signer().get(KEY)


def test_an_endpoint_that_is_none_is_told():
    with pytest.raises(ConfigError, match="not the address of an S3 server"):
        signer(endpoint="localhost:9000")


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="module")
def on_s3(s3, tmp_path_factory):
    service = start_agents_service(
        tmp_path_factory.mktemp("agents"), started=False, store=s3.url, store_options=dict(s3.options)
    )
    looked_at_before(service)
    service.start()
    yield service
    service.close()


def test_blocks_and_snapshots_go_straight_to_s3(on_s3):
    session = fresh(on_s3)
    hello(on_s3, session)
    body = os.urandom(300_000)
    name = name_of(body)
    assert put(on_s3, session, body) == 200
    assert put(on_s3, session, body) == 412
    assert get(on_s3, session, name) == (200, body)
    assert commit(on_s3, session, 1)[0] == 200
    answer = hello(on_s3, session)
    assert (answer["head"], answer["next_number"]) == (1, 2)


def test_on_s3_a_second_put_keeps_the_first_bytes_and_wrong_ones_are_refused(on_s3):
    session = fresh(on_s3)
    name = "ef" * 32
    assert put(on_s3, session, b"first", name) == 200
    assert put(on_s3, session, b"other", name) == 412
    assert get(on_s3, session, name) == (200, b"first")
    body = b"twenty bytes exactly"
    [url] = sign(on_s3, session, to_put(body))
    assert open_url("PUT", url["url"], url["headers"], b"other bytes, as long")[0] == 400
    for header in url["headers"]:
        without = {one: value for one, value in url["headers"].items() if one != header}
        if header == "content-length":
            without[header] = "5"
        assert open_url("PUT", url["url"], without, body[: int(without["content-length"])])[0] == 403
    assert get(on_s3, session, name_of(body))[0] == 404
    assert open_url("PUT", url["url"], url["headers"], body)[0] == 200


def test_on_s3_a_url_of_one_workspace_does_not_open_another(on_s3):
    mara, lukas = fresh(on_s3), fresh(on_s3)
    put(on_s3, mara, b"of mara")
    [url] = sign(on_s3, lukas, to_get(name_of(b"of mara")))
    assert open_url("GET", url["url"])[0] == 404
    assert open_url("GET", url["url"].replace(lukas.workspace, mara.workspace))[0] == 403
    [url] = sign(on_s3, mara, to_get(name_of(b"of mara")))
    assert open_url("DELETE", url["url"])[0] == 403
    assert get(on_s3, mara, name_of(b"of mara")) == (200, b"of mara")


def test_a_service_with_a_store_elsewhere_serves_no_bytes_itself(on_s3):
    session = fresh(on_s3)
    url = f"{on_s3.url}v1/store/{session.workspace}/blocks/ab/{'ab' * 32}"
    assert open_url("GET", url)[0] == 404
