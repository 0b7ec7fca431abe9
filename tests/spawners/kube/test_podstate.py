"""Each thing that goes wrong with a notebook on Kubernetes, as a cluster of version 1.34 told it, becomes a sentence for its user.

The recordings are made by record.py from a real cluster; nothing in them was written by hand.
"""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from jupyterhub_notebooks.enforcement.causes import CAUSES
from jupyterhub_notebooks.spawners import podplaces, podstate, progress
from jupyterhub_notebooks.spawners.podends import death_of
from jupyterhub_notebooks.spawners.podrefused import refused
from jupyterhub_notebooks.spawners.podstate import FAILS, GOING, WAITS, Seen
from tests.spawners.kube.causes import ENDS, STARTS, Cause
from tests.spawners.kube.record import RECORDED, file_of

CONTACT = "platform@example.org"
#: What no user's page says, but for a name that an administrator gave.
TECHNICAL = re.compile(
    r"\b(pods?|nodes?|pvc|kubelet|containerd?|rpc|unschedulable|preemption|evicted|spawn\w*|cull\w*|persistentvolume\w*)\b",
    re.I,
)
IMPOLITE = re.compile(r"please|sorry|oops|failed to|invalid|!", re.I)

#: What its user reads: title and reason, of the cluster's last word.
READ = {
    "image missing": ("The image 127.0.0.1:5000/missing/x:1 is not in its registry", "The registry answered “not found”"),
    "image missing, alone": ("The image 127.0.0.1:5000/unknown/x:1 is not in its registry", "The registry answered"),
    "registry login": ("The image 127.0.0.1:5000/login/x:1 could not be fetched", "Its registry wants a login"),
    "registry denies": ("The image 127.0.0.1:5000/denied/x:1 could not be fetched", "does not give it to this Hub"),
    "registry limits": ("The registry of 127.0.0.1:5000/limited/x:1 limits downloads", "asked again by itself"),
    "registry broken": ("The image 127.0.0.1:5000/broken/x:1 could not be fetched", "503 Service Unavailable"),
    "registry away": ("The image 127.0.0.1:1/team/x:1 could not be fetched", "connection refused"),
    "registry hangs": ("The image could not be fetched", "still being fetched"),
    "image name": ("The profile names no image", "`Not An Image:1` is not the name of an image"),
    "image never fetched": ("The image 127.0.0.1:5000/missing/x:1 is not on the machine", "never fetched"),
    "too many processors": ("No machine has 500 processors", "The largest has"),
    "too much memory": ("No machine has 966 GB of memory", "The largest has"),
    "no GPU": ("No machine has 1 GPU", "None here has any GPU"),
    "no such machine": ("No machine of this flavor exists", "the label flavor=gpu-a100"),
    "claim absent": ("The volume cannot be opened", "It was removed"),
    "no such storage": ("The volume cannot be opened", "no kind of storage called `not-there`"),
    "no storage": ("The volume cannot be opened", "makes no volumes by itself"),
    "volume elsewhere": ("The volume does not open", "a machine that is gone"),
    "secret to mount": ("The profile is not complete", "The secret `keys` that it mounts does not exist"),
    "settings to mount": ("The profile is not complete", "The settings `team-settings` that it mounts do not exist"),
    "volume not attached": ("The volume could not be attached", "The machine answered"),
    "settings absent": ("The profile is not complete", "`team-settings` that it takes values from do not exist"),
    "command not found": ("cannot run a notebook", "It does not have `notebook-agent-of-nobody`"),
    "ends at once": ("The server ended at once", "exit status 3: the licence server does not answer"),
    "out of memory": ("The notebook ran out of memory while it started", "more than its profile gives"),
    "runs as root": ("The profile cannot run here", "wants to run as root"),
    "quota": ("The quota of this cluster is used up", "0.05 of 0.05 left"),
    "limit of the namespace": ("The profile is outside this cluster's limits", "at most 67 MB of memory"),
    "security level": ("This cluster does not let the profile run", "“restricted”"),
    "priority class": ("The cluster is not set up for this profile", "no PriorityClass called team-first"),
    "service account": ("The cluster is not set up for this profile", "no ServiceAccount called team"),
    "runtime class": ("The cluster is not set up for this profile", "no RuntimeClass called gvisor"),
    "more asked than allowed": ("The profile cannot run as it is written", "must be less than or equal to memory limit"),
}  # fmt: skip


