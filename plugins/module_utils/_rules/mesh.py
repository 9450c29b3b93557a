# Private to this collection.
"""Whether clusters can be joined to one Cilium Cluster Mesh: what is wanted, held against what is there. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, WARN, Finding, some
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_versions import (
    DEFAULT_VERSION,
    MINORS,
    minor_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.pools import networks_of

NODE_PORT, LOAD_BALANCER = "NodePort", "LoadBalancer"
TUNNEL, NATIVE = "tunnel", "native"
MAX_CLUSTERS = (255, 511)
_NAME = re.compile(r"([a-z0-9][-a-z0-9]*)?[a-z0-9]")
_NODE_PORTS = range(30000, 32768)
_WHERE = "inventory"
Network = Any  # an IPv4Network or IPv6Network


@dataclass(frozen=True)
class Wish:
    """What the inventory says of one cluster of the mesh. ``id`` 0: it is in none. ``endpoints``: addresses, or one
    name, at which the others reach its mesh API; empty for those of its nodes. ``api_server``: host:port for the time
    before any Service works. ``native_cidr``: what is routed without a tunnel."""

    context: str
    id: int
    name: str = ""
    pod_cidrs: Sequence[str] = ()
    mask_size: int = 24
    version: str = DEFAULT_VERSION
    max_clusters: int = 255
    routing_mode: str = TUNNEL
    tunnel_protocol: str = "vxlan"
    tunnel_port: int = 0
    native_cidr: str = ""
    kube_proxy_replacement: bool = False
    api_server: str = ""
    service_type: str = NODE_PORT
    node_port: int = 32379
    endpoints: Sequence[str] = ()

    @property
    def cluster(self) -> str:
        """The name that the mesh knows it by."""
        return self.name or self.context

    @property
    def datapath(self) -> tuple[str, ...]:
        """What has to be the same in every cluster."""
        tunnel = (self.tunnel_protocol, str(self.tunnel_port)) if self.routing_mode == TUNNEL else (self.native_cidr,)
        return (self.routing_mode, *tunnel)


def members(wishes: Iterable[Wish]) -> list[Wish]:
    """Those that are to be in the mesh, in the inventory's order."""
    return [wish for wish in wishes if wish.id]


def of_wishes(wishes: Iterable[Wish]) -> list[Finding]:
    """What shows before any cluster is asked: every member by itself, then against the others."""
    joined = members(wishes)
    found = [finding for wish in joined for rule in _OF_ONE for finding in rule(wish)]
    for rule in _OF_ALL:
        found += rule(joined)
    return found


def _tell(name: str, context: str, seen: str, why: str, cure: str, severity: str = FAIL) -> Finding:
    return Finding(name, context, severity, seen, why, cure)


# One cluster


def _of_name(wish: Wish) -> list[Finding]:
    name = wish.cluster
    if _NAME.fullmatch(name) and len(name) <= 32 and name != "default":
        return []
    said = f"{len(name)} characters" if len(name) > 32 else "not as Cilium takes it"
    why = "Cilium takes 1 to 32 lower-case letters, digits and '-', beginning and ending with none, and not 'default'"
    return [_tell("mesh.name", wish.context, f"the mesh's name for it is {name!r} ({said})", why, _set("name", "one"))]


def _set(option: str, what: str) -> str:
    return f"Set cluster_mesh_{option} of this host to {what} that fits"


def _of_id(wish: Wish) -> list[Finding]:
    if 1 <= wish.id <= wish.max_clusters:
        return []
    why = "it is part of every identity, the chart does not check it, and the agents do not start with another"
    seen = f"the mesh's number for it is {wish.id}"
    return [_tell("mesh.id", wish.context, seen, why, f"Set cluster_mesh_id to 1 to {wish.max_clusters}")]


def _of_max(wish: Wish) -> list[Finding]:
    if wish.max_clusters in MAX_CLUSTERS:
        return []
    seen, why = f"cluster_mesh_max_clusters is {wish.max_clusters}", "Cilium knows 255 and 511, for ever"
    return [_tell("mesh.max_clusters", wish.context, seen, why, "Set it to 255, unless there are more clusters")]


def _of_version(wish: Wish) -> list[Finding]:
    if minor_of(wish.version) in MINORS and re.fullmatch(r"\d+\.\d+\.\d+", wish.version):
        return []
    known = ", ".join(f"{major}.{minor}" for major, minor in MINORS)
    why = f"its values are known for {known}, and a release is named in whole, without a v"
    seen = f"cluster_mesh_version is {wish.version!r}"
    return [_tell("mesh.version", wish.context, seen, why, "Name a release of one of these")]


def _of_cidrs(wish: Wish) -> list[Finding]:
    if not wish.pod_cidrs:
        why = "Cilium's own default, 10.0.0.0/8, would be the same in every cluster"
        return [_tell("mesh.pod_cidr", wish.context, "it has no networks for Pods", why, _set("pod_cidrs", "networks"))]
    found = []
    for text in wish.pod_cidrs:
        try:
            ipaddress.ip_network(text)
        except ValueError as problem:
            seen, why = f"{text!r} is no network for Pods ({problem})", "addresses of Pods are taken from it"
            found.append(_tell("mesh.pod_cidr", wish.context, seen, why, _set("pod_cidrs", "networks")))
    return found


