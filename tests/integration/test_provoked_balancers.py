"""What preflight finds of load balancers, provoked on real API servers: pools, rivals, what is asked of clouds."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _preflight
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call
from databases import await_all, client_of
from lab.settings import Lab
from objects import node, present
from provoking import Stack, params, report, told
from support import places

POOL = "192.0.2.8-192.0.2.15"
# Cilium's own kind, as far as preflight asks for it: these API servers run no Cilium.
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "ciliumloadbalancerippools.cilium.io"},
    "spec": {
        "group": "cilium.io",
        "scope": "Cluster",
        "names": {"kind": "CiliumLoadBalancerIPPool", "plural": "ciliumloadbalancerippools"},
        "versions": [
            {
                "name": "v2",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def contexts(lab: Lab, **variables: dict[str, Any]) -> dict[str, Any]:
    """The lab's contexts; ``k8s_1={...}`` gives one of them more."""
    given = {name.replace("_", "-"): more for name, more in variables.items()}
    return {"contexts": [place | given.get(place["name"], {}) for place in places(lab)]}


def pools(*ranges: str, **others: list[str]) -> Stack:
    """Ranges for k8s-1, and ``k8s_2=[...]`` for another."""

    def enter(lab: Lab, _stack: ExitStack, _folder: Path) -> dict[str, Any]:
        return contexts(lab, k8s_1={"pools": list(ranges)}, **{name: {"pools": each} for name, each in others.items()})

    return enter


def with_node(pool: str, context: str, **status: Any) -> Stack:
    def enter(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
        stack.enter_context(node(lab, context, **status))
        return contexts(lab, k8s_1={"pools": [pool]})

    return enter


def in_a_service_network(lab: Lab, _stack: ExitStack, _folder: Path) -> dict[str, Any]:
    return contexts(lab, k8s_1={"pools": [lab.node("k8s-3").service_network]})


def cilium(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
    stack.enter_context(present(lab, "k8s-1", CRD))
    await_all(client_of(lab, "k8s-1"), ["/apis/cilium.io/v2/ciliumloadbalancerippools"])
    pool = {"apiVersion": "cilium.io/v2", "kind": "CiliumLoadBalancerIPPool", "metadata": {"name": "blue"}}
    stack.enter_context(present(lab, "k8s-1", pool))
    return contexts(lab, k8s_1={"pools": [POOL]})


def clients(replicas: int = 3, **asked: Any) -> Stack:
    def enter(lab: Lab, _stack: ExitStack, _folder: Path) -> dict[str, Any]:
        return contexts(lab, k8s_2={"clients": {"exposure": "load_balancer", **asked}}) | {"replicas": replicas}

    return enter


def peers(**asked: Any) -> Stack:
    def enter(_lab: Lab, _stack: ExitStack, _folder: Path) -> dict[str, Any]:
        return {"peer_exposure": "load_balancer", **{f"peer_{key}": value for key, value in asked.items()}}

    return enter


ACK_ID = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-id"
NETWORK, RIVAL = {("load_balancer.pool_network", "k8s-1", "fail")}, {("load_balancer.rival", "k8s-1", "fail")}
# Name → what is done and asked, what is told.
CASES: dict[str, tuple[Stack, set[tuple[str, str, str]]]] = {
    "all is well": (pools(POOL, k8s_2=["192.0.2.16/29"]), set()),
    "no range": (pools("192.0.2.300"), {("load_balancer.range_syntax", "k8s-1", "fail")}),
    "two pools overlap": (
        pools(POOL, k8s_2=["192.0.2.15-192.0.2.20"]),
        {("load_balancer.pool_overlap", "k8s-2", "fail")},
    ),
    "in a pod network": (
        with_node(POOL, "k8s-3", pods="192.0.2.0/24"),
        NETWORK,
    ),
    "in a service network": (in_a_service_network, NETWORK),
    "holds a node": (with_node(POOL, "k8s-2", address="192.0.2.9"), NETWORK),
    "a cloud answers": (
        with_node(POOL, "k8s-1", provider="aws:///zone/i-1"),
        RIVAL,
    ),
    "a cloud answers elsewhere": (with_node(POOL, "k8s-2", provider="aws:///zone/i-1"), set()),
    "Cilium answers": (cilium, RIVAL),
    "clients: one load balancer": (
        clients(replicas=5, annotations={ACK_ID: "lb-1"}),
        {("exposure.one_load_balancer", "k8s-2, clients", "fail")},
    ),
    "clients: one load balancer for the only member": (clients(annotations={ACK_ID: "lb-1"}), set()),
    "clients: the internet": (clients(scope="internet"), {("exposure.plain_internet", "k8s-2, clients", "fail")}),
    "peers: a class": (
        lambda lab, _stack, _folder: (
            contexts(lab, k8s_1={"pools": [POOL]})
            | {"peer_exposure": "load_balancer", "load_balancer_class": "metallb"}
        ),
        {("load_balancer.class_of_peers", "peers", "fail")},
    ),
    "peers: the internet": (
        peers(scope="internet"),
        {("exposure.plain_internet", "peers", "fail"), ("exposure.client_port_internet", "peers", "info")},
    ),
    "peers: no subnet": (peers(clouds=["vke"]), {("exposure.vke_subnet", "peers", "fail")}),
}


@pytest.mark.parametrize("name", CASES)
def test_each_finding_is_provoked(stocked_lab: Lab, tmp_path: Path, name: str) -> None:
    enter, expected = CASES[name]
    with ExitStack() as stack:
        changed = enter(stocked_lab, stack, tmp_path)
        assert told(report(params(stocked_lab, **changed))) == expected


def test_what_would_share_a_load_balancer_is_never_accepted(stocked_lab: Lab) -> None:
    for options in ({"peer_annotations": {ACK_ID: "lb-1"}}, {"peer_clouds": ["vke"]}):
        accepted = ["exposure.one_load_balancer", "exposure.vke_subnet"]
        asked = params(stocked_lab, peer_exposure="load_balancer", accept=accepted, **options)
        with pytest.raises(Failed, match="preflight: 1 finding must be mended"):
            _preflight.run(Call(asked))


def test_a_class_of_its_own_lets_metallb_stand_beside_a_cloud(stocked_lab: Lab) -> None:
    with node(stocked_lab, "k8s-1", provider="gce://project/zone/node"):
        asked = contexts(stocked_lab, k8s_1={"pools": [POOL]}) | {"load_balancer_class": "metallb"}
        assert told(report(params(stocked_lab, **asked))) == set()


def test_the_words_name_the_pool_and_what_it_touches(stocked_lab: Lab) -> None:
    network = stocked_lab.node("k8s-3").service_network
    (finding,) = [
        each
        for each in report(params(stocked_lab, **contexts(stocked_lab, k8s_1={"pools": [network]})))
        if each["id"] == "load_balancer.pool_network"
    ]
    assert finding["seen"] == f"the pool {network} lies in the service network of k8s-3 ({network})"
