"""Settings of KubeSpawner with which work would be lost, or with which ours have no effect: looked at when the Hub starts,
and, where a profile has them, when it is started. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ConfigError
from ..units import show_duration

NAME = "c.KubeSpawner"


def wrong(given: Sequence[Mapping[str, Any]], grace_seconds: int) -> ConfigError | None:
    """The first thing wrong. given: the parts of the Hub's configuration that the spawner reads, the one that holds first.
    grace_seconds: what a last save may take (``save_timeout_seconds``)."""

    def said(name: str) -> Any:
        return next((part[name] for part in given if name in part), None)

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
    return of_pod(said("extra_pod_config") or {}, grace_seconds, f"{NAME}.extra_pod_config")


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


def _short(field: str, seconds: int, needed: int) -> ConfigError:
    return ConfigError(
        f"{show_duration(seconds)} are too short for a last save, which may take {show_duration(needed)}",
        "What it had not saved by then would be lost",
        [f"Leave it out: save_timeout_seconds of notebooks(c, …) decides, now {needed} s"],
        field=field,
    )
