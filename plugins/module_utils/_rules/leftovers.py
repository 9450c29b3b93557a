# Private to this collection.
"""What lies on a context that came back, and that the control plane does not know any more. Pure.

What a healthy KubeBlocks has there is no leftover: objects that all members share are in every context of a placement,
also where no member is, and a member stays where it is when the placement is put into another order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import (
    PLACEMENT,
    POD_NAME,
    Database,
)

# Whoever gave it to an object knows of it and keeps it.
ADOPTED = {"kubeblocks.multicluster/adopted": "true"}
MADE_BY_KUBEBLOCKS = {"app.kubernetes.io/managed-by": "kubeblocks"}
# Kind → apiVersion, in the order in which they can go: addresses first, data last.
KINDS = {
    "Service": "v1",
    "Pod": "v1",
    "ConfigMap": "v1",
    "Secret": "v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "ServiceAccount": "v1",
    "PersistentVolumeClaim": "v1",
}
CLAIM = "PersistentVolumeClaim"
# KubeBlocks has one for all Clusters of a definition in a namespace, with the labels of the one that wrote it last.
_COMMON = ("RoleBinding", "ServiceAccount")
_INSTANCE, _COMPONENT = "app.kubernetes.io/instance", "apps.kubeblocks.io/component-name"
_WORKLOAD, _TEMPLATE = "workloads.kubeblocks.io/instance", "apps.kubeblocks.io/vct-name"


@dataclass(frozen=True)
class Cluster:
    """What the control plane says of a Cluster: the contexts of its placement, and its components by name. Their
    ``replicas`` are the ordinals that their members can have: more than members where some are offline."""

    placement: Sequence[str] = ()
    components: Mapping[str, Database] = field(default_factory=dict)


@dataclass(frozen=True)
class Leftover:
    """One object that nobody owns any more, and why that is so."""

    kind: str
    namespace: str
    name: str
    why: str
    uid: str = ""

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


def leftovers(found: Iterable[Mapping[str, Any]], clusters: Mapping[str, Cluster], context: str) -> list[Leftover]:
    """What can go, in the order in which it can. ``found``: objects of a context with ``kind`` and ``metadata``,
    Services with their ``spec``; ``clusters``: those of the control plane, by namespace/name; ``context``: as the
    operator calls it."""
    named = [
        Leftover(body["kind"], body["metadata"]["namespace"], body["metadata"]["name"], why, body["metadata"]["uid"])
        for body in found
        if (why := _why(body, clusters, context))
    ]
    order = list(KINDS)
    return sorted(named, key=lambda each: (order.index(each.kind), each.key))


def _why(body: Mapping[str, Any], clusters: Mapping[str, Cluster], context: str) -> str:
    """Why an object is a leftover, empty if it is none or if nothing says that it is."""
    metadata = body["metadata"]
    labels, space = metadata.get("labels") or {}, metadata["namespace"]
    # The operator writes where it puts things. What does not say so was made by another one, such as the context's own.
    places = (metadata.get("annotations") or {}).get(PLACEMENT, "").split(",")
    if context not in places or ADOPTED.items() <= labels.items():
        return ""
    if body["kind"] in _COMMON and any(context in cluster.placement for cluster in _in(clusters, space)):
        return ""
    if _INSTANCE not in labels:
        return _why_of_workload(labels.get(_WORKLOAD, ""), _in(clusters, space), context)
    name = labels[_INSTANCE]
    cluster = clusters.get(f"{space}/{name}")
    if cluster is None:
        return f"its Cluster {name} is gone"
    if context not in cluster.placement:
        return f"its Cluster {name} has no member here"
    return _why_of_component(body, labels.get(_COMPONENT, ""), cluster)


def _in(clusters: Mapping[str, Cluster], namespace: str) -> list[Cluster]:
    return [cluster for key, cluster in clusters.items() if key.partition("/")[0] == namespace]


def _why_of_workload(workload: str, clusters: Iterable[Cluster], context: str) -> str:
    """For what names its component by the workload alone, as the headless Service does."""
    own = [cluster for cluster in clusters if workload in [database.owner for database in cluster.components.values()]]
    if not workload or any(context in cluster.placement for cluster in own):
        return ""
    return f"the Cluster of {workload} has no member here" if own else f"its component {workload} is gone"


def _why_of_component(body: Mapping[str, Any], component: str, cluster: Cluster) -> str:
    if not component:  # of the Cluster as a whole
        return ""
    database = cluster.components.get(component)
    if database is None:
        return f"its component {component} is gone"
    ordinal = _ordinal(_pod_of(body), database)
    if ordinal is None or ordinal < database.replicas:
        return ""
    return f"its member {ordinal} is beyond what {database.owner} has"


def _pod_of(body: Mapping[str, Any]) -> str:
    """The Pod of the member that an object belongs to, empty for what the members share."""
    metadata, kind = body["metadata"], body["kind"]
    labels = metadata.get("labels") or {}
    if kind == "Pod":
        return str(metadata["name"])
    if kind == "Service":
        return str(((body.get("spec") or {}).get("selector") or {}).get(POD_NAME, ""))
    if kind == CLAIM:
        return str(labels.get(POD_NAME) or metadata["name"].removeprefix(f"{labels.get(_TEMPLATE, '')}-"))
    return ""


def _ordinal(pod: str, database: Database) -> int | None:
    """The number of a member; None where its name has more than that, as the templates of instances give it."""
    number = pod.removeprefix(f"{database.owner}-")
    return int(number) if number != pod and number.isdecimal() else None
