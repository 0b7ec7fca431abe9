"""The product on S3: what was made comes back, and the storage's keys are nowhere near a notebook."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from jupyterhub_notebooks.workspace.store.probe import Raw
from tests import certificates, s3

from . import configs
from .keyless import around, call, notebook_processes, put_of, tokens
from .keyless import nowhere as assert_nowhere
from .product import Product

LIVE = """
import os
for name, value in os.environ.items():
    print(name, value)
open("made.txt", "w").write("x" * 1000)
os.makedirs("deep/er", exist_ok=True)
open("deep/er/big.bin", "wb").write(os.urandom(9_000_000))
"""


def assert_closed_to_others(product: Product, server: s3.S3, token: str, secrets: list[str]) -> None:
    """What a session can do with its URLs at the S3 server itself."""
    ask = Raw(Path(server.ca_file).read_text() if server.ca_file else None)
    body = os.urandom(5000)
    status, text = call(product, token, "urls", {"urls": [put_of(body), {**put_of(body), "method": "GET"}]})
    assert status == 200, text
    assert_nowhere(secrets, {"an answer of services/agents": text.encode()})
    put, get = json.loads(text)["urls"]
    assert ask("PUT", put["url"], put["headers"], body).status in (200, 201)
    again = ask("PUT", put["url"], put["headers"], body)
    assert again.status == 412
    read = ask("GET", get["url"])
    assert (read.status, read.body) == (200, body)
    workspace = product.sessions()[0]["workspace"]
    other = workspace[:-1] + ("0" if workspace[-1] != "0" else "1")
    for changed in (get["url"].replace(workspace, other), get["url"].replace("/blocks/", "/snapshots/")):
        refused = ask("GET", changed)
        assert refused.status == 403
        assert_nowhere(secrets, {"an answer of the S3 server": refused.body})
    assert ask("PUT", put["url"].replace(workspace, other), put["headers"], body).status == 403
    assert ask("DELETE", get["url"]).status == 403
    assert call(product, "0" * 64, "urls", {"urls": [put_of(body)]})[0] == 401
    said = call(product, token, "snapshots")[1] + call(product, token, "orders?after=x")[1]
    assert_nowhere(secrets, {"an answer of services/agents": said.encode()})


async def round_trip(product: Product, server: s3.S3, more: dict[str, str], folder: Path) -> None:
    variables = configs.s3_variables(server, more)
    product.environment |= variables
    config = configs.changed(folder, configs.s3_line(server, more))
    # A signed URL names the identity that signed it, and its session; what signs is the secret.
    secrets = [value for name, value in variables.items() if name in ("S3_SECRET", "S3_PUT_SECRET")]
    product.start("--config", config)
    person = product.admin()
    person.start()
    printed = await person.run(LIVE)
    assert "NOTEBOOK_SESSION_ID" in printed
    assert_nowhere(list(variables.values()), {"a kernel's environment": printed.encode()})
    processes = notebook_processes(product)
    assert processes
    token = next(iter(tokens(product).values()))
    assert_nowhere(list(variables.values()), around(product))
    assert_closed_to_others(product, server, token, secrets)
    person.stop()
    assert call(product, token, "urls", {"urls": [put_of(b"late")]})[0] == 401
    session = product.sessions()[0]
    assert (session["cause"], bool(session["closed_at"])) == ("stopped", True)
    shutil.rmtree(product.state / "volumes" / session["notebook"])
    person.start()
    printed = await person.run(
        "import os; print(len(open('made.txt').read()), os.path.getsize('deep/er/big.bin'))"
    )
    assert printed == "1000 9000000\n"
    assert_nowhere(list(variables.values()), around(product))
    product.interrupt()
    assert product.process is not None and product.process.returncode == 0, product.output
    assert_nowhere(list(variables.values()), around(product))
    marker = json.loads(server_object(server, "root/notebooks-store.json"))
    assert set(marker["validated"]["checks"].values()) == {"passed"}
    assert_nowhere(list(variables.values()), {"the store's marker": json.dumps(marker).encode()})


def server_object(server: s3.S3, key: str) -> bytes:
    return server.client().get_object(Bucket=s3.BUCKET, Key=key)["Body"].read()


async def test_what_was_made_comes_back_from_an_s3_over_tls_with_an_authority_of_its_own(
    own_product, tmp_path
):
    made = certificates.make(tmp_path / "certificates")
    with s3.running(tmp_path / "s3", certificates=made) as server:
        await round_trip(own_product, server, {}, tmp_path)


@pytest.mark.slow
async def test_what_was_made_comes_back_from_an_s3_over_http(own_product, tmp_path):
    with s3.running(tmp_path / "s3") as server:
        await round_trip(own_product, server, {}, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_what_was_made_comes_back_from_minio_with_a_key_that_may_only_write(own_product, tmp_path):
    with s3.minio(tmp_path / "s3") as server:
        await round_trip(own_product, server, s3.only_puts(server), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_minio_without_a_key_that_may_only_write_is_refused_before_anything_runs(own_product, tmp_path):
    with s3.minio(tmp_path / "s3") as server:
        assert_refused(own_product, server, tmp_path, "put_key")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_store_that_overwrites_silently_is_refused_before_anything_runs(own_product, tmp_path):
    with s3.lying(tmp_path / "s3") as server:
        assert_refused(own_product, server, tmp_path, "conditional")


def assert_refused(product: Product, server: s3.S3, folder: Path, remedy: str) -> None:
    """`up` ends, with the remedy in its last line, and no key in any."""
    product.environment |= {"S3_KEY": server.key, "S3_SECRET": server.secret}
    with pytest.raises(AssertionError):
        product.start("--config", configs.changed(folder, configs.s3_line(server, {})))
    product.process.wait(60)
    assert product.process.returncode == 3
    assert remedy in product.output and "store validate" in product.output, product.output
    assert_nowhere([server.key, server.secret], around(product))
    assert product.processes() == []
