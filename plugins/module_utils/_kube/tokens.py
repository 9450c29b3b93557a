# Private to this collection.
"""Tokens of a ServiceAccount: asked of the API server, never kept there. The request persists nothing."""

from __future__ import annotations

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client


def account_path(namespace: str, name: str) -> str:
    """Where a ServiceAccount is."""
    return f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"


def mint(client: Client, namespace: str, name: str, seconds: int) -> str:
    """A new token of a ServiceAccount for so many seconds; the server may grant less. Raises ContextError."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds},
    }
    token: str = client.create(f"{account_path(namespace, name)}/token", body)["status"]["token"]
    return token
