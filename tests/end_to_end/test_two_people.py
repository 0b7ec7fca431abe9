"""Neither of two people sees, opens, saves or restores anything of the other's, by any door."""

import json
import urllib.error
import urllib.parse
import urllib.request

import pytest

from .product import Answer, until

API = "/services/notebooks/api/v1"


@pytest.fixture(scope="module")
def two(product):
    """Two people, each with a running named notebook; the second one's session token, as a process holds it."""
    one, other = product.add_user("anna"), product.add_user("bert")
    for person in (one, other):
        person.start("own")
    tokens = {}
    for _, words in product.environments():
        if "NOTEBOOK_SESSION_TOKEN" in words:
            tokens[words["NOTEBOOK_SESSION_ID"]] = (
                words["NOTEBOOK_SESSION_TOKEN"],
                words["NOTEBOOK_SERVICE_URL"].rstrip("/") + "/",
            )
    rows = {row["id"]: row for row in product.sessions() if row["id"] in tokens}
    yield one, other, rows, tokens
    for person in (one, other):
        if person.server("own"):
            person.stop("own")


def asked(url, token, method="GET", body=None):
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return Answer(answer.status, answer.read(), answer.url, answer.headers)
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read(), error.url, error.headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/notebooks/bert/own"),
        ("POST", "/notebooks/bert/own/start"),
        ("POST", "/notebooks/bert/own/stop"),
    ],
)
def test_our_api_refuses_the_other_s_notebook(two, method, path):
    one = two[0]
    answer = one.api(path, method, {} if method == "POST" else None, base=API)
    assert answer.status in (403, 404), answer.text
    assert "error" in answer.json()


def test_our_list_has_only_one_s_own(two):
    one = two[0]
    listed = one.api("/notebooks", base=API)
    assert listed.status == 200
    assert "bert" not in listed.text
    assert "anna" in listed.text or "own" in listed.text


def test_our_pages_refuse_the_other_s_notebook(two):
    one = two[0].log_in()
    for path in ("/services/notebooks/n/bert/own", "/services/notebooks/n/bert/own/progress"):
        answer = one.ask(path)
        assert answer.status in (403, 404), (path, answer.status)
    assert "bert" not in one.ask("/services/notebooks/").text


def test_the_hub_and_the_server_refuse_the_other_s(two):
    one = two[0]
    assert one.api("/users/bert").status in (403, 404)
    assert one.api("/users/bert/servers/own", "DELETE").status in (403, 404)
    assert one.api("api/contents", base="/user/bert/own/").status in (403, 404)


def test_a_session_token_opens_its_own_workspace_only(two, product):
    _, _, rows, tokens = two
    (first, (token, base)), (second, _) = list(tokens.items())[:2]
    mine, other = rows[first]["workspace"], rows[second]["workspace"]
    snapshots = asked(f"{base}v1/snapshots", token)
    assert snapshots.status == 200
    wanted = {"urls": [{"kind": "block", "method": "GET", "hash": "0" * 64}]}
    signed = asked(f"{base}v1/urls", token, "POST", wanted)
    assert signed.status == 200
    url = signed.json()["urls"][0]["url"]
    assert mine in url and other not in url
    assert asked(url.replace(mine, other), token).status == 403
    assert asked(f"{base}v1/snapshots", "f" * 64).status == 401


def test_a_closed_session_s_token_opens_nothing(two, product):
    one, _, rows, tokens = two
    mine = next(id for id, row in rows.items() if row["user"] == _user_of(product, one, rows))
    token, base = tokens[mine]
    one.stop("own")
    until(
        lambda: next(r for r in product.sessions() if r["id"] == mine)["closed_at"], 30, what="the closed row"
    )
    for path, method, body in (
        ("v1/snapshots", "GET", None),
        ("v1/urls", "POST", {"urls": [{"kind": "block", "hash": "0" * 64}]}),
        ("v1/heartbeat", "POST", {"sequence": 999, "phase": "running"}),
        ("v1/hello", "POST", {"agent_version": "0"}),
    ):
        assert asked(base + path, token, method, body).status == 401, path


def _user_of(product, person, rows):
    listed = product.command("session", "why", f"{person.name}/own", "--json").stdout
    return json.loads(listed)["user"]


async def test_a_user_made_again_under_the_same_name_sees_nothing_of_the_first(product):
    first = product.add_user("carla")
    first.start("mine")
    await first.run("open('secret.txt','w').write('of the first')", "mine")
    first.stop("mine")
    admin = product.admin()
    assert admin.api("/users/carla/servers/mine", "DELETE", {"remove": True}).status in (202, 204, 404)
    assert admin.api("/users/carla", "DELETE").status == 204
    second = product.add_user("carla")
    second.log_in()
    assert "mine" not in json.dumps(second.api("/notebooks", base=API).json())
    second.start("mine")
    said = await second.run("import os; print(os.path.exists('secret.txt'))", "mine")
    assert said == "False\n"
    second.stop("mine")
