# Private to this collection.
"""The leftovers of databases on a context that came back: seen, given to a person to keep, or deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._databases import CLUSTERS, described
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import (
    Change,
    Removal,
    path_of,
    path_of_all,
    written,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.leftovers import (
    ADOPTED,
    CLAIM,
    KINDS,
    MADE_BY_KUBEBLOCKS,
    Cluster,
    Leftover,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database

_COMPONENTS = CLUSTERS.replace("clusters", "components")
_FINALIZER = ".kubeblocks.io/finalizer"  # how the names of all of KubeBlocks' own end
_ANY_ORDINAL = 2**31  # more than Kubernetes can count
_TRIES = 5


def gather(client: Client) -> list[dict[str, Any]]:
    """What KubeBlocks made for databases in a context: metadata alone, and of Services all, for what they select."""
    labels = ",".join(f"{key}={value}" for key, value in MADE_BY_KUBEBLOCKS.items())
    return [
        {**body, "apiVersion": api_version, "kind": kind}
        for kind, api_version in KINDS.items()
        for body in client.list(path_of_all(api_version, kind), metadata_only=kind != "Service", labels=labels)
    ]


def known(control: Client) -> dict[str, Cluster]:
    """The Clusters of the control plane by namespace/name, to be asked for after what was gathered: a Cluster that is
    made in between is known then. Raises Failed where the API server knows no Clusters."""
    clusters, components = (_all(control, path) for path in (CLUSTERS, _COMPONENTS))
    return {
        f"{body['metadata']['namespace']}/{body['metadata']['name']}": _known(body, components) for body in clusters
    }


def _all(control: Client, path: str) -> list[dict[str, Any]]:
    found = control.get(path)
    if found is None:
        raise Failed(
            f"{control.context}: cannot list {path.rpartition('/')[2]}: this API server does not know the kind, and "
            "without it all that KubeBlocks made would look left over. Check that this context is the control plane."
        )
    items: list[dict[str, Any]] = found["items"]
    return items


def _known(cluster: Mapping[str, Any], components: Iterable[Mapping[str, Any]]) -> Cluster:
    """The components as the Cluster has them, and besides those that exist: shards, and what is on its way out."""
    space, name = cluster["metadata"]["namespace"], cluster["metadata"]["name"]
    placement = described(cluster, "").placement
    found = {}
    for body in components:
        labels = body["metadata"].get("labels") or {}
        if (body["metadata"]["namespace"], labels.get("app.kubernetes.io/instance")) == (space, name):
            component = labels.get("apps.kubeblocks.io/component-name", "")
            found[component] = Database(space, name, component, placement, _ordinals(body["spec"]))
    for spec in cluster["spec"].get("componentSpecs") or []:
        found[spec["name"]] = replace(described(cluster, spec["name"]), replicas=_ordinals(spec))
    return Cluster(placement, found)


def _ordinals(spec: Mapping[str, Any]) -> int:
    """How many ordinals the members of a component can have: an offline one keeps its own."""
    if spec.get("flatInstanceOrdinal") or spec.get("ordinals"):  # chosen by hand, from KubeBlocks 1.1 on
        return _ANY_ORDINAL
    return int(spec.get("replicas", 0)) + len(spec.get("offlineInstances") or [])


def adopt(client: Client, leftovers: Sequence[Leftover]) -> dict[str, Any]:
    """Label them, so that they are not called leftovers again."""
    changes = [_adoption(each) for each in leftovers]
    for change in changes:
        _insist(client, change.wanted, _label)
    return written(changes)


def _adoption(leftover: Leftover) -> Change:
    body = _body(leftover)
    return Change(body, {**body, "metadata": {**body["metadata"], "labels": dict(ADOPTED)}})


def removals(leftovers: Iterable[Leftover], claims: Collection[str]) -> list[Removal]:
    """The steps of a deletion, one kind after the other; of the claims only those that are named, as
    "namespace/name"."""
    order = list(KINDS)
    chosen = [each for each in leftovers if each.kind != CLAIM or each.key in claims]
    return [Removal(_body(each)) for each in sorted(chosen, key=lambda each: order.index(each.kind))]


def delete(client: Client, leftovers: Iterable[Leftover], claims: Collection[str]) -> dict[str, Any]:
    """Delete them; what is gone already, or was made anew meanwhile, is passed over."""
    steps = removals(leftovers, claims)
    for step in steps:
        _insist(client, step.found, _remove)
    return written(steps)


def _body(leftover: Leftover) -> dict[str, Any]:
    metadata = {"namespace": leftover.namespace, "name": leftover.name, "uid": leftover.uid}
    return {"apiVersion": KINDS[leftover.kind], "kind": leftover.kind, "metadata": metadata}


def _insist(client: Client, body: Mapping[str, Any], work: Callable[[Client, str, Mapping[str, Any]], None]) -> None:
    """Do it to an object as it is now, and again if somebody wrote to it meanwhile; nothing if it is there no more."""
    for left in reversed(range(_TRIES)):
        metadata = _metadata(client, body)
        if metadata is None:
            return
        try:
            work(client, path_of(dict(body)), metadata)
            return
        except ContextError as problem:
            if problem.status not in (404, 409) or not left:
                raise


def _metadata(client: Client, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """None where it is gone, or where another one has its name. Asked for as a list, since that shows no values."""
    wanted = body["metadata"]
    path = path_of_all(body["apiVersion"], body["kind"], wanted["namespace"])
    found = client.list(path, metadata_only=True, fields=f"metadata.name={wanted['name']}")
    same: list[Mapping[str, Any]] = [each["metadata"] for each in found if each["metadata"]["uid"] == wanted["uid"]]
    return same[0] if same else None


def _label(client: Client, path: str, metadata: Mapping[str, Any]) -> None:
    client.patch(path, {"metadata": {**_same(metadata), "labels": dict(ADOPTED)}})


def _remove(client: Client, path: str, metadata: Mapping[str, Any]) -> None:
    """KubeBlocks' finalizers go first: whoever would take them off does not know the object."""
    finalizers = metadata.get("finalizers") or []
    kept = [finalizer for finalizer in finalizers if not finalizer.endswith(_FINALIZER)]
    if kept != finalizers:
        client.patch(path, {"metadata": {**_same(metadata), "finalizers": kept}})
    client.delete(path, uid=metadata["uid"])


def _same(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a patch fail with a conflict where the object is not what was looked at."""
    return {key: metadata[key] for key in ("uid", "resourceVersion")}
