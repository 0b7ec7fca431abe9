"""The product on S3, in the browser: what was made comes back, and the storage's keys are nowhere near a notebook."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import certificates, s3

from . import configs, keyless
from .coming_back import everything_comes_back
from .keyless import Recorder
from .product import Product

MINUTES = pytest.mark.timeout(
    1800
)  # a first start looks at the whole store, and the first on MinIO builds it


@contextlib.contextmanager
def place(kind: str, folder: Path) -> Iterator[tuple[s3.S3, Mapping[str, str]]]:
    """A server, and the second identity that it needs."""
    if kind == "MinIO":
        with s3.minio(folder / "s3") as server:
            yield server, s3.only_puts(server)
        return
    made = certificates.make(folder / "certificates") if kind.endswith("TLS") else None
    with s3.running(folder / "s3", certificates=made) as server:
        yield server, {}


class Network:
    """What travels between notebook, services/agents and S3, where it is not encrypted."""

    def __init__(self, product: Product, server: s3.S3) -> None:
        self.agents = Recorder(lambda: json.loads((product.state / "ports.json").read_text())["agents"])
        port = int(server.endpoint.rpartition(":")[2])
        self.storage = None if server.ca_file else Recorder(lambda: port)
        self.lines = {
            configs.AGENTS: f"{configs.AGENTS}"
            f" notebook_service_url='http://127.0.0.1:{self.agents.port}/services/agents',"
        }

    @property
    def endpoint(self) -> dict[str, str]:
        return {"endpoint_url": f"http://127.0.0.1:{self.storage.port}"} if self.storage else {}

    def answers(self) -> dict[str, bytes]:
        found = {"an answer of services/agents": self.agents.answers}
        return {**found, "an answer of the S3 server": self.storage.answers} if self.storage else found

    def close(self) -> None:
        self.agents.close()
        if self.storage:
            self.storage.close()


@pytest.mark.slow
@pytest.mark.browser
@MINUTES
@pytest.mark.parametrize("kind", ["versitygw over TLS", "versitygw over http", "MinIO"])
def test_what_was_made_comes_back_and_no_key_of_the_storage_is_near_a_notebook(
    own_product, wheels, page, tmp_path, kind
):
    with place(kind, tmp_path) as (server, more):
        network = Network(own_product, server)
        try:
            round_trip(own_product, server, more, network, wheels, page, tmp_path)
        finally:
            network.close()


def round_trip(product, server, more, network, wheels, page, folder):
    variables = configs.s3_variables(server, more)
    # A signed URL names the identity that signed it, and its session; what signs is the secret.
    signs = [value for name, value in variables.items() if name in ("S3_SECRET", "S3_PUT_SECRET")]
    keys = list(variables.values())
    product.environment |= variables
    lines = {**configs.s3_line(server, more, **network.endpoint), **network.lines}
    product.start("--config", configs.changed(folder, lines))
    other = product.add_user("other")
    other.start("theirs")
    used = []

    def running(printed):
        mine, theirs = product.sessions()[:2]  # newest first
        token_of = keyless.tokens(product)
        keyless.nowhere(keys, {"a cell's environment": printed.encode(), **keyless.around(product)})
        said = keyless.assert_closed(
            product,
            server,
            token_of[mine["id"]],
            mine["workspace"],
            {theirs["workspace"]: token_of[theirs["id"]]},
        )
        keyless.nowhere(signs, {"what a session was answered": said, **network.answers()})
        used.append(token_of[mine["id"]])

    everything_comes_back(
        page,
        product.add_user("mara"),
        wheels,
        running=running,
        stopped=lambda: keyless.assert_dead(product, used[0]),
    )
    keyless.nowhere(keys, keyless.around(product))
    assert b'"urls"' in network.agents.answers  # the notebook did save and restore by way of the recorder
    product.interrupt()
    assert product.process is not None and product.process.returncode == 0, product.output
    keyless.nowhere(keys, keyless.around(product))
    keyless.nowhere(signs, network.answers())
    body = server.client().get_object(Bucket=s3.BUCKET, Key="root/notebooks-store.json")["Body"].read()
    assert set(json.loads(body)["validated"]["checks"].values()) == {"passed"}
    keyless.nowhere(keys, {"the store's marker": body})
