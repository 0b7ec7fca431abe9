"""Removes what a cluster keeps of notebooks that are gone:
``python -m jupyterhub_notebooks.spawners.removing_claims NOTEBOOK [NAMESPACE]``.

services/janitor runs it, because only spawners know Kubernetes. Promises: claims with the notebook's id as their label are
removed from that namespace, from all where it is ``*``, from the Hub's where none is named, and nothing else; that none is
there is no error. Exit status 0: nothing of it is left there, or will be once its last pod is gone; 1: standard error says
in one line why something is.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import kubernetes_asyncio as kubernetes
from kubernetes_asyncio.client.exceptions import ApiException
from kubernetes_asyncio.config import ConfigException

from ..names import is_id
from . import podnamespaces
from .pods import LABEL

REQUEST_SECONDS = 30


async def remove_claims(api: Any, namespace: str, notebook: str) -> int:
    """How many there were. Raises ApiException."""
    asked = {"label_selector": f"{LABEL}notebook={notebook}", "_request_timeout": REQUEST_SECONDS}
    if namespace == podnamespaces.EVERYWHERE:
        listed = await api.list_persistent_volume_claim_for_all_namespaces(**asked)
    else:
        listed = await api.list_namespaced_persistent_volume_claim(namespace, **asked)
    for one in listed.items:
        await api.delete_namespaced_persistent_volume_claim(
            one.metadata.name, one.metadata.namespace, _request_timeout=REQUEST_SECONDS
        )
    return len(listed.items)


async def _reach(given: str) -> str:
    """Finds the cluster, as KubeSpawner does; the namespace of the notebooks. given: the one that is known, or ''."""
    try:
        kubernetes.config.load_incluster_config()
        return given or "default"
    except ConfigException:
        await kubernetes.config.load_kube_config()
        _, current = kubernetes.config.list_kube_config_contexts()
        return given or str(((current or {}).get("context") or {}).get("namespace") or "default")


async def _run(notebook: str, given: str) -> None:
    namespace = await _reach(given)
    async with kubernetes.client.ApiClient() as client:
        await remove_claims(kubernetes.client.CoreV1Api(client), namespace, notebook)


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2) or not is_id(arguments[0]):
        print("Name one notebook by its id, and its namespace if it is another", file=sys.stderr)
        return 2
    try:
        asyncio.run(_run(arguments[0], (arguments[1:] or [""])[0] or podnamespaces.usual()))
    except ApiException as error:
        print(f"The cluster keeps its claims: {_said(error)}", file=sys.stderr)
        return 1
    except (ConfigException, OSError, TimeoutError) as error:
        print(f"The cluster does not answer: {error}", file=sys.stderr)
        return 1
    return 0


def _said(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
