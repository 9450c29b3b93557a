# Private to this collection.
"""Networks that have to be apart once the clusters are joined. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, Finding

Network = Any  # an IPv4Network or IPv6Network
_CURE = "Give the clusters networks of their own; a running cluster's pod network can only be changed by rebuilding it"


def of_addresses(seen: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """``seen``: name → ``pod_networks``, ``service_networks`` (CIDRs) and ``node_addresses``. Service networks of
    different clusters may be equal: nothing routes between them."""
    pods = {name: _networks(entry.get("pod_networks", ())) for name, entry in seen.items()}
    services = {name: _networks(entry.get("service_networks", ())) for name, entry in seen.items()}
    nodes = {name: set(entry.get("node_addresses", ())) for name, entry in seen.items()}
    found = []
    for one, other in combinations(seen, 2):
        for first, second in _overlaps(pods[one], pods[other]):
            found.append(_pods(other, f"the pod networks of {one} ({first}) and {other} ({second}) overlap"))
        for address in sorted(nodes[one] & nodes[other]):
            found.append(_nodes(other, f"{one} and {other} both have a node with the address {address}"))
    for name in seen:
        for first, second in _overlaps(pods[name], services[name]):
            found.append(_pods(name, f"the pod network {first} and the service network {second} overlap"))
        for owner, addresses in nodes.items():
            for address in sorted(addresses):
                found += [
                    _pods(name, f"the pod network {network} holds the node {address} of {owner}")
                    for network in pods[name]
                    if _holds(network, address)
                ]
    return found


def _networks(texts: Iterable[str]) -> list[Network]:
    """Adjacent ones as one: the nodes of a cluster share its pod network."""
    networks: list[Network] = [ipaddress.ip_network(text, strict=False) for text in sorted(set(texts))]
    families = ([network for network in networks if network.version == version] for version in (4, 6))
    return [network for family in families for network in ipaddress.collapse_addresses(family)]


def _overlaps(ones: Iterable[Network], others: Iterable[Network]) -> list[tuple[Network, Network]]:
    return [(one, other) for one in ones for other in others if one.overlaps(other)]


def _holds(network: Network, address: str) -> bool:
    return ipaddress.ip_address(address) in network


def _pods(name: str, seen: str) -> Finding:
    why = "packets for one would reach the other, and members would not find each other"
    return Finding("address.pod_overlap", name, FAIL, seen, why, _CURE)


def _nodes(name: str, seen: str) -> Finding:
    return Finding("address.node_shared", name, FAIL, seen, "replies would reach the wrong cluster", _CURE)
