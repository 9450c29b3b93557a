# Private to this collection.
"""Putting up the Services that stand in for those of lost members, and taking them away."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._databases import Known
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import require_uid, version_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import (
    Change,
    Removal,
    path_of,
    path_of_all,
    plan,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import standins as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import (
    STANDS_IN,
    Database,
    addresses_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.versions import passes_addresses_on
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._services import peer_services


@dataclass(frozen=True)
class Step:
    """One Service to write or to take away in a context; ``address``: what its status has to say."""

    context: str
    step: Change | Removal
    address: str = ""


@dataclass(frozen=True)
class StandIns:
    """``steps``; ``listed``: all that shall be there (``context``, ``service``, ``address``); ``missing``: a sentence
    for each that cannot be, or that will be in the way."""

    steps: Sequence[Step]
    listed: Sequence[Mapping[str, str]]
    missing: Sequence[str]


def plan_all(
    clients: Mapping[str, Client],
    known: Known,
    marked: Collection[str],
    members: Mapping[str, Sequence[Mapping[str, Any]]],
) -> StandIns:
    """What has to be done for all databases with load balancers for peers. ``clients``: contexts that answer."""
    steps: list[Step] = []
    listed: list[Mapping[str, str]] = []
    missing: list[str] = []
    for database in [*known.etcds, *known.others]:
        cluster = (known.clusters or {}).get(f"{database.namespace}/{database.name}")
        if not rules.needs_them(cluster, database.component):
            continue
        urls = {member["name"]: urlsplit(member["peer_url"]).hostname or "" for member in members.get(database.key, [])}
        found = _of_database(clients, database, marked, urls)
        steps += found.steps
        listed += found.listed
        missing += found.missing
    hosts = {each["context"] for each in listed if "ip" in _ingress(each["address"])}
    missing += [sentence for host in sorted(hosts) for sentence in _in_the_way(clients[host])]
    return StandIns(steps, listed, missing)


def write(clients: Mapping[str, Client], steps: Sequence[Step], uids: Mapping[str, str]) -> None:
    """Carry the steps out, each in the cluster that is recorded under its context's name (``uids``)."""
    for context in sorted({step.context for step in steps}):
        require_uid(clients[context], uids.get(context, ""), "write Services there")
    for step in steps:
        client = clients[step.context]
        if isinstance(step.step, Removal):
            client.delete(path_of(step.step.found))
            continue
        path = path_of(step.step.wanted)
        client.apply(path, step.step.wanted)
        client.patch(f"{path}/status", {"status": _status(step.address)})


def _status(address: str) -> dict[str, Any]:
    """What tells the address and leaves packets for it alone (``Proxy``). As a ``VIP``, the default, nodes would drop
    those of their own Pods, since nobody is behind the stand-in: a leader there could send the returned member no
    snapshot, so it could not catch up, and the mark could not go."""
    entry = _ingress(address)
    return {"loadBalancer": {"ingress": [entry | {"ipMode": "Proxy"} if "ip" in entry else entry]}}


def _ingress(address: str) -> dict[str, str]:
    (entry,) = rules.address_status(address)["loadBalancer"]["ingress"]
    return dict(entry)


def _in_the_way(client: Client) -> list[str]:
    version = version_of(client)
    if passes_addresses_on(version):
        return []
    return [
        f"{client.context} runs Kubernetes {version}, where stand-ins keep Pods from the addresses of lost members. "
        "One that is back and does not catch up needs a leader elsewhere: move it there (etcdctl move-leader)"
    ]


def _of_database(
    clients: Mapping[str, Client], database: Database, marked: Collection[str], urls: Mapping[str, str]
) -> StandIns:
    lost, host = database.away(marked), rules.host_of(database, marked)
    found = {
        context: stand_ins_in(clients[context], database)
        for context in dict.fromkeys(database.placement)
        if context in clients and context not in marked
    }
    there = {body["metadata"]["name"]: addresses_of(body) for bodies in found.values() for body in bodies}
    addresses = {pod: urls.get(pod) or (there.get(pod) or [""])[0] for pod in lost}
    missing = [f"{database.key} {pod}: nobody knows its address any more" for pod in lost if not addresses[pod]]
    known = [pod for pod in lost if addresses[pod]] if host in found else []
    siblings = peer_services(clients[host], database) if known else []
    if known and not siblings:
        missing, known = [f"{database.key}: {host} has no peer Service of it to make others after"], []
    steps = _changes(clients[host], database, known, siblings[0], found[host], addresses) if known else []
    if lost and host not in found:
        missing = [f"{database.key}: no context that holds members answers"]
    for context, bodies in found.items():
        wanted = known if context == host else []
        steps += [Step(context, Removal(dict(body))) for body in rules.superfluous(bodies, wanted)]
    listed = [{"context": host, "service": f"{database.namespace}/{pod}", "address": addresses[pod]} for pod in known]
    return StandIns(steps, listed, missing)


def _changes(
    client: Client,
    database: Database,
    pods: Sequence[str],
    sibling: Mapping[str, Any],
    there: Sequence[dict[str, Any]],
    addresses: Mapping[str, str],
) -> list[Step]:
    known = {body["metadata"]["name"]: body for body in there}
    steps = []
    for pod in pods:
        body = rules.stand_in(database, pod, sibling)
        stale = pod in known and addresses_of(known[pod]) != [addresses[pod]]
        changes = plan([known.get(pod)], [body]) or ([Change(known[pod], body)] if stale else [])
        steps += [Step(client.context, change, addresses[pod]) for change in changes]
    return steps


def stand_ins_in(client: Client, database: Database) -> list[dict[str, Any]]:
    """The stand-ins for members of a database in a context."""
    labels = ",".join([STANDS_IN, *(f"{key}={value}" for key, value in database.labels.items())])
    found = client.list(path_of_all("v1", "Service", database.namespace), labels=labels)
    return [{**body, "apiVersion": "v1", "kind": "Service"} for body in found]
