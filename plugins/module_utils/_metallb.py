# Private to this collection.
"""MetalLB's configuration in one context: applied once its webhook answers, and read back from MetalLB itself.

Applying it is one decision with the waiting and the reading back, so it is one module and no list of plain objects:
Ready Pods do not mean that the webhook answers, and an accepted object does not mean that it is valid.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import FIELD_MANAGER, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import (
    Change,
    Removal,
    path_of,
    path_of_all,
    plan,
    written,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.pools import in_ranges
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import addresses_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import AUTH_SPEC, Call

_PEER: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "my_asn": {"type": "int", "required": True},
    "peer_asn": {"type": "int", "required": True},
    "peer_address": {"type": "str", "required": True},
    "peer_port": {"type": "int", "default": 179},
    "source_address": {"type": "str"},
    "hold_time": {"type": "str"},
    "keepalive_time": {"type": "str"},
    "router_id": {"type": "str"},
    "ebgp_multi_hop": {"type": "bool", "default": False},
    "bfd_profile": {"type": "str"},
    "password_secret": {"type": "str", "no_log": False},
    "node_selectors": {"type": "list", "elements": "dict", "default": []},
}
_ADVERTISEMENT: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "aggregation_length": {"type": "int"},
    "aggregation_length_v6": {"type": "int"},
    "local_pref": {"type": "int"},
    "communities": {"type": "list", "elements": "str", "default": []},
    "peers": {"type": "list", "elements": "str", "default": []},
    "node_selectors": {"type": "list", "elements": "dict", "default": []},
}
SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "namespace": {"type": "str", "default": "metallb-system"},
    "pool": {"type": "str", "default": "kubeblocks"},
    "addresses": {"type": "list", "elements": "str", "required": True},
    "auto_assign": {"type": "bool", "default": True},
    "avoid_buggy_ips": {"type": "bool", "default": False},
    "layer2": {"type": "bool", "default": True},
    "interfaces": {"type": "list", "elements": "str", "default": []},
    "bgp_peers": {"type": "list", "elements": "dict", "default": [], "options": _PEER},
    "bgp_advertisements": {"type": "list", "elements": "dict", "default": [], "options": _ADVERTISEMENT},
    "wait_timeout": {"type": "int", "default": 120},
    "wait_sleep": {"type": "float", "default": 1.0},
}
OWN = {"app.kubernetes.io/managed-by": "kubeblocks.multicluster"}
_V1, _V2 = "metallb.io/v1beta1", "metallb.io/v1beta2"
_KINDS = ((_V1, "IPAddressPool"), (_V2, "BGPPeer"), (_V1, "L2Advertisement"), (_V1, "BGPAdvertisement"))
# The webhook has no endpoint or certificate yet, or the API server does not serve the kind yet.
_NOT_YET = (0, 404, 500, 503)
# Seconds after which a look counts even if its time is the same: times have whole seconds, and not all look again.
_SETTLED = 5.0
# Option of ours → field of MetalLB's, where the words differ in more than their joints.
_FIELDS = {
    "my_asn": "myASN",
    "peer_asn": "peerASN",
    "router_id": "routerID",
    "ebgp_multi_hop": "ebgpMultiHop",
    "aggregation_length_v6": "aggregationLengthV6",
}


def objects_of(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Pool, peers and advertisements, in the order in which they refer to each other."""
    pool = {
        "addresses": params["addresses"],
        "autoAssign": params["auto_assign"],
        "avoidBuggyIPs": params["avoid_buggy_ips"],
    }
    found = [_object(params, _V1, "IPAddressPool", params["pool"], pool)]
    found += [_object(params, _V2, "BGPPeer", peer["name"], _spec(peer)) for peer in params["bgp_peers"]]
    here = {"ipAddressPools": [params["pool"]]}
    if params["layer2"]:
        interfaces = {"interfaces": params["interfaces"]} if params["interfaces"] else {}
        found.append(_object(params, _V1, "L2Advertisement", params["pool"], here | interfaces))
    return found + [
        _object(params, _V1, "BGPAdvertisement", entry["name"], here | _spec(entry))
        for entry in params["bgp_advertisements"]
    ]