def _of_mask(wish: Wish) -> list[Finding]:
    prefixes = [network.prefixlen for network in _networks(wish.pod_cidrs)]
    if all(prefix < wish.mask_size for prefix in prefixes):
        return []
    seen = f"each node takes a /{wish.mask_size} of {', '.join(wish.pod_cidrs)}"
    why = "one node would take the whole network, and the next would have no addresses"
    return [_tell("mesh.capacity", wish.context, seen, why, "Set cluster_mesh_mask_size above the network's prefix")]


def _of_native(wish: Wish) -> list[Finding]:
    if wish.routing_mode == TUNNEL:
        return []
    routed = _networks([wish.native_cidr])
    if routed and all(
        any(network.subnet_of(one) for one in routed if one.version == network.version)
        for network in _networks(wish.pod_cidrs)
    ):
        return []
    seen = f"cluster_mesh_native_cidr is {wish.native_cidr!r}, and does not hold {', '.join(wish.pod_cidrs)}"
    why = "what is outside of it leaves with the node's address, and members would not know each other"
    return [_tell("mesh.native", wish.context, seen, why, "Name a network that holds every cluster's Pods")]


def _of_port(wish: Wish) -> list[Finding]:
    if wish.service_type != NODE_PORT or wish.node_port in _NODE_PORTS:
        return []
    seen, why = f"its mesh API would be at NodePort {wish.node_port}", "API servers give ports from 30000 to 32767"
    return [_tell("mesh.node_port", wish.context, seen, why, _set("node_port", "one"))]


def _of_endpoints(wish: Wish) -> list[Finding]:
    if wish.service_type != LOAD_BALANCER or wish.endpoints:
        return []
    why = "the others are told of it before the load balancer is there"
    cure = "Set cluster_mesh_endpoints to the address, or the name, that the load balancer will have"
    return [_tell("mesh.endpoints", wish.context, "its mesh API has no address yet", why, cure)]


def _of_proxy(wish: Wish) -> list[Finding]:
    if not wish.kube_proxy_replacement or not _is_loopback(wish.api_server):
        return []
    seen = f"Cilium replaces kube-proxy, and cluster_mesh_api_server is {wish.api_server or 'not set'}"
    why = "without a Service that works, its agents need an address of the API server that nodes can reach"
    return [_tell("mesh.api_server", wish.context, seen, why, "Set cluster_mesh_api_server of this host to host:port")]


def _is_loopback(server: str) -> bool:
    host = server.rpartition(":")[0]
    return not host or host == "localhost" or host.startswith("127.") or host == "[::1]"


_OF_ONE: tuple[Callable[[Wish], list[Finding]], ...] = (
    _of_name,
    _of_max,
    _of_id,
    _of_version,
    _of_cidrs,
    _of_mask,
    _of_native,
    _of_port,
    _of_endpoints,
    _of_proxy,
)


# Against each other


def _of_doubled(joined: Sequence[Wish]) -> list[Finding]:
    found = []
    for one, other in combinations(joined, 2):
        both = f"{one.context} and {other.context} both"
        if one.cluster == other.cluster:
            seen, cure = f"{both} have the name {other.cluster!r}", "Rename one: cluster_mesh_name"
            found.append(_tell("mesh.name_doubled", other.context, seen, "the mesh knows clusters by name", cure))
        if one.id == other.id:
            seen, cure = f"{both} have the number {other.id}", "Renumber one: cluster_mesh_id"
            why = "identities of both would be the same, and each refuses the other"
            found.append(_tell("mesh.id_doubled", other.context, seen, why, cure))
    return found


def _of_overlaps(joined: Sequence[Wish]) -> list[Finding]:
    why, cure = "packets for one would reach the other", "Give each cluster networks of its own: cluster_mesh_pod_cidrs"
    found = []
    for one, other in combinations(joined, 2):
        for first in _networks(one.pod_cidrs):
            for second in _networks(other.pod_cidrs):
                if first.overlaps(second):
                    seen = f"Pods of {one.context} ({first}) and {other.context} ({second}) overlap"
                    found.append(_tell("mesh.pod_overlap", other.context, seen, why, cure))
    return found


def _of_datapaths(joined: Sequence[Wish]) -> list[Finding]:
    return [
        _tell(
            "mesh.datapath",
            wish.context,
            f"it would use {' '.join(wish.datapath)}, and {joined[0].context} {' '.join(joined[0].datapath)}",
            "nodes could not read each other's packets",
            "Set cluster_mesh_routing_mode, cluster_mesh_tunnel_protocol and cluster_mesh_tunnel_port once, for all",
        )
        for wish in joined[1:]
        if wish.datapath != joined[0].datapath
    ]


