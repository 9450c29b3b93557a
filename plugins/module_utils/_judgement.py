# Private to this collection.
"""All findings of preflight from plain evidence: every rule is asked, no client, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import (
    addresses,
    exposure,
    fate,
    identity,
    life,
    marks,
    pools,
    remains,
    spread,
    values,
    versions,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import findings as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import Finding

MARKED = "marked"  # kind of the error that stands for a context which is passed over


def judge(
    params: Mapping[str, Any], evidence: Mapping[str, Mapping[str, Any]], tool_problems: Sequence[Mapping[str, str]]
) -> list[Finding]:
    """All findings from plain data: worst first, then in the inventory's order."""
    places = {place["name"]: place for place in params["contexts"]}
    found = rules.of_tools(tool_problems)
    found += _of_identities(places, evidence)
    ways = identity.operator_ways(places, evidence)
    own = identity.own_data_plane(places, evidence)
    marked = [context for seen in evidence.values() for context in seen.get("marked", [])]
    found += identity.of_marked(own, places[own]["context"] if own else "", marked)
    names = {place["context"]: name for name, place in places.items()}
    for name, seen in evidence.items():
        found += _of_context(places[name], seen, params, ways)
        found += marks.of_marks(name, seen["marks"], seen["told"], names) if "told" in seen else []
    found += _of_crds(places, evidence, params)
    found += _of_all(places, evidence, params)
    found += _of_load_balancers(places, evidence, params)
    return worst_first(found + _of_fate(places, evidence, params))


