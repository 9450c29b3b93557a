# Private to this collection.
"""The operator as its Helm release records it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client


def release_path(namespace: str, secret: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/secrets" + (f"/{secret}" if secret else "")


def list_releases(client: Client, namespace: str) -> list[dict[str, Any]]:
    """Helm's records in a namespace, newest revision of each release: name, status, revision, secret."""
    newest: dict[str, dict[str, Any]] = {}
    for item in client.list(release_path(namespace), metadata_only=True, labels="owner=helm"):
        labels = item["metadata"]["labels"]
        record = {
            "name": labels["name"],
            "namespace": namespace,
            "status": labels["status"],
            "revision": int(labels["version"]),
            "secret": item["metadata"]["name"],
        }
        known = newest.get(record["name"])
        if known is None or record["revision"] > known["revision"]:
            newest[record["name"]] = record
    return [newest[name] for name in sorted(newest)]


def release_values(client: Client, namespace: str, secret: str) -> dict[str, Any]:
    """The values that a release was made with, from Helm's own record."""
    body = client.get(release_path(namespace, secret))
    if body is None:
        return {}
    packed = base64.b64decode(base64.b64decode(body["data"]["release"]))
    values: dict[str, Any] = json.loads(gzip.decompress(packed)).get("config") or {}
    return values


def marked_contexts(values: dict[str, Any]) -> list[str]:
    """The contexts that are marked as unavailable in a release's values."""
    text = (values.get("multiCluster") or {}).get("contextsDisabled") or ""
    return [name for name in text.split(",") if name]


def marked_in(client: Client, namespace: str, release: str) -> list[str]:
    """The contexts that the operator of a control plane takes for unavailable now."""
    return marked_of_operator(client.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{release}"))


def contexts_of_operator(deployment: Mapping[str, Any] | None) -> list[str]:
    """The contexts that a running operator was told of; none where there is no Deployment."""
    return _flag(deployment, "--multi-cluster-contexts=")


def marked_of_operator(deployment: Mapping[str, Any] | None) -> list[str]:
    """The contexts that a running operator takes for unavailable."""
    return _flag(deployment, "--multi-cluster-contexts-disabled=")


def _flag(deployment: Mapping[str, Any] | None, name: str) -> list[str]:
    if not deployment:
        return []
    words = deployment["spec"]["template"]["spec"]["containers"][0].get("args", [])
    values = [word.removeprefix(name) for word in words if word.startswith(name)]
    return [entry for value in values for entry in value.split(",") if entry]
