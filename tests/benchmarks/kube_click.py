"""Click to usable JupyterLab and stop to saved on Kubernetes: plain KubeSpawner against this product, in one run.

    .venv/bin/python -m tests.benchmarks.kube_click [--rounds 5]

Both on one cluster, that of the tests or of KUBECONFIG, with the same image, which its node has, the same limits, a volume
claim each, the same proxy and browser; each round one of either, in turn. Ours is `up` with config/kubernetes, PostgreSQL
and an S3: it restores and saves. Plain KubeSpawner has its defaults, a claim at /workspace, and saves nothing.
"first" is a user's (ours: a notebook's) very first start with an empty workspace, "later" a start after a stop; a stop ends
when the page says that it is over. Printed: every time, the medians, and where the time goes: until the pod runs (asked to
the agent's first word), until the server answers, and in the browser; of a stop, until all is saved, and after that.
NOTEBOOKS_TEST_IMAGE, as in the tests: an image that is built already.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from playwright.sync_api import BrowserContext, Page, sync_playwright

from jupyterhub_notebooks.ledger import Ledger, sessions
from tests import docker_engine
from tests.benchmarks.click_to_lab import bare_log_in, bare_start, our_first, our_later
from tests.cluster.running import Cluster, running
from tests.end_to_end import pages
from tests.end_to_end.conftest import CHROMIUM, FLAGS
from tests.end_to_end.docker.test_in_the_browser import notebook_of
from tests.end_to_end.kube.conftest import OnKubernetes, on_kubernetes
from tests.end_to_end.product import Person
from tests.hub import RunningHub, start_hub
from tests.spawners.docker.conftest import profile
from tests.spawners.kube import conftest

FLAVOR = """
flavors:
  small: {use: Small, cpu: 1, memory: 1 GB}
profiles:
"""
PROFILE = "notebook-cpu-small"
#: As zero-to-jupyterhub mounts a home; the image's user has number 1000.
PLAIN = """
c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.JupyterHub.services = [one for one in c.JupyterHub.services if one["name"] == "test"]
c.JupyterHub.load_roles = [one for one in c.JupyterHub.load_roles if one["name"] == "test"]
for name in ("extra_user_scopes", "template_paths", "template_vars", "default_url", "allow_named_servers"):
    del c.JupyterHub[name]
del c.Spawner["start_timeout"], c.Spawner["http_timeout"]
c.Spawner.default_url = "/lab"
c.KubeSpawner.image = {image!r}
c.KubeSpawner.cmd = ["jupyterhub-singleuser"]
c.KubeSpawner.cpu_limit, c.KubeSpawner.cpu_guarantee = 1, 0.1
c.KubeSpawner.mem_limit = c.KubeSpawner.mem_guarantee = "1G"
c.KubeSpawner.uid = c.KubeSpawner.fs_gid = 1000
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.storage_capacity = "1Gi"
c.KubeSpawner.storage_access_modes = ["ReadWriteOnce"]
c.KubeSpawner.volumes = [{{"name": "home", "persistentVolumeClaim": {{"claimName": "{{pvc_name}}"}}}}]
c.KubeSpawner.volume_mounts = [{{"name": "home", "mountPath": "/workspace"}}]
"""


@contextlib.contextmanager
def plain_hub(cluster: Cluster, image: str, folder: Path, more: str = "") -> Iterator[RunningHub]:
    """A Hub with KubeSpawner as its documentation sets it up; ours is not in it. more: lines of its configuration."""
    with cluster.namespace({"pod-security.kubernetes.io/enforce": "baseline"}) as namespace:
        account = cluster.account(namespace, "hub", conftest.rules(), folder)
        traits = {"KubeSpawner__namespace": namespace, "KubeSpawner__image_pull_policy": "IfNotPresent"}
        with mock.patch.dict(os.environ, {"KUBECONFIG": str(account)}):
            hub = start_hub(
                folder,
                host=cluster.gateway,
                more=PLAIN.format(image=f"docker.io/{image}") + more,
                agents=False,
                **traits,
            )
            hub.cluster, hub.namespace = cluster, namespace  # type: ignore[attr-defined]
            try:
                yield hub
            finally:
                hub.stop()


def timed(act: Callable[[], Any]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def plain_stop(page: Page, hub: RunningHub) -> float:
    """From the click until the page offers a start."""
    page.goto(f"{hub.url}/hub/home")

    def stop() -> None:
        page.locator("#stop").click()
        page.locator("#stop").wait_for(state="hidden", timeout=120_000)

    return timed(stop)


def our_stop(page: Page, person: Person, title: str) -> float:
    """From the click until the row says that it is stopped; it says so once all is saved."""
    pages.open_list(page, person)
    row = pages.row(page, title)

    def stop() -> None:
        row.get_by_role("button", name=re.compile("^Stop")).first.click()
        row.get_by_text(re.compile("^Stopped", re.M)).first.wait_for(timeout=120_000)

    return timed(stop)


def said_by_hub(hub: RunningHub, what: str) -> float:
    """Seconds that JupyterHub's own log gives for the last start or stop."""
    return float(re.findall(rf"took ([0-9.]+) seconds to {what}", hub.log())[-1])


