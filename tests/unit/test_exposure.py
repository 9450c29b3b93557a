"""How members are reached: load balancers, their annotations and pools, Services for clients, addresses in order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.exposure import (
    CLOUDS,
    INTERNAL,
    INTERNET,
    ONE_FOR_ALL,
    VKE_SUBNET,
    annotations_of,
    is_internet,
    of_client_port,
    of_load_balancers,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, INFO, Finding
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.pools import (
    in_ranges,
    of_class,
    of_pools,
    of_rivals,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import (
    Database,
    Exposure,
    wanted_services,
)
from told import Short, short

A, B = "k8s-1", "k8s-2"
SHARED, PLAIN, SUBNET = "exposure.one_load_balancer", "exposure.plain_internet", "exposure.vke_subnet"
SYNTAX, OVERLAP, NETWORK, RIVAL = (
    f"load_balancer.{name}" for name in ("range_syntax", "pool_overlap", "pool_network", "rival")
)
ACK_ID = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-id"


def asked(*clouds: str, scope: str = INTERNAL, accepted: tuple[str, ...] = (), **extra: str) -> list[Finding]:
    return of_load_balancers(
        "peers", clouds, scope, {key.replace("__", "/"): text for key, text in extra.items()}, accepted
    )


def pools(*ranges: str, other: tuple[str, ...] = (), **seen: list[str]) -> list[Finding]:
    """Ranges of one context, perhaps of another, and what that other one has."""
    return of_pools({A: ranges, B: other}, {B: seen})


def rivals(cloud: str = "", cilium: tuple[str, ...] = (), pool: str = "10.9.0.0/24", own: str = "") -> list[Finding]:
    seen = {"providers": [cloud] if cloud else [], "cilium_pools": list(cilium)}
    return of_rivals(A, [pool] if pool else [], seen, own)


# Name → the rule asked, what it finds.
CASES: dict[str, tuple[Callable[[], list[Finding]], Short]] = {
    "balancers: every cloud inside": (lambda: asked("ack", "aws", "gke", "aks"), []),
    "balancers: nothing asked": (asked, []),
    "balancers: one for all": (
        lambda: of_load_balancers("peers", ["ack"], INTERNAL, {ACK_ID: "lb-1"}),
        [(SHARED, "peers", FAIL)],
    ),
    "balancers: one for the only one": (
        lambda: of_load_balancers("clients", ["ack"], INTERNAL, {ACK_ID: "lb-1"}, several=False),
        [],
    ),
    "balancers: on the internet": (lambda: asked("gke", scope=INTERNET), [(PLAIN, "peers", FAIL)]),
    "balancers: accepted": (lambda: asked("gke", scope=INTERNET, accepted=(PLAIN,)), []),
    "balancers: another thing accepted": (
        lambda: asked("gke", scope=INTERNET, accepted=(SHARED,)),
        [(PLAIN, "peers", FAIL)],
    ),
    "balancers: vke without a subnet": (lambda: asked("vke"), [(SUBNET, "peers", FAIL)]),
    "balancers: vke with a subnet": (lambda: of_load_balancers("p", ["vke"], INTERNAL, {VKE_SUBNET: "s"}), []),
    "balancers: a subnet without vke": (lambda: of_load_balancers("p", ["ack"], INTERNAL, {VKE_SUBNET: "s"}), []),
    "client port: inside": (lambda: of_client_port(INTERNAL), []),
    "client port: on the internet": (
        lambda: of_client_port(INTERNET),
        [("exposure.client_port_internet", "peers", INFO)],
    ),
    "pools: apart": (lambda: pools("10.9.0.0/28", other=("10.9.0.16-10.9.0.31",)), []),
    "pools: none": (pools, []),
    "pools: no range": (lambda: pools("ten"), [(SYNTAX, A, FAIL)]),
    "pools: backwards": (lambda: pools("10.9.0.9-10.9.0.1"), [(SYNTAX, A, FAIL)]),
    "pools: two families": (lambda: pools("10.9.0.9-fd00::1"), [(SYNTAX, A, FAIL)]),
    "pools: too many parts": (lambda: pools("10.9.0.1-10.9.0.2-10.9.0.3"), [(SYNTAX, A, FAIL)]),
    "pools: in two contexts": (lambda: pools("10.9.0.0/24", other=("10.9.0.255-10.9.1.9",)), [(OVERLAP, B, FAIL)]),
    "pools: twice in one": (lambda: pools("10.9.0.0/24", "10.9.0.7-10.9.0.7"), [(OVERLAP, A, FAIL)]),
    "pools: neighbours": (lambda: pools("10.9.0.0-10.9.0.7", "10.9.0.8-10.9.0.15"), []),
    "pools: in another's pods": (lambda: pools("10.9.0.0/24", pod_networks=["10.9.0.0/16"]), [(NETWORK, A, FAIL)]),
    "pools: around a service network": (
        lambda: pools("10.0.0.0/8", service_networks=["10.9.0.0/16"]),
        [(NETWORK, A, FAIL)],
    ),
    "pools: holds a node": (lambda: pools("10.9.0.0/24", node_addresses=["10.9.0.255"]), [(NETWORK, A, FAIL)]),
    "pools: beside a node": (lambda: pools("10.9.0.0/24", node_addresses=["10.9.1.0"]), []),
    "pools: beside the pods": (lambda: pools("10.9.0.0/24", pod_networks=["10.9.1.0/24"]), []),
    "pools: other family": (lambda: pools("fd00::/120", pod_networks=["0.0.0.0/0"], node_addresses=["10.0.0.1"]), []),
    "pools: pods and services": (
        lambda: pools("10.9.0.0/24", pod_networks=["10.9.0.0/16"], service_networks=["10.9.0.0/25"]),
        [(NETWORK, A, FAIL)] * 2,
    ),
    "class: of its own, and clients alone": (lambda: of_class({A: ["x"]}, "mesh", "metallb"), []),
    "class: of its own, and no pool": (lambda: of_class({A: []}, "load_balancer", "metallb"), []),
    "class: none": (lambda: of_class({A: ["x"]}, "load_balancer", ""), []),
    "class: of its own, and peers": (
        lambda: of_class({A: [], B: ["x"]}, "load_balancer", "metallb"),
        [("load_balancer.class_of_peers", "peers", FAIL)],
    ),
    "rivals: none": (rivals, []),
    "rivals: no node says whose it is": (lambda: rivals(cloud="kind"), []),
    "rivals: a cloud": (lambda: rivals(cloud="aws"), [(RIVAL, A, FAIL)]),
    "rivals: Cilium": (lambda: rivals(cilium=("blue",)), [(RIVAL, A, FAIL)]),
    "rivals: both": (lambda: rivals(cloud="gce", cilium=("blue",)), [(RIVAL, A, FAIL)] * 2),
    "rivals: a class of its own": (lambda: rivals(cloud="aws", own="metallb"), []),
    "rivals: no pool asked for": (lambda: rivals(cloud="aws", pool=""), []),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_found(name: str) -> None:
    rule, expected = CASES[name]
    assert short(rule()) == expected


@pytest.mark.parametrize("key", sorted(ONE_FOR_ALL))
def test_every_annotation_that_names_one_load_balancer_is_refused(key: str) -> None:
    found = of_load_balancers("peers", [], INTERNAL, {key: "x"})
    assert short(found) == [(SHARED, "peers", FAIL)]
    assert key in found[0].seen


def test_presets_never_ask_for_one_load_balancer_and_never_contradict_each_other() -> None:
    for scope, number in itertools.product((INTERNAL, INTERNET), range(len(CLOUDS) + 1)):
        for mix in itertools.combinations(CLOUDS, number):
            found = annotations_of(mix, scope, {})
            assert not set(found) & ONE_FOR_ALL
            assert len(found) == sum(len(CLOUDS[cloud][scope]) for cloud in mix)


def test_what_is_given_by_hand_wins() -> None:
    (key,) = CLOUDS["ack"][INTERNAL]
    assert annotations_of(["ack"], INTERNAL, {key: "mine"}) == {key: "mine"}


def test_what_lies_in_ranges() -> None:
    ranges = ["10.9.0.8-10.9.0.10", "nonsense", "10.9.1.0/24"]
    asked = ("10.9.0.7", "10.9.0.8", "10.9.0.10", "10.9.0.11", "10.9.1.1", "fd00::1", "a.b")
    assert [address for address in asked if in_ranges(address, ranges)] == ["10.9.0.8", "10.9.0.10", "10.9.1.1"]


# Scope and addresses → whether that is the internet.
REACHES = {
    "asked for": (INTERNET, [], True),
    "internal": (INTERNAL, ["10.0.0.1", "fd00::1"], False),
    "an address of the internet": (INTERNAL, ["10.0.0.1", "1.1.1.1"], True),
    "one of version 6": (INTERNAL, ["2606:4700::1"], True),
    "a name says nothing": (INTERNAL, ["lb.example.com"], False),
}


@pytest.mark.parametrize("name", REACHES)
def test_what_is_the_internet(name: str) -> None:
    scope, addresses, expected = REACHES[name]
    assert is_internet(scope, addresses) is expected


# Services

THREE = Database("etcd", "one", "etcd", (A, B, "k8s-3"), 3)
FIVE = Database("etcd", "one", "etcd", (A, B), 5)
KUBEBLOCKS = {"app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "apps.kubeblocks.io/component-name"}


def services(database: Database, context: str, kind: str, **given: Any) -> dict[str, str]:
    """Name → type."""
    bodies = wanted_services(database, context, Exposure(kind, **given))
    return {body["metadata"]["name"]: body["spec"]["type"] for body in bodies}


# Name → what is asked, names and types.
SERVICES: dict[str, tuple[Callable[[], dict[str, str]], dict[str, str]]] = {
    "none": (lambda: services(THREE, A, "none"), {}),
    "a port of the nodes": (
        lambda: services(THREE, B, "node_port"),
        {"one-etcd-1-client": "NodePort", "one-etcd-any": "ClusterIP"},
    ),
    "load balancers": (
        lambda: services(THREE, A, "load_balancer"),
        {"one-etcd-0-client": "LoadBalancer", "one-etcd-any": "ClusterIP"},
    ),
    "a mesh": (lambda: services(THREE, A, "mesh"), {"one-etcd-0-client": "ClusterIP", "one-etcd-any": "ClusterIP"}),
    "more members than contexts": (
        lambda: services(FIVE, A, "node_port"),
        {**{f"one-etcd-{n}-client": "NodePort" for n in (0, 2, 4)}, "one-etcd-any": "ClusterIP"},
    ),
    "no member here": (lambda: services(THREE, "k8s-9", "node_port"), {}),
    "no member here, but a mesh": (lambda: services(THREE, "k8s-9", "mesh"), {"one-etcd-any": "ClusterIP"}),
    "no Cluster": (lambda: services(Database("etcd", "one", "etcd"), A, "mesh"), {}),
}


@pytest.mark.parametrize("name", SERVICES)
def test_which_services_there_are(name: str) -> None:
    rule, expected = SERVICES[name]
    assert rule() == expected


def test_no_service_of_ours_is_counted_by_kubeblocks() -> None:
    for kind, context in itertools.product(("node_port", "load_balancer", "mesh"), (A, B, "k8s-3", "k8s-9")):
        for body in wanted_services(THREE, context, Exposure(kind)):
            assert not set(body["metadata"]["labels"]) & KUBEBLOCKS
            assert set(body["spec"]["selector"]) >= KUBEBLOCKS


def test_what_only_a_load_balancer_carries() -> None:
    given: dict[str, Any] = {"annotations": {"a": "b"}, "load_balancer_class": "c"}
    balanced, other = (wanted_services(THREE, A, Exposure(kind, **given))[0] for kind in ("load_balancer", "node_port"))
    assert balanced["metadata"]["annotations"] == {"a": "b"}
    assert balanced["spec"]["loadBalancerClass"] == "c"
    assert balanced["spec"]["externalTrafficPolicy"] == "Local"
    assert "annotations" not in other["metadata"]
    assert not {"loadBalancerClass", "externalTrafficPolicy"} & set(other["spec"])
