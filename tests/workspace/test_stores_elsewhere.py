"""The S3 store over TLS, and at a second implementation: the same contract."""

import os
from pathlib import Path

import pytest

from jupyterhub_notebooks.agent.wire import Wire
from jupyterhub_notebooks.errors import ConfigError
from jupyterhub_notebooks.workspace import open_store

from .. import certificates, s3
from ..contracts.stores import StoreContract


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory):
    made = certificates.make(tmp_path_factory.mktemp("certificates"))
    with s3.running(tmp_path_factory.mktemp("s3"), certificates=made) as server:
        yield server


@pytest.fixture(scope="module")
def minio(tmp_path_factory):
    with s3.minio(tmp_path_factory.mktemp("minio")) as server:
        yield server


def fresh(server):
    return open_store(f"s3://notebooks/{os.urandom(6).hex()}", server.options)


@pytest.mark.slow
class TestS3StoreOverTls(StoreContract):
    @pytest.fixture
    def store(self, over_tls):
        return fresh(over_tls)


@pytest.mark.slow
@pytest.mark.timeout(1800)
class TestMinioStore(StoreContract):
    @pytest.fixture
    def store(self, minio):
        return fresh(minio)


def test_a_server_with_an_unknown_authority_is_refused_with_the_option_to_set(over_tls):
    options = {name: value for name, value in over_tls.options.items() if name != "ca_file"}
    with pytest.raises(ConfigError, match="certificate is not trusted") as refused:
        open_store("s3://notebooks/x", options).get("workspace.json")
    assert "ca_file" in refused.value.sentence()


def test_the_address_in_the_certificate_is_checked(tmp_path):
    made = certificates.make(tmp_path / "certificates", address="127.0.0.2")
    with s3.running(tmp_path / "s3", certificates=made) as server:
        with pytest.raises(ConfigError, match="certificate is not trusted"):
            open_store(server.url, server.options).get("workspace.json")
        with pytest.raises(OSError, match="IP address mismatch"):
            wire_that_trusts(made).request("GET", server.endpoint)


def wire_that_trusts(made):
    wire = Wire()
    wire.trust(made.authority.read_text())
    return wire


def test_an_agent_reaches_it_only_with_the_authority_that_the_service_names(over_tls):
    with pytest.raises(OSError, match="unable to get local issuer"):
        Wire().request("GET", over_tls.endpoint)
    wire = Wire()
    wire.trust(Path(over_tls.ca_file).read_text())
    assert wire.request("GET", over_tls.endpoint).status == 403


@pytest.mark.parametrize(
    "text", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "é"]
)
def test_a_file_that_holds_no_certificate_is_named(tmp_path, text):
    (tmp_path / "ca.pem").write_text(text)
    with pytest.raises(ConfigError, match="holds no certificate"):
        open_store("s3://b/x", {"ca_file": str(tmp_path / "ca.pem")})


def test_a_certificate_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        open_store("s3://b/x", {"ca_file": str(tmp_path / "none.pem")})


def test_half_of_a_key_that_may_only_write_is_told():
    with pytest.raises(ConfigError) as refused:
        open_store("s3://b/x", {"put_key": "an id"})
    assert refused.value.field == "store_options.put_secret"
