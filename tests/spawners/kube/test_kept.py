"""No work is lost on Kubernetes: whoever ends a pod, what was in its files is there at the next start, and why is told."""

import pytest
from traitlets.config import Config

from jupyterhub_notebooks.settings import Settings
from jupyterhub_notebooks.spawners import podchecks, podnamespaces
from jupyterhub_notebooks.spawners.checking import Part
from jupyterhub_notebooks.spawners.checking import given as parts_of
from jupyterhub_notebooks.spawners.kube import KubeNotebookSpawner
from jupyterhub_notebooks.spawners.podwatch import Bounds
from tests.hub import until
from tests.spawners.conftest import last_session

from . import ways
from .conftest import kube_hub
from .test_pods import claims, pod, run, started

slow = [pytest.mark.slow, pytest.mark.timeout(900)]
GRACE = 3600
NEVER = {"restartPolicy": "Never"}


def with_volumes(volumes, **more):
    """What a Hub's configuration says of where claims are."""
    settings = Settings("sqlite://", "file:///s", "p", "http://a", "t", "k", volumes=volumes)
    return [{**more, "settings_json": settings.to_json()}]


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ([{"delete_grace_period": 1}], "c.KubeSpawner.delete_grace_period", "1\u00a0s are too short"),
        ([{"delete_grace_period": GRACE}, {"delete_grace_period": 1}], None, ""),
        ([{"delete_stopped_pods": True}], "c.KubeSpawner.delete_stopped_pods", "removed at once"),
        ([{"delete_stopped_pods": False}], None, ""),
        ([{"profile_list": [{}]}], "c.KubeSpawner.profile_list", "profiles.yaml"),
        (
            [{"extra_resource_limits": {"ephemeral-storage": "1Gi"}}],
            "c.KubeSpawner.extra_resource_limits",
            "within 2 seconds",
        ),
        (
            [{"extra_pod_config": {"terminationGracePeriodSeconds": 30}}],
            "c.KubeSpawner.extra_pod_config.terminationGracePeriodSeconds",
            "too short",
        ),
        (
            [{"extra_pod_config": {"activeDeadlineSeconds": 99}}],
            "c.KubeSpawner.extra_pod_config.activeDeadlineSeconds",
            "without a word",
        ),
        (
            [{"extra_pod_config": {"restartPolicy": "Always"}}],
            "c.KubeSpawner.extra_pod_config.restartPolicy",
            "started again",
        ),
        ([{"extra_pod_config": {"dnsPolicy": "None"}}, {}], None, ""),
        ([{"extra_pod_config": NEVER}], None, ""),
        ([{"extra_pod_config": NEVER, "workspace_volume": "claim"}], None, ""),
        (
            [{"workspace_volume": "ephemeral"}, {"extra_pod_config": NEVER}],
            "c.KubeSpawner.extra_pod_config.restartPolicy",
            "could not be saved",
        ),
        ([Part("Spawner", {"start_timeout": 21600})], None, ""),
        ([Part("KubeSpawner", {"start_timeout": 1200})], None, ""),
        (
            [Part("KubeSpawner", {"start_timeout": 300})],
            "c.KubeSpawner.start_timeout",
            "Write c.KubeSpawner.start_timeout = 21600",
        ),
        (
            [Part("KubeNotebookSpawner", {"pull_seconds": 60, "machine_seconds": 60}), Part("Spawner", {"start_timeout": "60"})],
            None,
            "",
        ),
        (
            [Part("KubeNotebookSpawner", {"machine_seconds": 36000}), Part("Spawner", {"start_timeout": 21600})],
            "c.Spawner.start_timeout",
            "10\u00a0h for a machine. A start that cannot get on is ended by us, and its user is told why. Write c.Spawner.start_timeout = 72000",
        ),
        (with_volumes("kubernetes:"), None, ""),
        (with_volumes("", enable_user_namespaces=True), None, ""),
        (with_volumes("docker:", enable_user_namespaces=True), None, ""),
        (with_volumes("kubernetes:*", enable_user_namespaces=True, namespace="hub"), None, ""),
        (
            with_volumes("kubernetes:", enable_user_namespaces=True),
            "c.KubeSpawner.enable_user_namespaces",
            'Write volumes="kubernetes:*"',
        ),
        (with_volumes("kubernetes:team", namespace="team"), None, ""),
        (with_volumes("kubernetes:team", namespace="other"), "volumes", 'Write volumes="kubernetes:other"'),
    ],
)  # fmt: skip
def test_a_setting_with_which_work_would_be_lost_is_refused_with_the_line_to_change(given, field, words):
    problem = podchecks.wrong(given, GRACE)
    assert (problem.field if problem else None) == field
    assert problem is None or words in problem.sentence()


@pytest.mark.parametrize(
    ("volumes", "namespace", "variable", "own", "wanted"),
    [
        ("kubernetes:", "hub", None, "hub", True),
        ("kubernetes:", None, None, "hub", True),
        ("kubernetes:", "team", None, "hub", False),
        ("kubernetes:", "team", "team", "hub", True),
        ("kubernetes:", "team", "other", "hub", False),
        ("kubernetes:team", "team", "other", "hub", True),
        ("kubernetes:team", None, None, "hub", False),
        ("kubernetes:", "team", None, None, True),
    ],
)
def test_claims_are_removed_where_the_notebooks_are_or_the_hub_does_not_start(
    monkeypatch, tmp_path, volumes, namespace, variable, own, wanted
):
    """variable: NOTEBOOKS_NAMESPACE. own: the namespace of this pod, None outside of a cluster."""
    monkeypatch.delenv(podnamespaces.VARIABLE, raising=False)
    if variable:
        monkeypatch.setenv(podnamespaces.VARIABLE, variable)
    path = tmp_path / "namespace"
    if own:
        path.write_text(f"{own}\n")
    monkeypatch.setattr(podnamespaces, "IN_POD", path)
    more = {"namespace": namespace} if namespace else {}
    problem = podchecks.wrong(with_volumes(volumes, **more), GRACE)
    assert (problem is None) is wanted
    assert problem is None or f'Write volumes="kubernetes:{namespace or own}"' in problem.sentence()


