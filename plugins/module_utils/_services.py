# Private to this collection.
"""The Services through which clients reach an etcd's members in one context: ours, and the peers' client port."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._cluster import cluster_path
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._databases import described
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import FIELD_MANAGER, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import (
    Change,
    Removal,
    applied_by,
    path_of,
    plan,
    written,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import marked_in
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import services as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.exposure import (
    CLIENT_EXPOSURES,
    CLOUDS,
    INTERNAL,
    LOAD_BALANCER,
    NONE,
    PLAIN_CLIENTS,
    SCOPES,
    annotations_of,
    is_internet,
    of_load_balancers,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database, Exposure
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import (
    AUTH_SPEC,
    CONTEXTS_SPEC,
    Call,
    access,
)

SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "contexts": CONTEXTS_SPEC,
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "component": {"type": "str", "default": "etcd"},
    "exposure": {"type": "str", "default": NONE, "choices": list(CLIENT_EXPOSURES)},
    "clouds": {"type": "list", "elements": "str", "default": [], "choices": list(CLOUDS)},
    "scope": {"type": "str", "default": INTERNAL, "choices": list(SCOPES)},
    "annotations": {"type": "dict", "default": {}},
    "load_balancer_class": {"type": "str", "default": ""},
    "peer_scope": {"type": "str", "default": INTERNAL, "choices": list(SCOPES)},
    "accept": {"type": "list", "elements": "str", "default": []},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 120},
    "wait_sleep": {"type": "float", "default": 1.0},
}
_EXHAUSTED = ("no available IPs", "pool exhausted", "no more IPs")


def run(call: Call) -> dict[str, Any]:
    """Bring this context's Services to what is asked for, then wait until each has its address."""
    params, client = call.params, call.client()
    database = database_of(params)
    exposure = _exposure(params, database.members_in(client.context))
    found = own_services(client, database)
    wanted = rules.wanted_services(database, client.context, exposure)
    changes = [*_changes(client, found, wanted), *_peer_changes(call, client, database)]
    names = {body["metadata"]["name"] for body in wanted}
    superfluous = [Removal(body) for name, body in found.items() if name not in names]
    result = written([*changes, *superfluous]) | {"missing": []}
    if not call.check_mode:
        for change in changes:
            client.apply(path_of(change.wanted), change.wanted)
        for removal in superfluous:
            client.delete(path_of(removal.found))
        result["missing"] = _await_addresses(call, client, database, wanted)
    return result


def _exposure(params: Mapping[str, Any], members: Sequence[str]) -> Exposure:
    if params["exposure"] != LOAD_BALANCER:
        return Exposure(params["exposure"])
    asked = (params["clouds"], params["scope"], params["annotations"])
    refused = of_load_balancers(f"{params['context']}, clients", *asked, params["accept"], several=len(members) > 1)
    if refused:
        raise Failed("\n".join(str(finding) for finding in refused))
    annotations = {key: str(value) for key, value in annotations_of(*asked).items()}
    return Exposure(LOAD_BALANCER, annotations, params["load_balancer_class"])


def database_of(params: Mapping[str, Any]) -> Database:
    """The etcd as its Cluster in the control plane describes it; one without members where there is no Cluster."""
    names = (params["namespace"], params["name"], params["component"])
    control = [place for place in params["contexts"] if place["plane"] == "control"]
    if not control:
        raise Failed("cannot look for the members: no context of the list is the control plane.")
    client = Client(access(control[0], params["request_timeout"]))
    cluster = client.get(cluster_path(names[0], names[1]))
    if cluster is None or cluster["metadata"].get("deletionTimestamp"):
        return Database(*names)
    return described(cluster, params["component"])


def known_to_operator(client: Client, params: Mapping[str, Any]) -> dict[str, Any]:
    """What the control plane says: ``marked`` contexts, as the operator runs; ``database``, None without a Cluster."""
    cluster = client.get(cluster_path(params["namespace"], params["name"]))
    database = described(cluster, params["component"]) if cluster else None
    return {"marked": marked_in(client, params["operator_namespace"], params["operator_release"]), "database": database}


def own_services(client: Client, database: Database) -> dict[str, dict[str, Any]]:
    """Our Services for this etcd in a context, by name."""
    return {body["metadata"]["name"]: body for body in _listed(client, database, {rules.OWN: database.owner})}


def peer_services(client: Client, database: Database) -> list[dict[str, Any]]:
    """KubeBlocks' Services for the single members that are in a context."""
    peers = [body for body in _listed(client, database, database.labels) if rules.PEER_PORT in rules.ports_of(body)]
    own = [body for body in peers if rules.STANDS_IN not in body["metadata"]["labels"]]
    return [body for body in own if rules.POD_NAME in body["spec"].get("selector", {})]


