# Private to this collection.
"""What is left over or half there: objects of an earlier database, namespaces that end, roles that differ. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import (
    FAIL,
    INFO,
    WARN,
    Finding,
    some,
)


def of_leftovers(name: str, objects: Sequence[str], database: str) -> list[Finding]:
    """``objects``: what carries the database's name on a data plane, where the control plane has no such Cluster."""
    if not objects:
        return []
    return [
        Finding(
            "leftovers.present",
            name,
            FAIL,
            f"there are {some(objects)} of Cluster {database}, which the control plane does not have",
            "new members would start on the old ones' data, with the identity of another etcd",
            "Make sure that nobody needs them, then delete them; or give the Cluster another name with etcd_name",
        )
    ]


def of_unseen(name: str, parts: Sequence[str]) -> list[Finding]:
    """``parts``: what the credential may not look at, in words."""
    if not parts:
        return []
    return [
        Finding(
            "evidence.incomplete",
            name,
            WARN,
            f"this credential may not look at {', '.join(parts)}",
            "what would be found there is not known, and nothing here says that all is well with it",
            "Grant what access.missing names",
        )
    ]


def of_nodes(name: str, boot_ids: Sequence[str] | None) -> list[Finding]:
    """``boot_ids``: of the nodes, None where they were not looked at."""
    if boot_ids is None or boot_ids:
        return []
    return [
        Finding(
            "nodes.none",
            name,
            WARN,
            "no node shows a boot ID",
            "no member can run on a cluster without nodes, and what its machines share with others is not known",
            "Add a node, or see why its kubelet reports nothing",
        )
    ]


def of_namespaces(name: str, phases: Mapping[str, str]) -> list[Finding]:
    """``phases``: namespace → phase, of those that exist."""
    return [
        Finding(
            "namespace.terminating",
            name,
            FAIL,
            f"namespace {space} is being deleted",
            "nothing can be created in it, and what is there goes away",
            "Wait until it is gone, or see what holds its finalizers",
        )
        for space, phase in phases.items()
        if phase == "Terminating"
    ]


def of_pod_role(name: str, rules: Sequence[Any] | None, wanted: Sequence[Any] | None) -> list[Finding]:
    """``rules``: of the role of database Pods on a data plane, None where there is none; ``wanted``: the control
    plane's, None where the operator is not installed yet."""
    if wanted is None or rules is None or list(rules) == list(wanted):
        return []
    return [
        Finding(
            "pod_role.differs",
            name,
            INFO,
            "the ClusterRole of database Pods is not equal to the control plane's",
            "Pods may do less or more here than elsewhere",
            "Nothing to do: site makes it equal",
        )
    ]


def of_pull_secrets(name: str, missing: Iterable[str], namespace: str) -> list[Finding]:
    """``missing``: pull Secrets that the operator's chart is told of and that are not there."""
    return [
        Finding(
            "image.pull_secret_missing",
            name,
            FAIL,
            f"there is no Secret {namespace}/{secret}, which the operator's Pods are told to pull images with",
            "the operator would not start",
            f"Create it in namespace {namespace}, or take it out of control_plane_values.image.imagePullSecrets",
        )
        for secret in missing
    ]


def of_provisioner(name: str, storage_class: str, provisioner: str, drivers: Sequence[str]) -> list[Finding]:
    """Whether the class of the members' volumes can provision. ``drivers``: the cluster's CSI drivers."""
    if provisioner == "kubernetes.io/no-provisioner":
        seen, why = (
            f"StorageClass {storage_class} provisions nothing",
            "a volume has to be made by hand for each member",
        )
    elif ".csi." in f".{provisioner}." and provisioner not in drivers:
        seen, why = (
            f"StorageClass {storage_class} needs CSI driver {provisioner}, which is not installed",
            "a member's volume would stay Pending",
        )
    else:
        return []
    return [Finding("storage.cannot_provision", name, FAIL, seen, why, "Install the driver, or set etcd_storage_class")]


def of_excess(name: str, operator: Mapping[str, Any] | None) -> list[Finding]:
    """``operator``: the identity that the user supplies, with ``excess``: rights that it has and does not need."""
    excess = (operator or {}).get("excess") or []
    if not operator or not excess:
        return []
    return [
        Finding(
            "operator.access_excess",
            name,
            WARN,
            f"the operator's ServiceAccount {operator['account']} may also {', '.join(excess)}",
            "whoever takes over the control plane may do the same on this cluster",
            "Bind it to the rules of the filter kubeblocks.multicluster.operator_rules and no others",
        )
    ]
