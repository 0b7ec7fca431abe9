"""A real Hub with our spawner for tests: proxy, services/agents and Hub as processes, SQLite, a directory store.

``start_hub(tmp_path, **traits)`` starts one; a trait is named ``Class__name`` (``LocalNotebookSpawner__agent_cmd``).
Everybody logs in with any password; a token per user name is there for the REST API. ``stop`` ends
everything that was started, also what a failed test left running.
"""

from __future__ import annotations

import http.client
import http.cookiejar
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psutil

from jupyterhub_notebooks.cli import tools
from jupyterhub_notebooks.cli.ports import choose_free
from jupyterhub_notebooks.ledger import Ledger, upgrade
from tests.processes import words

HOST = "127.0.0.1"
PROFILES = Path(__file__).parents[1] / "config" / "profiles.yaml"
T = TypeVar("T")

CONFIG = """
import json, os
from pathlib import Path
from jupyterhub_notebooks.configure import notebooks
given = json.loads(Path({given!r}).read_text())
c = get_config()  # noqa
c.JupyterHub.bind_url = given["url"]
c.JupyterHub.hub_bind_url = given["hub"]
c.JupyterHub.db_url = given["db"]
c.JupyterHub.cookie_secret_file = given["state"] + "/cookie-secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"admin"}}
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = given["proxy"]
c.ConfigurableHTTPProxy.auth_token = given["proxy_token"]
c.JupyterHub.load_groups = given["groups"]
notebooks(c, **{{"pages_url": given["pages_url"], **given["notebooks"]}})
c.JupyterHub.load_roles = [
    one for one in c.JupyterHub.load_roles
    if (given["culler"] or one["name"] != "notebooks-idle-culler") and (given["janitor"] or one["name"] != "notebooks-janitor")
]
c.JupyterHub.services = [
    one for one in c.JupyterHub.services
    if (given["pages"] or one["name"] != "notebooks") and (given["culler"] or one["name"] != "idle-culler")
    and (given["janitor"] or one["name"] != "janitor")
] + [
    {{"name": "test", "api_token": given["token"]}}
] + ([] if given["pages"] else [{{"name": "notebooks", "api_token": given["token"] + "0"}}])
c.JupyterHub.load_roles.append(
    {{"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:servers", "tokens", "admin:groups", "servers", "access:servers"]}}
)
for name, value in given["traits"].items():
    section, trait = name.split("__")
    c[section][trait] = value
exec(given["more"])
"""


