"""Settings of KubeSpawner with which work would be lost, or with which ours have no effect: looked at when the Hub starts,
and, where a profile has them, when it is started. Pure, but for asking which namespace this Hub is in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import ConfigError
from ..units import show_duration
from . import podnamespaces

NAME = "c.KubeSpawner"
EXTRA_POD_CONFIG = f"{NAME}.extra_pod_config"
#: How long a start waits where nothing else is set, as the spawner's traits of these names have it.
WAITS = {"machine_seconds": 600, "pull_seconds": 1200}
#: What ends every start at the Hub, unless an administrator says otherwise.
START_TIMEOUT_SECONDS = 6 * 3600


def wrong(given: Sequence[Mapping[str, Any]], grace_seconds: int) -> ConfigError | None:
    """The first thing wrong. given: the parts of the Hub's configuration that the spawner reads, the one that holds first.
    grace_seconds: what a last save may take (``save_timeout_seconds``)."""

    def said(name: str) -> Any:
        return next((part[name] for part in given if name in part), None)

    config = said("extra_pod_config") or {}
    return (
        _of_pods(said, grace_seconds)
        or _of_waiting(given, said)
        or of_pod(config, grace_seconds, EXTRA_POD_CONFIG)
        or (
            of_workspace_in_pod(config, EXTRA_POD_CONFIG) if said("workspace_volume") == "ephemeral" else None
        )
        or _of_volumes(said)
    )


def _of_pods(said: Callable[[str], Any], grace_seconds: int) -> ConfigError | None:
    grace = said("delete_grace_period")
    if grace is not None and grace < grace_seconds:
        return _short(f"{NAME}.delete_grace_period", grace, grace_seconds)
    if said("delete_stopped_pods"):
        return ConfigError(
            "A pod whose server ended would be removed at once, while it is being saved",
            "Pods are removed by us, once everything is saved",
            [f"Remove the line {NAME}.delete_stopped_pods = True"],
            field=f"{NAME}.delete_stopped_pods",
        )
    if said("profile_list"):
        return ConfigError(
            "What can be started stands in profiles.yaml, and this list has no effect",
            "",
            [f"Remove {NAME}.profile_list and write its entries into profiles.yaml"],
            field=f"{NAME}.profile_list",
        )
    for name in ("extra_resource_limits", "extra_resource_guarantees"):
        if "ephemeral-storage" in (said(name) or {}):
            return ConfigError(
                "A machine ends what writes more than this within 2 seconds, whatever is not saved yet",
                "",
                ["Leave ephemeral-storage out; give profiles a size for /data instead (`data` of a flavor)"],
                field=f"{NAME}.{name}",
            )
    return None


def _of_waiting(given: Sequence[Mapping[str, Any]], said: Callable[[str], Any]) -> ConfigError | None:
    """A start may wait for a machine, and then for its image; the Hub must not end it before."""
    part = next((part for part in given if "start_timeout" in part), None)
    if part is None:
        return None
    longest = {name: usual if said(name) is None else said(name) for name, usual in WAITS.items()}
    name = max(longest, key=lambda one: int(longest[one]))
    seconds, needed = int(part["start_timeout"]), int(longest[name])
    if seconds >= needed:
        return None
    field = f"c.{getattr(part, 'name', 'KubeSpawner')}.start_timeout"
    what = "a machine" if name == "machine_seconds" else "its image"
    return ConfigError(
        f"The Hub would end every start after {show_duration(seconds)}, and one may wait {show_duration(needed)} for {what}",
        "A start that cannot get on is ended by us, and its user is told why",
        [
            f"Write {field} = {max(START_TIMEOUT_SECONDS, 2 * needed)}",
            "In the chart zero-to-jupyterhub it is singleuser.startTimeout",
        ],
        field=field,
    )


def _of_volumes(said: Callable[[str], Any]) -> ConfigError | None:
    """Claims are removed where notebooks have them."""
    volumes = str(json.loads(said("settings_json") or "{}").get("volumes") or "")
    if not volumes.startswith(podnamespaces.VOLUMES):
        return None
    return podnamespaces.wrong(
        volumes.removeprefix(podnamespaces.VOLUMES) or podnamespaces.usual(),
        str(said("namespace") or podnamespaces.own()),
        bool(said("enable_user_namespaces")),
    )


def of_pod(config: Mapping[str, Any], grace_seconds: int, field: str) -> ConfigError | None:
    """The first thing wrong with more fields of a pod's spec, by Kubernetes' names. field: where they stand."""
    grace = config.get("terminationGracePeriodSeconds")
    if isinstance(grace, int) and grace < grace_seconds:
        return _short(f"{field}.terminationGracePeriodSeconds", grace, grace_seconds)
    if config.get("activeDeadlineSeconds"):
        return ConfigError(
            "The cluster would end every notebook after this time without a word",
            "The pull of the image counts too",
            ["Leave it out and set max_session in the profile: it warns, can be extended and saves"],
            field=f"{field}.activeDeadlineSeconds",
        )
    if config.get("restartPolicy") == "Always":
        return ConfigError(
            "A notebook that has saved and ended would be started again by the cluster",
            "",
            ["Leave it out"],
            field=f"{field}.restartPolicy",
        )
    return None


def of_workspace_in_pod(config: Mapping[str, Any], field: str) -> ConfigError | None:
    """The same, where files lie in the pod alone: what a killed container left is saved by the next one in that pod."""
    if config.get("restartPolicy") == "Never":
        return ConfigError(
            "A notebook whose container is killed as a whole could not be saved",
            "Its files lie in the pod, and nothing would begin in it again",
            [
                "Leave it out",
                "Keep the files in a claim (workspace_volume, or `kubernetes: {workspace: claim}` of a profile)",
            ],
            field=f"{field}.restartPolicy",
        )
    return None


def _short(field: str, seconds: int, needed: int) -> ConfigError:
    return ConfigError(
        f"{show_duration(seconds)} are too short for a last save, which may take {show_duration(needed)}",
        "What it had not saved by then would be lost",
        [f"Leave it out: save_timeout_seconds of notebooks(c, …) decides, now {needed} s"],
        field=field,
    )
