# Private to this collection.
"""Who a context leads to: the identity of the cluster behind it."""

from __future__ import annotations

import base64
import hashlib

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client


def uid_of(client: Client) -> str:
    """UID of the namespace kube-system, which is the cluster's own."""
    space = client.get("/api/v1/namespaces/kube-system", missing_ok=False)
    return str(space["metadata"]["uid"])


def identity_of(client: Client) -> dict[str, str]:
    """UID of kube-system, version, server address, SHA-256 of the CA certificate."""
    uid = uid_of(client)
    version = client.get("/version", missing_ok=False)
    return {
        "uid": uid,
        "version": version["gitVersion"],
        "server": client.server,
        "ca_hash": hashlib.sha256(client.certificate_authority).hexdigest(),
    }


def way_to(client: Client, server: str = "") -> dict[str, str]:
    """How others reach this context: ``server`` (the client's own unless another is named) and ``ca`` (base64)."""
    return {"server": server or client.server, "ca": base64.b64encode(client.certificate_authority).decode()}


def way_in_cluster(client: Client) -> dict[str, str]:
    """How a Pod of this cluster reaches the cluster's own API server: ``server`` and ``ca`` (base64).

    KubeBlocks knows the cluster that it runs in by this very address and no other.
    """
    spec = client.get("/api/v1/namespaces/default/services/kubernetes", missing_ok=False)["spec"]
    authority = client.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt", missing_ok=False)
    host = f"[{spec['clusterIP']}]" if ":" in spec["clusterIP"] else spec["clusterIP"]
    port = next(port["port"] for port in spec["ports"] if port["name"] == "https")
    return {"server": f"https://{host}:{port}", "ca": base64.b64encode(authority["data"]["ca.crt"].encode()).decode()}
