# Private to this collection.
"""Who needs which rights where: the operator's identity on a data plane, and the person who runs the playbooks.

Source of the operator's table: the call sites of KubeBlocks 1.0.x, run for real with exactly these rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

POD_ROLE = "kubeblocks-cluster-pod-role"
_ALL = ("get", "list", "watch", "create", "update", "patch", "delete")
_RBAC = "rbac.authorization.k8s.io"
_STORAGE = "storage.k8s.io"

# Kinds of Kubernetes itself that live in no namespace; KubeBlocks' own in a chart live in none either.
_CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "CSIDriver",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)

# What Cilium's chart renders, by kind; the roles by name.
_CILIUM: tuple[dict[str, Any], ...] = (
    *({"apiVersion": "v1", "kind": kind} for kind in ("ConfigMap", "Secret", "Service", "ServiceAccount")),
    *({"apiVersion": "apps/v1", "kind": kind} for kind in ("DaemonSet", "Deployment")),
    *({"apiVersion": f"{_RBAC}/v1", "kind": kind} for kind in ("ClusterRole", "Role")),
    *(
        {"apiVersion": f"{_RBAC}/v1", "kind": f"{kind}Binding", "roleRef": {"kind": kind, "name": name}}
        for kind, names in (
            ("ClusterRole", ("cilium", "cilium-operator", "clustermesh-apiserver")),
            ("Role", ("cilium-config-agent",)),
        )
        for name in names
    ),
)
_CILIUM_JOBS = tuple({"apiVersion": "batch/v1", "kind": kind} for kind in ("CronJob", "Job"))

Rule = dict[str, list[str]]


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource, as an access review asks for it. An empty namespace means the whole cluster."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        resource = self.resource + (f"/{self.subresource}" if self.subresource else "")
        resource += f".{self.group}" if self.group else ""
        named = f" {self.name!r}" if self.name else ""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {resource}{named}{where}"

    def review(self) -> dict[str, Any]:
        """The body of a SelfSubjectAccessReview."""
        fields = {
            "verb": self.verb,
            "group": self.group,
            "resource": self.resource,
            "subresource": self.subresource,
            "name": self.name,
            "namespace": self.namespace,
        }
        attributes = {key: value for key, value in fields.items() if value}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }


EVERYTHING = Right("*", "*", "*", "*")
# What an operator never needs on a data plane, and what makes its token worth stealing.
DANGEROUS = (
    Right("escalate", _RBAC, "clusterroles"),
    Right("bind", _RBAC, "clusterroles"),
    Right("impersonate", "", "users"),
    Right("create", "", "pods", "exec"),
    Right("create", "", "serviceaccounts", "token"),
    Right("create", _RBAC, "clusterrolebindings"),
    Right("delete", "", "nodes"),
    Right("delete", "", "namespaces"),
)


def operator_rules() -> list[Rule]:
    """Rules of the operator's ClusterRole on a data plane (KubeBlocks 1.0.x). Lists and watches are cluster-wide."""
    return [
        _rule("", ("pods", "services", "configmaps", "secrets", "persistentvolumeclaims"), _ALL),
        _rule("", ("pods/resize", "pods/status"), ("update",)),
        _rule("", ("persistentvolumes",), ("get", "list", "update", "patch")),
        _rule("", ("serviceaccounts",), ("get", "list", "watch", "create", "update")),
        _rule("", ("events",), ("get", "list", "watch", "patch")),
        _rule("batch", ("jobs",), ("list", "watch")),
        _rule(_RBAC, ("rolebindings",), ("get", "list", "watch", "create", "update")),
        _rule(_RBAC, ("roles",), ("get", "create", "update")),
        _rule(_RBAC, ("clusterroles",), ("bind",), (POD_ROLE,)),
        _rule(_STORAGE, ("storageclasses",), _ALL),
        _rule(_STORAGE, ("csidrivers",), ("get", "list", "watch")),
        _rule("snapshot.storage.k8s.io", ("volumesnapshotclasses",), ("list",)),
    ]


def pod_rules() -> list[Rule]:
    """What the Pods of a KubeBlocks 1.0.x database do themselves; whoever copies the role must hold it."""
    return [_rule("", ("events",), ("create", "get", "update"))]