def _of_equal_max(joined: Sequence[Wish]) -> list[Finding]:
    return [
        _tell(
            "mesh.max_clusters",
            wish.context,
            f"cluster_mesh_max_clusters is {wish.max_clusters}, and {joined[0].max_clusters} in {joined[0].context}",
            "identities are cut into number and name at another place",
            "Set it once, for all",
        )
        for wish in joined[1:]
        if wish.max_clusters != joined[0].max_clusters
    ]


def _of_minors(joined: Sequence[Wish]) -> list[Finding]:
    minors = sorted({minor_of(wish.version) for wish in joined})
    if len(minors) < 2:
        return []
    apart = minors[-1][1] - minors[0][1]
    seen = f"the clusters would run Cilium {' and '.join(f'{one}.{two}' for one, two in minors)}"
    why = "upstream tests neighbours of one minor at most" if apart > 1 else "that is for the time of an upgrade"
    return [_tell("mesh.skew", _WHERE, seen, why, "Bring cluster_mesh_version together", FAIL if apart > 1 else WARN)]


def _of_shared_ports(joined: Sequence[Wish]) -> list[Finding]:
    """Before 1.19, an agent that replaces kube-proxy takes a peer's NodePort for its own cluster's."""
    old = [wish for wish in joined if wish.service_type == NODE_PORT and not _shares_ports(wish)]
    if not any(wish.kube_proxy_replacement for wish in old):
        return []
    return [
        _tell(
            "mesh.node_port",
            other.context,
            f"{one.context} and {other.context} both have NodePort {other.node_port} for their mesh API",
            "Cilium before 1.19 that replaces kube-proxy would send a peer's traffic to its own",
            "Give each cluster a cluster_mesh_node_port of its own",
        )
        for one, other in combinations(old, 2)
        if one.node_port == other.node_port
    ]


def _shares_ports(wish: Wish) -> bool:
    minor = MINORS.get(minor_of(wish.version))
    return minor is None or minor.shares_node_port


_OF_ALL: tuple[Callable[[Sequence[Wish]], list[Finding]], ...] = (
    _of_doubled,
    _of_overlaps,
    _of_datapaths,
    _of_equal_max,
    _of_minors,
    _of_shared_ports,
)


# Against what is there


def of_networks(wishes: Iterable[Wish], seen: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """``seen``: context → ``node_addresses``, ``service_networks`` and ``pools``, of every cluster that answered."""
    found = []
    for wish in members(wishes):
        for network in _networks(wish.pod_cidrs):
            taken = [
                f"the node {address} of {owner}"
                for owner, entry in seen.items()
                for address in entry.get("node_addresses", ())
                if ipaddress.ip_address(address) in network
            ]
            own = seen.get(wish.context, {}).get("service_networks", ())
            taken += [f"its own Services' network {text}" for text in own if _overlap(network, text)]
            taken += [
                f"the load balancers' {text} of {owner}"
                for owner, entry in seen.items()
                for text in entry.get("pools", ())
                if any(_overlap(network, str(part)) for part in networks_of(text))
            ]
            if taken:
                what = f"its Pods' network {network} holds {some(taken)}"
                why, cure = "packets for these would go to Pods", "Choose other networks: cluster_mesh_pod_cidrs"
                found.append(_tell("mesh.pod_network", wish.context, what, why, cure))
    return found


def of_nodes(wishes: Iterable[Wish], seen: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """``seen``: context → ``nodes`` (their number) and ``node_addresses``, of every cluster that answered."""
    joined = [wish for wish in members(wishes) if wish.context in seen]
    found = []
    for wish in joined:
        count, networks = seen[wish.context]["nodes"], _networks(wish.pod_cidrs)
        room = sum(2 ** max(0, wish.mask_size - network.prefixlen) for network in networks)
        if networks and count > room:
            what = (
                f"it has {count} nodes, and {', '.join(wish.pod_cidrs)} has room for {room} of a /{wish.mask_size} each"
            )
            why = "nodes without a network run no Pods"
            found.append(_tell("mesh.capacity", wish.context, what, why, "Append a network to cluster_mesh_pod_cidrs"))
        if count == 0:
            why = "the others are told of its nodes' addresses"
            found.append(_tell("mesh.nodes", wish.context, "it has no node", why, "Add a node"))
        if count > 1 and wish.service_type == NODE_PORT and len(wish.endpoints) == 1:
            what = f"the others reach its mesh API at {wish.endpoints[0]} alone, and it has {count} nodes"
            cure = "Name more in cluster_mesh_endpoints, or none for all nodes"
            found.append(_tell("mesh.endpoints", wish.context, what, "with that node the mesh is gone", cure, WARN))
    return found


def _networks(texts: Iterable[str]) -> list[Network]:
    """What is a network among these; what is none is another rule's business."""
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            continue
    return found


def _overlap(network: Network, text: str) -> bool:
    return bool(network.overlaps(ipaddress.ip_network(text, strict=False)))