def recorded(cause: Cause) -> dict[str, Any]:
    return dict(json.loads(file_of(cause).read_text()))


def nodes() -> list[dict[str, Any]]:
    return list(json.loads((RECORDED / "nodes.json").read_text()))


def seen(frame: dict[str, Any], **more: Any) -> Seen:
    claims = {"gone": frame.get("claim")} if frame["pod"]["spec"].get("volumes") else {}
    given = {"nodes": nodes(), "claims": claims, "claim_events": frame.get("claim_events", ()), **more}
    return Seen(frame["pod"], frame["events"], **given)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize("cause", [one for one in STARTS if one.sign], ids=lambda one: one.name)
def test_a_start_is_told_for_its_cause(cause):
    frames = recorded(cause)["frames"]
    told = podstate.judge(seen(frames[-1]), CONTACT)
    title, why = READ[cause.name]
    assert (told.what, told.cause) == (cause.what, cause.cause)
    assert title in plain(told.title) and why in plain(told.why), (told.title, told.why)
    assert told.evidence and all(said for _, said in told.evidence)


@pytest.mark.parametrize("cause", [one for one in STARTS if one.sign], ids=lambda one: one.name)
def test_it_is_told_as_soon_as_the_cluster_says_so_and_nothing_else_before(cause):
    """From the first frame that has the sign on, and up to then the start goes on or waits."""
    after = False
    for frame in recorded(cause)["frames"]:
        told = podstate.judge(seen(frame), CONTACT)
        after = after or bool(re.search(cause.sign, json.dumps(frame["pod"].get("status"))))
        if after:
            assert (told.what, told.cause) == (cause.what, cause.cause) or told.cause == "volume_missing", (
                frame["at"]
            )
        elif told.what == FAILS:
            assert told.cause == cause.cause


@pytest.mark.parametrize("cause", [one for one in STARTS if not one.sign], ids=lambda one: one.name)
def test_a_start_that_the_cluster_refuses_is_told_for_its_cause(cause):
    said = recorded(cause)["refused"]
    told = refused(said["status"], json.dumps(said), CONTACT)
    title, why = READ[cause.name]
    assert told.cause == cause.cause
    assert title in plain(told.title) and why in plain(told.why), (told.title, told.why)
    assert said["message"].split(":")[0] in told.evidence[0][1]


def told_to_users() -> list[tuple[str, str, str, tuple[str, ...], str]]:
    found = []
    for cause in STARTS:
        what = recorded(cause)
        if "refused" in what:
            error = refused(what["refused"]["status"], json.dumps(what["refused"]), CONTACT)
            found.append((cause.name, error.title, error.why, error.next, error.cause))
        for frame in what.get("frames", ()):
            told = podstate.judge(seen(frame), CONTACT)
            found.append((cause.name, told.title, told.why, told.next, told.cause))
    return found


def test_no_word_of_the_cluster_stands_in_what_users_read():
    for name, title, why, steps, _ in told_to_users():
        text = re.sub(r"`[^`]*`|127\.0\.0\.1\S*|spec\.\S+", "", " ".join((title, why, *steps)))
        assert not TECHNICAL.search(text), (name, text)
        assert not IMPOLITE.search(text), (name, text)
        assert not title.endswith("."), name


def test_each_failure_has_a_next_step_and_a_cause_with_words():
    for name, title, _, steps, cause in told_to_users():
        if title:
            assert cause in CAUSES, (name, cause)
            assert steps or cause == "volume_missing", name


def test_a_place_that_may_become_free_is_waited_for():
    frame = recorded(next(one for one in STARTS if one.name == "no GPU"))["frames"][-1]
    larger = nodes()
    for node in larger:
        node["status"]["allocatable"]["nvidia.com/gpu"] = "2"
    told = podstate.judge(seen(frame, nodes=larger), CONTACT)
    assert (told.what, told.patience) == (WAITS, podstate.MACHINE)
    assert plain(told.sentence()) == "No machine has 1 GPU free: it starts as soon as one has."
    assert podstate.judge(seen(frame, nodes=()), CONTACT).what == WAITS, (
        "a Hub that may not see the machines waits"
    )


