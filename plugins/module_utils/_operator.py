# Private to this collection.
"""The operator as its Helm release records it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.release import (
    CONTEXTS,
    DISABLED,
    args_of,
    flag,
    knows_contexts,
)


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


def read_release(client: Client, namespace: str, secret: str) -> dict[str, Any]:
    """Helm's record of a release: ``chart``, ``config`` (the user's values), ``manifest``; empty where it is gone."""
    body = client.get(release_path(namespace, secret))
    if body is None:
        return {}
    packed = base64.b64decode(base64.b64decode(body["data"]["release"]))
    found: dict[str, Any] = json.loads(gzip.decompress(packed))
    return found


def told_of_contexts(client: Client, namespace: str, release: str = "") -> list[dict[str, Any]]:
    """The operator's Deployments that are told of the contexts: the manager and data protection, of any release where
    none is named."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    found = client.list(path, labels=f"app.kubernetes.io/instance={release}" if release else "")
    complete = [{**body, "apiVersion": "apps/v1", "kind": "Deployment"} for body in found]
    return [body for body in complete if knows_contexts(body)]


def marked_in(client: Client, namespace: str, release: str) -> list[str]:
    """The contexts that the operator of a control plane takes for unavailable now."""
    return marked_of_operator(client.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{release}"))


def contexts_of_operator(deployment: Mapping[str, Any] | None) -> list[str]:
    """The contexts that a running operator was told of; none where there is no Deployment."""
    return flag(args_of(deployment), CONTEXTS) if deployment else []


def marked_of_operator(deployment: Mapping[str, Any] | None) -> list[str]:
    """The contexts that a running operator takes for unavailable."""
    return flag(args_of(deployment), DISABLED) if deployment else []
