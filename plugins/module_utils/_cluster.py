# Private to this collection.
"""The KubeBlocks Cluster of one etcd that lies across contexts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import path_of, plan
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.exposure import (
    CLOUDS,
    GLOBAL,
    INTERNAL,
    LOAD_BALANCER,
    MESH,
    PEER_EXPOSURES,
    SCOPES,
    annotations_of,
    of_load_balancers,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import (
    PLACEMENT,
    UNIQUE,
    UNIQUE_KEY,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.spread import of_names, of_number
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import AUTH_SPEC, Call

SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "placement": {"type": "list", "elements": "str", "default": []},
    "data_planes": {"type": "list", "elements": "str", "default": []},
    "replicas": {"type": "int", "default": 3},
    "version": {"type": "str", "default": ""},
    "definition": {"type": "str", "default": "etcd-3"},
    "storage": {"type": "str", "default": "1Gi"},
    "storage_class": {"type": "str", "default": ""},
    "resources": {"type": "dict", "default": {}},
    "termination_policy": {"type": "str", "default": "Delete", "choices": ["DoNotTerminate", "Delete", "WipeOut"]},
    "peer_exposure": {"type": "str", "default": MESH, "choices": list(PEER_EXPOSURES)},
    "peer_clouds": {"type": "list", "elements": "str", "default": [], "choices": list(CLOUDS)},
    "peer_scope": {"type": "str", "default": INTERNAL, "choices": list(SCOPES)},
    "peer_annotations": {"type": "dict"},
    "accept": {"type": "list", "elements": "str", "default": []},
    "wait_timeout": {"type": "int", "default": 120},
}
# A Service only where its member lives: mirrored, an arbitrary cluster's address would count.
_UNIQUE = {UNIQUE_KEY: UNIQUE}
_SERVICE_TYPES = {MESH: "ClusterIP", LOAD_BALANCER: "LoadBalancer"}
_DEFINITIONS = "/apis/apps.kubeblocks.io/v1/componentdefinitions"


def cluster_path(namespace: str, name: str) -> str:
    return f"/apis/apps.kubeblocks.io/v1/namespaces/{namespace}/clusters/{name}"


def cluster_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """The Cluster object: placement in the given order, one peer Service for each member."""
    claim: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": params["storage"]}},
    }
    if params["storage_class"]:
        claim["storageClassName"] = params["storage_class"]
    component = {
        "name": "etcd",
        "componentDef": params["definition"],
        "replicas": params["replicas"],
        "volumeClaimTemplates": [{"name": "data", "spec": claim}],
        "services": [_peer(params)],
    }
    if params["version"]:
        component["serviceVersion"] = params["version"]
    if params["resources"]:
        component["resources"] = params["resources"]
    return {
        "apiVersion": "apps.kubeblocks.io/v1",
        "kind": "Cluster",
        "metadata": {
            "namespace": params["namespace"],
            "name": params["name"],
            "annotations": {PLACEMENT: ",".join(params["placement"])},
        },
        "spec": {"terminationPolicy": params["termination_policy"], "componentSpecs": [component]},
    }


def _peer(params: Mapping[str, Any]) -> dict[str, Any]:
    """One Service for each member, through which the others reach it."""
    exposure, extra = params["peer_exposure"], params["peer_annotations"]
    if exposure == MESH:
        annotations = GLOBAL if extra is None else extra
    else:
        annotations = annotations_of(params["peer_clouds"], params["peer_scope"], extra or {}) | _UNIQUE
    return {
        "name": "peer",
        "podService": True,
        "serviceType": _SERVICE_TYPES[exposure],
        "annotations": {key: str(value) for key, value in annotations.items()},
    }


def run(call: Call) -> dict[str, Any]:
    """Create the Cluster or bring it to what is asked for, once its definition can be used."""
    params, client = call.params, call.client()
    found = client.get(path_of(cluster_of(params)))
    wanted = cluster_of({**params, "placement": _placement(params, found)})
    _refuse_exposure(params)
    _refuse_unsafe(client, found, wanted)
    if found is None and params["data_planes"]:
        impossible = of_names(_placement(params, None), params["data_planes"]) + of_number(params["replicas"])
        if impossible:
            raise Failed("\n".join(str(finding) for finding in impossible))
    _keep_resolved_definition(found, wanted)
    changes = plan([found], [wanted])
    result: dict[str, Any] = {
        "changed": bool(changes),
        "results": [change.result() for change in changes],
        "cluster": {"namespace": params["namespace"], "name": params["name"]},
    }
    if changes:
        result["diff"] = changes[0].difference()
        if not call.check_mode:
            _await_definition(call, client)
            client.apply(path_of(wanted), wanted)
    return result


def _placement(params: Mapping[str, Any], found: Mapping[str, Any] | None) -> list[str]:
    """What is asked for; else what the Cluster has, so that a new data plane moves nobody; else all data planes."""
    existing = (found or {}).get("metadata", {}).get("annotations", {}).get(PLACEMENT, "")
    asked: list[str] = params["placement"] or [context for context in existing.split(",") if context]
    if not asked and not params["data_planes"]:
        raise Failed(
            f"cannot make Cluster {params['namespace']}/{params['name']}: it has no placement, and KubeBlocks would "
            "choose one by chance. Set placement or data_planes."
        )
    return asked or params["data_planes"]


def _refuse_exposure(params: Mapping[str, Any]) -> None:
    if params["peer_exposure"] != LOAD_BALANCER:
        return
    asked = (params["peer_clouds"], params["peer_scope"], params["peer_annotations"] or {})
    refused = of_load_balancers(f"Cluster {params['namespace']}/{params['name']}", *asked, params["accept"])
    if refused:
        raise Failed("\n".join(str(finding) for finding in refused))


def _refuse_unsafe(client: Client, found: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> None:
    """A living member is never moved or doubled by editing the Cluster."""
    if found is None:
        return
    metadata = found["metadata"]
    where = f"{client.context}: cannot change Cluster {metadata['namespace']}/{metadata['name']}"
    if metadata.get("deletionTimestamp"):
        raise Failed(f"{where}: it is being deleted. Wait until it is gone, or see what holds its finalizers.")
    old, new = metadata.get("annotations", {}).get(PLACEMENT, ""), wanted["metadata"]["annotations"][PLACEMENT]
    if old != new:
        raise Failed(
            f"{where}: its members are placed on {old or 'no contexts'}, and {new} is asked for. A changed placement "
            "would start second members beside the living ones. Set etcd_placement to what it is."
        )
    replicas = {component["name"]: component.get("replicas") for component in found["spec"].get("componentSpecs", [])}
    asked = wanted["spec"]["componentSpecs"][0]["replicas"]
    if "etcd" not in replicas:
        raise Failed(
            f"{where}: it has no component etcd (it has: {', '.join(sorted(replicas)) or 'none'}): it is another "
            "database. Give this one another name with etcd_name."
        )
    if replicas["etcd"] != asked:
        raise Failed(
            f"{where}: it has {replicas['etcd']} members, and {asked} are asked for. Raising or lowering the number "
            "alone does not make members of one etcd across clusters. Set etcd_replicas to what it is."
        )
    types = [_type_of_peers(body) for body in (found, wanted)]
    if types[0] != types[1]:
        raise Failed(
            f"{where}: its peer Services are of type {types[0]}, and {types[1]} is asked for. The members know each "
            "other by these addresses, so all would be lost to each other at once. Set etcd_peer_exposure to what it "
            "is."
        )

    if types[0] == "LoadBalancer":
        _refuse_other_annotations(where, found, wanted)


def _refuse_other_annotations(where: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """A cloud may rebuild a load balancer for another annotation, with another address, for all members at once."""
    old, new = (_peer_of(body).get("annotations") or {} for body in (found, wanted))
    differing = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
    if differing:
        raise Failed(
            f"{where}: the load balancers of its peers would get other annotations ({', '.join(differing)}), and a "
            "cloud may give them other addresses then, by which the members would be lost to each other. Set "
            "etcd_peer_clouds, etcd_peer_scope and etcd_peer_annotations to what it has."
        )


def _peer_of(cluster: Mapping[str, Any]) -> Mapping[str, Any]:
    component = next(entry for entry in cluster["spec"]["componentSpecs"] if entry["name"] == "etcd")
    return next((entry for entry in component.get("services", []) if entry["name"] == "peer"), {})


def _type_of_peers(cluster: Mapping[str, Any]) -> str:
    return _peer_of(cluster).get("serviceType") or "ClusterIP"


def _keep_resolved_definition(found: Mapping[str, Any] | None, wanted: dict[str, Any]) -> None:
    """The operator writes the full name of the definition in the place of the prefix that was given."""
    component = wanted["spec"]["componentSpecs"][0]
    for existing in (found or {}).get("spec", {}).get("componentSpecs", []):
        resolved = existing.get("componentDef", "")
        if existing["name"] == component["name"] and resolved.startswith(component["componentDef"]):
            component["componentDef"] = resolved


def _await_definition(call: Call, client: Client) -> None:
    """The operator passes a new Cluster over, and does not come back to it, while its definition is not Available."""
    prefix, deadline = call.params["definition"], time.monotonic() + call.params["wait_timeout"]
    shown = ""
    while True:
        phases = {
            item["metadata"]["name"]: item.get("status", {}).get("phase", "")
            for item in client.list(_DEFINITIONS)
            if item["metadata"]["name"].startswith(prefix)
        }
        if "Available" in phases.values():
            return
        seen = (
            ", ".join(f"{name} is {phase or 'not looked at yet'}" for name, phase in phases.items()) or "there is none"
        )
        if time.monotonic() > deadline:
            raise Failed(
                f"{client.context}: cannot create the Cluster: no ComponentDefinition {prefix}* is Available "
                f"after {call.params['wait_timeout']} s: {seen}. See the operator's log, and kubectl describe on it."
            )
        if seen != shown:
            call.say(f"{client.context}: waiting for ComponentDefinition {prefix}*: {seen}")
            shown = seen
        time.sleep(1)