def event(pod: dict[str, Any], reason: str, message: str) -> dict[str, Any]:
    involved = {"uid": pod["metadata"]["uid"], "kind": "Pod"}
    at = "2099-01-01T00:00:00Z"
    return {
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "metadata": {},
    }


@pytest.mark.parametrize("name", ["no GPU", "too many processors", "no such machine"])
def test_what_waits_for_a_machine_that_is_being_started_is_no_failure(name):
    """The words of these events are of cluster-autoscaler and Karpenter, which no cluster of the tests has."""
    frame = recorded(next(one for one in STARTS if one.name == name))["frames"][-1]
    pod = frame["pod"]
    for reason in ("TriggeredScaleUp", "Nominated"):
        more = [*frame["events"], event(pod, reason, "pod triggered scale-up: [{gpu-pool 0->1 (max: 4)}]")]
        told = podstate.judge(seen({**frame, "events": more}), CONTACT)
        assert (told.what, told.title, told.patience) == (
            WAITS,
            "A machine is being started",
            podstate.MACHINE,
        )
    assert podstate.judge(seen(frame, scales=True), CONTACT).what == WAITS, (
        "the autoscaler has not said anything yet"
    )
    never = [
        *frame["events"],
        event(pod, "NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached"),
    ]
    told = podstate.judge(seen({**frame, "events": never}, scales=True), CONTACT)
    assert told.what == FAILS and "max node group" in told.evidence[-1][1]


def test_events_of_an_earlier_pod_of_that_name_say_nothing():
    frame = recorded(next(one for one in STARTS if one.name == "secret to mount"))["frames"][-1]
    assert podstate.judge(seen(frame), CONTACT).what == FAILS
    later = {**frame["pod"], "metadata": {**frame["pod"]["metadata"], "uid": "another"}}
    assert podstate.judge(seen({**frame, "pod": later}), CONTACT).what == GOING


def test_a_machine_that_is_out_is_waited_for():
    said = (
        "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) had untolerated taint "
        "{node.kubernetes.io/unreachable: }. preemption: 0/3 nodes are available: 3 Preemption is not helpful."
    )
    assert podplaces.kinds_of(said) == {"out"}


def node(*taints, ready=True):
    conditions = [{"type": "Ready", "status": "True" if ready else "Unknown"}]
    return {"spec": {"taints": [{"key": key} for key in taints]}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    "nodes, what, words",
    [
        ([], WAITS, "kept for something else, or do not answer"),
        ([node("team")], FAILS, "All machines are kept for something else"),
        ([node("team"), node("node.kubernetes.io/not-ready", ready=False)], WAITS, "are away"),
        ([node("node.cloudprovider.kubernetes.io/uninitialized")], WAITS, "are away"),
    ],
)
def test_a_taint_that_the_scheduler_does_not_name_is_looked_up_or_waited_for(nodes, what, words):
    said = "0/2 nodes are available: 2 node(s) had untolerated taint(s). preemption: 0/2 nodes are available: 2 …"
    condition = {"reason": "Unschedulable", "message": said}
    told = podplaces.told(condition, {"spec": {}}, [], {}, [], nodes, False, CONTACT)
    assert told.what == what and words in told.why, told


@pytest.mark.parametrize(
    "text, number", [("500m", "0.5"), ("2Gi", "2147483648"), ("1.5", "1.5"), ("3k", "3000"), ("x", "None")]
)
def test_quantities_are_read_as_the_cluster_means_them(text, number):
    found = podplaces.quantity(text)
    assert (str(found) if found is None else f"{float(found):.10g}") == number


def test_what_the_cluster_knows_of_an_end_is_the_reason_of_a_start_that_failed():
    row: Any = SimpleNamespace(cause=None, detail=None)
    told = progress.ended(row, 3, [], CONTACT, ("ended_at_once", "It ended with exit status 3: no licence."))
    assert (told.cause, told.title) == ("ended_at_once", "The server ended at once")
    assert told.why == "It ended with exit status 3: no licence." and told.evidence[0][1] == told.why
    said = progress.ended(row, 3, ["the last line"], CONTACT, ("", "Its container ended with exit status 3."))
    assert (said.cause, said.why) == ("did_not_start", "the last line"), (
        "what a program printed says more than its status"
    )


