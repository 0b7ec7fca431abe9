"""Each thing that goes wrong with a start, caused for real: its user reads it on the page, with the reason and what to do;
``session diagnose``, the REST API and the audit have the evidence; nothing of it is left."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from jupyterhub_notebooks.cli.session import session as session_command
from jupyterhub_notebooks.ledger import audit, notebooks, sessions, users
from tests.spawners.kube.causes import FAILS, STARTS
from tests.spawners.kube.conftest import kube_hub
from tests.spawners.kube.failing import (
    HOOK,
    ask_pages,
    caused,
    cleared,
    machines_seen,
    pages_answer,
    token_of,
    user_of,
)
from tests.spawners.kube.registry import registry
from tests.spawners.kube.test_podstate import READ

pytestmark = pytest.mark.slow

#: Those of the namespace itself; the others are in one that refuses nothing.
RESTRICTED = ("security level",)


@pytest.fixture(scope="module")
def address():
    with registry() as found:
        yield found


@pytest.fixture(scope="module")
def free_hub(cluster, base, address, tmp_path_factory):
    folder = tmp_path_factory.mktemp("failing")
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    with (
        kube_hub(
            cluster, base, folder, labels=labels, more=HOOK.format(registry=address), pages=True
        ) as found,
        machines_seen(cluster, found.namespace),
    ):
        yield pages_answer(found)


@pytest.fixture(scope="module")
def strict_hub(cluster, base, address, tmp_path_factory):
    folder = tmp_path_factory.mktemp("strict")
    with kube_hub(cluster, base, folder, more=HOOK.format(registry=address), pages=True) as found:
        yield pages_answer(found)


def session_of(hub, user):
    found = users.by_name(hub.ledger, user)
    return sessions.of_notebook(hub.ledger, notebooks.find(hub.ledger, found.id, "").id, 1)[0]


@pytest.mark.parametrize("cause", STARTS, ids=lambda one: one.name)
def test_its_user_reads_what_is_wrong_and_what_to_do(request, cause, address):
    hub = request.getfixturevalue("strict_hub" if cause.name in RESTRICTED else "free_hub")
    title, why = (text.replace("127.0.0.1:5000", address) for text in READ[cause.name])
    if cause.name == "registry hangs":
        title, why = "Fetching the image", ""
    seen = caused(hub, cause, title)
    try:
        assert seen.told_at is not None, (seen.everything, hub.log()[-3000:])
        assert cause.what != FAILS or why in seen.said, seen.said
        row = session_of(hub, user_of(cause))
        if cause.what != FAILS:
            assert row.closed_at is None and row.cause is None, "it waits"
            return
        assert row.cause == cause.cause
        _evidence_is_told(hub, user_of(cause), row, title)
    finally:
        cleared(hub, cause)


def _evidence_is_told(hub, user, row, title):
    told = ask_pages(hub, token_of(hub, user), f"sessions/{row.id}/diagnosis")
    assert title in told["title"].replace("\u00a0", " ") and told["evidence"] and told["next"]
    said = CliRunner().invoke(
        session_command, ["diagnose", row.id, "--ledger", str(hub.ledger.url), "--json"]
    )
    assert json.loads(said.output)["evidence"] == told["evidence"]
    kept = audit.of_session(hub.ledger, row.id, audit.FAILED, row.asked_at)
    assert kept is not None and kept["signals"] and kept["title"] == told["title"]
    assert audit.broken(hub.ledger) is None
