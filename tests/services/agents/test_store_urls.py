"""The directory store behind signed URLs: written once, exactly as signed, seen whole or not at all."""

import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jupyterhub_notebooks.contract import UrlRequest
from tests.agents_service import open_url

from .conftest import get, name_of, put, sign, to_get, to_put

MOST = 8 * 2**20 + 2**16


def stored(service, session, name):
    return Path(
        urlsplit(service.settings.store).path, "workspaces", session.workspace, "blocks", name[:2], name
    )


def incoming(service):
    folder = Path(urlsplit(service.settings.store).path, ".incoming")
    return list(folder.iterdir()) if folder.is_dir() else []


def test_a_second_put_answers_412_and_the_first_bytes_stay(service, session):
    name = "ab" * 32
    assert put(service, session, b"first", name) == 200
    assert put(service, session, b"first", name) == 412
    assert put(service, session, b"second", name) == 412
    assert get(service, session, name) == (200, b"first")


def test_the_largest_block_is_taken_and_read_back(service, session):
    body = os.urandom(MOST)
    assert put(service, session, body) == 200
    assert get(service, session, name_of(body)) == (200, body)
    assert put(service, session, body) == 412


@pytest.mark.parametrize(
    "sent",
    [
        b"other bytes of the same length!!"[:20],
        b"",
        b"shorter",
        b"much longer than what was signed for this block",
    ],
)
def test_a_body_that_differs_is_refused_and_nothing_is_visible(service, session, sent):
    body = b"twenty bytes exactly"
    [url] = sign(service, session, to_put(body))
    headers = {**url["headers"], "content-length": str(len(sent))}
    if len(sent) == len(body):
        headers = url["headers"]
    status, answer, _ = open_url("PUT", url["url"], headers, sent)
    assert status == 400, answer
    assert not stored(service, session, name_of(body)).exists()
    assert get(service, session, name_of(body))[0] == 404


@pytest.mark.parametrize("header", ["if-none-match", "x-amz-checksum-sha256"])
def test_a_signed_header_that_is_left_out_or_changed_is_refused(service, session, header):
    body = os.urandom(30)
    [url] = sign(service, session, to_put(body))
    without = {name: value for name, value in url["headers"].items() if name != header}
    assert open_url("PUT", url["url"], without, body)[0] == 400
    assert open_url("PUT", url["url"], {**url["headers"], header: "AAAA"}, body)[0] == 400
    assert get(service, session, name_of(body))[0] == 404
    assert open_url("PUT", url["url"], url["headers"], body)[0] == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("/blocks/ab/abab", "/blocks/ab/abac"),
        lambda url: url.replace("expires=", "expires=9"),
        lambda url: url.split("&signature")[0],
        lambda url: url.split("?")[0],
        lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
        lambda url: url.replace("length=", "length=1"),
    ],
)
def test_a_changed_url_is_refused(service, session, change):
    body = os.urandom(50)
    [to_write] = sign(service, session, to_put(body, "ab" * 32))
    changed = change(to_write["url"])
    assert changed != to_write["url"]
    assert open_url("PUT", changed, to_write["headers"], body)[0] == 403
    assert get(service, session, "ab" * 32)[0] == 404


def test_a_url_is_good_for_its_method_only(service, session):
    body = os.urandom(50)
    read, write = sign(service, session, to_get(name_of(body)), to_put(body))
    assert open_url("PUT", read["url"], write["headers"], body)[0] == 403
    assert open_url("GET", write["url"])[0] == 403
    for method in ("DELETE", "POST", "HEAD", "PATCH", "OPTIONS"):
        assert open_url(method, write["url"], {"content-length": "0"})[0] == 404
    assert get(service, session, name_of(body))[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "v1/store/",
        "v1/store/{workspace}/",
        "v1/store/{workspace}/blocks/",
        "v1/store/{workspace}/workspace.json",
        "v1/store/{workspace}/blocks/ab/../../../../ledger.sqlite",
        "v1/store/%2e%2e/%2e%2e/ledger.sqlite",
        "v1/store/{workspace}/condemned/0000000001",
        "v1/../../ledger.sqlite",
    ],
)
def test_nothing_but_blocks_and_snapshots_has_an_address(service, session, path):
    assert open_url("GET", service.url + path.format(workspace=session.workspace))[0] == 404