def _listed(client: Client, database: Database, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Services that carry these labels, each with the kind that a list leaves out."""
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    found = client.list(f"/api/v1/namespaces/{database.namespace}/services", labels=selector)
    return [{**body, "apiVersion": "v1", "kind": "Service"} for body in found]


def _changes(client: Client, found: Mapping[str, dict[str, Any]], wanted: Sequence[dict[str, Any]]) -> list[Change]:
    existing = [found.get(body["metadata"]["name"]) for body in wanted]
    changes = plan(existing, wanted, FIELD_MANAGER)
    for change in changes:
        if change.found is None:
            _refuse_foreign(client, change.wanted)
    return changes


def _refuse_foreign(client: Client, body: dict[str, Any]) -> None:
    if client.get(path_of(body)) is not None:
        metadata = body["metadata"]
        label = f"{rules.OWN}={metadata['labels'][rules.OWN]}"
        raise Failed(
            f"{client.context}: cannot apply Service {metadata['namespace']}/{metadata['name']}: there is one that "
            f"this collection did not make. Rename it, or have it taken over: give it the label {label}."
        )


def _peer_changes(call: Call, client: Client, database: Database) -> list[Change]:
    """The client port belongs on the peers' Services, as the members advertise it there, but not on the internet."""
    changes, params = [], call.params
    for body in peer_services(client, database):
        balanced, addresses = body["spec"].get("type") == "LoadBalancer", rules.addresses_of(body)
        keep = not (balanced and is_internet(params["peer_scope"], addresses)) or PLAIN_CLIENTS in params["accept"]
        if not keep:
            call.warn(
                f"{client.context}: port {rules.CLIENT_PORT} is not opened on the peer Service {_member_of(body)} "
                f"({', '.join(addresses) or 'no address yet'}), as that is on the internet: see {PLAIN_CLIENTS}."
            )
        there = rules.CLIENT_PORT in rules.ports_of(body)
        if keep != there and (keep or _is_our_port(body)):
            changes.append(Change(body, _with_client_port(body, keep=keep)))
    return changes


def _is_our_port(body: Mapping[str, Any]) -> bool:
    ports = applied_by(body, FIELD_MANAGER).get("f:spec", {}).get("f:ports", {})
    return any(f'"port":{rules.CLIENT_PORT}' in key for key in ports)


def _with_client_port(body: Mapping[str, Any], *, keep: bool) -> dict[str, Any]:
    """Our part of KubeBlocks' Service; the UID makes sure that none is made where it went away meanwhile."""
    metadata = {key: body["metadata"][key] for key in ("namespace", "name", "uid")}
    spec = {"ports": [rules.CLIENT]} if keep else {}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _await_addresses(call: Call, client: Client, database: Database, wanted: Iterable[Mapping[str, Any]]) -> list[str]:
    """Wait until every load balancer has an address. Raises Failed with all that are missing, and why."""
    names = {body["metadata"]["name"] for body in wanted if body["spec"]["type"] == "LoadBalancer"}
    if not names or not call.params["wait"]:
        return []
    started, shown = time.monotonic(), [""]
    while True:
        waiting = [body for name, body in own_services(client, database).items() if name in names]
        missing = missing_addresses(client, waiting)
        seconds = time.monotonic() - started
        if not missing:
            return []
        if seconds > call.params["wait_timeout"]:
            raise Failed(
                "\n".join(f"{line}, after {seconds:.0f} s." for line in missing)
                + "\nWiden the pool or mend what gives addresses there, then run again, which goes on from here."
            )
        if missing != shown:
            call.say(f"{'; '.join(missing)}, {seconds:.0f} s")
            shown = missing
        time.sleep(call.params["wait_sleep"])


def missing_addresses(client: Client, services: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each LoadBalancer Service without an address: context, member, the reason that the cluster gives."""
    waiting = [body for body in services if rules.awaits_address(body)]
    return [f"{client.context} {_member_of(body)}: no address: {_reason(client, body)}" for body in waiting]


def _member_of(body: Mapping[str, Any]) -> str:
    return str(body["metadata"].get("labels", {}).get(rules.MEMBER) or body["metadata"]["name"])


def _reason(client: Client, body: Mapping[str, Any]) -> str:
    """What the cluster's events say of a Service, newest first."""
    metadata = body["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/events"
    try:
        events = client.list(path, fields=f"involvedObject.uid={metadata['uid']},type=Warning")
    except ContextError as problem:
        return f"nobody can say why: {problem.reason}"
    if not events:
        return "no implementation of load balancers has said anything of it"
    newest = max(events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    message = str(newest.get("message", "")).strip()
    return f"pool exhausted ({message})" if any(word in message for word in _EXHAUSTED) else message
