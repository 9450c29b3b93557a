"""What a chart's objects ask of the person who installs them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import (
    Right,
    all_of,
    chart_rights,
    plural_of,
)

RBAC = "rbac.authorization.k8s.io"


def body(api_version: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **more}


# Object of a chart → the rights, in words.
CHARTS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "in the release's namespace": (
        body("v1", "ConfigMap"),
        {f"{verb} configmaps in namespace kb" for verb in ("get", "create", "patch", "delete")},
    ),
    "in a namespace of its own": (
        body("v1", "ConfigMap", metadata={"name": "x", "namespace": "other"}),
        {f"{verb} configmaps in namespace other" for verb in ("get", "create", "patch", "delete")},
    ),
    "in no namespace": (
        body("storage.k8s.io/v1", "StorageClass"),
        {f"{verb} storageclasses.storage.k8s.io" for verb in ("get", "create", "patch", "delete")},
    ),
    "KubeBlocks' own": (
        body("apps.kubeblocks.io/v1", "ComponentDefinition"),
        {f"{verb} componentdefinitions.apps.kubeblocks.io" for verb in ("get", "create", "patch", "delete")},
    ),
    "a hook that is awaited": (
        body("batch/v1", "Job"),
        {f"{verb} jobs.batch in namespace kb" for verb in ("get", "create", "patch", "delete", "list", "watch")},
    ),
    "a Deployment that is awaited": (
        body("apps/v1", "Deployment"),
        {f"{verb} deployments.apps in namespace kb" for verb in ("get", "create", "patch", "delete")}
        | {"list replicasets.apps in namespace kb"},
    ),
    "a role": (
        body(f"{RBAC}/v1", "ClusterRole"),
        {f"{verb} clusterroles.{RBAC}" for verb in ("get", "create", "patch", "delete", "escalate")},
    ),
    "a role in a namespace": (
        body(f"{RBAC}/v1", "Role"),
        {f"{verb} roles.{RBAC} in namespace kb" for verb in ("get", "create", "patch", "delete", "escalate")},
    ),
    "a binding": (
        body(f"{RBAC}/v1", "ClusterRoleBinding", roleRef={"kind": "ClusterRole", "name": "admin"}),
        {f"{verb} clusterrolebindings.{RBAC}" for verb in ("get", "create", "patch", "delete")}
        | {f"bind clusterroles.{RBAC} 'admin'"},
    ),
}


@pytest.mark.parametrize("name", CHARTS)
def test_what_an_object_of_a_chart_needs(name: str) -> None:
    given, expected = CHARTS[name]
    assert {str(right) for right in chart_rights([given], "kb")} == expected


@pytest.mark.parametrize(
    ("kind", "plural"),
    [("Pod", "pods"), ("Ingress", "ingresses"), ("NetworkPolicy", "networkpolicies"), ("Addon", "addons")],
)
def test_plural_of_a_kind(kind: str, plural: str) -> None:
    assert plural_of(kind) == plural


def test_a_right_for_the_whole_cluster_implies_the_same_in_a_namespace() -> None:
    wide, narrow, other = Right("get", "", "pods"), Right("get", "", "pods", namespace="a"), Right("list", "", "pods")
    assert all_of([narrow, wide, wide, other]) == [wide, other]
