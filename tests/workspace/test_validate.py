"""`store validate`: which checks each kind of store passes, and what is done with the others."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jupyterhub_notebooks.errors import ConfigError, StorageAway
from jupyterhub_notebooks.workspace import claim_root, open_store, read_root
from jupyterhub_notebooks.workspace.store import keep_validated
from jupyterhub_notebooks.workspace.store.validating import AT_EVERY_START, CHECKS, validate

from .. import certificates, s3
from .overwriting import overwriting

ALL = {check.number for check in CHECKS}
LONG = pytest.mark.timeout(1800)  # the first of these builds the server


def now():
    return datetime.now(UTC)


def outcomes(server, only=None, **options):
    found = validate(server.url, {**server.options, **options}, now, only)
    kept = {}
    for result in found.results:
        kept.setdefault(result.outcome, set()).add(result.check.number)
    return found, kept


def command(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "jupyterhub_notebooks.cli", "store", "validate", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done


def of(server):
    words = [f"{name}={value}" for name, value in server.options.items() if name not in ("key", "secret")]
    words += ["key=env:S3_KEY", "secret=env:S3_SECRET"]
    return ["--store", server.url, *(part for word in words for part in ("--store-option", word))]


def left_of(server):
    return [key for key, _ in open_store(server.url, server.options).list("validate/")]


def test_there_are_thirteen_checks_and_each_says_what_it_means():
    assert [check.number for check in CHECKS] == list(range(1, 14))
    for check in CHECKS:
        assert check.title and check.means
        assert check.next or check.handled
    assert set(AT_EVERY_START) == {2, 5, 6}


@pytest.mark.slow  # a start of the product on an S3 shows the same checks pass, over TLS
def test_versitygw_passes_all_nothing_is_left_and_the_hub_s_store_keeps_the_result(s3_server):
    store = open_store(s3_server.url, s3_server.options)
    claim_root(store, "a hub", now())
    done = command(*of(s3_server), "--json", S3_KEY=s3_server.key, S3_SECRET=s3_server.secret)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["usable"]
    assert {one["outcome"] for one in said["checks"]} == {"passed"}
    assert left_of(s3_server) == []
    facts = read_root(store)
    assert facts.hub == "a hub"
    assert set(facts.validated["checks"].values()) == {"passed"}
    assert len(facts.validated["checks"]) == 13
    assert facts.validated["server"] == said["server"] == "VERSITYGW"
    kept = store.get("notebooks-store.json").decode()
    for text in (done.stdout, done.stderr, kept):
        assert s3_server.key not in text
        assert s3_server.secret not in text


def test_over_tls_the_quick_checks_and_a_cut_off_write_pass(tmp_path):
    made = certificates.make(tmp_path / "certificates")
    with s3.running(tmp_path / "s3", certificates=made) as server:
        _, found = outcomes(server, only=(2, 5, 6, 7, 8, 13))
        assert found == {"passed": {2, 5, 6, 7, 8, 13}}
        without = {name: value for name, value in server.options.items() if name != "ca_file"}
        with pytest.raises((StorageAway, ConfigError), match=r"certificate|does not answer"):
            validate(server.url, without, now, (5,)).insist()


@pytest.mark.slow
def test_versitygw_over_tls_passes_all(tmp_path):
    made = certificates.make(tmp_path / "certificates")
    with s3.running(tmp_path / "s3", certificates=made) as server:
        assert outcomes(server)[1] == {"passed": ALL}


@pytest.mark.slow
@LONG
def test_minio_passes_all_with_a_key_that_may_only_write_and_without_one_all_but_the_copy(tmp_path):
    with s3.minio(tmp_path / "s3") as server:
        found, kept = outcomes(server)
        assert kept == {"passed": ALL - {8}, "failed": {8}}
        with pytest.raises(ConfigError, match="put_key"):
            found.insist()
        assert outcomes(server, **s3.only_puts(server))[1] == {"passed": ALL}
        assert left_of(server) == []


@pytest.mark.slow
@LONG
def test_rclone_is_refused_and_with_the_option_none_for_its_copies_alone(tmp_path):
    with s3.lying(tmp_path / "s3") as server:
        found, kept = outcomes(server)
        assert kept == {"passed": {1, 5, 7, 10, 11, 12, 13}, "failed": {2, 3, 4, 6, 8}, "handled": {9}}
        with pytest.raises(ConfigError, match="check 2") as refused:
            found.insist()
        assert "conditional" in refused.value.sentence()
        found, kept = outcomes(server, conditional="none")
        assert kept == {"passed": {1, 5, 7, 10, 11, 12, 13}, "failed": {8}, "handled": {2, 3, 4, 6, 9}}
        lines = [result.line() for result in found.results if result.check.number == 2]
        assert "ledger's unique row" in lines[0] and "overwrite blocks of its own workspace" in lines[0]


def test_a_store_that_overwrites_is_refused_and_with_the_option_none_it_is_used(s3_server):
    quick = (2, 3, 4, 5, 6, 8)
    with overwriting(s3_server) as address:
        found, kept = outcomes(s3_server, quick, endpoint_url=address)
        assert {2, 3} <= kept["failed"]
        with pytest.raises(ConfigError, match="overwrote an object"):
            found.insist()
        found, kept = outcomes(s3_server, quick, endpoint_url=address, conditional="none")
        assert kept == {"handled": {2, 3, 4}, "passed": {5, 6, 8}}
        found.insist()


def test_a_directory_passes_what_applies_to_it_and_is_left_empty(tmp_path):
    done = command("--store", (tmp_path / "store").as_uri())
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line[1:3].strip() for line in lines[1:14]] == [str(number) for number in range(1, 14)]
    assert sum("passed" in line for line in lines[1:14]) == 5
    assert sum("not here" in line for line in lines[1:14]) == 8
    assert lines[-1] == "This store can be used. No Hub uses it yet."
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_a_wrong_clock_and_a_wrong_region_are_told_with_the_remedy(s3_server):
    ahead = validate(s3_server.url, s3_server.options, lambda: now() + timedelta(minutes=5), (12,))
    assert "behind ours" in ahead.results[0].line() and "NTP" in ahead.results[0].line()
    with pytest.raises(ConfigError):
        validate(s3_server.url, {**s3_server.options, "region": "elsewhere"}, now, (1, 5)).insist()


def test_a_secret_on_the_command_line_is_refused_and_not_repeated():
    for name in ("secret", "token", "put_secret", "put_token"):
        done = command("--store", "s3://b/x", "--store-option", f"{name}=very-secret-value")
        assert done.returncode == 2
        assert "can be read by everybody" in done.stderr
        assert "very-secret-value" not in done.stderr


def test_a_store_that_does_not_answer_ends_with_6(s3_server):
    away = {**s3_server.options, "endpoint_url": f"http://127.0.0.1:{s3.free_port()}"}
    with pytest.raises(StorageAway):
        validate(s3_server.url, away, now, AT_EVERY_START)


def test_without_a_product_and_without_an_address_it_says_what_to_name(tmp_path):
    done = command("--state", str(tmp_path))
    assert done.returncode == 4
    assert "--store" in done.stderr


def test_what_a_check_that_was_cut_off_left_is_removed_a_day_later(tmp_path):
    url = (tmp_path / "store").as_uri()
    store = open_store(url)
    store.replace("validate/20260101T000000Z-abcdef01/two", b"x")
    store.replace(f"validate/{now():%Y%m%dT%H%M%SZ}-abcdef01/two", b"of one that runs now")
    validate(url, {}, now, (2,))
    assert [key.endswith("two") and "2026010" in key for key, _ in store.list("validate/")] == [False]


def test_the_result_is_kept_beside_whose_the_store_is(tmp_path):
    store = open_store(Path(tmp_path / "store").as_uri())
    before = claim_root(store, "a hub", now())
    assert before.validated is None
    after = keep_validated(store, {"at": "now", "checks": {"1": "passed"}})
    assert (after.hub, after.created) == (before.hub, before.created)
    assert read_root(store).validated == {"at": "now", "checks": {"1": "passed"}}