#: Why it ended, as its user reads it.
ENDED = {
    "temporary volume full": "Its temporary volume was full (10 MB).",
    "wrote outside": "What it wrote outside of its volumes was more than the 21 MB it may.",
    "out of memory while it runs": "It used all of the 210 MB that its profile gives it.",
    "out of memory, restarted in place": "It used all of the 210 MB that its profile gives it.",
    "drained": "Its machine was being emptied for maintenance.",
    "preempted": "A more urgent job took its place.",
    "removed": "It was removed from the cluster by somebody else.",
    "deadline": "The cluster ended it: a time limit of the cluster's own was over.",
    "ended with a status": "It ended with exit status 7: the licence is over.",
}


@pytest.mark.parametrize("cause", ENDS, ids=lambda one: one.name)
def test_an_end_that_nobody_here_asked_for_is_told_for_its_cause(cause):
    last = recorded(cause)["frames"][-1]
    found, sentence = death_of(last["pod"], last["events"])
    assert (found, plain(sentence)) == (cause.cause, ENDED[cause.name])
    assert not TECHNICAL.search(sentence) and (not found or found in CAUSES)


@pytest.mark.parametrize("name", ["drained", "preempted", "removed"])
def test_a_start_that_is_taken_away_is_told_who_took_it(name):
    cause = next(one for one in ENDS if one.name == name)
    told = podstate.judge(seen(recorded(cause)["frames"][-1]), CONTACT)
    assert (told.what, told.cause) == (FAILS, cause.cause or "killed")
    assert plain(told.why) == ENDED[name]


DATA = "jupyter-ada-1-notebook-data"
QUOTA = "exceeded quota: team, requested: requests.storage=5G, used: requests.storage=8G, limited: requests.storage=10G"


def with_data(said: str, **event: str) -> Seen:
    """A pod with a temporary volume of a size that is not placed, in the words of Kubernetes' own source; of these there is
    no recording. event: what the cluster says of the pod."""
    name = DATA.removesuffix("-notebook-data")
    waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    pod = {
        "metadata": {"name": name, "uid": "1"},
        "spec": {
            "volumes": [
                {"name": "notebook-data", "ephemeral": {"volumeClaimTemplate": {}}},
                {"name": "notebook-run", "emptyDir": {}},
            ]
        },
        "status": {"phase": "Pending", "conditions": [waits]},
    }
    events = [{"metadata": {}, "involvedObject": {"uid": "1"}, **event}] if event else []
    return Seen(pod, events, {DATA: None}, (), nodes(), True)


def test_a_claim_that_the_cluster_makes_for_a_notebook_is_looked_at_too():
    """Its name is the one that the scheduler says."""
    found = podplaces.claims_of(with_data("").pod)
    assert found == [DATA]
    kept = {"name": "x", "persistentVolumeClaim": {"claimName": "nb-1"}}
    assert podplaces.claims_of({"metadata": {"name": "p"}, "spec": {"volumes": [kept]}}) == ["nb-1"]


def test_a_temporary_volume_for_which_there_is_no_quota_is_told_as_that():
    to_claim = f'0/1 nodes are available: waiting for ephemeral volume controller to create the persistentvolumeclaim "{DATA}". preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.'
    told = podstate.judge(with_data(to_claim), CONTACT)
    assert (told.what, told.cause, told.patience) == (WAITS, "volume_missing", "short")
    words = f'ephemeral volume notebook-data: persistentvolumeclaims "{DATA}" is forbidden: {QUOTA}'
    told = podstate.judge(with_data(to_claim, reason="FailedBinding", message=words), CONTACT)
    assert (told.what, told.step, told.cause) == (FAILS, "attaching", "quota_of_namespace")
    assert told.title == "The quota of this cluster is used up"
    assert plain("space of volumes: 5 GB asked, 2 GB of 10 GB left") in plain(told.why)
    assert told.evidence[-1][0] == "event FailedBinding"


def test_a_temporary_volume_of_a_kind_that_is_not_there_is_told_as_that():
    said = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    words = 'storageclass.storage.k8s.io "fast" not found'
    event = {"reason": "ProvisioningFailed", "message": words, "metadata": {}}
    seen = with_data(said)
    told = podstate.judge(Seen(seen.pod, (), {DATA: None}, [event], nodes(), True), CONTACT)
    assert (told.what, told.cause) == (FAILS, "volume_missing") and "called `fast`" in told.why
