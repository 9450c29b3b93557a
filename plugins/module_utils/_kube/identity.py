# Private to this collection.
"""Who a context leads to: the identity of the cluster behind it."""

from __future__ import annotations

import base64
import hashlib

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client, describe
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed

_OWN_SERVER = "https://kubernetes.default.svc:443"


def uid_of(client: Client) -> str:
    """UID of the namespace kube-system, which is the cluster's own."""
    path = "/api/v1/namespaces/kube-system"
    uid = client.get(path, missing_ok=False).get("metadata", {}).get("uid")
    if not uid:
        raise ContextError(client.context, "get", describe(path), f"{client.server} answers without its UID")
    return str(uid)


def require_uid(client: Client, known: str, what: str) -> None:
    """Raises Failed where a context is not the cluster that it was: nothing may be written there."""
    uid = uid_of(client)
    if uid != known:
        raise Failed(
            f"{client.context}: cannot {what}: it was cluster {known or 'unknown'}, and is {uid}: renamed or rebuilt? "
            "Check where the context leads and run again."
        )


def identity_of(client: Client) -> dict[str, str]:
    """UID of kube-system, server address, SHA-256 of the CA certificate."""
    return {"uid": uid_of(client), **trusted_by(client)}


def trusted_by(client: Client) -> dict[str, str]:
    """What the kubeconfig alone says of a cluster's identity: server address, SHA-256 of the CA certificate."""
    return {"server": client.server, "ca_hash": hashlib.sha256(client.certificate_authority).hexdigest()}


def version_of(client: Client) -> str:
    """Version of the API server."""
    return str(client.get("/version", missing_ok=False).get("gitVersion", ""))


def way_to(client: Client, server: str = "") -> dict[str, str]:
    """How others reach this context: ``server`` (the client's own unless another is named) and ``ca`` (base64)."""
    return {"server": server or client.server, "ca": base64.b64encode(client.certificate_authority).decode()}


def way_in_cluster(client: Client) -> dict[str, str]:
    """How a Pod of this cluster reaches the cluster's own API server: ``server`` and ``ca`` (base64).

    By its name, never by its address: KubeBlocks 1.0.2 takes a context whose server is exactly
    ``https://<address of the Service kubernetes>:443`` for the cluster that it runs in, watches no Pod there, and the
    status of a database with a member in it stays as it is (seen: ``Creating`` for ever).
    """
    authority = client.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt", missing_ok=False)
    return {"server": _OWN_SERVER, "ca": base64.b64encode(authority["data"]["ca.crt"].encode()).decode()}
