# Private to this collection.
"""Which addresses lead to which member, in which order a client should try them, and what is untrue of them. Pure.

A member: ``member`` (Pod), ``context``, ``leader`` and ``learner`` (bool), ``error`` (why nothing is known, or empty),
``addresses``: each ``kind``, ``host``, ``port``, ``scheme`` and ``reached``: vantage → milliseconds, None if not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import services as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import CLIENT_PORT, Database

HOST = "host"  # the Ansible host, as a vantage beside the contexts
ADVERTISED, PEER, MESH = "advertised", "peer", "mesh"
Member = dict[str, Any]


def target_of(address: Mapping[str, Any]) -> str:
    """Host and port as one word; an IPv6 address in brackets."""
    host = str(address["host"])
    return f"[{host}]:{address['port']}" if ":" in host else f"{host}:{address['port']}"


def members_of(database: Database, seen: Mapping[str, Mapping[str, Any]]) -> list[Member]:
    """Every member with the addresses that its Services give it.

    ``seen``: data plane's context → ``error``, ``samples`` (see ``_rules.members``), ``own`` and ``peers`` (Services).
    """
    samples = {sample["pod"]: sample for entry in seen.values() for sample in entry.get("samples", [])}
    listed = _listed(seen)
    leaders = {sample["leader_id"] for sample in samples.values()} - {"0"}
    led = {known["name"] for known in listed.values() if known["id"] in leaders}
    pods = database.pods or sorted(samples)
    return [
        {
            "member": pod,
            "context": context,
            "leader": pod in led,
            "learner": bool(listed.get(pod, {}).get("learner")),
            "error": _error(seen.get(context, {}), samples.get(pod)),
            "addresses": _addresses(pod, seen.get(context, {}), samples.get(pod), listed.get(pod, {})),
        }
        for pod in pods
        for context in [database.place_of(pod) or samples.get(pod, {}).get("context", "")]
    ]


def _listed(seen: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Name → entry of etcd's own member list, from whoever gave one."""
    lists = [entry["member_list"] for entry in seen.values() if entry.get("member_list")]
    lists += [sample["members"] for entry in seen.values() for sample in entry.get("samples", []) if sample["members"]]
    return {known["name"]: known for known in lists[0]} if lists else {}


def _error(entry: Mapping[str, Any], sample: Mapping[str, Any] | None) -> str:
    if entry.get("error"):
        return str(entry["error"])
    return str(sample["error"]) if sample else "it has no Pod"


def _addresses(
    pod: str, entry: Mapping[str, Any], sample: Mapping[str, Any] | None, known: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Best first: what was opened to clients, then the peers' Services, then what etcd says where nobody else could."""
    urls = [urlsplit(url) for url in known.get("client_urls", [])]
    scheme = urls[0].scheme if urls else "http"
    found: list[tuple[str, str, int]] = []
    for service in entry.get("own", []):
        if service["metadata"]["labels"].get(rules.MEMBER) == pod:
            found += _of_own(service, sample)
    for service in entry.get("peers", []):
        if service["spec"]["selector"][rules.POD_NAME] == pod and CLIENT_PORT in rules.ports_of(service):
            found += _of_peer(service)
    if not found:
        found = [(ADVERTISED, url.hostname or "", url.port or CLIENT_PORT) for url in urls]
    return [{"kind": kind, "host": host, "port": port, "scheme": scheme, "reached": {}} for kind, host, port in found]


def _of_own(service: Mapping[str, Any], sample: Mapping[str, Any] | None) -> list[tuple[str, str, int]]:
    kind, metadata = service["spec"].get("type"), service["metadata"]
    if kind == "LoadBalancer":
        return [("load_balancer", host, CLIENT_PORT) for host in rules.addresses_of(service)]
    if kind == "NodePort":
        node = (sample or {}).get("node_address", "")
        return [("node_port", node, int(service["spec"]["ports"][0]["nodePort"]))] if node else []
    return [(MESH, f"{metadata['name']}.{metadata['namespace']}.svc", CLIENT_PORT)]


def _of_peer(service: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    metadata = service["metadata"]
    if service["spec"].get("type") == "LoadBalancer":
        return [(PEER, host, CLIENT_PORT) for host in rules.addresses_of(service)]
    return [(PEER, f"{metadata['name']}.{metadata['namespace']}.svc", CLIENT_PORT)]


def in_order(members: Iterable[Member], left_out: Iterable[str] = ()) -> list[Member]:
    """Leader first, then who is reached, then the others as they come; none of a context that is left out."""
    there = [member for member in members if member["context"] not in set(left_out)]
    return sorted(there, key=lambda member: (not (member["leader"] and is_reached(member)), not is_reached(member)))


def is_reached(member: Mapping[str, Any], vantage: str = "") -> bool:
    return any(_from(address, vantage) is not None for address in member["addresses"])


def _from(address: Mapping[str, Any], vantage: str) -> float | None:
    """Milliseconds from a vantage, or the fewest from any."""
    times = [took for place, took in address["reached"].items() if took is not None and vantage in ("", place)]
    return min(times, default=None)


def to_render(members: Iterable[Member], vantage: str = "") -> list[dict[str, Any]]:
    """One endpoint for each member that has an address: the first that is reached, else the first."""
    found = []
    for member in members:
        reached = [address for address in member["addresses"] if _from(address, vantage) is not None]
        for address in (reached or member["addresses"])[:1]:
            entry = {key: address[key] for key in ("host", "port", "scheme")}
            entry |= {key: member[key] for key in ("member", "context", "leader")}
            found.append({**entry, "reached": bool(reached)})
    return found


def moved(seen: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Members that advertise an address which their Service does not have: it moved after they had started."""
    listed = _listed(seen)
    pairs = [(context, service) for context, entry in seen.items() for service in entry.get("peers", [])]
    balanced = [(context, service) for context, service in pairs if service["spec"].get("type") == "LoadBalancer"]
    return [problem for context, service in balanced if (problem := _moved(context, service, listed))]


def _moved(context: str, service: Mapping[str, Any], listed: Mapping[str, Mapping[str, Any]]) -> str:
    pod, now = service["spec"]["selector"][rules.POD_NAME], rules.addresses_of(service)
    known = listed.get(pod, {})
    urls = [*known.get("peer_urls", []), *known.get("client_urls", [])]
    said = sorted({urlsplit(url).hostname or "" for url in urls})
    if not now or set(said) <= set(now):
        return ""
    return (
        f"{context} {pod}: it is known to the others as {', '.join(said)}, and its Service has {', '.join(now)}: the "
        "address moved. Give the Service the old one back, or update the member's URLs"
    )


def problems_of(members: Sequence[Member], left_out: Iterable[str], database: Database) -> list[str]:
    """What a client would stumble over, in words."""
    found = [f"{context}: left out, it is marked as unavailable" for context in left_out]
    for member in members:
        who = f"{member['context']} {member['member']}"
        if member["error"]:
            found.append(f"{who}: {member['error']}")
        elif not member["addresses"]:
            found.append(f"{who}: no Service leads to it")
        elif not is_reached(member):
            found.append(f"{who}: nobody reaches it at {', '.join(map(target_of, member['addresses']))}")
    if not members and not found:
        found.append(f"{database.namespace}/{database.name}: there is no member")
    return found
