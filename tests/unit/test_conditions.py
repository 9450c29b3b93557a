"""What clusters are like: versions, networks, clocks and lives, values, remains. Each rule on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.addresses import of_addresses
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, INFO, WARN, Finding
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.life import (
    DAY,
    of_authorities,
    of_clocks,
    of_credentials,
    of_operator_tokens,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.remains import (
    of_excess,
    of_leftovers,
    of_namespaces,
    of_nodes,
    of_pod_role,
    of_provisioner,
    of_pull_secrets,
    of_unseen,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.values import of_values
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.versions import (
    crds_belong_on_data_planes,
    line_of,
    needs_instance_api,
    of_crds,
    of_instance_api,
    of_kubeblocks,
    of_kubernetes,
    passes_addresses_on,
)
from told import Short, short

A, B, C = ABC = ["k8s-1", "k8s-2", "k8s-3"]
OVERLAP, SHARED = "address.pod_overlap", "address.node_shared"
ROLE = [{"verbs": ["get"]}]


def nets(**networks: str) -> dict[str, dict[str, list[str]]]:
    """Pod networks of contexts."""
    return {name.replace("_", "-"): {"pod_networks": [text]} for name, text in networks.items()}


def values(**given: str) -> Callable[[], list[Finding]]:
    return lambda: of_values({"multiCluster": given}, ABC)


VALUES = [("values.multi_cluster", "control plane", FAIL)]
VALUES_SET = [("values.multi_cluster_set", "control plane", FAIL)]
VALUES_SHAPE = [("values.shape", "control plane", FAIL)]

# Name → the rule asked, what it finds.
CASES: dict[str, tuple[Callable[[], list[Finding]], Short]] = {
    "CRDs: equal": (lambda: of_crds(A, {"x": "1"}, {"x": "1"}), []),
    "CRDs: one is missing": (lambda: of_crds(A, {"x": "1"}, {"x": "1", "y": "1"}), [("crds.absent", A, FAIL)]),
    "CRDs: one is more": (lambda: of_crds(A, {"x": "1", "y": "1"}, {"x": "1"}), []),
    "CRDs: one differs": (lambda: of_crds(A, {"x": "2"}, {"x": "1"}), [("crds.differ", A, FAIL)]),
    "CRDs: none anywhere": (lambda: of_crds(A, {}, {}), [("crds.absent", A, FAIL)]),
    "CRDs: before the operator": (lambda: of_crds(A, {"x": "1"}, {}), []),
    "line: 1.0": (lambda: of_kubeblocks("1.0.2", experimental=False), []),
    "line: 1.0 with a v": (
        lambda: of_kubeblocks("v1.0.0", experimental=False),
        [("version.kubeblocks", "inventory", FAIL)],
    ),
    "line: 1.0 and nothing behind it": (
        lambda: of_kubeblocks("1.0", experimental=False),
        [("version.kubeblocks", "inventory", FAIL)],
    ),
    "line: 0.8": (lambda: of_kubeblocks("0.8.4", experimental=True), [("version.kubeblocks", "inventory", FAIL)]),
    "line: 0.9": (lambda: of_kubeblocks("0.9.5", experimental=True), [("version.kubeblocks", "inventory", FAIL)]),
    "line: 1.1": (
        lambda: of_kubeblocks("1.1.0-beta.1", experimental=False),
        [("version.kubeblocks", "inventory", FAIL)],
    ),
    "line: 1.1, tried": (
        lambda: of_kubeblocks("1.1.0-beta.1", experimental=True),
        [("version.experimental", "inventory", WARN)],
    ),
    "kubernetes: equal": (lambda: of_kubernetes({A: "v1.34.4", B: "v1.34.1"}), []),
    "kubernetes: one apart": (
        lambda: of_kubernetes({A: "v1.34.4", B: "v1.33.1"}),
        [("version.skew", "inventory", INFO)],
    ),
    "kubernetes: two apart": (
        lambda: of_kubernetes({A: "v1.34.4", B: "v1.32.1"}),
        [("version.skew", "inventory", INFO)],
    ),
    "kubernetes: three apart": (
        lambda: of_kubernetes({A: "v1.34.4", B: "v1.31.1+k3s1"}),
        [("version.skew", "inventory", WARN)],
    ),
    "kubernetes: old": (lambda: of_kubernetes({A: "v1.24.9"}), [("version.old", A, FAIL)]),
    "kubernetes: old enough": (lambda: of_kubernetes({A: "v1.25.0"}), []),
    "kubernetes: unreadable": (lambda: of_kubernetes({A: "v1.34.4", B: "dev"}), []),
    "instance API: not needed": (lambda: of_instance_api("1.0.2", {"etcd": False}), []),
    "instance API: on": (lambda: of_instance_api("1.1.0", {"etcd": True}), []),
    "instance API: off": (
        lambda: of_instance_api("1.1.0", {"etcd": False}),
        [("version.instance_api", "control plane", FAIL)],
    ),
    "pods: apart": (lambda: of_addresses(nets(k8s_1="10.1.0.0/16", k8s_2="10.2.0.0/16")), []),
    "pods: one in the other": (
        lambda: of_addresses(nets(k8s_1="10.0.0.0/8", k8s_2="10.2.0.0/16")),
        [(OVERLAP, B, FAIL)],
    ),
    "pods: of another family": (lambda: of_addresses(nets(k8s_1="10.1.0.0/16", k8s_2="fd00::/48")), []),
    "pods: two nodes of one cluster": (
        lambda: of_addresses(
            {A: {"pod_networks": ["10.1.0.0/24", "10.1.1.0/24"]}, B: {"pod_networks": ["10.1.0.0/16"]}}
        ),
        [(OVERLAP, B, FAIL)],
    ),
    "pods: both families": (
        lambda: of_addresses({A: {"pod_networks": ["10.1.0.0/24", "fd00::/64"]}, B: {"pod_networks": ["fd00:1::/64"]}}),
        [],
    ),
    "services: equal in two clusters": (
        lambda: of_addresses({name: {"service_networks": ["10.96.0.0/16"]} for name in (A, B)}),
        [],
    ),
    "services: in the pods' network": (
        lambda: of_addresses({A: {"pod_networks": ["10.0.0.0/8"], "service_networks": ["10.96.0.0/16"]}}),
        [(OVERLAP, A, FAIL)],
    ),
    "nodes: apart": (
        lambda: of_addresses({A: {"node_addresses": ["1.1.1.1"]}, B: {"node_addresses": ["1.1.1.2"]}}),
        [],
    ),
    "nodes: equal": (
        lambda: of_addresses({A: {"node_addresses": ["1.1.1.1"]}, B: {"node_addresses": ["1.1.1.1"]}}),
        [(SHARED, B, FAIL)],
    ),
    "nodes: in another's pod network": (
        lambda: of_addresses({A: {"pod_networks": ["10.1.0.0/16"]}, B: {"node_addresses": ["10.1.9.9"]}}),
        [(OVERLAP, A, FAIL)],
    ),
    "nodes: in their own pod network": (
        lambda: of_addresses({A: {"pod_networks": ["10.1.0.0/16"], "node_addresses": ["10.1.9.9"]}}),
        [(OVERLAP, A, FAIL)],
    ),
    "clocks: none": (lambda: of_clocks({}), []),
    "clocks: all far from this host": (lambda: of_clocks({A: 500.0, B: 500.4, C: 499.0}), []),
    "clocks: at the limit": (lambda: of_clocks({A: 0.0, B: 0.0, C: 5.0}), []),
    "clocks: ahead": (lambda: of_clocks({A: 0.0, B: 0.0, C: 5.1}), [("clock.skew", C, WARN)]),
    "clocks: behind": (lambda: of_clocks({A: -60.0, B: 0.0, C: 0.0}), [("clock.skew", A, WARN)]),
    "clocks: broken": (lambda: of_clocks({A: -61.0, B: 0.0, C: 0.0}), [("clock.skew", A, FAIL)]),
    "CA: long": (lambda: of_authorities({A: 30 * DAY}), []),
    "CA: short": (lambda: of_authorities({A: 30 * DAY - 1}), [("certificate.authority", A, WARN)]),
    "CA: ended": (lambda: of_authorities({A: 0}), [("certificate.authority", A, FAIL)]),
    "credential: long": (lambda: of_credentials({A: 3 * DAY}), []),
    "credential: short": (lambda: of_credentials({A: 3 * DAY - 1}), [("credential.ends", A, WARN)]),
    "token: a third": (lambda: of_operator_tokens({A: 200}, {A: 600}), []),
    "token: less": (lambda: of_operator_tokens({A: 199}, {A: 600}), [("token.ends", A, INFO)]),
    "token: ended": (lambda: of_operator_tokens({A: 0}, {A: 600}), [("token.ends", A, WARN)]),
    "values: none": (lambda: of_values({}, ABC), []),
    "values: as the role sets them": (
        values(contexts="k8s-1,k8s-2", kubeConfig="x", contextsDisabled="k8s-2"),
        VALUES_SET,
    ),
    "values: a comma at the end": (values(contexts="k8s-1,", kubeConfig="x"), VALUES_SET),
    "values: as the chart has them, empty": (values(contexts="", kubeConfig="", contextsDisabled=""), VALUES_SET),
    "values: nothing of the role's": (values(other="x"), []),
    "values: no mapping": (lambda: of_values({"multiCluster": "x", "image": "y"}, ABC), VALUES_SHAPE * 2),
    "values: pull Secrets without a name": (
        lambda: of_values({"image": {"imagePullSecrets": ["x"]}}, ABC),
        VALUES_SHAPE,
    ),
    "values: a pull Secret without a name": (
        lambda: of_values({"image": {"imagePullSecrets": [{"other": "x"}]}}, ABC),
        VALUES_SHAPE,
    ),
    "values: pull Secrets": (lambda: of_values({"image": {"imagePullSecrets": [{"name": "x"}]}}, ABC), []),
    "values: a blank": (values(contexts="k8s-1, k8s-2", kubeConfig="x"), VALUES),
    "values: twice": (values(contexts="k8s-1,k8s-1", kubeConfig="x"), VALUES),
    "values: unknown": (values(contexts="k8s-9", kubeConfig="x"), VALUES),
    "values: disabled is none of them": (values(contexts="k8s-1", contextsDisabled="k8s-2"), VALUES),
    "values: only disabled": (values(contextsDisabled="k8s-2"), VALUES_SET),
    "values: no kubeconfig": (values(contexts="k8s-1", kubeConfig=""), VALUES),
    "nodes: not looked at": (lambda: of_nodes(A, None), []),
    "nodes: one": (lambda: of_nodes(A, ["x"]), []),
    "nodes: none": (lambda: of_nodes(A, []), [("nodes.none", A, WARN)]),
    "unseen: nothing": (lambda: of_unseen(A, []), []),
    "unseen: two": (lambda: of_unseen(A, ["storage", "nodes"]), [("evidence.incomplete", A, WARN)]),
    "leftovers: none": (lambda: of_leftovers(A, [], "etcd/etcd"), []),
    "leftovers: four": (
        lambda: of_leftovers(A, ["Pod a", "b", "c", "d"], "etcd/etcd"),
        [("leftovers.present", A, FAIL)],
    ),
    "namespaces: alive": (lambda: of_namespaces(A, {"etcd": "Active"}), []),
    "namespaces: one ends": (
        lambda: of_namespaces(A, {"etcd": "Active", "kb": "Terminating"}),
        [("namespace.terminating", A, FAIL)],
    ),
    "role: equal": (lambda: of_pod_role(A, ROLE, ROLE), []),
    "role: not there yet": (lambda: of_pod_role(A, None, ROLE), []),
    "role: no operator yet": (lambda: of_pod_role(A, ROLE, None), []),
    "role: emptied": (lambda: of_pod_role(A, [], ROLE), [("pod_role.differs", A, INFO)]),
    "pull: there": (lambda: of_pull_secrets(A, [], "kb"), []),
    "pull: missing": (lambda: of_pull_secrets(A, ["x"], "kb"), [("image.pull_secret_missing", A, FAIL)]),
    "provisioner: of its own kind": (lambda: of_provisioner(A, "s", "rancher.io/local-path", []), []),
    "provisioner: none": (
        lambda: of_provisioner(A, "s", "kubernetes.io/no-provisioner", []),
        [("storage.cannot_provision", A, FAIL)],
    ),
    "provisioner: driver there": (lambda: of_provisioner(A, "s", "ebs.csi.aws.com", ["ebs.csi.aws.com"]), []),
    "provisioner: driver missing": (
        lambda: of_provisioner(A, "s", "ebs.csi.aws.com", ["efs.csi.aws.com"]),
        [("storage.cannot_provision", A, FAIL)],
    ),
    "excess: ours to make": (lambda: of_excess(A, None), []),
    "excess: none": (lambda: of_excess(A, {"account": "a/b", "excess": []}), []),
    "excess: some": (lambda: of_excess(A, {"account": "a/b", "excess": ["x"]}), [("operator.access_excess", A, WARN)]),
}
SENTENCES = {
    "line: 0.8": "It has no multi-cluster support",
    "line: 0.9": "Its agent needs a copy of the Cluster on each data plane",
    "kubernetes: one apart": "the clusters are 1 minor version apart (k8s-1 v1.34.4, k8s-2 v1.33.1)",
    "pods: one in the other": "the pod networks of k8s-1 (10.0.0.0/8) and k8s-2 (10.2.0.0/16) overlap",
    "pods: two nodes of one cluster": "the pod networks of k8s-1 (10.1.0.0/23) and k8s-2",
    "nodes: in another's pod network": "the pod network 10.1.0.0/16 holds the node 10.1.9.9 of k8s-2",
    "clocks: behind": "its clock is 60 s behind the others",
    "clocks: ahead": "its clock is 5 s ahead of the others",
    "CA: ended": "the CA certificate ended 0.0 days ago",
    "CA: short": "the CA certificate ends in 30.0 days",
    "values: a blank": "contexts has blanks around 'k8s-2'",
    "values: disabled is none of them": "contextsDisabled names 'k8s-2', which is not in contexts",
    "leftovers: four": "there are Pod a, b, c and 1 more of Cluster etcd/etcd",
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_found(name: str) -> None:
    rule, expected = CASES[name]
    assert short(rule()) == expected


@pytest.mark.parametrize("name", SENTENCES)
def test_what_a_finding_says(name: str) -> None:
    (finding,) = CASES[name][0]()
    assert SENTENCES[name] in str(finding)


LINES: dict[str, tuple[tuple[int, int], bool]] = {
    "0.9.5": ((0, 9), False),
    "1.0.2": ((1, 0), False),
    "v1.1.0-beta.1": ((1, 1), True),
    "1.10.0": ((1, 10), True),
    "2.0.0": ((2, 0), True),
    "main": ((0, 0), False),
}


def test_the_first_kubernetes_whose_services_pass_addresses_on() -> None:
    seen = {version: passes_addresses_on(version) for version in ("v1.25.0", "v1.29.9", "v1.30.0+k3s1", "v1.34.4", "?")}
    assert seen == {"v1.25.0": False, "v1.29.9": False, "v1.30.0+k3s1": True, "v1.34.4": True, "?": False}


@pytest.mark.parametrize("version", LINES)
def test_lines_of_versions(version: str) -> None:
    line, newer = LINES[version]
    assert line_of(version) == line
    assert crds_belong_on_data_planes(version) is newer
    assert needs_instance_api(version) is newer


def test_every_finding_says_what_to_do() -> None:
    found: list[Any] = [finding for rule, _ in CASES.values() for finding in rule()]
    assert all(finding.why and finding.cure and finding.seen for finding in found)
    assert all(not text.endswith(".") for finding in found for text in (finding.seen, finding.why, finding.cure))