def plain_round(context: BrowserContext, hub: RunningHub, user: str) -> dict[str, float]:
    page, got = context.new_page(), {}
    context.clear_cookies()
    bare_log_in(page, hub, user)  # type: ignore[arg-type]
    for kind in ("first", "later"):
        got[f"plain {kind}"] = bare_start(page, hub)  # type: ignore[arg-type]
        ready = said_by_hub(hub, "start")
        got[f"plain {kind}: server answers"] = ready
        got[f"plain {kind}: in the browser"] = got[f"plain {kind}"] - ready
        got[f"plain {kind} stop"] = plain_stop(page, hub)
    page.close()
    return got


def our_round(page: Page, on_kube: OnKubernetes, person: Person, title: str) -> dict[str, float]:
    got: dict[str, float] = {}
    for kind, start in (("first", our_first), ("later", our_later)):
        got[f"ours {kind}"] = start(page, person, title)
        stop = our_stop(page, person, title)
        got[f"ours {kind} stop"] = stop
        notebook = notebook_of(person, title.lower().replace(" ", "-"))
        for name, seconds in parts(on_kube.ledger, notebook, got[f"ours {kind}"], stop).items():
            got[f"ours {kind}{name}"] = seconds
    return got


def parts(address: str, notebook: str, click: float, stop: float) -> Mapping[str, float]:
    """Where the time of a notebook's last session went, by the ledger's times."""
    opened = Ledger(address)
    try:
        row = sessions.of_notebook(opened, notebook)[0]
    finally:
        opened.close()
    assert row.allocated_at and row.ready_at and row.stop_asked_at and row.closed_at
    running = (row.allocated_at - row.asked_at).total_seconds()
    ready = (row.ready_at - row.asked_at).total_seconds()
    saved = (row.closed_at - row.stop_asked_at).total_seconds()
    return {
        ": agent speaks": running,
        ": server answers": ready,
        ": in the browser": click - ready,
        " stop: saved": saved,
        " stop: after that": stop - saved,
    }


def measure(rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="kube-click-")))
        cluster, engine = held.enter_context(running()), held.enter_context(docker_engine.running())
        image = os.environ.get("NOTEBOOKS_TEST_IMAGE") or docker_engine.image(engine, "notebook-base")
        cluster.load(engine.program, engine.url, image)
        for name in ("plain", "ours"):
            (folder / name).mkdir()
        plain = held.enter_context(plain_hub(cluster, image, folder / "plain"))
        text = FLAVOR + profile(PROFILE, image, "small")
        on_kube = held.enter_context(on_kubernetes(cluster, folder / "ours", text))
        playwright = held.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        held.callback(browser.close)
        theirs = browser.new_context(viewport={"width": 1280, "height": 900})
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        person = on_kube.product.admin()
        pages.log_in(page, person)
        for number in range(-1, rounds):  # the first round warms caches and is not counted
            got = plain_round(theirs, plain, f"user{number + 1}")
            got |= our_round(page, on_kube, person, f"Round {number + 1}")
            whole = ", ".join(f"{name} {value:.2f} s" for name, value in got.items() if ":" not in name)
            print(f"round {number}: {whole}", flush=True)
            if number >= 0:
                for name, value in got.items():
                    times.setdefault(name, []).append(value)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (5)")
    times = measure(parser.parse_args().rounds)
    median = {name: statistics.median(values) for name, values in times.items()}
    for kind in ("first", "later", "first stop", "later stop"):
        peer, ours = median[f"plain {kind}"], median[f"ours {kind}"]
        print(
            f"{kind}: plain {peer:.2f} s, ours {ours:.2f} s, difference {ours - peer:+.2f} s,"
            f" ratio {ours / peer:.2f} (medians of {len(times[f'ours {kind}'])})"
        )
        for name, value in median.items():
            if name.startswith((f"plain {kind}:", f"ours {kind}:")):
                print(f"    {name}: {value:.2f} s")


if __name__ == "__main__":
    main()
