"""From a launch to what KubeSpawner makes a pod of: one row for each thing that a profile, or an administrator, may say."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from jupyterhub_notebooks.errors import ConfigError
from jupyterhub_notebooks.profiles.choosing import Launch
from jupyterhub_notebooks.profiles.model import Flavor
from jupyterhub_notebooks.spawners import pods
from jupyterhub_notebooks.spawners.kube import THEIRS, KubeNotebookSpawner

PATHS = pods.Paths("/workspace", "/var/lib/notebook", "/run/notebook", "/data")
POD = pods.Pod(
    notebook="0" * 26, session="1" * 26, claim="nb-claim", paths=PATHS, command=["notebook-agent", "run", "--"],
    grace_seconds=3600, title="Curly {braces}",
)  # fmt: skip
BESIDE = replace(
    POD, server=["sh", "-c", "serve"], agent_image="agent:1", agent_environment={"T": "{x}"}, front=["front"]
)


def launch(placement: Any = None, gpu: Any = None, data: str | None = None, **more: Any) -> Launch:
    flavor = {"name": "f", "use": "u", "cpu": 2, "memory": "8 GB", "price_per_hour": Decimal(0)}
    flavor |= {"placement": placement} if placement else {}
    flavor |= {"gpu": gpu} if gpu else {}
    flavor |= {"data": data} if data else {}
    return Launch("p", "1", "P", "f", Flavor.model_validate(flavor), **more)


def named(listed: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(one for one in listed if one["name"] == name)


A100 = {"kind": "A100-10GB", "count": 2, "resource": "nvidia.com/mig-1g.10gb"}
AWAY = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 120}
BOTH_AWAY = [{"key": f"node.kubernetes.io/{name}", **AWAY} for name in ("unreachable", "not-ready")]
TAINT = {"key": "team", "operator": "Exists", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("given", "theirs", "trait", "wanted"),
    [
        (launch(), {}, "cpu_limit", 2.0),
        (launch(), {}, "mem_limit", 8 * 10**9),
        (launch(), {}, "cpu_guarantee", 2.0),
        (launch(), {"cpu_guarantee": 0.5}, "cpu_guarantee", 0.5),
        (launch(), {"cpu_guarantee": 4.0}, "cpu_guarantee", 2.0),
        (launch(), {"mem_guarantee": 10**9}, "mem_guarantee", 10**9),
        (launch(gpu=A100), {}, "extra_resource_limits", {"nvidia.com/mig-1g.10gb": 2}),
        (
            launch(gpu=A100),
            {"extra_resource_guarantees": {"rdma/hca": 1}},
            "extra_resource_guarantees",
            {"rdma/hca": 1, "nvidia.com/mig-1g.10gb": 2},
        ),
        (
            launch(gpu=A100),
            {},
            "tolerations",
            [{"key": "nvidia.com/mig-1g.10gb", "operator": "Exists", "effect": "NoSchedule"}, *BOTH_AWAY],
        ),
        (
            launch(placement={"node_selector": {"gpu": "a100"}}),
            {"node_selector": {"gpu": "none", "zone": "a"}},
            "node_selector",
            {"gpu": "a100", "zone": "a"},
        ),
        (launch(placement={"tolerations": [TAINT]}), {}, "tolerations", [TAINT, *BOTH_AWAY]),
        (
            launch(),
            {"tolerations": {"b": BOTH_AWAY[0], "a": TAINT}},
            "tolerations",
            [TAINT, BOTH_AWAY[0], BOTH_AWAY[1]],
        ),
        (launch(placement={"priority_class": "notebooks"}), {}, "priority_class_name", "notebooks"),
        (launch(image="registry/x:1"), {}, "image", "registry/x:1"),
        (
            launch(kubernetes={"pull_secrets": ["team"]}),
            {"image_pull_secrets": ["hub"]},
            "image_pull_secrets",
            ["hub", "team"],
        ),
        (launch(environment={"A": '{"b": 1}'}), {}, "environment", {"A": '{{"b": 1}}'}),
        (
            launch(),
            {"pod_security_context": {"fsGroupChangePolicy": "Always"}},
            "pod_security_context",
            {
                "runAsNonRoot": True,
                "fsGroupChangePolicy": "Always",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        ),
        (
            launch(),
            {},
            "container_security_context",
            {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
        ),
        (
            launch(),
            {"extra_pod_config": {"dnsPolicy": "Default"}},
            "extra_pod_config",
            {"enableServiceLinks": False, "terminationGracePeriodSeconds": 3600, "dnsPolicy": "Default"},
        ),
        (
            launch(kubernetes={"pod": {"dnsPolicy": "None", "runtimeClassName": "gvisor"}}),
            {"extra_pod_config": {"dnsPolicy": "Default"}},
            "extra_pod_config",
            {
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 3600,
                "dnsPolicy": "None",
                "runtimeClassName": "gvisor",
            },
        ),
        (
            launch(kubernetes={"container": {"tty": True}}),
            {"extra_container_config": {"stdin": True}},
            "extra_container_config",
            {
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "command": ["notebook-agent", "run", "--"],
                "stdin": True,
                "tty": True,
            },
        ),
    ],
)
def test_what_is_said_once_is_on_the_pod(given: Launch, theirs: Any, trait: str, wanted: Any) -> None:
    assert pods.traits(given, POD, theirs)[trait] == wanted


def test_an_affinity_of_the_flavor_is_the_pods_and_is_no_template() -> None:
    affinity = {"podAntiAffinity": {"x": ["{team}"]}}
    found = pods.traits(launch(placement={"affinity": affinity}), POD, {})
    assert found["extra_pod_config"]["affinity"] == {"podAntiAffinity": {"x": ["{{team}}"]}}


def test_files_lie_in_the_claim_and_everything_else_goes_with_the_pod() -> None:
    own = {"name": "mine", "emptyDir": {}}
    found = pods.traits(
        launch(), POD, {"volumes": [own], "volume_mounts": [{"name": "mine", "mountPath": "/mine"}]}
    )
    assert found["volumes"][0] == own
    assert named(found["volumes"], pods.FILES)["persistentVolumeClaim"] == {"claimName": "nb-claim"}
    assert all("emptyDir" in one for one in found["volumes"] if one["name"] != pods.FILES)
    where = {one["mountPath"]: one for one in found["volume_mounts"]}
    assert where["/workspace"] == {"name": pods.FILES, "mountPath": "/workspace", "subPath": "files"}
    assert where["/var/lib/notebook"]["subPath"] == "state"
    assert {"/mine", "/data", "/tmp", "/var/tmp", "/run/notebook"} <= set(where)


def test_no_volume_has_a_limit_for_which_a_machine_ends_pods() -> None:
    found = pods.traits(launch(data="5 GB"), replace(POD, claim=""), {})
    assert named(found["volumes"], pods.FILES)["emptyDir"] == {}
    data = named(found["volumes"], "notebook-data")["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert data["resources"]["requests"]["storage"] == str(5 * 10**9)
    assert "sizeLimit" not in str(found) and "ephemeral-storage" not in str(found)


@pytest.mark.parametrize(
    ("own", "theirs", "wanted"),
    [
        ({}, {}, None),
        ({}, {"storage_class": None}, None),
        ({}, {"storage_class": "hub"}, "hub"),
        ({"storage_class": "fast"}, {"storage_class": "hub"}, "fast"),
    ],
)
def test_a_temporary_volume_of_a_size_is_of_the_kind_that_the_files_are(
    own: Any, theirs: Any, wanted: str | None
) -> None:
    found = pods.traits(launch(data="5 GB", kubernetes=own), POD, theirs)
    spec = named(found["volumes"], "notebook-data")["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert spec.get("storageClassName") == wanted


async def _asynchronous(spawner: Any) -> dict[str, Any]:
    return {"fsGroupChangePolicy": spawner.policy}


@pytest.mark.parametrize("given", [lambda one: {"fsGroupChangePolicy": one.policy}, _asynchronous])
async def test_functions_of_an_administrator_are_asked_when_the_pod_is_made(given: Any) -> None:
    found = pods.traits(
        launch(), POD, {"pod_security_context": given, "container_security_context": lambda one: None}
    )
    pod = await found["pod_security_context"](SimpleNamespace(policy="Always"))
    assert pod["fsGroupChangePolicy"] == "Always" and pod["runAsNonRoot"] is True
    container = await found["container_security_context"](SimpleNamespace())
    assert container == pods.traits(launch(), POD, {})["container_security_context"]


@pytest.mark.parametrize(
    ("own", "theirs", "field"),
    [
        ({"restartPolicy": "Never"}, {}, "p.kubernetes.pod.restartPolicy"),
        ({}, {"restartPolicy": "Never"}, "c.KubeSpawner.extra_pod_config.restartPolicy"),
        ({"restartPolicy": "OnFailure"}, {"restartPolicy": "Never"}, None),
    ],
)
def test_files_that_lie_in_the_pod_need_one_that_begins_again(
    own: Any, theirs: Any, field: str | None
) -> None:
    given, theirs = launch(kubernetes={"pod": own}), {"extra_pod_config": theirs}
    assert pods.traits(given, POD, theirs)
    assert pods.traits(given, replace(BESIDE, claim=""), theirs)
    if field is None:
        assert pods.traits(given, replace(POD, claim=""), theirs)
        return
    with pytest.raises(ConfigError) as raised:
        pods.traits(given, replace(POD, claim=""), theirs)
    assert raised.value.field == field and "could not be saved" in raised.value.sentence()


@pytest.mark.parametrize(
    ("project", "wanted"),
    [("", None), ("churn-2026", "churn-2026"), ("Ünsal & Co", None), ("x" * 63, "x" * 63), ("x" * 64, None)],
)
def test_a_project_is_a_label_where_it_may_be_one(project: str, wanted: str | None) -> None:
    found = pods.traits(launch(), replace(POD, project=project), {})
    assert found["extra_labels"].get(f"{pods.LABEL}project") == wanted


def test_labels_name_the_session_and_annotations_hold_what_a_user_spelled() -> None:
    found = pods.traits(launch(), POD, {})
    assert found["extra_labels"] == {
        f"{pods.LABEL}notebook": "0" * 26,
        f"{pods.LABEL}session": "1" * 26,
        f"{pods.LABEL}profile": "p",
        f"{pods.LABEL}flavor": "f",
    }
    assert found["extra_annotations"][f"{pods.LABEL}title"] == "Curly {{braces}}"


def test_a_foreign_image_has_the_files_alone_and_the_agent_begins_first_beside_it() -> None:
    given = launch(agent="beside", image="lab-only:1", environment={"A": "b"})
    found = pods.traits(given, BESIDE, {"init_containers": [{"name": "theirs"}]})
    assert found["image"] == "lab-only:1"
    assert found["extra_container_config"]["command"] == ["sh"]
    assert found["extra_container_config"]["args"] == ["-c", "serve"]
    assert found["extra_container_config"]["workingDir"] == "/workspace"
    assert [one["mountPath"] for one in found["volume_mounts"]] == ["/workspace", "/data"]
    assert found["extra_pod_config"]["shareProcessNamespace"] is True
    theirs, agent = found["init_containers"]
    assert theirs == {"name": "theirs"} and agent["name"] == pods.AGENT
    assert agent["imagePullPolicy"] == "IfNotPresent"
    assert agent["image"] == "agent:1" and agent["restartPolicy"] == "Always"
    assert agent["command"] == POD.command and agent["args"] == ["front"]
    assert agent["startupProbe"]["exec"]["command"] == ["test", "-d", "/run/notebook/front"]
    assert agent["env"] == [{"name": "T", "value": "{{x}}"}]
    assert not found["container_security_context"]["readOnlyRootFilesystem"]
    only_saved = pods.traits(given, replace(POD, agent_image="agent:1"), {})
    assert only_saved["image"] == "agent:1" and "init_containers" not in only_saved


def test_an_agent_beside_gets_its_values_from_where_the_administrator_says() -> None:
    key = {"valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}
    given = replace(BESIDE, agent_environment={"PROXY": key, "A": "b"})
    (agent,) = pods.traits(launch(agent="beside"), given, {})["init_containers"]
    assert agent["env"] == [{"name": "A", "value": "b"}, {"name": "PROXY", **key}]


def _spawner(given: Launch, **environment: Any) -> Any:
    """As much of one as is asked for what a pod gets; ``{user}`` is expanded as KubeSpawner's templates are."""
    return SimpleNamespace(
        _session=SimpleNamespace(id="1" * 26, kind="work", launch=given.to_json()),
        _theirs=None,
        _pod_of=lambda launch, session: BESIDE,
        _expand_all=lambda value: value.replace("{user}", "ada") if isinstance(value, str) else value,
        workspace_path="/workspace",
        user="ada",
        settings=SimpleNamespace(save_timeout_seconds=3600.0),
        cmd=["x"],
        **dict.fromkeys(THEIRS),
        environment=environment,
        storage_class="hub",
    )