def test_an_expired_url_is_refused():
    from datetime import UTC, datetime, timedelta

    from jupyterhub_notebooks.services.agents.signing import LIFETIME_SECONDS, DirectorySigner

    now = [datetime(2026, 10, 14, tzinfo=UTC)]
    signer = DirectorySigner("http://here/v1/store", "key", lambda: now[0])
    key = "workspaces/w/blocks/ab/x"
    query = dict(pair.split("=") for pair in urlsplit(signer.get(key).url).query.split("&"))
    now[0] += timedelta(seconds=LIFETIME_SECONDS)
    assert signer.holds("GET", key, query)
    now[0] += timedelta(seconds=1)
    assert not signer.holds("GET", key, query)
    assert not DirectorySigner("http://here/v1/store", "other", lambda: now[0]).holds("GET", key, query)


def test_a_part_of_a_block_is_read_by_its_range(service, session):
    body = bytes(range(200))
    put(service, session, body)
    [url] = sign(service, session, to_get(name_of(body)))
    status, part, headers = open_url("GET", url["url"], {"Range": "bytes=10-19"})
    assert (status, part, headers["Content-Range"]) == (206, body[10:20], "bytes 10-19/200")
    assert open_url("GET", url["url"], {"Range": "bytes=190-"})[1] == body[190:]
    assert open_url("GET", url["url"], {"Range": "bytes=500-"})[0] == 416


def test_a_put_cut_off_half_way_leaves_nothing(service, session):
    body = os.urandom(3_000_000)
    [url] = sign(service, session, to_put(body))
    parts = urlsplit(url["url"])
    with socket.create_connection((parts.hostname, parts.port)) as wire:
        lines = [f"PUT {parts.path}?{parts.query} HTTP/1.1", f"host: {parts.netloc}"]
        lines += [f"{name}: {value}" for name, value in url["headers"].items()]
        wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body[:2_000_000])
        until(lambda: incoming(service))
    until(lambda: not incoming(service))
    assert get(service, session, name_of(body))[0] == 404
    assert put(service, session, body) == 200


def until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def test_of_many_writers_of_one_block_exactly_one_is_told_that_it_wrote(service, session):
    from concurrent.futures import ThreadPoolExecutor

    name = "cd" * 32
    bodies = [os.urandom(100_000) for _ in range(8)]
    urls = sign(service, session, *(to_put(body, name) for body in bodies))
    with ThreadPoolExecutor(8) as pool:
        done = list(
            pool.map(
                lambda pair: open_url("PUT", pair[0]["url"], pair[0]["headers"], pair[1]),
                zip(urls, bodies, strict=True),
            )
        )
    statuses = [status for status, _, _ in done]
    assert sorted(statuses) == [200] + [412] * 7
    assert get(service, session, name) == (200, bodies[statuses.index(200)])


def test_what_an_unfinished_put_of_a_killed_service_left_is_swept_at_the_next_start(own_service):
    folder = Path(urlsplit(own_service.settings.store).path, ".incoming")
    own_service.kill()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "left").write_bytes(b"half")
    own_service.start()
    assert not incoming(own_service)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (UrlRequest("block", "DELETE", hash="ab" * 32), "urls[0].method"),
        (UrlRequest("block", "GET", hash="../../etc/passwd"), "urls[0].hash"),
        (UrlRequest("block", "GET", hash="AB" * 32), "urls[0].hash"),
        (UrlRequest("block", "GET"), "urls[0].hash"),
        (UrlRequest("snapshot", "PUT", number=1, length=5, sha256="ab" * 32), "urls[0].kind"),
        (UrlRequest("snapshot", "GET", number=0), "urls[0].number"),
        (UrlRequest("snapshot", "GET", number=10**12), "urls[0].number"),
        (UrlRequest("workspace", "GET"), "urls[0].kind"),
        (UrlRequest("block", "PUT", hash="ab" * 32, length=MOST + 1, sha256="ab" * 32), "urls[0].length"),
        (UrlRequest("block", "PUT", hash="ab" * 32, length=0, sha256="ab" * 32), "urls[0].length"),
        (UrlRequest("block", "PUT", hash="ab" * 32, length=5, sha256="zz"), "urls[0].sha256"),
        (UrlRequest("block", "PUT", hash="ab" * 32, length=5), "urls[0].sha256"),
    ],
)
def test_what_is_never_signed_is_refused_by_name(service, session, request_, field):
    status, answer = service.call(session, "POST", "urls", {"urls": [request_.to_json()]})
    assert (status, answer["error"]["field"]) == (400, field)


def test_more_than_a_thousand_urls_at_once_are_refused(service, session):
    one = {"kind": "block", "hash": "ab" * 32}
    assert len(service.call(session, "POST", "urls", {"urls": [one] * 1000})[1]["urls"]) == 1000
    assert service.call(session, "POST", "urls", {"urls": [one] * 1001})[0] == 400