def _of_identities(places: Mapping[str, Any], evidence: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Which cluster is which: against each other, the record, and what the data planes say."""
    asked = {name: seen for name, seen in evidence.items() if not seen["error"] and seen["uid"]}
    planes = {name: place["plane"] for name, place in places.items()}
    shared = identity.shared_of(places.values())
    found = identity.of_duplicates({name: seen["uid"] for name, seen in asked.items()}, planes, shared)
    control = next(name for name, plane in planes.items() if plane == "control")
    record = asked.get(control, {}).get("record")
    seen = {name: {"context": places[name]["context"], "uid": entry["uid"]} for name, entry in asked.items()}
    found += identity.of_record(seen, record or {}, places[control]["context"], shared)
    named = {name: entry.get("named_control_plane", "") for name, entry in asked.items() if planes[name] == "data"}
    control_uid = asked.get(control, {}).get("uid", "")
    return found + identity.of_control_plane(control_uid, named, recorded=record is not None)


def _control(places: Mapping[str, Any], evidence: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the control plane showed; nothing if it did not answer."""
    found = (seen for name, seen in evidence.items() if places[name]["plane"] == "control" and not seen["error"])
    return next(found, {})


def _of_crds(
    places: Mapping[str, Any], evidence: Mapping[str, Mapping[str, Any]], params: Mapping[str, Any]
) -> list[Finding]:
    """KubeBlocks' CRDs on the data planes: there and equal from 1.1 on, absent before, and nothing is said of a cluster
    that is the control plane's own or may be."""
    control = _control(places, evidence)
    own, shared = identity.own_data_plane(places, evidence), identity.shared_of(places.values())
    spared = {own} if control.get("uid") else set(shared)
    found = []
    for name, seen in evidence.items():
        here = seen.get("crds")
        if places[name]["plane"] != "data" or here is None or name in spared:
            continue
        if not versions.crds_belong_on_data_planes(params["kubeblocks_version"]):
            found += rules.of_crds(name, list(here))
        elif params["experimental"]:  # otherwise the version itself is refused
            found += versions.of_crds(name, here, control.get("crds", {}))
    return found


def _of_context(
    place: Mapping[str, Any], seen: Mapping[str, Any], params: Mapping[str, Any], ways: Mapping[str, Mapping[str, str]]
) -> list[Finding]:
    """What one context shows on its own. ``ways``: how the operator is to reach the data planes."""
    name = place["name"]
    if seen["error"]:
        return [] if seen["error"]["kind"] == MARKED else [rules.of_reachability(name, seen["error"])]
    found = rules.of_access(name, seen["denied"])
    found += rules.of_operator(name, seen.get("operator")) + remains.of_excess(name, seen.get("operator"))
    found += remains.of_namespaces(name, seen.get("namespaces", {})) + remains.of_unseen(name, seen.get("unseen", []))
    found += remains.of_nodes(name, seen.get("boot_ids"))
    if place["plane"] == "data":
        found += rules.of_server(name, ways[place["context"]]["server"]) if place["context"] in ways else []
        found += _of_storage(name, seen, params["storage_class"]) if "default_classes" in seen else []
    found += remains.of_pull_secrets(name, seen.get("missing_secrets", []), params["operator_namespace"])
    return found + rules.of_releases(name, seen.get("releases", []))


def _of_storage(name: str, seen: Mapping[str, Any], wanted: str) -> list[Finding]:
    found = rules.of_storage(name, seen["default_classes"], wanted, seen["storage_classes"])
    chosen = wanted or next(iter(seen["default_classes"]), "")
    provisioner = seen["provisioners"].get(chosen)
    return found + (remains.of_provisioner(name, chosen, provisioner, seen["drivers"]) if provisioner else [])


def _of_all(
    places: Mapping[str, Any], evidence: Mapping[str, Mapping[str, Any]], params: Mapping[str, Any]
) -> list[Finding]:
    """What shows only when the clusters are held against each other, or against what is asked for."""
    asked = {name: seen for name, seen in evidence.items() if not seen["error"] and seen["uid"]}
    control = _control(places, evidence)
    data = {name: seen for name, seen in asked.items() if places[name]["plane"] == "data"}
    clusters = control.get("clusters", {})
    found = versions.of_kubeblocks(params["kubeblocks_version"], experimental=params["experimental"])
    found += versions.of_kubernetes({name: seen["version"] for name, seen in asked.items()})
    for cluster in filter(None, clusters.values()):
        found += versions.of_instance_api(params["kubeblocks_version"], cluster["instance_api"])
    clusters_once = {seen["uid"]: name for name, seen in reversed(asked.items())}  # the first name of each cluster
    found += addresses.of_addresses({name: seen for name, seen in asked.items() if name in clusters_once.values()})
    found += life.of_clocks(_known(asked, "clock_offset"))
    found += life.of_authorities(_known(asked, "authority_left"))
    found += life.of_credentials(_known(asked, "credential_left"))
    tokens = control.get("tokens", {})
    found += life.of_operator_tokens(
        {context: token["left"] for context, token in tokens.items()},
        {context: token["life"] for context, token in tokens.items()},
    )
    planes = [place["context"] for place in places.values() if place["plane"] == "data"]
    found += values.of_values(params["operator_values"], planes)
    for name, seen in data.items():
        found += remains.of_pod_role(name, seen.get("pod_role"), control.get("pod_role"))
        for database, cluster in clusters.items():
            found += (
                [] if cluster else remains.of_leftovers(name, seen.get("leftovers", {}).get(database, []), database)
            )
    return found


def _of_load_balancers(
    places: Mapping[str, Any], evidence: Mapping[str, Mapping[str, Any]], params: Mapping[str, Any]
) -> list[Finding]:
    """What is asked of load balancers: their annotations, their addresses, and who else would answer."""
    found = []
    peers = {key: params[f"peer_{key}"] for key in ("exposure", "clouds", "scope", "annotations")}
    wishes = {"peers": peers} | {f"{name}, clients": place.get("clients") or {} for name, place in places.items()}
    data = [place for place in places.values() if place["plane"] == "data"]
    crowded = params["replicas"] > len(params["placement"] or data)
    for where, wish in wishes.items():
        if wish.get("exposure") == exposure.LOAD_BALANCER:
            words = (wish.get("clouds") or [], wish.get("scope") or exposure.INTERNAL, wish.get("annotations") or {})
            found += exposure.of_load_balancers(where, *words, several=where == "peers" or crowded)
    if peers["exposure"] == exposure.LOAD_BALANCER and exposure.PLAIN_CLIENTS not in params["accept"]:
        found += exposure.of_client_port(peers["scope"])
    ranges = {name: place.get("pools") or [] for name, place in places.items()}
    found += pools.of_pools(ranges, {name: seen for name, seen in evidence.items() if not seen["error"]})
    found += pools.of_class(ranges, params["peer_exposure"], params["load_balancer_class"])
    for name, seen in evidence.items():
        found += pools.of_rivals(name, ranges[name], seen, params["load_balancer_class"])
    return found


def _known(asked: Mapping[str, Mapping[str, Any]], key: str) -> dict[str, float]:
    return {name: seen[key] for name, seen in asked.items() if seen.get(key) is not None}


def _of_fate(
    places: Mapping[str, Any], evidence: Mapping[str, Mapping[str, Any]], params: Mapping[str, Any]
) -> list[Finding]:
    """Which data planes die together, and what the placement survives."""
    data = {place["context"]: place for place in places.values() if place["plane"] == "data"}
    seen = {
        context: {**evidence[place["name"]], "uids": [evidence[place["name"]].get("uid") or ""]}
        for context, place in data.items()
        if place["name"] in evidence
    }
    declared = {context: place["failure_domain"] for context, place in data.items() if place.get("failure_domain")}
    shared = fate.ties(seen)
    servers = {context: entry["server"] for context, entry in seen.items() if entry.get("server")}
    domains = fate.domains(list(data), shared, declared)
    found = fate.of_ties(shared, declared) + fate.of_subnets(servers)
    control = _control(places, evidence)
    found += spread.of_dropped(control.get("operator_contexts", []), list(data))
    existing = next((cluster for cluster in control.get("clusters", {}).values() if cluster), None)
    placement = params["placement"] or (existing or {}).get("placement") or list(data)
    marked = [] if existing else control.get("marked", [])
    impossible = spread.of_names(placement, list(data), marked) + spread.of_number(params["replicas"])
    if impossible:
        return found + impossible
    found += _of_change(params, existing, placement)
    told = spread.of_spread(params["replicas"], placement, list(data), domains)
    # Nobody may say that a placement is safe before every data plane has shown what it shares.
    blind = not all(seen.get(context, {}).get("boot_ids") for context in placement)
    return found + [finding for finding in told if not blind or finding.severity == rules.FAIL]


def _of_change(
    params: Mapping[str, Any], existing: Mapping[str, Any] | None, placement: Sequence[str]
) -> list[Finding]:
    """What is asked for against the Cluster that is there."""
    if not existing:
        return []
    found = spread.of_change(existing["placement"], placement)
    return found + spread.of_replicas(existing.get("replicas", {}).get("etcd"), params["replicas"])


def worst_first(found: Sequence[Finding]) -> list[Finding]:
    """Fail before warn before info, else in the order given."""
    order = {rules.FAIL: 0, rules.WARN: 1, rules.INFO: 2}
    return sorted(found, key=lambda finding: order[finding.severity])
