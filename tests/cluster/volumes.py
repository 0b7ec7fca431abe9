"""Volumes for claims: what a cluster's storage does, as folders of this machine.

Two storage classes: ``local``, whose volumes lie on one node and are lost with it, and ``network``, whose volumes every node
reaches (the default). A claim that is deleted takes its files along.
"""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

from .api import Api, ApiError

LOOK_SECONDS = 0.3
PROVISIONER = "notebooks.test/folders"
CLASSES = ("network", "local")
DEFAULT = "storageclass.kubernetes.io/is-default-class"
SELECTED = "volume.kubernetes.io/selected-node"


class Volumes:
    """Looks after claims in a thread until ``stop``. folder: where the volumes lie."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._api, self._folder = api, folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name="volumes", daemon=True)

    def start(self) -> None:
        for name in CLASSES:
            self._api.create(storage_class(name, name == "network"))
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(10)

    def _look_after(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self._once()
            except (OSError, ApiError):
                continue  # the API server restarts, or ends

    def _once(self) -> None:
        for claim in self._api.list("PersistentVolumeClaim"):
            spec, node = claim["spec"], (claim["metadata"].get("annotations") or {}).get(SELECTED)
            if node and not spec.get("volumeName") and spec.get("storageClassName") in CLASSES:
                self._make(claim, node)
        for volume in self._api.list("PersistentVolume"):
            name = volume["metadata"]["name"]
            if volume["status"].get("phase") == "Released":
                self._api.delete("PersistentVolume", name)
                shutil.rmtree(self._folder / name, ignore_errors=True)

    def _make(self, claim: dict[str, Any], node: str) -> None:
        name = f"pvc-{claim['metadata']['uid']}"
        (self._folder / name).mkdir(parents=True, exist_ok=True)
        nodes = [node]
        if claim["spec"]["storageClassName"] == "network":
            nodes = [one["metadata"]["name"] for one in self._api.list("Node")]
        try:
            self._api.create(volume_of(claim, name, self._folder / name, nodes))
        except ApiError as error:
            if error.status != 409:
                raise


def storage_class(name: str, default: bool) -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": {DEFAULT: str(default).lower()}},
        "provisioner": PROVISIONER,
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Retain",
    }


def volume_of(claim: dict[str, Any], name: str, path: Path, nodes: list[str]) -> dict[str, Any]:
    """The volume that a claim is bound to."""
    spec, metadata = claim["spec"], claim["metadata"]
    where = {"key": "kubernetes.io/hostname", "operator": "In", "values": nodes}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": spec["storageClassName"],
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "local": {"path": str(path)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [where]}]}},
        },
    }
