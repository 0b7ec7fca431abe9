"""A cluster's API over HTTPS, for tests and their fixture: JSON in, JSON out, one certificate."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any

KINDS = {
    "Pod": "pods", "Namespace": "namespaces", "PersistentVolumeClaim": "persistentvolumeclaims",
    "PersistentVolume": "persistentvolumes", "ServiceAccount": "serviceaccounts", "Node": "nodes", "Event": "events",
    "Secret": "secrets", "ConfigMap": "configmaps", "ResourceQuota": "resourcequotas", "LimitRange": "limitranges",
}  # fmt: skip
GROUPS = {
    "Role": ("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("rbac.authorization.k8s.io/v1", "rolebindings"),
    "ClusterRole": ("rbac.authorization.k8s.io/v1", "clusterroles"),
    "ClusterRoleBinding": ("rbac.authorization.k8s.io/v1", "clusterrolebindings"),
    "StorageClass": ("storage.k8s.io/v1", "storageclasses"),
    "PriorityClass": ("scheduling.k8s.io/v1", "priorityclasses"),
    "NetworkPolicy": ("networking.k8s.io/v1", "networkpolicies"),
}


class ApiError(Exception):
    """An answer that is no success. status: of HTTP. message: the API's own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


def path_of(kind: str, namespace: str = "", name: str = "") -> str:
    """Where objects of a kind are at the API."""
    group, plural = GROUPS.get(kind) or ("v1", KINDS[kind])
    base = "/api/v1" if group == "v1" else f"/apis/{group}"
    return "/".join(
        [base, *(["namespaces", namespace] if namespace else []), plural, *([name] if name else [])]
    )


class Api:
    """Requests with one identity: a client's certificate, or a token."""

    def __init__(
        self, host: str, port: int, authority: Path, certificate: str = "", key: str = "", token: str = ""
    ):
        self._where = (host, port)
        self._context = ssl.create_default_context(cafile=str(authority))
        if certificate:
            self._context.load_cert_chain(certificate, key)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """The answer's JSON, or its text where it is none. Raises ApiError."""
        connection = http.client.HTTPSConnection(*self._where, timeout=30, context=self._context)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, body=sent, headers={"Content-Type": kind, **self._headers})
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            try:
                value = json.loads(text)
            except ValueError:
                value = text
            if answer.status >= 400:
                raise ApiError(answer.status, value.get("message", text) if isinstance(value, dict) else text)
            return value
        finally:
            connection.close()

    def create(self, body: dict[str, Any], namespace: str = "") -> dict[str, Any]:
        return dict(self("POST", path_of(body["kind"], namespace), body))

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """One object, None where there is none."""
        try:
            return dict(self("GET", path_of(kind, namespace, name)))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        query = f"?labelSelector={labels}" if labels else ""
        return list(self("GET", path_of(kind, namespace) + query)["items"])

    def delete(self, kind: str, name: str, namespace: str = "", grace_seconds: int | None = None) -> None:
        """Asks for its end; one that is gone is no error."""
        query = "" if grace_seconds is None else f"?gracePeriodSeconds={grace_seconds}"
        try:
            self("DELETE", path_of(kind, namespace, name) + query)
        except ApiError as error:
            if error.status != 404:
                raise

    def patch(self, kind: str, name: str, change: Any, namespace: str = "", part: str = "") -> dict[str, Any]:
        """change: merged into the object where it is a dict, else a list of JSON patches. part: such as ``status``."""
        how = "application/merge-patch+json" if isinstance(change, dict) else "application/json-patch+json"
        path = path_of(kind, namespace, name) + (f"/{part}" if part else "")
        return dict(self("PATCH", path, change, how))
