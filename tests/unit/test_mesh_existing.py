"""What is there already where a mesh is wanted: adopted where it fits, refused with the difference elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh import LOAD_BALANCER, Wish
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_existing import (
    differences,
    of_authorities,
    of_existing,
)

WISH = Wish("k8s-1", 1, pod_cidrs=("10.1.0.0/16",))
CONFIG = {
    "cluster-name": "k8s-1",
    "cluster-id": "1",
    "max-connected-clusters": "255",
    "ipam": "cluster-pool",
    "cluster-pool-ipv4-cidr": "10.1.0.0/16",
    "cluster-pool-ipv4-mask-size": "24",
    "routing-mode": "tunnel",
    "tunnel-protocol": "vxlan",
}
CILIUM = {"config": CONFIG, "version": "1.19.6", "values": {}}
BARE: dict[str, Any] = {
    "cni": [],
    "cilium": None,
    "node_ports": {},
    "kernels": ["6.1.0-18-amd64"],
    "architectures": ["amd64"],
}
YEAR = 365 * 86400.0


def found(wish: Wish = WISH, **changed: Any) -> list[str]:
    return [finding.id for finding in of_existing([wish], {"k8s-1": {**BARE, **changed}})]


def test_nothing_there_and_the_same_there() -> None:
    assert found() == []
    assert found(cilium=CILIUM) == []
    assert of_existing([WISH], {}) == []  # what did not answer is another rule's business
    assert of_existing([Wish("k8s-1", 0)], {"k8s-1": {**BARE, "cni": ["Calico"]}}) == []


def test_another_network() -> None:
    assert found(cni=["Calico"]) == ["mesh.other_network"]


@pytest.mark.parametrize("key", CONFIG)
def test_what_must_not_change(key: str) -> None:
    other = {"cluster-pool-ipv4-cidr": "10.9.0.0/16"}.get(key, "other")
    changed = {**CONFIG, key: other}
    assert [entry[:2] for entry in differences(WISH, changed)] == [(key, other)]
    assert found(cilium={**CILIUM, "config": changed}) == ["mesh.different"]


def test_a_cluster_that_was_in_no_mesh_has_another_name_and_number() -> None:
    alone = {key: value for key, value in CONFIG.items() if key not in ("cluster-name", "cluster-id")}
    assert [entry[0] for entry in differences(WISH, alone)] == ["cluster-name", "cluster-id"]


def test_networks_may_be_appended_and_nothing_else() -> None:
    more = replace(WISH, pod_cidrs=("10.1.0.0/16", "10.9.0.0/16"))
    assert differences(more, CONFIG) == []
    assert differences(more, {**CONFIG, "cluster-pool-ipv4-cidr": "10.1.0.0/16 10.9.0.0/16"}) == []
    both = {**CONFIG, "cluster-pool-ipv4-cidr": "10.1.0.0/16,10.9.0.0/16"}
    assert differences(WISH, both) == [("cluster-pool-ipv4-cidr", "10.1.0.0/16 10.9.0.0/16", "10.1.0.0/16")]
    swapped = replace(WISH, pod_cidrs=("10.9.0.0/16", "10.1.0.0/16"))
    assert len(differences(swapped, CONFIG)) == 1


def test_without_tunnels_their_protocol_means_nothing() -> None:
    native = replace(WISH, routing_mode="native", native_cidr="10.0.0.0/8")
    assert differences(native, {**CONFIG, "routing-mode": "native", "tunnel-protocol": "geneve"}) == []


def test_a_cilium_that_is_no_release() -> None:
    assert found(cilium={**CILIUM, "version": ""}) == ["mesh.foreign"]


@pytest.mark.parametrize(
    "case",
    [
        ("1.19.6", "1.19.6", False),
        ("1.19.2", "1.19.6", False),
        ("1.18.12", "1.19.6", False),
        ("1.17.18", "1.19.6", True),
        ("1.19.6", "1.19.2", True),
        ("1.20.0", "1.19.6", True),
        ("1.18.4", "1.18.12", False),
    ],
)
def test_one_minor_at_a_time_and_forwards(case: tuple[str, str, bool]) -> None:
    there, wanted, refused = case
    told = found(replace(WISH, version=wanted), cilium={**CILIUM, "version": there})
    assert told == (["mesh.version_step"] if refused else [])


@pytest.mark.parametrize(
    "case",
    [
        ("5.10.0", False),
        ("5.9.16", True),
        ("4.18.0-553.el8_10.x86_64", False),
        ("4.18.0-generic", True),
        ("6.1", False),
    ],
)
def test_kernels(case: tuple[str, bool]) -> None:
    kernel, refused = case
    assert found(kernels=[kernel]) == (["mesh.kernel"] if refused else [])


def test_architectures() -> None:
    assert found(architectures=["amd64", "arm64"]) == []
    assert found(architectures=["amd64", "s390x"]) == ["mesh.architecture"]


def test_a_port_that_is_taken() -> None:
    assert found(node_ports={32379: "default/web"}) == ["mesh.node_port"]
    assert found(node_ports={32379: "kube-system/clustermesh-apiserver"}) == []
    assert found(node_ports={32380: "default/web"}) == []
    balanced = replace(WISH, service_type=LOAD_BALANCER, endpoints=("192.0.2.9",))
    assert found(balanced, node_ports={32379: "default/web"}) == []


# The CA


def authority(fingerprint: str = "aa", left: float = 9 * YEAR, problem: str = "") -> dict[str, Any]:
    return {"fingerprint": fingerprint, "left": left, "problem": problem}


@pytest.mark.parametrize(
    ("there", "days", "expected"),
    [
        ({"k8s-1": None, "k8s-2": None}, None, []),
        ({"k8s-1": authority(), "k8s-2": None}, None, []),
        ({"k8s-1": authority(), "k8s-2": authority()}, None, []),
        ({"k8s-1": authority(), "k8s-2": authority("bb")}, None, [("mesh.ca_differs", "k8s-2")]),
        ({"k8s-1": None, "k8s-2": authority("bb", problem="it holds no certificate")}, None, [("mesh.ca", "k8s-2")]),
        ({"k8s-1": authority(problem="x"), "k8s-2": authority("bb")}, None, [("mesh.ca", "k8s-1")]),
        ({"k8s-1": authority(left=2 * YEAR)}, None, [("mesh.ca_ends", "k8s-1")]),
        ({"k8s-1": authority(left=2 * YEAR)}, 365, []),
        ({"k8s-1": authority(left=0.5 * YEAR)}, 365, [("mesh.ca_ends", "k8s-1")]),
    ],
)
def test_authorities(there: dict[str, Any], days: int | None, expected: list[tuple[str, str]]) -> None:
    assert [(finding.id, finding.context) for finding in of_authorities([WISH], there, days)] == expected