def test_the_section_that_holds_is_the_one_to_change():
    config = Config()
    config.Spawner.start_timeout = 21600
    config.KubeSpawner.start_timeout = 300
    found = podchecks.wrong(parts_of(config, KubeNotebookSpawner), GRACE)
    assert found.field == "c.KubeSpawner.start_timeout"
    config.KubeNotebookSpawner.start_timeout = 21600
    assert podchecks.wrong(parts_of(config, KubeNotebookSpawner), GRACE) is None


def test_what_a_start_waits_by_itself_is_the_same_in_all_places():
    traits = KubeNotebookSpawner.class_traits()
    assert {name: traits[name].default_value for name in podchecks.WAITS} == podchecks.WAITS
    assert vars(Bounds())["pull_seconds"] == podchecks.WAITS["pull_seconds"]


def kill_agent(hub, user):
    """The whole container of a notebook, where its machine is one of the tests' own."""
    if not hub.cluster.nodes:
        pytest.skip("the machines of this cluster are not within reach")
    ways.killed(hub, user, pod(hub, user))


def ended(hub, user, seconds=120):
    """The session once it is closed and its pod gone."""
    row = until(lambda: (found := last_session(hub, user)).closed_at and found, seconds, what="its end")
    until(lambda: not hub.active(user), 60, what="the Hub to see it")
    return row


def without_volume(hub, user):
    """The claim is lost, with everything on it."""
    for claim in claims(hub, user):
        hub.cluster.api.delete("PersistentVolumeClaim", claim["metadata"]["name"], hub.namespace)
    until(lambda: not claims(hub, user), 30, what="the end of the claim")


class TestOnACluster:
    pytestmark = slow

    @pytest.mark.parametrize("profile", ["work", "passing"])
    def test_a_container_that_is_killed_as_a_whole_is_saved_where_it_lies(self, hub, profile):
        user = f"kim-{profile}"
        started(hub, user, profile=profile)
        run(hub, user, "echo unsaved > /workspace/unsaved.txt")
        kill_agent(hub, user)
        row = ended(hub, user)
        assert row.cause == "killed" and not row.pending_files, (row.cause, row.detail)
        without_volume(hub, user)
        started(hub, user)
        assert run(hub, user, "cat /workspace/unsaved.txt") == "unsaved"
        hub.end(user)

    def test_a_container_whose_memory_is_full_is_told_as_such_with_its_limit(self, hub):
        started(hub, "otto", profile="tight")
        run(hub, "otto", "echo kept > /workspace/kept.txt; echo 1000 > /proc/1/oom_score_adj")
        eater = "held = [bytearray(10_000_000) for _ in range(60)]"
        with pytest.raises(AssertionError):
            run(hub, "otto", f"/opt/notebook/bin/python -c '{eater}; import time; time.sleep(60)'")
        row = ended(hub, "otto")
        assert row.cause == "out_of_memory", (row.cause, row.detail)
        assert "It used all of the 400\u00a0MB that its profile gives it." in row.detail
        without_volume(hub, "otto")
        started(hub, "otto", profile="work")
        assert run(hub, "otto", "cat /workspace/kept.txt") == "kept"
        hub.end("otto")

    def test_what_is_removed_by_somebody_else_is_saved_and_told_as_that(self, hub):
        started(hub, "rita", profile="passing")
        run(hub, "rita", "echo kept > /workspace/kept.txt")
        hub.cluster.kubectl(
            "delete", "pod", pod(hub, "rita")["metadata"]["name"], "-n", hub.namespace, "--wait=false"
        )
        row = ended(hub, "rita")
        assert row.cause == "killed" and "removed from the cluster by somebody else" in row.detail
        started(hub, "rita")
        assert run(hub, "rita", "cat /workspace/kept.txt") == "kept"
        hub.end("rita")
        until(lambda: pod(hub, "rita") is None, 30, what="the end of the pod")

    def test_a_hub_with_a_grace_that_is_too_short_does_not_start(self, cluster, base, tmp_path):
        with kube_hub(cluster, base, tmp_path, wait=False, KubeSpawner__delete_grace_period=1) as hub:
            assert hub.processes["hub"].wait(60) == 3, hub.log()
            assert "c.KubeSpawner.delete_grace_period" in hub.log()
            assert "Traceback" not in hub.log()

    def test_an_administrator_s_hook_that_fails_is_told_in_its_words_and_leaves_no_pod(
        self, cluster, base, tmp_path
    ):
        more = "async def hook(spawner, pod):\n    raise RuntimeError('the register is full')\n"
        more += "c.KubeSpawner.after_pod_created_hook = hook\n"
        with kube_hub(cluster, base, tmp_path, more=more) as hub:
            hub.user("hal")
            answer = hub.start("hal", options={"profile": "work"}, seconds=60)
            row = last_session(hub, "hal")
            assert answer.status != 201 and "the register is full" in row.detail, (row.cause, row.detail)
            until(lambda: pod(hub, "hal") is None, 30, what="the end of the pod")
