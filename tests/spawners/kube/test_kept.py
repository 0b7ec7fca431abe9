"""No work is lost on Kubernetes: whoever ends a pod, what was in its files is there at the next start, and why is told."""

import pytest

from jupyterhub_notebooks.spawners import podchecks
from tests.cluster import images
from tests.hub import until
from tests.spawners.conftest import last_session

from .conftest import kube_hub
from .test_pods import claims, pod, run, started

slow = [pytest.mark.slow, pytest.mark.timeout(900)]
GRACE = 3600


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
    ],
)
def test_a_setting_with_which_work_would_be_lost_is_refused_with_the_line_to_change(given, field, words):
    problem = podchecks.wrong(given, GRACE)
    assert (problem.field if problem else None) == field
    assert problem is None or words in problem.sentence()


def kill_agent(hub, user):
    """kill -9 of the first process of a notebook's container, as the kernel does where a whole group is out of memory."""
    if not hub.cluster.nodes:
        pytest.skip("the machines of this cluster are not within reach")
    (status,) = pod(hub, user)["status"]["containerStatuses"]
    container = status["containerID"].rpartition("/")[2]
    for node in hub.cluster.nodes:
        images.ctr(node, "tasks", "kill", "-s", "SIGKILL", container)


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
