# Private to this collection.
"""The values of Cilium's chart for one cluster of a mesh: complete, sorted, the same each time. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh import NODE_PORT, TUNNEL, Wish
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_versions import (
    MINORS,
    Minor,
    minor_of,
)

CERTGEN, MANAGED = "certgen", "managed"
MESH_PORT = 2379  # of the mesh API behind a load balancer
_SCHEDULE = "0 0 1 */4 *"
_REGISTRY = "quay.io"
_MOST = 3  # addresses of nodes that the others are told


@dataclass(frozen=True)
class Settings:
    """What is the same in every cluster. ``certificates``: who signs. ``cache_ttl``: after which time backends of a
    silent cluster are forgotten. ``registry``: of the images; ``digests``: whether they are pinned by digest too."""

    certificates: str = CERTGEN
    cache_ttl: str = "60s"
    registry: str = _REGISTRY
    digests: bool = True
    hubble: bool = True
    service_annotations: Mapping[str, str] | None = None


def values(wish: Wish, nodes: int, peers: Sequence[Mapping[str, Any]], settings: Settings) -> dict[str, Any]:
    """``nodes``: how many the cluster has. ``peers``: entries of the cluster list, as ``peer`` makes them."""
    found: dict[str, Any] = {
        "cluster": {"name": wish.cluster, "id": wish.id},
        "ipam": {
            "mode": "cluster-pool",
            "operator": {
                "clusterPoolIPv4PodCIDRList": list(wish.pod_cidrs),
                "clusterPoolIPv4MaskSize": wish.mask_size,
            },
        },
        "kubeProxyReplacement": wish.kube_proxy_replacement,
        "rollOutCiliumPods": True,
        # Its Pods cannot share a node: a second one on the only node would never start.
        "operator": {"replicas": min(2, nodes), "rollOutPods": True},
        "certgen": {"generateCA": False},
        "hubble": _hubble(settings),
        **_datapath(wish),
        **_api_server(wish.api_server),
        "clustermesh": _mesh(wish, peers, settings, MINORS[minor_of(wish.version)]),
    }
    _name_images(found, settings)
    return found


def peer(wish: Wish, addresses: Sequence[str]) -> dict[str, Any]:
    """How the others reach a cluster's mesh API. ``addresses``: of its nodes, where the inventory names none."""
    where = list(wish.endpoints or addresses)
    port = wish.node_port if wish.service_type == NODE_PORT else MESH_PORT
    if len(where) == 1 and not _is_address(where[0]):
        return {"name": wish.cluster, "port": port, "address": where[0]}
    return {"name": wish.cluster, "port": port, "ips": sorted(where)}


def lasting(known: Sequence[str], ready: Sequence[str], every: Sequence[str]) -> list[str]:
    """The addresses of a cluster's nodes that the others are told: those that they were told before, as long as there
    are such nodes; otherwise the first few that are ready. Nodes that come and go change nothing."""
    kept = [address for address in known if address in every]
    return kept or sorted(ready or every)[:_MOST]


def peers_of(wish: Wish, every: Mapping[str, Mapping[str, Any]], cut: Sequence[str] = ()) -> list[Mapping[str, Any]]:
    """The cluster list of one cluster: every other one, by name. ``every``: context → its entry; ``cut``: contexts that
    are marked as dead, whose backends nobody is to be sent to."""
    others = [entry for context, entry in every.items() if context != wish.context and context not in cut]
    return sorted(others, key=lambda entry: str(entry["name"]))


def server_names(wish: Wish) -> list[str]:
    """Names, beside the chart's own, that the certificate of the mesh API has to carry."""
    return [endpoint for endpoint in wish.endpoints if not _is_address(endpoint)]


def _datapath(wish: Wish) -> dict[str, Any]:
    if wish.routing_mode != TUNNEL:
        return {"routingMode": wish.routing_mode, "ipv4NativeRoutingCIDR": wish.native_cidr}
    tunnel = {"routingMode": TUNNEL, "tunnelProtocol": wish.tunnel_protocol}
    return tunnel | ({"tunnelPort": wish.tunnel_port} if wish.tunnel_port else {})


def _api_server(server: str) -> dict[str, Any]:
    host, port = server.rpartition(":")[::2]
    return {"k8sServiceHost": host, "k8sServicePort": int(port)} if host else {}


def _hubble(settings: Settings) -> dict[str, Any]:
    """Hubble's certificates are certgen's too: made at each render they would be new each time."""
    if settings.certificates == MANAGED or not settings.hubble:
        return {"enabled": False}
    return {"enabled": True, "tls": {"auto": {"method": "cronJob", "schedule": _SCHEDULE}}}


def _mesh(wish: Wish, peers: Sequence[Mapping[str, Any]], settings: Settings, minor: Minor) -> dict[str, Any]:
    service: dict[str, Any] = {"type": wish.service_type}
    if wish.service_type == NODE_PORT:
        service["nodePort"] = wish.node_port
    if settings.service_annotations:
        service["annotations"] = dict(settings.service_annotations)
    found = {
        "useAPIServer": True,
        "maxConnectedClusters": wish.max_clusters,
        "apiserver": {"service": service, "tls": _certificates(wish, settings, minor)},
        "config": {"enabled": True, "clusters": [dict(entry) for entry in peers]},
    }
    return found | ({"cacheTTL": settings.cache_ttl} if minor.cache_ttl else {})


def _certificates(wish: Wish, settings: Settings, minor: Minor) -> dict[str, Any]:
    if settings.certificates == MANAGED:
        return {"auto": {"enabled": False}} | ({"enableSecrets": False} if minor.makes_secrets else {})
    auto = {
        "enabled": True,
        "method": "cronJob",
        "schedule": _SCHEDULE,
        "certValidityDuration": minor.leaf_days,
    }
    names = server_names(wish)
    return {"auto": auto} | ({"server": {"extraDnsNames": names}} if names else {})


def _name_images(found: dict[str, Any], settings: Settings) -> None:
    """The chart's own images stay as they are, unless another registry is asked for."""
    if settings.registry == _REGISTRY and settings.digests:
        return
    pinned = {"useDigest": settings.digests}
    found["image"] = {"repository": f"{settings.registry}/cilium/cilium", **pinned}
    found["operator"]["image"] = {"repository": f"{settings.registry}/cilium/operator", **pinned}
    found["clustermesh"]["apiserver"]["image"] = {
        "repository": f"{settings.registry}/cilium/clustermesh-apiserver",
        **pinned,
    }
    if settings.certificates == CERTGEN:
        found["certgen"]["image"] = {"repository": f"{settings.registry}/cilium/certgen", **pinned}


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