def _object(params: Mapping[str, Any], version: str, kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"namespace": params["namespace"], "name": name, "labels": dict(OWN)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _spec(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that were given, by MetalLB's names."""
    given = {
        key: value
        for key, value in options.items()
        if key != "name" and value is not None and value is not False and value != []
    }
    spec = {_FIELDS.get(key) or _camel(key): value for key, value in given.items()}
    if "passwordSecret" in spec:
        spec["passwordSecret"] = {"name": spec["passwordSecret"]}
    return spec


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(word.title() for word in rest)


def run(call: Call) -> dict[str, Any]:
    """Apply what differs, take away what of ours is not wanted, wait until MetalLB says that it is valid."""
    params, client = call.params, call.client()
    wanted = objects_of(params)
    found = [client.get(path_of(body)) for body in wanted]
    _refuse_foreign(client, found)
    changes = plan(found, wanted, FIELD_MANAGER)
    superfluous = _superfluous(client, params, wanted)
    _refuse_moves(client, params, [body for body in found if body] + [removal.found for removal in superfluous])
    before = _looked_at(client, params["namespace"]) if changes or superfluous else {}
    if changes:
        _await_webhook(call, client, changes)
    if not call.check_mode:
        for change in changes:
            client.apply(path_of(change.wanted), change.wanted)
        for removal in superfluous:  # last: until the webhook has taken the new ones, the old ones serve
            client.delete(path_of(removal.found))
    states = [] if call.check_mode else _await_valid(call, client, before)
    return written([*changes, *superfluous]) | {"states": states, "pools": _pools(client, params["namespace"])}


def _refuse_moves(client: Client, params: Mapping[str, Any], ours: Sequence[Mapping[str, Any]]) -> None:
    """Addresses in use stay in the pool: MetalLB would take them away at once and give others, to members too."""
    old = [text for body in ours if body["kind"] == "IPAddressPool" for text in body["spec"].get("addresses", [])]
    if not set(old) - set(params["addresses"]):
        return
    services = [body for body in client.list("/api/v1/services") if body["spec"].get("type") == "LoadBalancer"]
    used = {
        f"{body['metadata']['namespace']}/{body['metadata']['name']} {address}"
        for body in services
        for address in addresses_of(body)
        if in_ranges(address, old) and not in_ranges(address, params["addresses"])
    }
    if used:
        raise Failed(
            f"{client.context}: cannot take addresses out of the pool that are in use: {', '.join(sorted(used))}. "
            "MetalLB would give these Services other addresses at once, and members that know each other by them would "
            "be lost to each other. Leave the ranges in load_balancer_addresses, or remove these Services first."
        )


def _refuse_foreign(client: Client, found: Sequence[dict[str, Any] | None]) -> None:
    strangers = [body for body in found if body and not _is_ours(body)]
    if strangers:
        named = ", ".join(f"{body['kind']} {body['metadata']['name']}" for body in strangers)
        raise Failed(
            f"{client.context}: cannot apply {named}: this collection did not make it. Rename it, or choose another "
            "name with load_balancer_pool."
        )


def _is_ours(body: Mapping[str, Any]) -> bool:
    labels = body["metadata"].get("labels", {})
    return all(labels.get(key) == value for key, value in OWN.items())


def _superfluous(client: Client, params: Mapping[str, Any], wanted: Sequence[Mapping[str, Any]]) -> list[Removal]:
    """What carries our label and is not asked for; those that refer to others first."""
    names = {(body["kind"], body["metadata"]["name"]) for body in wanted}
    label = ",".join(f"{key}={value}" for key, value in OWN.items())
    found = []
    for version, kind in reversed(_KINDS):
        for item in client.list(path_of_all(version, kind, params["namespace"]), labels=label):
            if (kind, item["metadata"]["name"]) not in names:
                found.append(Removal({**item, "apiVersion": version, "kind": kind}))
    return found


def _await_webhook(call: Call, client: Client, changes: Sequence[Change]) -> None:
    """Ask the server whether it would take the objects until it can say so. Raises Failed with all that it refuses."""
    started, shown = time.monotonic(), ""
    while True:
        refused: list[ContextError] = []
        for change in changes:
            try:
                client.apply(path_of(change.wanted), change.wanted, dry_run=True)
            except ContextError as problem:
                refused.append(problem)
        final = [problem for problem in refused if problem.status not in _NOT_YET]
        if final:
            raise Failed("\n".join(str(problem) for problem in final))
        if not refused or call.check_mode:  # in check mode MetalLB may not be there yet
            return
        seconds, reason = time.monotonic() - started, refused[0].reason
        if seconds > call.params["wait_timeout"]:
            raise Failed(
                f"{client.context}: cannot apply MetalLB's configuration: its webhook does not answer after "
                f"{seconds:.0f} s: {reason}. See the controller's log in {call.params['namespace']}, then run again."
            )
        if reason != shown:
            call.say(f"{client.context}: waiting for MetalLB's webhook: {reason}, {seconds:.0f} s")
            shown = reason
        time.sleep(call.params["wait_sleep"])


def _looked_at(client: Client, namespace: str) -> dict[str, str]:
    """Name → when controller and speakers last looked at their configuration."""
    states = client.list(f"/apis/{_V1}/namespaces/{namespace}/configurationstates")
    return {state["name"]: state["at"] for state in map(_state, states)}


def _await_valid(call: Call, client: Client, before: Mapping[str, str]) -> list[dict[str, str]]:
    """What controller and speakers say of their configuration; nothing where MetalLB is older than 0.15.3.

    ``before``: when they had looked before something was written; what they said then is no answer.
    """
    started, shown = time.monotonic(), ""
    path = f"/apis/{_V1}/namespaces/{call.params['namespace']}/configurationstates"
    while True:
        answer = client.get(path)
        if answer is None:
            return []
        seconds = time.monotonic() - started
        states = [_state(item) for item in answer["items"]]
        awaited = _awaited(states, before if seconds < _SETTLED else {})
        if not awaited:
            return states
        text = "; ".join(awaited)
        if seconds > call.params["wait_timeout"]:
            raise Failed(
                f"{client.context}: MetalLB does not take its configuration after {seconds:.0f} s: {text}. "
                "Mend what it names, then run again."
            )
        if text != shown:
            call.say(f"{client.context}: waiting for MetalLB: {text}, {seconds:.0f} s")
            shown = text
        time.sleep(call.params["wait_sleep"])


def _awaited(states: Sequence[Mapping[str, str]], before: Mapping[str, str]) -> list[str]:
    """What is still missing, in words."""
    found = [f"{state['name']} has not looked yet" for state in states if before.get(state["name"]) == state["at"]]
    found += [f"{state['name']} is {state['result']}{state['error']}" for state in states if state["result"] != "Valid"]
    if not any(state["component"] == "controller" for state in states):
        found.append("the controller has not looked at it yet")
    return found


def _state(item: Mapping[str, Any]) -> dict[str, str]:
    status, labels = item.get("status", {}), item["metadata"].get("labels", {})
    error = status.get("errorSummary") or ""
    return {
        "name": item["metadata"]["name"],
        "component": labels.get("metallb.io/component-type", ""),
        "node": labels.get("metallb.io/node-name", ""),
        "result": status.get("result") or "Unknown",
        "at": max((entry.get("lastTransitionTime") or "" for entry in status.get("conditions") or []), default=""),
        "error": f": {error}" if error else "",
    }


def _pools(client: Client, namespace: str) -> dict[str, dict[str, Any]]:
    """Name → addresses and how many of them are given and free, for every pool there is."""
    found = client.list(f"/apis/{_V1}/namespaces/{namespace}/ipaddresspools")
    return {
        item["metadata"]["name"]: {
            "addresses": item["spec"].get("addresses", []),
            "assigned": _sum(item, "assigned"),
            "available": _sum(item, "available"),
        }
        for item in found
    }


def _sum(item: Mapping[str, Any], what: str) -> int:
    status = item.get("status", {})
    return sum(int(status.get(f"{what}IPv{version}", 0)) for version in (4, 6))
