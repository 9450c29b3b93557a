# Private to this collection.
"""What a cluster says of itself beyond its identity: nodes, storage, namespaces, what KubeBlocks left there."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import POD_ROLE
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._cluster import cluster_path
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._credentials import TOKEN_KEY
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import secret_values
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._lives import of_token
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import marks_of_operator
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import (
    list_releases,
    told_of_contexts,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._record import control_plane_of, read_record
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import PLACEMENT
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._run import (
    interrupted_releases,
    read_lease,
    this_run,
)

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_ZONE = "topology.kubernetes.io/zone"
# Parameters of a StorageClass that say which storage is behind it, whatever the driver calls them.
_BACKEND = ("clusterid", "server", "monitors", "endpoint", "portal", "portals", "nfsserver", "pool-server")


@dataclass(frozen=True)
class Wanted:
    """What to look for: the operator's namespace and its Secret of contexts, databases (``namespace``, ``name``), the
    operator's release, pull Secrets that its chart is told of, whether the CRDs' content matters, and whether it does
    who else makes load balancers."""

    namespace: str
    secret: str
    databases: Sequence[Mapping[str, str]]
    release: str
    pull_secrets: Sequence[str]
    crd_content: bool = False
    load_balancers: bool = False


def of_data_plane(client: Client, wanted: Wanted) -> dict[str, Any]:
    """KubeBlocks' CRDs and role, storage, nodes, namespaces, and whatever carries the name of a database."""
    return _looked_at(
        {
            "CRDs": lambda: {"crds": _crds(client, wanted)},
            "namespaces": lambda: _spaces(client, wanted),
            "the role of database Pods": lambda: {"pod_role": _pod_role(client)},
            "leftovers": lambda: {"leftovers": {key_of(each): _leftovers(client, each) for each in wanted.databases}},
            "storage": lambda: _storage(client),
            "nodes": lambda: _nodes(client),
            "service networks": lambda: service_networks(client),
            "load balancers": lambda: _load_balancers(client) if wanted.load_balancers else {},
        }
    )


def of_control_plane(client: Client, wanted: Wanted) -> dict[str, Any]:
    """The record of contexts, Helm's releases, Clusters by the databases' names, the operator's tokens and Secrets."""
    secrets = f"/api/v1/namespaces/{wanted.namespace}/secrets"

    def missing() -> dict[str, Any]:
        return {"missing_secrets": [name for name in wanted.pull_secrets if client.get(f"{secrets}/{name}") is None]}

    return _looked_at(
        {
            "CRDs": lambda: {"crds": _crds(client, wanted) if wanted.crd_content else {}},
            "the record of contexts": lambda: {"record": read_record(client, wanted.namespace)},
            "Helm releases": lambda: {"releases": _releases(client, wanted.namespace)},
            "the operator": lambda: _operator(client, wanted),
            "namespaces": lambda: {"namespaces": _phases(client, wanted, {})},
            "the role of database Pods": lambda: {"pod_role": _pod_role(client)},
            "Clusters": lambda: {"clusters": {key_of(each): _cluster(client, each) for each in wanted.databases}},
            "the operator's credentials": lambda: _credentials(client.get(f"{secrets}/{wanted.secret}")),
            "pull Secrets": missing,
            "nodes": lambda: _nodes(client),
            "service networks": lambda: service_networks(client),
        }
    )


def _looked_at(parts: Mapping[str, Callable[[], dict[str, Any]]]) -> dict[str, Any]:
    """Every part by itself: what this credential may not look at is named in ``unseen``, and the rest is there."""
    found: dict[str, Any] = {"unseen": []}
    for name, look in parts.items():
        try:
            found |= look()
        except ContextError as problem:
            if problem.status != 403:
                raise
            found["unseen"].append(name)
    return found


def _spaces(client: Client, wanted: Wanted) -> dict[str, Any]:
    space = client.get(f"/api/v1/namespaces/{wanted.namespace}")
    phases = _phases(client, wanted, {wanted.namespace: space})
    return {"named_control_plane": control_plane_of(space), "namespaces": phases}


def _releases(client: Client, namespace: str) -> list[dict[str, Any]]:
    now = datetime.datetime.now(datetime.UTC)
    ours = interrupted_releases(read_lease(client, namespace), now, str(this_run()))
    return [{**release, "ours": release["name"] in ours} for release in list_releases(client, namespace)]


def _operator(client: Client, wanted: Wanted) -> dict[str, Any]:
    deployments = told_of_contexts(client, wanted.namespace, wanted.release)
    return marks_of_operator(client, wanted.namespace, deployments)


def _credentials(secret: Mapping[str, Any] | None) -> dict[str, Any]:
    held = secret_values(secret)
    return {"tokens": _tokens(held), "kubeconfig": held.get("kubeconfig", "")}


def key_of(database: Mapping[str, str]) -> str:
    """A database as the evidence and the findings name it."""
    return f"{database['namespace']}/{database['name']}"


def _phases(client: Client, wanted: Wanted, known: Mapping[str, Any]) -> dict[str, str]:
    names = sorted({wanted.namespace, *(database["namespace"] for database in wanted.databases)})
    spaces = {name: known[name] if name in known else client.get(f"/api/v1/namespaces/{name}") for name in names}
    return {name: space["status"]["phase"] for name, space in spaces.items() if space}