def until(check: Callable[[], T], seconds: float = 60, every: float = 0.05, what: str = "it") -> T:
    """The first true answer of check; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not come about within {seconds} s"
        time.sleep(every)


class Answer:
    """status, text, and the value of the text where it is JSON."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        self.status, self.text, self.headers = status, text, headers

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Api:
    """The Hub's REST API with one token."""

    def __init__(self, port: int, token: str, host: str = HOST) -> None:
        self._port, self._token, self._host = port, token, host

    def __call__(
        self, method: str, path: str, body: Any = None, seconds: float = 60, wait: bool = True
    ) -> Answer:
        """wait False: asks, and goes away without reading the answer (status 0)."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        try:
            connection.request(
                method,
                path,
                body=None if body is None else json.dumps(body),
                headers={"Authorization": f"token {self._token}"},
            )
            if not wait:
                return Answer(0, "", {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode("utf-8", "replace"), dict(answer.headers))
        finally:
            connection.close()


class Browser:
    """Cookies of one person; follows redirects as a browser does."""

    def __init__(self, url: str, user: str) -> None:
        self._url = url
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))
        self.get("/hub/login")
        self.post("/hub/login", username=user, password="any")

    def get(self, path: str) -> Answer:
        return self._open(urllib.request.Request(self._url + path))

    def post(self, path: str, **fields: str) -> Answer:
        fields["_xsrf"] = next(one.value or "" for one in self._jar if one.name == "_xsrf")
        body = urllib.parse.urlencode(fields).encode()
        return self._open(urllib.request.Request(self._url + path, data=body))

    def _open(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=60) as answer:
                return Answer(answer.status, answer.read().decode("utf-8", "replace"), dict(answer.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode("utf-8", "replace"), dict(error.headers))


class RunningHub:
    """One Hub with its proxy and services/agents."""

    def __init__(self, folder: Path, given: Mapping[str, Any], ports: Mapping[str, int]) -> None:
        self.folder, self.given, self.ports = folder, given, ports
        self.state = Path(given["state"])
        self.url: str = given["url"]
        self.host = urllib.parse.urlsplit(given["hub"]).hostname or HOST
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ledger = Ledger(given["notebooks"]["ledger"])
        self.admin = self.api(given["token"])

    # -- what a test asks

    def api(self, token: str) -> Api:
        return Api(self.ports["hub"], token, self.host)

    def user(self, name: str) -> Api:
        """The API as that user, who is made where it is not there yet."""
        self.admin("POST", f"/hub/api/users/{name}")
        return self.api(self.admin("POST", f"/hub/api/users/{name}/tokens", {}).json["token"])

    def browser(self, user: str) -> Browser:
        """A browser in which that user has logged in."""
        return Browser(self.url, user)

    def server(self, user: str, server: str = "") -> dict[str, Any] | None:
        """The Hub's model of an active server."""
        answer = self.admin("GET", f"/hub/api/users/{user}?include_stopped_servers")
        return answer.json["servers"].get(server) if answer.status == 200 else None

    def start(self, user: str, server: str = "", options: Any = None, seconds: float = 60) -> Answer:
        """Asks for a start and waits until it is ready or was refused."""
        path = f"/hub/api/users/{user}/server{'s/' + server if server else ''}"
        answer = self.admin("POST", path, {"user_options": options} if options is not None else None)
        if answer.status in (201, 202):
            until(lambda: not (self.server(user, server) or {}).get("pending"), seconds, what="the start")
            if (self.server(user, server) or {}).get("ready"):
                return Answer(201, answer.text, answer.headers)
        return answer

    def end(self, user: str, server: str = "", seconds: float = 60, remove: bool = False) -> Answer:
        """Asks for a stop and waits until it is over."""
        path = f"/hub/api/users/{user}/server{'s/' + server if server else ''}"
        answer = self.admin("DELETE", path, {"remove": True} if remove else None)
        until(lambda: not self.active(user, server), seconds, what="the stop")
        return answer

    def active(self, user: str, server: str = "") -> bool:
        found = self.server(user, server)
        return bool(found and (found.get("ready") or found.get("pending")))

    def log(self, name: str = "hub") -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    # -- its processes

    def run(self, name: str, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def start_proxy(self) -> None:
        found = tools.ensure(lambda line: None)
        api, public, hub = self.ports["proxy"], self.ports["public"], self.ports["hub"]
        command = [str(found.node), str(found.proxy), "--ip", HOST, "--port", str(public)]
        command += ["--api-ip", HOST, "--api-port", str(api), "--log-level", "warn"]
        command += [
            "--default-target",
            f"http://{self.host}:{hub}",
            "--error-target",
            f"http://{self.host}:{hub}/hub/error",
        ]
        self.run("proxy", command, {"CONFIGPROXY_AUTH_TOKEN": self.given["proxy_token"]})

    def start_agents(self) -> None:
        from jupyterhub_notebooks.settings import VARIABLE, Settings

        self.run(
            "agents",
            [sys.executable, "-m", "jupyterhub_notebooks.services.agents"],
            {
                VARIABLE: Settings.of(self.given["notebooks"]).to_json(),
                "JUPYTERHUB_SERVICE_NAME": "agents",
                "JUPYTERHUB_SERVICE_URL": self.given["notebooks"]["agents_url"],
                "JUPYTERHUB_SERVICE_PREFIX": "/services/agents/",
                "JUPYTERHUB_API_URL": self.given["hub"] + "/hub/api",
                "JUPYTERHUB_API_TOKEN": self.given["notebooks"]["agents_api_token"],
            },
        )

    def start_hub(self, wait: bool = True) -> None:
        config = self.folder / "jupyterhub_config.py"
        process = self.run(
            "hub",
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            {"NOTEBOOKS_STATE": str(self.state)},
        )
        if wait:
            until(lambda: process.poll() is not None or self.healthy(), 180, 0.2, "the Hub")
            assert process.poll() is None, self.log()

    def healthy(self) -> bool:
        try:
            return self.api(self.given["token"])("GET", "/hub/api/users?limit=1", seconds=5).status == 200
        except OSError:
            return False

    def kill(self, name: str) -> None:
        """kill -9, and nothing is told to it before."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(10)

    def stop(self) -> None:
        """Ends all of it, running notebooks first; whatever still belongs to this folder is killed."""
        for name in ("hub", "agents", "proxy"):
            process = self.processes.pop(name, None)
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)
        for process in self.left():
            process.kill()
        self.ledger.close()

    def left(self) -> list[psutil.Process]:
        """Every process that belongs to this Hub's folder by its environment or arguments."""
        found = []
        for process in psutil.process_iter():
            if process.pid != os.getpid() and any(str(self.state) in word for word in words(process)):
                found.append(process)
        return found


def start_hub(
    tmp_path: Path,
    *,
    agents: bool = True,
    pages: bool = False,
    culler: bool = False,
    janitor: bool = False,
    wait: bool = True,
    groups: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    more: str = "",
    host: str = HOST,
    **traits: Any,
) -> RunningHub:
    """A Hub that answers. host: the address of Hub and services/agents, where notebooks are not on this machine's own. agents: with services/agents. pages: with services/notebooks. culler: with
    services/idle_culler. more: lines at the end of its configuration. settings: fields of ``Settings`` that differ from the defaults."""
    folder = tmp_path / "hub"
    state = folder / "state"
    state.mkdir(parents=True)
    taken: list[int] = []
    for _ in range(5):
        taken.append(choose_free(taken))
    ports = dict(zip(("public", "hub", "proxy", "agents", "pages"), taken, strict=True))
    given: dict[str, Any] = {
        "state": str(state),
        "url": f"http://{HOST}:{ports['public']}",
        "hub": f"http://{host}:{ports['hub']}",
        "proxy": f"http://{HOST}:{ports['proxy']}",
        "db": f"sqlite:///{state / 'jupyterhub.sqlite'}",
        "proxy_token": secrets.token_hex(16),
        "token": secrets.token_hex(16),
        "pages": pages,
        "pages_url": f"http://{HOST}:{ports['pages']}",
        "culler": culler,
        "janitor": janitor,
        "groups": dict(groups or {}),
        "more": more,
        "traits": traits,
        "notebooks": {
            "ledger": f"sqlite:///{state / 'ledger.sqlite'}",
            "store": f"file://{state / 'store'}",
            "profiles": str(PROFILES),
            "agents_url": f"http://{host}:{ports['agents']}",
            "agents_api_token": secrets.token_hex(16),
            "signing_key": secrets.token_hex(32),
            **(settings or {}),
        },
    }
    (state / "store").mkdir()
    (folder / "given.json").write_text(json.dumps(given))
    (folder / "jupyterhub_config.py").write_text(CONFIG.format(given=str(folder / "given.json")))
    running = RunningHub(folder, given, ports)
    upgrade(running.ledger)
    try:
        running.start_proxy()
        if agents:
            running.start_agents()
        running.start_hub(wait)
    except BaseException:
        running.stop()
        raise
    return running