def test_a_foreign_image_has_the_administrator_s_variables_but_nothing_that_leads_to_the_hub() -> None:
    key = {"valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}
    given = launch(agent="beside", image="x", data="5 GB", environment={"A": "{profile}"})
    spawner = _spawner(
        given,
        A="theirs",
        B="{user}",
        C=lambda one: one.user,
        D=key,
        HOME="/x",
        JUPYTERHUB_X="x",
        NOTEBOOK_X="x",
    )
    found = KubeNotebookSpawner.translate(spawner, given)
    spec = named(found["volumes"], "notebook-data")["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert spec["storageClassName"] == "hub"
    spawner.environment = {**spawner.environment, **found["environment"]}
    own = {"HOME": "/workspace", "NOTEBOOK_SESSION_ID": "1" * 26}
    assert KubeNotebookSpawner.get_env(spawner) == {"A": "{profile}", "B": "ada", "C": "ada", "D": key, **own}
    alone = _spawner(bare := launch(agent="beside", image="x"))
    KubeNotebookSpawner.translate(alone, bare)
    assert KubeNotebookSpawner.get_env(alone) == own


def test_a_pod_has_a_name_that_any_template_may_begin() -> None:
    session = "0123456789abcdefghjkmnpqrs"
    assert pods.name_of("jupyter-mara--one", session) == f"jupyter-mara--one-{session}"
    long = pods.name_of("x" * 80, session)
    assert len(long) == 63 and long.endswith(session)
    assert pods.claim_of(f"{session}.2") == f"nb-{session}-2"


def status(
    phase: str = "Running", ending: bool = False, sidecar: bool = False, **container: Any
) -> dict[str, Any]:
    """A pod as the Hub's watch has it."""
    meta = {"name": "x", **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if ending else {})}
    part = "initContainerStatuses" if sidecar else "containerStatuses"
    name = pods.AGENT if sidecar else pods.NOTEBOOK
    spec = {"initContainers": [{"name": pods.AGENT}]} if sidecar else {}
    return {"metadata": meta, "spec": spec, "status": {"phase": phase, part: [{"name": name, **container}]}}


ENDED, KILLED = {"terminated": {"exitCode": 0}}, {"terminated": {"exitCode": 137}}
AGAIN = {"state": {"running": {}}, "lastState": KILLED}


@pytest.mark.parametrize(
    ("pod", "exit_status", "over"),
    [
        (None, 0, True),
        (status("Pending", state={"waiting": {}}), None, False),
        (status(state={"running": {}}), None, False),
        (status(ending=True, state={"running": {}}), None, False),
        (status("Succeeded", state=ENDED), 0, True),
        (status(state=ENDED), 0, True),
        (status(state=KILLED), 137, False),
        (status(ending=True, state=KILLED), 137, True),
        (status(**AGAIN), 137, False),
        (status("Failed", state={}), 1, True),
        (status(sidecar=True, state={"running": {}}), None, False),
        (status(sidecar=True, state=ENDED), 0, True),
    ],
)
def test_a_pod_is_over_when_nothing_of_its_agent_runs_or_will_again(
    pod: Any, exit_status: int | None, over: bool
) -> None:
    assert pods.exit_status(pod) == exit_status
    assert pods.over(pod) is over
