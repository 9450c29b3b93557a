"""Findings about the operator, its versions and identities, the inventory and the request, each provoked alone."""

from __future__ import annotations

import copy
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from databases import APPS, await_all, client_of
from lab.build.crds import kubeblocks_crds
from lab.settings import Lab
from objects import present
from provoking import PLANES, Stack, await_everything_allowed, params, report, space, told
from support import kubectl

FAIL, WARN, INFO = "fail", "warn", "info"
WARNED = ("version.experimental", "inventory", WARN)


def given(**changed: Any) -> Stack:
    """Nothing is done to the lab; other options are given."""
    return lambda _lab, _stack, _folder: changed


def contexts(*names: tuple[str, str, str]) -> Stack:
    """An inventory of (name, context, plane)."""

    def enter(lab: Lab, _stack: ExitStack, _folder: Path) -> dict[str, Any]:
        kubeconfig = str(lab.kubeconfig)
        found = [{"name": name, "context": context, "plane": plane} for name, context, plane in names]
        return {"contexts": [{**place, "kubeconfig": kubeconfig} for place in found]}

    return enter


def generous(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
    """An operator's identity that the user supplies, and that may do everything."""
    account = {"name": "kubeblocks-operator", "namespace": "kb-system"}
    rbac = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "generous"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", **account}],
    }
    own = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}
    for context in PLANES:
        stack.enter_context(present(lab, context, space("kb-system"), own, binding))
        await_everything_allowed(lab, context, account)
    return {"manage_access": False}


def interrupted(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
    """A release that a run of this collection had begun, which no longer holds its Lease."""
    where = {"namespace": "kb-system"}
    labels = {"owner": "helm", "name": "kubeblocks", "status": "pending-install", "version": "1"}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {**where, "name": "sh.helm.release.v1.kubeblocks.v1", "labels": labels},
    }
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            **where,
            "name": "kubeblocks-multicluster",
            "annotations": {"kubeblocks.multicluster/releases": "kubeblocks"},
        },
        "spec": {"leaseDurationSeconds": 60, "renewTime": "2020-01-01T00:00:00.000000Z"},
    }
    stack.enter_context(present(lab, "control", space("kb-system"), secret, lease))
    return {}


