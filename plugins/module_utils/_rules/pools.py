# Private to this collection.
"""Ranges of addresses for load balancers: apart from each other and from every network of every cluster. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.exposure import LOAD_BALANCER
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, Finding, some

SYNTAX, OVERLAP, NETWORK, RIVAL = (
    "load_balancer.range_syntax",
    "load_balancer.pool_overlap",
    "load_balancer.pool_network",
    "load_balancer.rival",
)
Network = Any  # an IPv4Network or IPv6Network
# How the node of a cloud begins to name itself: whose controller then answers Services of type LoadBalancer.
_CLOUDS = ("aws", "azure", "gce", "alicloud", "volcengine", "openstack", "digitalocean", "hcloud", "oci", "ibm")


def networks_of(text: str) -> list[Network]:
    """A CIDR, or ``first-last``, as networks. Raises ValueError."""
    if "-" not in text:
        return [ipaddress.ip_network(text.strip(), strict=False)]
    first, last = (ipaddress.ip_address(part.strip()) for part in text.split("-"))
    return list(ipaddress.summarize_address_range(first, last))


def in_ranges(address: str, ranges: Iterable[str]) -> bool:
    """Whether an address lies in one of some ranges; a name lies in none, and nothing in what is no range."""
    try:
        wanted = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(wanted in network for text in ranges if not _problem(text) for network in networks_of(text))


def _problem(text: str) -> str:
    """What makes a text no range; empty if it is one."""
    try:
        networks_of(text)
    except (ValueError, TypeError) as problem:
        return str(problem)
    return ""


def of_class(pools: Mapping[str, Sequence[str]], peer_exposure: str, load_balancer_class: str) -> list[Finding]:
    """Peers behind load balancers name no class, as KubeBlocks cannot: MetalLB with a class would pass them over."""
    if peer_exposure != LOAD_BALANCER or not load_balancer_class or not any(pools.values()):
        return []
    seen = f"peers are to have load balancers, and MetalLB is to answer only the class {load_balancer_class}"
    why = "KubeBlocks gives the peers' Services no class, so they would get no address, and no member would start"
    cure = "Leave load_balancer_class out, or let the members reach each other through a mesh"
    return [Finding("load_balancer.class_of_peers", "peers", FAIL, seen, why, cure)]


def of_pools(pools: Mapping[str, Sequence[str]], seen: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """``pools``: name → ranges. ``seen``: name → ``pod_networks``, ``service_networks``, ``node_addresses``."""
    found: list[Finding] = []
    ranges: list[tuple[str, str, list[Network]]] = []
    for name, texts in pools.items():
        for text in texts:
            problem = _problem(text)
            if problem:
                found.append(_syntax(name, text, problem))
            else:
                ranges.append((name, text, networks_of(text)))
    for (one, first, ours), (other, second, theirs) in combinations(ranges, 2):
        if _touch(ours, theirs):
            whose = "twice" if one == other else f"as {first} in {one} too"
            found.append(_overlap(other, f"the pool {second} holds addresses that are given {whose}"))
    for name, text, networks in ranges:
        for owner, entry in seen.items():
            found += [_network(name, f"the pool {text} {what}") for what in _touched(networks, owner, entry)]
    return found


def _touched(networks: Sequence[Network], owner: str, entry: Mapping[str, Any]) -> list[str]:
    """What of a cluster lies in the range of a pool, in words."""
    touched = []
    for kind, key in (("pod", "pod_networks"), ("service", "service_networks")):
        hit = [text for text in entry.get(key, ()) if _touch(networks, [ipaddress.ip_network(text, strict=False)])]
        if hit:
            touched.append(f"lies in the {kind} network of {owner} ({some(hit)})")
    nodes = [
        address
        for address in entry.get("node_addresses", ())
        if any(ipaddress.ip_address(address) in network for network in networks)
    ]
    return touched + ([f"holds nodes of {owner} ({some(nodes)})"] if nodes else [])


def _touch(ones: Iterable[Network], others: Iterable[Network]) -> bool:
    return any(one.version == other.version and one.overlaps(other) for one in ones for other in others)


def _syntax(name: str, text: str, problem: str) -> Finding:
    seen = f"the pool {text!r} is no range of addresses: {problem}"
    cure = "Write a CIDR, or first-last, into load_balancer_addresses"
    return Finding(SYNTAX, name, FAIL, seen, "MetalLB could give nothing from it", cure)


def _overlap(name: str, seen: str) -> Finding:
    why = "two load balancers would answer for one address"
    return Finding(OVERLAP, name, FAIL, seen, why, "Give every context ranges of its own in load_balancer_addresses")


def _network(name: str, seen: str) -> Finding:
    why = "packets for a member would end at something else, or the other way round"
    cure = "Take addresses of the nodes' network that nothing else uses"
    return Finding(NETWORK, name, FAIL, seen, why, cure)


def of_rivals(name: str, pools: Sequence[str], seen: Mapping[str, Any], load_balancer_class: str) -> list[Finding]:
    """Another implementation that answers Services of type LoadBalancer where a pool is asked for.

    ``seen``: ``cilium_pools`` (names of Cilium's) and ``providers`` (of the nodes). With a class of its own, MetalLB
    answers only Services that name it.
    """
    if not pools or load_balancer_class:
        return []
    rivals = []
    if seen.get("cilium_pools"):
        rivals.append(f"Cilium has address pools of its own ({some(seen['cilium_pools'])})")
    clouds = sorted({provider for provider in seen.get("providers", []) if provider.startswith(_CLOUDS)})
    if clouds:
        rivals.append(f"the nodes are a cloud's ({', '.join(clouds)}), whose controller makes load balancers")
    why = "both would give every Service an address, and which one holds is chance"
    cure = (
        "Leave load_balancer_addresses out to use what is there, set load_balancer_class to let MetalLB answer only "
        "Services of that class (clients' can name it, peers' cannot), or accept this by name if the other one is off"
    )
    return [Finding(RIVAL, name, FAIL, rival, why, cure) for rival in rivals]