def _rule(group: str, resources: Iterable[str], verbs: Iterable[str], names: Iterable[str] = ()) -> Rule:
    rule = {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
    if names:
        rule["resourceNames"] = list(names)
    return rule


def rights_of(rules: Iterable[Rule]) -> list[Right]:
    """Every single right that rules grant."""
    return sorted(
        Right(verb, group, resource.partition("/")[0], resource.partition("/")[2], name)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    )


def data_plane_rights(
    namespaces: Iterable[str], operator_namespace: str, *, manage_access: bool, may_be_control_plane: bool = False
) -> list[Right]:
    """What the roles need on a data plane.

    RBAC lets nobody grant what he does not hold, so with ``manage_access`` the operator's own table is part of it.
    """
    needed = [
        *_rights("", "namespaces", ("get", "create", "patch")),
        *_rights("", "nodes", ("list",)),
        *_rights("networking.k8s.io", "servicecidrs", ("list",)),
        *_rights(_STORAGE, "storageclasses", ("list",)),
        *_rights(_STORAGE, "csidrivers", ("list",)),
        *_rights("apiextensions.k8s.io", "customresourcedefinitions", ("list",)),
        *_rights(_RBAC, "clusterroles", ("get", "create", "patch")),
        *rights_of(pod_rules()),
    ]
    for namespace in sorted(set(namespaces)):
        needed += _rights("", "pods", ("list",), namespace=namespace)
        needed += [Right(verb, "", "pods", "exec", namespace=namespace) for verb in ("get", "create")]
        needed += _rights("", "services", ("list", "get", "create", "patch", "delete"), namespace=namespace)
        needed.append(Right("patch", "", "services", "status", namespace=namespace))
        needed.append(Right("get", "", "pods", "log", namespace=namespace))
        needed += _rights("", "events", ("list",), namespace=namespace)
        needed += _rights("", "persistentvolumeclaims", ("list",), namespace=namespace)
    needed.append(Right("create", "", "serviceaccounts", "token", namespace=operator_namespace))
    needed += _rights("", "serviceaccounts", ("get",), namespace=operator_namespace)
    if may_be_control_plane:
        needed.append(Right("get", "", "configmaps", name="kube-root-ca.crt", namespace="default"))
    if manage_access:
        needed += _rights("", "serviceaccounts", ("create", "patch"), namespace=operator_namespace)
        needed += _rights(_RBAC, "clusterrolebindings", ("get", "create", "patch"))
        needed += rights_of(operator_rules())
    return all_of(needed)


def control_plane_rights(namespace: str, cluster_namespaces: Iterable[str]) -> list[Right]:
    """What the roles need on the control plane besides the rights that the chart itself grants."""
    needed = [
        *_rights("", "namespaces", ("get", "create", "patch")),
        *_rights("", "nodes", ("list",)),
        *_rights("networking.k8s.io", "servicecidrs", ("list",)),
        *_rights("apiextensions.k8s.io", "customresourcedefinitions", ("list", "get", "create", "patch")),
        *_rights(_RBAC, "clusterroles", ("get", "create", "patch")),
        *_rights(_RBAC, "clusterrolebindings", ("get", "create", "patch")),
        *_rights("apps.kubeblocks.io", "componentdefinitions", ("list", "get", "create", "patch")),
        *_rights("apps.kubeblocks.io", "componentversions", ("get", "create", "patch")),
        *_rights("", "secrets", ("get", "list", "create", "update", "patch", "delete"), namespace=namespace),
        *_rights("", "configmaps", ("get", "create", "patch"), namespace=namespace),
        *_rights("", "serviceaccounts", ("get", "create", "patch"), namespace=namespace),
        *_rights("", "pods", ("list",), namespace=namespace),
        *_rights("apps", "deployments", ("get", "list", "create", "patch"), namespace=namespace),
        *_rights("coordination.k8s.io", "leases", ("get", "create", "update"), namespace=namespace),
        *failover_rights(namespace),
    ]
    for other in sorted(set(cluster_namespaces)):
        needed += _rights("apps.kubeblocks.io", "clusters", ("get", "create", "patch"), namespace=other)
    return all_of(needed)


def failover_rights(namespace: str) -> list[Right]:
    """What marking a context needs on the control plane beside the rest: nobody wants to find that out on the day."""
    needed = [
        Right("get", "", "pods", "proxy", namespace=namespace),
        *_rights("coordination.k8s.io", "leases", ("list",), namespace=namespace),
        *_rights("apps.kubeblocks.io", "clusters", ("list",)),
        *_rights("apps.kubeblocks.io", "components", ("list",)),
        *_rights("operations.kubeblocks.io", "opsrequests", ("list",)),
    ]
    for resource in ("validatingadmissionpolicies", "validatingadmissionpolicybindings"):
        needed += _rights("admissionregistration.k8s.io", resource, ("get", "create", "patch", "delete"))
    return all_of(needed)


def chart_rights(objects: Iterable[Mapping[str, Any]], namespace: str) -> list[Right]:
    """What Helm needs to install, upgrade and await these rendered objects in a release's namespace.

    A role may be made by whoever holds its rules, or ``escalate``; one that aggregates others, as KubeBlocks' role of
    database Pods, only by a holder of everything or of ``escalate``. So ``escalate`` is what is asked, and ``bind`` for
    a binding.
    """
    needed: list[Right] = []
    for body in objects:
        group, kind = str(body["apiVersion"]).rpartition("/")[0], str(body["kind"])
        own = body.get("metadata", {}).get("namespace") or namespace
        where = "" if kind in _CLUSTER_WIDE or group.endswith(".kubeblocks.io") else own
        verbs = ["get", "create", "patch", "delete"]
        if kind == "Job":
            verbs += ["list", "watch"]
        if kind == "Deployment":
            needed += _rights("apps", "replicasets", ("list",), namespace=where)
        if kind in ("Role", "ClusterRole"):
            verbs.append("escalate")
        if kind in ("RoleBinding", "ClusterRoleBinding"):
            role = body["roleRef"]
            needed.append(Right("bind", _RBAC, plural_of(role["kind"]), name=role["name"], namespace=where))
        needed += _rights(group, plural_of(kind), verbs, namespace=where)
    return all_of(needed)


def load_balancer_rights(objects: Iterable[Mapping[str, Any]], namespace: str) -> list[Right]:
    """What MetalLB's release and its configuration need in a data plane; ``objects``: its chart's."""
    needed = chart_rights(objects, namespace)
    for resource in ("ipaddresspools", "bgppeers", "l2advertisements", "bgpadvertisements"):
        verbs = ("get", "list", "create", "patch", "delete")
        needed += _rights("metallb.io", resource, verbs, namespace=namespace)
    needed += _rights("metallb.io", "configurationstates", ("list",), namespace=namespace)
    needed += _rights("", "secrets", ("get", "list", "create", "update", "patch", "delete"), namespace=namespace)
    needed += _rights("", "pods", ("list",), namespace=namespace)
    needed += _rights("coordination.k8s.io", "leases", ("get", "create", "update"), namespace=namespace)
    needed += _rights("", "services", ("list",))
    needed += _rights("cilium.io", "ciliumloadbalancerippools", ("list",))
    return all_of(needed)


def mesh_rights(namespace: str, *, manage: bool, with_job: bool) -> list[Right]:
    """What a member of a mesh needs: to see what is true of it, to cut a dead peer off, and with ``manage`` to install
    Cilium. ``with_job``: whether Cilium's own Job signs. Source: the kinds that its chart renders, 1.17 to 1.20."""
    needed = [
        *_rights("", "nodes", ("list",)),
        *_rights("", "services", ("list",)),
        *_rights("networking.k8s.io", "servicecidrs", ("list",)),
        *_rights("apps", "daemonsets", ("list",)),
        *_rights("apps", "daemonsets", ("get",), namespace=namespace),
        *_rights("", "configmaps", ("get",), namespace=namespace),
        *_rights("", "secrets", ("get", "list", "create", "patch", "delete"), namespace=namespace),
        *_rights("", "pods", ("list", "patch"), namespace=namespace),
        *(Right(verb, "", "pods", "exec", namespace=namespace) for verb in ("get", "create")),
    ]
    if manage:
        needed += _rights("", "secrets", ("update",), namespace=namespace)
        needed += _rights("coordination.k8s.io", "leases", ("get", "create", "update"), namespace=namespace)
        needed += chart_rights([*_CILIUM, *(_CILIUM_JOBS if with_job else ())], namespace)
    return all_of(needed)


def plural_of(kind: str) -> str:
    """The resource of a kind, guessed by the rule of Kubernetes' own ``UnsafeGuessKindToResource``."""
    single = kind.lower()
    if single.endswith("s"):
        return f"{single}es"
    return f"{single[:-1]}ies" if single.endswith("y") else f"{single}s"


def all_of(rights: Iterable[Right]) -> list[Right]:
    """Each right once, and none for a namespace that is asked for the whole cluster anyway."""
    wanted = set(rights)
    return sorted(right for right in wanted if not right.namespace or replace(right, namespace="") not in wanted)


def _rights(group: str, resource: str, verbs: Iterable[str], *, namespace: str = "") -> list[Right]:
    return [Right(verb, group, resource, namespace=namespace) for verb in verbs]