def _pod_role(client: Client) -> list[Any] | None:
    role = client.get(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{POD_ROLE}")
    return None if role is None else role.get("rules") or []


def _cluster(client: Client, database: Mapping[str, str]) -> dict[str, Any] | None:
    """Placement, components and their replicas of a Cluster, None where there is none."""
    found = client.get(cluster_path(database["namespace"], database["name"]))
    if found is None:
        return None
    placement = found["metadata"].get("annotations", {}).get(PLACEMENT, "")
    components = found.get("spec", {}).get("componentSpecs", [])
    return {
        "placement": [context for context in placement.split(",") if context],
        "instance_api": {component["name"]: bool(component.get("enableInstanceAPI")) for component in components},
        "replicas": {component["name"]: component.get("replicas") for component in components},
    }


def _leftovers(client: Client, database: Mapping[str, str]) -> list[str]:
    """Pods, claims and Services that carry the labels of this database."""
    labels = f"app.kubernetes.io/managed-by=kubeblocks,app.kubernetes.io/instance={database['name']}"
    root = f"/api/v1/namespaces/{database['namespace']}"
    return [
        f"{kind} {item['metadata']['name']}"
        for kind, plural in (("Pod", "pods"), ("claim", "persistentvolumeclaims"), ("Service", "services"))
        for item in client.list(f"{root}/{plural}", metadata_only=True, labels=labels)
    ]


def _tokens(secret: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Context → ``left`` and ``life`` of the operator's token, in seconds."""
    tokens = {key.removeprefix(TOKEN_KEY): value for key, value in secret.items() if key.startswith(TOKEN_KEY)}
    return {context: life for context, token in tokens.items() if (life := of_token(token))}


def _crds(client: Client, wanted: Wanted) -> dict[str, str]:
    """KubeBlocks' CRDs: name → SHA-256 of what they define, empty where their content does not matter."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    found = client.list(path, metadata_only=not wanted.crd_content)
    ours = sorted((crd for crd in found if crd["metadata"]["name"].endswith(".kubeblocks.io")), key=_name)
    return {_name(crd): _digest(crd["spec"]["versions"]) if wanted.crd_content else "" for crd in ours}


def _name(body: Mapping[str, Any]) -> str:
    return str(body["metadata"]["name"])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _storage(client: Client) -> dict[str, Any]:
    classes = client.list("/apis/storage.k8s.io/v1/storageclasses")
    drivers = client.list("/apis/storage.k8s.io/v1/csidrivers", metadata_only=True)
    defaults = [entry for entry in classes if entry["metadata"].get("annotations", {}).get(_DEFAULT_CLASS) == "true"]
    return {
        "storage_classes": sorted(entry["metadata"]["name"] for entry in classes),
        "default_classes": sorted(entry["metadata"]["name"] for entry in defaults),
        "provisioners": {entry["metadata"]["name"]: entry["provisioner"] for entry in classes},
        "drivers": sorted(driver["metadata"]["name"] for driver in drivers),
        "backends": sorted({backend for entry in classes if (backend := backend_of(entry))}),
    }


def backend_of(storage_class: Mapping[str, Any]) -> str:
    """The storage behind a class, as its provisioner and parameters name it; empty where they name none."""
    parameters = {key.lower(): value for key, value in (storage_class.get("parameters") or {}).items()}
    named = [f"{key}={parameters[key]}" for key in _BACKEND if parameters.get(key) and _is_global(key, parameters[key])]
    return " ".join([storage_class["provisioner"], *named]) if named else ""


def _is_global(key: str, value: str) -> bool:
    """Whether a parameter names the same thing in every cluster: not a Service of the cluster's own, and not the
    namespace that Rook gives for a cluster's ID where others give a UUID."""
    cluster_local = ".svc" in value
    return not cluster_local and (key != "clusterid" or bool(re.fullmatch(r"[0-9a-f-]{32,36}", value.lower())))


def _nodes(client: Client) -> dict[str, Any]:
    nodes = client.list("/api/v1/nodes")
    infos = [node["status"]["nodeInfo"] for node in nodes]
    return {
        "pod_networks": _set(network for node in nodes for network in node["spec"].get("podCIDRs") or []),
        "node_addresses": addresses_of(nodes),
        "providers": _set(node["spec"].get("providerID", "").partition(":")[0] for node in nodes),
        "ready_nodes": sum(1 for node in nodes if is_ready(node)),
        "boot_ids": _set(info["bootID"] for info in infos),
        "machine_ids": _set(info["machineID"] for info in infos),
        "zones": _set(node["metadata"].get("labels", {}).get(_ZONE, "") for node in nodes),
    }


def addresses_of(nodes: Iterable[Mapping[str, Any]]) -> list[str]:
    """The nodes' own addresses within their cluster (InternalIP)."""
    return _set(
        entry["address"]
        for node in nodes
        for entry in node["status"].get("addresses") or []
        if entry["type"] == "InternalIP"
    )


def is_ready(node: Mapping[str, Any]) -> bool:
    conditions = node["status"].get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def service_networks(client: Client) -> dict[str, Any]:
    """From Kubernetes 1.33 on; an older cluster has no such API, and shows none."""
    services = client.list("/apis/networking.k8s.io/v1/servicecidrs")
    return {"service_networks": _set(network for entry in services for network in entry["spec"]["cidrs"])}


def _load_balancers(client: Client) -> dict[str, Any]:
    """Cilium's own pools of addresses; none where Cilium is not, or does not know them."""
    paths = [f"/apis/cilium.io/{version}/ciliumloadbalancerippools" for version in ("v2", "v2alpha1")]
    return {"cilium_pools": _set(_name(pool) for path in paths for pool in client.list(path, metadata_only=True))}


def _set(values: Iterable[str]) -> list[str]:
    return sorted(set(values) - {""})
