# Private to this collection.
"""The databases that the control plane knows of: which of them are etcd, and where their members are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import PLACEMENT, Database

CLUSTERS = "/apis/apps.kubeblocks.io/v1/clusters"
ENGINE = "etcd"  # how the names of its definitions begin
# Those that are named, for when the control plane is silent. Keep in step with plugins/doc_fragments/_databases.py.
DATABASES_SPEC: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "namespace": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "component": {"type": "str", "default": "etcd"},
    },
}


@dataclass(frozen=True)
class Known:
    """``etcds``: those whose members can be asked. ``others``: components of other engines. ``clusters``: the objects
    themselves, by namespace/name."""

    etcds: Sequence[Database] = ()
    others: Sequence[Database] = ()
    clusters: Mapping[str, Mapping[str, Any]] | None = None

    def holding(self, context: str) -> list[Database]:
        """All databases with members in a context."""
        return [database for database in (*self.etcds, *self.others) if database.members_in(context)]


def named(params: Mapping[str, Any]) -> Known:
    """What is known before the control plane said anything."""
    return Known([Database(each["namespace"], each["name"], each["component"]) for each in params["databases"]])


def all_databases(client: Client) -> Known:
    """Every Cluster of the control plane that lies across contexts."""
    clusters = {f"{each['metadata']['namespace']}/{each['metadata']['name']}": each for each in client.list(CLUSTERS)}
    found: dict[bool, list[Database]] = {True: [], False: []}
    for cluster in clusters.values():
        for component in cluster["spec"].get("componentSpecs") or []:
            is_etcd = str(component.get("componentDef", "")).startswith(ENGINE)
            found[is_etcd].append(described(cluster, component["name"]))
    return Known(found[True], found[False], clusters)


def templates_of(known: Known, database: Database) -> list[str]:
    """Names of the volumes that each member of a database has."""
    cluster = (known.clusters or {}).get(f"{database.namespace}/{database.name}") or {}
    components = (cluster.get("spec") or {}).get("componentSpecs") or []
    of_component = [each for each in components if each["name"] == database.component]
    return [template["name"] for each in of_component for template in each.get("volumeClaimTemplates") or []]


def placement_of(cluster: Mapping[str, Any]) -> list[str]:
    """The contexts of a Cluster, in the order of its members."""
    return [entry for entry in (cluster["metadata"].get("annotations") or {}).get(PLACEMENT, "").split(",") if entry]


def described(cluster: Mapping[str, Any], component: str) -> Database:
    metadata, placement = cluster["metadata"], placement_of(cluster)
    specs = cluster["spec"].get("componentSpecs") or []
    replicas = [each.get("replicas", 0) for each in specs if each["name"] == component]
    return Database(metadata["namespace"], metadata["name"], component, placement, sum(replicas))
