# Private to this collection.
"""What a cluster says of itself where a mesh is wanted: nodes, networks, a Cilium that is there, its CA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _signing as signing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._facts import (
    addresses_of,
    is_ready,
    service_networks,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_certificates import AUTHORITY, held
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import list_releases, read_release

NAMESPACE, RELEASE = "kube-system", "cilium"
# DaemonSet → the network that it is part of. Two networks would fight for every Pod.
_NETWORKS = {
    "antrea-agent": "Antrea",
    "aws-node": "Amazon VPC CNI",
    "azure-cni-networkmonitor": "Azure CNI",
    "calico-node": "Calico",
    "canal": "Canal",
    "kindnet": "kindnet",
    "kube-flannel": "Flannel",
    "kube-flannel-ds": "Flannel",
    "kube-router": "kube-router",
    "ovnkube-node": "OVN-Kubernetes",
    "terway": "Terway",
    "terway-eniip": "Terway",
    "weave-net": "Weave Net",
}


def of_cluster(client: Client) -> dict[str, Any]:
    """``nodes`` (their number), ``ready_addresses`` and ``node_addresses`` (InternalIP), ``kernels``,
    ``architectures``, ``service_networks``, ``cni``, ``cilium`` (``config``, ``version``, ``values``), ``node_ports``
    and ``authority`` (None, or as ``judge_authority`` says). Nothing of a key leaves."""
    nodes = client.list("/api/v1/nodes")
    infos = [node["status"]["nodeInfo"] for node in nodes]
    daemons = client.list("/apis/apps/v1/daemonsets", metadata_only=True)
    return {
        "nodes": len(nodes),
        "node_addresses": addresses_of(nodes),
        "ready_addresses": addresses_of(node for node in nodes if is_ready(node)),
        "kernels": sorted({info["kernelVersion"] for info in infos} - {""}),
        "architectures": sorted({info["architecture"] for info in infos} - {""}),
        **service_networks(client),
        "cni": sorted({_NETWORKS[name] for body in daemons if (name := body["metadata"]["name"]) in _NETWORKS}),
        "cilium": cilium_in(client),
        "node_ports": _node_ports(client),
        "authority": _authority(client),
    }


def cilium_in(client: Client) -> dict[str, Any] | None:
    """None where there is no sign of Cilium; ``version`` and ``values`` are empty where no release of Helm holds it."""
    config = client.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/cilium-config")
    records = [record for record in list_releases(client, NAMESPACE) if record["name"] == RELEASE]
    release = read_release(client, NAMESPACE, records[0]["secret"]) if records else {}
    if config is None and not release:
        return None
    metadata = (release.get("chart") or {}).get("metadata") or {}
    return {
        "config": (config or {}).get("data") or {},
        "version": str(metadata.get("version", "")),
        "values": release.get("config") or {},
    }


def peers_listed(values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entries of the list of clusters in a release's values."""
    listed = ((values.get("clustermesh") or {}).get("config") or {}).get("clusters") or []
    return [entry for entry in listed if isinstance(entry, Mapping)]


def _authority(client: Client) -> dict[str, Any] | None:
    files = held(client, NAMESPACE, AUTHORITY)
    if not files:
        return None
    return signing.judge_authority(files.get("ca.crt", b""), files.get("ca.key", b""))


def _node_ports(client: Client) -> dict[int, str]:
    """NodePort → namespace/name of the Service that has it."""
    return {
        port["nodePort"]: f"{body['metadata']['namespace']}/{body['metadata']['name']}"
        for body in client.list("/api/v1/services")
        for port in body["spec"].get("ports") or []
        if port.get("nodePort")
    }
