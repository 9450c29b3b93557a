# Private to this collection.
"""The Services through which clients reach the members in one context, as they should be. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.exposure import (
    GLOBAL,
    LOAD_BALANCER,
    MESH,
    NODE_PORT,
    NONE,
)

CLIENT_PORT, PEER_PORT = 2379, 2380
CLIENT = {"name": "client", "port": CLIENT_PORT, "protocol": "TCP", "targetPort": CLIENT_PORT}
# Ours carry this label and none of KubeBlocks' own: its variables count every Service that carries those.
OWN, MEMBER = "kubeblocks.multicluster/clients-of", "kubeblocks.multicluster/member"
# On a Service that is not a member's own: the marked context whose Service it is there for.
STANDS_IN = "kubeblocks.multicluster/stands-in-for"
POD_NAME = "apps.kubeblocks.io/pod-name"
PLACEMENT = "apps.kubeblocks.io/multi-cluster-placement"
UNIQUE_KEY, UNIQUE = "apps.kubeblocks.io/multi-cluster-service-placement", "unique"
_TYPES = {NODE_PORT: "NodePort", LOAD_BALANCER: "LoadBalancer", MESH: "ClusterIP"}


@dataclass(frozen=True)
class Database:
    """Which etcd: the names of its Cluster and component, the contexts of its placement, and how many members."""

    namespace: str
    name: str
    component: str
    placement: Sequence[str] = ()
    replicas: int = 0

    @property
    def pods(self) -> list[str]:
        return [f"{self.name}-{self.component}-{ordinal}" for ordinal in range(self.replicas)]

    def place_of(self, pod: str) -> str:
        """The context of a member: member N goes to entry N modulo their number."""
        return self.placement[int(pod.rpartition("-")[2]) % len(self.placement)] if self.placement else ""

    def members_in(self, context: str) -> list[str]:
        return [pod for pod in self.pods if self.place_of(pod) == context]

    def away(self, marked: Collection[str]) -> list[str]:
        """The members in marked contexts."""
        return [pod for pod in self.pods if self.place_of(pod) in marked]

    @property
    def key(self) -> str:
        """How it is called in results and sentences."""
        name = f"{self.namespace}/{self.name}"
        return name if self.component == "etcd" else f"{name} {self.component}"

    @property
    def labels(self) -> dict[str, str]:
        """The labels of KubeBlocks on everything that belongs to the component."""
        return {
            "app.kubernetes.io/managed-by": "kubeblocks",
            "app.kubernetes.io/instance": self.name,
            "apps.kubeblocks.io/component-name": self.component,
        }

    @property
    def owner(self) -> str:
        """Value of our own label."""
        return f"{self.name}-{self.component}"


@dataclass(frozen=True)
class Exposure:
    """How clients come in: one of CLIENT_EXPOSURES, with what a LoadBalancer Service carries."""

    kind: str = NONE
    annotations: Mapping[str, str] = field(default_factory=dict)
    load_balancer_class: str = ""


def wanted_services(database: Database, context: str, exposure: Exposure) -> list[dict[str, Any]]:
    """One Service for each member that lives in this context, and one for any member."""
    if exposure.kind == NONE or not database.replicas:
        return []
    here = database.members_in(context)
    bodies = [_of_member(database, pod, exposure) for pod in here]
    # Without members of its own a cluster has backends through a mesh only.
    return bodies + ([_of_any(database)] if here or exposure.kind == MESH else [])


def _of_member(database: Database, pod: str, exposure: Exposure) -> dict[str, Any]:
    body = _service(database, f"{pod}-client", {MEMBER: pod}, {POD_NAME: pod})
    body["spec"]["type"] = _TYPES[exposure.kind]
    if exposure.kind == LOAD_BALANCER:
        body["metadata"]["annotations"] = dict(exposure.annotations)
        # No second hop, and the address is announced where the member is.
        body["spec"]["externalTrafficPolicy"] = "Local"
        if exposure.load_balancer_class:
            body["spec"]["loadBalancerClass"] = exposure.load_balancer_class
    if exposure.kind == MESH:
        body["metadata"]["annotations"] = dict(GLOBAL)
    return body


def _of_any(database: Database) -> dict[str, Any]:
    body = _service(database, f"{database.owner}-any", {}, {})
    body["metadata"]["annotations"] = dict(GLOBAL)
    body["spec"]["type"] = "ClusterIP"
    return body


def _service(database: Database, name: str, labels: Mapping[str, str], selector: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "namespace": database.namespace,
            "name": name,
            "labels": {OWN: database.owner, **labels},
        },
        "spec": {
            "selector": {**database.labels, **selector},
            "ports": [dict(CLIENT)],
        },
    }


def ports_of(service: Mapping[str, Any]) -> list[int]:
    return [int(entry["port"]) for entry in service["spec"].get("ports") or []]


def addresses_of(service: Mapping[str, Any]) -> list[str]:
    """Addresses or names that a load balancer gave to a Service."""
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return [address for entry in ingress if (address := entry.get("ip") or entry.get("hostname"))]


def awaits_address(service: Mapping[str, Any]) -> bool:
    return bool(service["spec"].get("type") == "LoadBalancer" and not addresses_of(service))
