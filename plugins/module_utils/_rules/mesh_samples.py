# Private to this collection.
"""What Cilium's programs print, as the rules take it. Pure: text in, plain data out.

Source: ``cilium-dbg status``, ``node list``, ``bpf ipcache list``, ``cilium-health status`` and ``kvstoremesh-dbg
status`` of 1.19.6, each with ``-o json``. False and zero are left out there.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.")
_NETWORKS_FROM = (1, 18)  # minor
# Seconds: Cilium probes every node once in one to five minutes, by their number.
_STALE = 900.0
_ENDPOINT = re.compile(r"tunnelendpoint=(\S+)")


def clusters_of(status: Any) -> dict[str, dict[str, Any]]:
    """Peer's name → its state: of an agent's status, or of kvstoremesh's, which is the list alone."""
    listed = status if isinstance(status, list) else (status.get("cluster-mesh") or {}).get("clusters") or []
    return {entry["name"]: entry for entry in listed}


def addresses_of(nodes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """cluster/node → address, of the nodes that an agent knows."""
    return {node["name"]: str(((node.get("primary-address") or {}).get("ipv4") or {}).get("ip", "")) for node in nodes}


def tunnels_of(
    status: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]], ipcache: Mapping[str, Sequence[str]]
) -> dict[str, bool] | None:
    """cluster/node → whether packets for that node's Pods are sent to its address. None where that cannot be told:
    without tunnels, and before 1.18, whose ipcache has no networks of Pods."""
    mode = str((status.get("routing") or {}).get("inter-host-routing-mode", ""))
    version = _VERSION.match(str((status.get("cilium") or {}).get("msg", "")))
    if mode.lower() != "tunnel" or (version and (int(version[1]), int(version[2])) < _NETWORKS_FROM):
        return None
    found = {}
    for node in nodes:
        address = (node.get("primary-address") or {}).get("ipv4") or {}
        entries = ipcache.get(str(address.get("alloc-range")), [])
        ends = {match[1] for entry in entries if (match := _ENDPOINT.search(entry))}
        found[node["name"]] = address.get("ip") in ends
    return found


def probes_of(health: Mapping[str, Any], now: datetime.datetime) -> dict[str, float | None]:
    """cluster/node → seconds since the last probe of the node and of its health endpoint, which is behind the tunnel,
    if both went well; None if one went wrong, infinite if one was never made or not for a long time. ICMP or HTTP will
    do: one may be forbidden."""
    return {node["name"]: _age(node, now) for node in health.get("nodes") or []}


def _age(node: Mapping[str, Any], now: datetime.datetime) -> float | None:
    addresses = [(node.get(way) or {}).get("primary-address") or {} for way in ("host", "health-endpoint")]
    ways = [[address.get(kind) or {} for kind in ("icmp", "http")] for address in addresses if address.get("ip")]
    moments = [_good(probes) for probes in ways]
    if any(moment is None and _was_tried(probes) for moment, probes in zip(moments, ways, strict=True)):
        return None
    ages = [(now - moment).total_seconds() if moment else math.inf for moment in moments]
    oldest = max(ages, default=math.inf)
    return oldest if oldest < _STALE else math.inf


def _good(probes: Sequence[Mapping[str, Any]]) -> datetime.datetime | None:
    """When an address was last probed, if one kind of probe went well: with a latency, and without an error."""
    good = [each["lastProbed"] for each in probes if each.get("latency") and not each.get("status")]
    return max((datetime.datetime.fromisoformat(moment) for moment in good), default=None)


def _was_tried(probes: Sequence[Mapping[str, Any]]) -> bool:
    return any(each.get("status") for each in probes)
