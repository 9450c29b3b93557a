# Private to this collection.
"""Services that stand in for those of lost members, as long as their context is marked. Pure.

With load balancers for peers KubeBlocks asks for the address of every member. While one's Service is out of sight it
stops working on the database, and goes on saying that all is well. A Service of the same name in another context, with
the last known address, lets it see what is true.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import (
    PEER_PORT,
    PLACEMENT,
    POD_NAME,
    STANDS_IN,
    UNIQUE,
    UNIQUE_KEY,
    Database,
)

ABSENT = "kubeblocks.multicluster/absent"  # a class of load balancers that nobody serves


def needs_them(cluster: Mapping[str, Any] | None, component: str) -> bool:
    """Whether the peers of a component have a load balancer each, in the context of the member alone."""
    components = ((cluster or {}).get("spec") or {}).get("componentSpecs") or []
    specs = [each for each in components if each["name"] == component]
    services = [service for each in specs for service in each.get("services") or []]
    return any(
        service.get("serviceType") == "LoadBalancer"
        and service.get("podService")
        and (service.get("annotations") or {}).get(UNIQUE_KEY) == UNIQUE
        for service in services
    )


def host_of(database: Database, marked: Collection[str]) -> str:
    """The context that the stand-ins go to: the first of the placement that is not marked; empty if there is none."""
    return next((context for context in database.placement if context not in marked), "")


def stand_in(database: Database, pod: str, sibling: Mapping[str, Any]) -> dict[str, Any]:
    """The Service of a lost member, after the pattern of a living one's. It selects a Pod that is not there."""
    labels = sibling["metadata"].get("labels") or {}
    context = database.place_of(pod)
    ports = [_port(entry) for entry in sibling["spec"]["ports"] if entry["port"] == PEER_PORT]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "namespace": database.namespace,
            "name": pod,
            "labels": {**labels, STANDS_IN: context},
            "annotations": {PLACEMENT: context},
        },
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerClass": ABSENT,
            "allocateLoadBalancerNodePorts": False,
            "externalTrafficPolicy": "Local",
            "publishNotReadyAddresses": True,
            "ports": ports,
            "selector": {**sibling["spec"]["selector"], POD_NAME: pod},
        },
    }


def address_status(address: str) -> dict[str, Any]:
    """The status that says which address the lost member had."""
    numeric = address.replace(".", "").isdigit() or ":" in address
    return {"loadBalancer": {"ingress": [{"ip" if numeric else "hostname": address}]}}


def superfluous(found: Sequence[Mapping[str, Any]], wanted: Collection[str]) -> list[Mapping[str, Any]]:
    """Stand-ins in a context that nobody wants there any more. ``wanted``: names of Services."""
    return [body for body in found if body["metadata"]["name"] not in wanted]


def _port(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entry[key] for key in ("name", "port", "protocol", "targetPort") if key in entry}