def operator(contexts: str, disabled: str = "") -> Stack:
    """An operator that was told of these contexts, and takes some for unavailable."""
    words = [f"--multi-cluster-contexts={contexts}", f"--multi-cluster-contexts-disabled={disabled}"]
    labels = {"app": "kubeblocks"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "namespace": "kb-system",
            "name": "kubeblocks",
            "labels": {"app.kubernetes.io/instance": "kubeblocks"},
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "manager", "image": "lab.invalid/none:1", "args": words}]},
            },
        },
    }

    def enter(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
        stack.enter_context(present(lab, "control", space("kb-system"), deployment))
        return {}

    return enter


def garbled(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
    """A record of contexts that somebody wrote over."""
    where = {"namespace": "kb-system", "name": "kubeblocks-multicluster-contexts"}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": where, "data": {"contexts": "gone"}}
    stack.enter_context(present(lab, "control", space("kb-system"), body))
    return {}


def existing(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
    """A Cluster over all data planes, and a request that names them in another order."""
    _only_clusters(lab, stack)
    stack.enter_context(present(lab, "control", space("etcd"), CLUSTER))
    return {"placement": ["k8s-2", "k8s-1", "k8s-3"]}


def _only_clusters(lab: Lab, stack: ExitStack) -> dict[str, Any]:
    """The one CRD of KubeBlocks that the control plane has then, whatever a test before this one left there."""
    everywhere = kubectl(lab, "control", "get", "crd", "-o", "name").split()
    others = [name for name in everywhere if name.endswith(".kubeblocks.io")]
    if others:
        kubectl(lab, "control", "delete", *others)
    crds = yaml.load_all(kubeblocks_crds().read_text(), Loader=yaml.CSafeLoader)
    crd: dict[str, Any] = next(body for body in crds if body["metadata"]["name"] == "clusters.apps.kubeblocks.io")
    stack.enter_context(present(lab, "control", crd))
    await_all(client_of(lab), [f"{APPS}/clusters"])
    return crd


def next_line(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
    """KubeBlocks 1.1: equal CRDs on k8s-1, another one on k8s-2, none on k8s-3, and a Cluster of the older kind."""
    crd = _only_clusters(lab, stack)
    other = copy.deepcopy(crd)
    other["spec"]["versions"][0]["additionalPrinterColumns"] = []
    stack.enter_context(present(lab, "control", space("etcd"), CLUSTER))
    for context, body in (("k8s-1", crd), ("k8s-2", other)):
        stack.enter_context(present(lab, context, body))
        await_all(client_of(lab, context), [f"{APPS}/clusters"])
    return {"kubeblocks_version": "1.1.0", "experimental": True}


CLUSTER = {
    "apiVersion": "apps.kubeblocks.io/v1",
    "kind": "Cluster",
    "metadata": {
        "namespace": "etcd",
        "name": "etcd",
        "annotations": {"apps.kubeblocks.io/multi-cluster-placement": ",".join(PLANES)},
    },
    "spec": {"terminationPolicy": "Delete", "componentSpecs": [{"name": "etcd", "replicas": 3}]},
}
TWO = (("control", "control", "control"), ("k8s-1", "k8s-1", "data"))

# Name → what is done (it returns changed options), what is found besides.
PROVOKED: dict[str, tuple[Stack, set[tuple[str, str, str]]]] = {
    "no data plane": (contexts(TWO[0]), {("inventory.data_planes", "inventory", FAIL)}),
    "two control planes": (
        contexts(*TWO, ("k8s-2", "k8s-2", "control")),
        {("inventory.control_plane", "inventory", FAIL)},
    ),
    "a name that no Secret can hold": (
        contexts(*TWO, ("k8s-2", "k8s 2", "data")),
        {("inventory.context_name", "k8s-2", FAIL)},
    ),
    "one context for two hosts": (
        contexts(*TWO, ("again", "k8s-1", "data")),
        {("inventory.context_doubled", "again", FAIL)},
    ),
    "a context named twice": (
        given(placement=["k8s-1", "k8s-1", "k8s-2"]),
        {("placement.doubled", "k8s-1", FAIL)},
    ),
    "a context that is none": (
        given(placement=["k8s-1", "k8s-2", "k8s-9"]),
        {("placement.unknown", "k8s-9", FAIL)},
    ),
    "ten members": (given(replicas=10), {("placement.replicas", "placement", FAIL)}),
    "a marked context": (
        operator(",".join(PLANES), "k8s-2"),
        {("placement.marked", "k8s-2", FAIL), ("mark.by_hand", "control", WARN), ("mark.standing", "k8s-2", INFO)},
    ),
    "values that the role sets, empty": (
        given(operator_values={"multiCluster": {"contexts": "", "kubeConfig": ""}}),
        {("values.multi_cluster_set", "control plane", FAIL)},
    ),
    "values of another kind": (
        given(operator_values={"image": {"imagePullSecrets": ["regcred"]}}),
        {("values.shape", "control plane", FAIL)},
    ),
    "a context that is not in the inventory any more": (
        operator("k8s-1,k8s-2,k8s-3,k8s-4"),
        {("inventory.context_dropped", "k8s-4", FAIL)},
    ),
    "a record that is none": (garbled, {("identity.record", "control", FAIL)}),
    "another placement than the Cluster has": (
        existing,
        {("placement.changed", "placement", FAIL)},
    ),
    "a loopback server": (
        given(servers={"k8s-2": "https://127.0.0.1:6443"}),
        {("server.loopback", "k8s-2", FAIL)},
    ),
    "no such class": (
        given(storage_class="none-such"),
        {("storage.class_missing", context, FAIL) for context in PLANES},
    ),
    "an operator that may do everything": (
        generous,
        {("operator.access_excess", context, WARN) for context in PLANES},
    ),
    "an interrupted run": (interrupted, {("release.interrupted", "control", INFO)}),
    "the next line of KubeBlocks": (
        next_line,
        {
            WARNED,
            ("crds.differ", "k8s-2", FAIL),
            ("crds.absent", "k8s-3", FAIL),
            ("version.instance_api", "control plane", FAIL),
        },
    ),
    "the next line of KubeBlocks, and nothing there": (
        given(kubeblocks_version="1.1.0", experimental=True),
        {WARNED, *(("crds.absent", context, FAIL) for context in PLANES)},
    ),
}


@pytest.mark.parametrize("name", PROVOKED)
def test_a_provoked_finding_is_reported_and_no_other(stocked_lab: Lab, tmp_path: Path, name: str) -> None:
    provoke, expected = PROVOKED[name]
    with ExitStack() as stack:
        changed = provoke(stocked_lab, stack, tmp_path)
        assert told(report(params(stocked_lab, **changed))) == expected
