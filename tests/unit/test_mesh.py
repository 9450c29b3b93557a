"""Whether clusters can be joined to one mesh: every rule, what it says, and that nothing is said of what fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, WARN
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh import (
    LOAD_BALANCER,
    NATIVE,
    Wish,
    members,
    of_networks,
    of_nodes,
    of_wishes,
)

A = Wish("k8s-1", 1, pod_cidrs=("10.1.0.0/16",))
B = Wish("k8s-2", 2, pod_cidrs=("10.2.0.0/16",))
C = Wish("k8s-3", 3, pod_cidrs=("10.3.0.0/16",))
NONE = Wish("k8s-4", 0)
NATIVELY: dict[str, Any] = {"routing_mode": NATIVE, "native_cidr": "10.0.0.0/8"}
REPLACING: dict[str, Any] = {"kube_proxy_replacement": True, "api_server": "192.0.2.1:6443"}


def told(*wishes: Wish) -> list[tuple[str, str, str]]:
    return [(finding.id, finding.context, finding.severity) for finding in of_wishes(wishes)]


def test_clusters_that_fit() -> None:
    assert told(A, B, C, NONE) == []
    assert told(replace(A, **NATIVELY), replace(B, **NATIVELY)) == []
    assert told(replace(A, **REPLACING), B) == []
    assert [wish.context for wish in members([A, NONE, B])] == ["k8s-1", "k8s-2"]


def test_a_cluster_that_is_in_no_mesh_is_not_looked_at() -> None:
    assert told(A, Wish("UPPER", 0, name="default", pod_cidrs=("10.1.0.0/16",), version="0")) == []


# What is changed of the second cluster → what is said of it.
ONE_IS_WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "name of 33 characters": ({"name": "a" * 33}, ["mesh.name"]),
    "name of 32 characters": ({"name": "a" * 32}, []),
    "name in capitals": ({"name": "K8S"}, ["mesh.name"]),
    "name that ends with a hyphen": ({"name": "k8s-"}, ["mesh.name"]),
    "name that begins with a hyphen": ({"name": "-k8s"}, ["mesh.name"]),
    "default": ({"name": "default"}, ["mesh.name"]),
    "host's name that is none": ({"context": "k8s_2"}, ["mesh.name"]),
    "number 256": ({"id": 256}, ["mesh.id"]),
    "number 255": ({"id": 255}, []),
    "negative number": ({"id": -1}, ["mesh.id"]),
    "other number of clusters": ({"max_clusters": 300}, ["mesh.max_clusters", "mesh.max_clusters"]),
    "version that nobody knows": ({"version": "1.16.5"}, ["mesh.version", "mesh.skew"]),
    "version with a v": ({"version": "v1.19.6"}, ["mesh.version"]),
    "version in part": ({"version": "1.19"}, ["mesh.version"]),
    "no networks": ({"pod_cidrs": ()}, ["mesh.pod_cidr"]),
    "network with host bits": ({"pod_cidrs": ("10.2.0.1/16",)}, ["mesh.pod_cidr"]),
    "no network": ({"pod_cidrs": ("ten",)}, ["mesh.pod_cidr"]),
    "one network is none": ({"pod_cidrs": ("10.2.0.0/16", "ten", "eleven")}, ["mesh.pod_cidr", "mesh.pod_cidr"]),
    "part as large as the whole": ({"mask_size": 16}, ["mesh.capacity"]),
    "port below": ({"node_port": 29999}, ["mesh.node_port"]),
    "port above": ({"node_port": 32768}, ["mesh.node_port"]),
    "last port": ({"node_port": 32767}, []),
    "load balancer nobody knows": ({"service_type": LOAD_BALANCER}, ["mesh.endpoints"]),
    "load balancer": ({"service_type": LOAD_BALANCER, "endpoints": ("192.0.2.9",)}, []),
    "no kube-proxy, no address": ({"kube_proxy_replacement": True}, ["mesh.api_server"]),
    "no kube-proxy, loopback": ({"kube_proxy_replacement": True, "api_server": "127.0.0.1:6443"}, ["mesh.api_server"]),
    "no kube-proxy, localhost": ({"kube_proxy_replacement": True, "api_server": "localhost:6443"}, ["mesh.api_server"]),
    "no kube-proxy, no port": ({"kube_proxy_replacement": True, "api_server": "192.0.2.1"}, ["mesh.api_server"]),
    "same name": ({"name": "k8s-1"}, ["mesh.name_doubled"]),
    "same number": ({"id": 1}, ["mesh.id_doubled"]),
    "same networks": ({"pod_cidrs": ("10.1.0.0/16",)}, ["mesh.pod_overlap"]),
    "network within": ({"pod_cidrs": ("10.1.128.0/20",)}, ["mesh.pod_overlap"]),
    "one of two networks": ({"pod_cidrs": ("10.2.0.0/16", "10.0.0.0/8")}, ["mesh.pod_overlap"]),
    "other tunnels": ({"tunnel_protocol": "geneve"}, ["mesh.datapath"]),
    "other port": ({"tunnel_port": 8473}, ["mesh.datapath"]),
    "no tunnels": (NATIVELY, ["mesh.datapath"]),
    "no tunnels, and its own Pods are not routed": (
        {"routing_mode": NATIVE, "native_cidr": "10.3.0.0/16"},
        ["mesh.native", "mesh.datapath"],
    ),
    "no tunnels, and nothing is routed": ({"routing_mode": NATIVE}, ["mesh.native", "mesh.datapath"]),
    "two minors on": ({"version": "1.17.18"}, ["mesh.skew"]),
}


@pytest.mark.parametrize("case", ONE_IS_WRONG)
def test_what_is_wrong_with_one(case: str) -> None:
    changed, expected = ONE_IS_WRONG[case]
    found = told(A, replace(B, **changed))
    assert [finding for finding, _context, _severity in found] == expected
    assert {severity for _finding, _context, severity in found} <= {FAIL}


def test_one_minor_apart_is_for_the_time_of_an_upgrade() -> None:
    assert told(A, replace(B, version="1.20.0")) == [("mesh.skew", "inventory", WARN)]


@pytest.mark.parametrize(
    "case",
    [("1.18.12", True, True), ("1.18.12", False, False), ("1.19.6", True, False), ("1.17.18", True, True)],
)
def test_one_node_port_for_all(case: tuple[str, bool, bool]) -> None:
    """Before 1.19, where one of them replaces kube-proxy."""
    version, replacing, doubled = case
    changed = {"version": version, **(REPLACING if replacing else {})}
    expected = [("mesh.node_port", "k8s-2", FAIL)] if doubled else []
    assert told(replace(A, version=version), replace(B, **changed)) == expected
    assert told(replace(A, version=version, node_port=32380), replace(B, **changed)) == []


def test_everything_is_said_at_once() -> None:
    found = told(replace(A, name="default"), replace(B, id=1, pod_cidrs=("10.1.0.0/16",)), replace(C, node_port=1))
    assert [(finding, context) for finding, context, _severity in found] == [
        ("mesh.name", "k8s-1"),
        ("mesh.node_port", "k8s-3"),
        ("mesh.id_doubled", "k8s-2"),
        ("mesh.pod_overlap", "k8s-2"),
    ]


# What is said


SAYS = {
    "name of 33 characters": (
        f"k8s-2: the mesh's name for it is '{'a' * 33}' (33 characters). Cilium takes 1 to 32 lower-case "
        "letters, digits and '-', beginning and ending with none, and not 'default'. Set cluster_mesh_name of this "
        "host to one that fits. [mesh.name]"
    ),
    "number 256": (
        "k8s-2: the mesh's number for it is 256. It is part of every identity, the chart does not check it, and the "
        "agents do not start with another. Set cluster_mesh_id to 1 to 255. [mesh.id]"
    ),
    "same number": (
        "k8s-2: k8s-1 and k8s-2 both have the number 1. Identities of both would be the same, and each refuses the "
        "other. Renumber one: cluster_mesh_id. [mesh.id_doubled]"
    ),
    "same networks": (
        "k8s-2: Pods of k8s-1 (10.1.0.0/16) and k8s-2 (10.1.0.0/16) overlap. Packets for one would reach the other. "
        "Give each cluster networks of its own: cluster_mesh_pod_cidrs. [mesh.pod_overlap]"
    ),
    "other tunnels": (
        "k8s-2: it would use tunnel geneve 0, and k8s-1 tunnel vxlan 0. Nodes could not read each other's packets. Set "
        "cluster_mesh_routing_mode, cluster_mesh_tunnel_protocol and cluster_mesh_tunnel_port once, for all. "
        "[mesh.datapath]"
    ),
}


@pytest.mark.parametrize("case", SAYS)
def test_what_is_said(case: str) -> None:
    assert [str(finding) for finding in of_wishes([A, replace(B, **ONE_IS_WRONG[case][0])])] == [SAYS[case]]


# Against the clusters

SEEN: dict[str, dict[str, Any]] = {
    "k8s-1": {"nodes": 1, "node_addresses": ["192.0.2.1"], "service_networks": ["10.91.0.0/16"], "pools": []},
    "k8s-2": {"nodes": 1, "node_addresses": ["192.0.2.2"], "service_networks": ["10.91.0.0/16"], "pools": []},
    "k8s-4": {"nodes": 1, "node_addresses": ["192.0.2.4"], "service_networks": ["10.94.0.0/16"], "pools": []},
}


def seen(context: str, **changed: Any) -> dict[str, dict[str, Any]]:
    return {**SEEN, context: {**SEEN[context], **changed}}


def test_networks_that_fit() -> None:
    assert of_networks([A, B, NONE], SEEN) == []


@pytest.mark.parametrize("owner", ["k8s-1", "k8s-2", "k8s-4"])
def test_a_node_or_a_load_balancer_in_the_pods_network(owner: str) -> None:
    for changed in ({"node_addresses": ["10.1.0.9"]}, {"pools": ["10.1.0.8-10.1.0.15"]}, {"pools": ["10.0.0.0/8"]}):
        found = of_networks([A, B, NONE], seen(owner, **changed))
        expected = ["k8s-1", "k8s-2"] if changed == {"pools": ["10.0.0.0/8"]} else ["k8s-1"]
        assert [(finding.id, finding.context) for finding in found] == [("mesh.pod_network", name) for name in expected]
        assert owner in found[0].seen


def test_services_of_its_own_alone() -> None:
    """Service networks of other clusters may be anything: nothing routes there."""
    found = of_networks([A, B], seen("k8s-1", service_networks=["10.1.0.0/20"]))
    assert [finding.context for finding in found] == ["k8s-1"]
    assert of_networks([A, B], seen("k8s-2", service_networks=["10.1.0.0/20"])) == []
    assert of_networks([A, B], seen("k8s-1", service_networks=["10.2.0.0/20"])) == []
    assert of_networks([A, B], seen("k8s-1", service_networks=["fd00::/108"])) == []


@pytest.mark.parametrize(
    "case",
    [
        (256, ("10.1.0.0/16",), 24, True),
        (257, ("10.1.0.0/16",), 24, False),
        (512, ("10.1.0.0/16", "10.9.0.0/16"), 24, True),
        (4, ("10.1.0.0/16",), 18, True),
        (5, ("10.1.0.0/16",), 18, False),
    ],
)
def test_room_for_every_node(case: tuple[int, tuple[str, ...], int, bool]) -> None:
    nodes, networks, mask, fits = case
    wish = replace(A, pod_cidrs=networks, mask_size=mask)
    found = of_nodes([wish], seen("k8s-1", nodes=nodes))
    assert [finding.id for finding in found] == ([] if fits else ["mesh.capacity"])


def test_no_node_and_a_single_way_in() -> None:
    assert [finding.id for finding in of_nodes([A], seen("k8s-1", nodes=0))] == ["mesh.nodes"]
    one_way = replace(A, endpoints=("192.0.2.1",))
    assert [(one.id, one.severity) for one in of_nodes([one_way], seen("k8s-1", nodes=2))] == [("mesh.endpoints", WARN)]
    assert of_nodes([one_way], SEEN) == []
    assert of_nodes([replace(one_way, service_type=LOAD_BALANCER)], seen("k8s-1", nodes=2)) == []
    assert of_nodes([A, C], SEEN) == []  # what did not answer is another rule's business
