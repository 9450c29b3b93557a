# Private to this collection.
"""Who a cluster is: what every writer and every report has to agree on."""

from __future__ import annotations

import hashlib

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client


def identity_of(client: Client) -> dict[str, str]:
    """Who a context leads to: UID of kube-system, version, server address, SHA-256 of the CA certificate."""
    space = client.get("/api/v1/namespaces/kube-system", missing_ok=False)
    version = client.get("/version", missing_ok=False)
    return {
        "uid": space["metadata"]["uid"],
        "version": version["gitVersion"],
        "server": client.server,
        "ca_hash": hashlib.sha256(client.certificate_authority).hexdigest(),
    }
