"""How members are reached: load balancers, their annotations and pools, Services for clients, addresses in order."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._endpoints import _render, zone_after
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._render import Names
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.endpoints import (
    Member,
    in_order,
    members_of,
    moved,
    problems_of,
    target_of,
    to_render,
)
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
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.pools import of_pools, of_rivals
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import (
    MEMBER,
    POD_NAME,
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


# Endpoints


def listed(number: int, host: str = "") -> dict[str, Any]:
    urls = [f"http://{host or f'one-etcd-{number}'}:{port}" for port in (2380, 2379)]
    return {
        "id": str(number),
        "name": f"one-etcd-{number}",
        "learner": False,
        "peer_urls": urls[:1],
        "client_urls": urls[1:],
    }


def sample(number: int, **changed: Any) -> dict[str, Any]:
    known = [listed(0), listed(1), listed(2)] if number == 1 else []
    healthy = {"pod": f"one-etcd-{number}", "context": THREE.placement[number], "leader_id": "1", "error": ""}
    return {**healthy, "members": known, "node_address": f"10.0.0.{number}", **changed}


def service(number: int, kind: str = "ClusterIP", ingress: str = "", port: int = 2379) -> dict[str, Any]:
    """A peer's Service or, with ``kind``, ours for clients."""
    pod = f"one-etcd-{number}"
    return {
        "metadata": {"name": pod, "namespace": "etcd", "labels": {MEMBER: pod}},
        "spec": {"type": kind, "selector": {POD_NAME: pod}, "ports": [{"port": port, "nodePort": 31000 + number}]},
        "status": {"loadBalancer": {"ingress": [{"ip": ingress}] if ingress else []}},
    }


def place(number: int, own: list[Any] | None = None, peers: list[Any] | None = None, **changed: Any) -> dict[str, Any]:
    return {"error": "", "samples": [sample(number)], "own": own or [], "peers": peers or [], **changed}


def found(*places: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Member, whether it leads, its error, kinds and targets of its addresses."""
    seen = dict(zip(THREE.placement, [*places, *({"error": "silent"} for _ in range(3 - len(places)))], strict=True))
    members = members_of(THREE, seen)
    assert [member["context"] for member in members] == list(THREE.placement)
    return [(m["leader"], m["error"], [(one["kind"], target_of(one)) for one in m["addresses"]]) for m in members]


TOLD = [("advertised", f"one-etcd-{number}:2379") for number in range(3)]
# Name → what each cluster shows; what is made of it for the three members.
MEMBERS: dict[str, tuple[list[dict[str, Any]], list[tuple[Any, ...]]]] = {
    "nothing is known": ([], [(False, "silent", [])] * 3),
    "etcd itself says where a silent one is": (
        [place(0), place(1)],
        [(False, "", TOLD[:1]), (True, "", TOLD[1:2]), (False, "silent", TOLD[2:])],
    ),
    "what is opened to clients comes first": (
        [place(0, [service(0, "LoadBalancer", "10.9.0.1")], [service(0)]), place(1, [service(1, "NodePort")])],
        [
            (False, "", [("load_balancer", "10.9.0.1:2379"), ("peer", "one-etcd-0.etcd.svc:2379")]),
            (True, "", [("node_port", "10.0.0.1:31001")]),
            (False, "silent", TOLD[2:]),
        ],
    ),
    "a peer without the client port leads no client": (
        [place(0, peers=[service(0, port=2380)]), place(1, peers=[service(1, "LoadBalancer", "fd00::1")])],
        [(False, "", TOLD[:1]), (True, "", [("peer", "[fd00::1]:2379")]), (False, "silent", TOLD[2:])],
    ),
    "mirrored peers count where their member is": (
        [place(0, peers=[service(0), service(1), service(2)]), place(1)],
        [(False, "", [("peer", "one-etcd-0.etcd.svc:2379")]), (True, "", TOLD[1:2]), (False, "silent", TOLD[2:])],
    ),
    "a Pod that is away": (
        [place(0, samples=[]), place(1)],
        [(False, "it has no Pod", TOLD[:1]), (True, "", TOLD[1:2]), (False, "silent", TOLD[2:])],
    ),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_members_and_their_addresses(name: str) -> None:
    places, expected = MEMBERS[name]
    assert found(*places) == expected


def member(name: str, *times: float | None, leader: bool = False, context: str = A, error: str = "") -> Member:
    addresses = [
        {"kind": "node_port", "host": f"{name}-{n}", "port": 1, "scheme": "http", "reached": {"host": took, A: None}}
        for n, took in enumerate(times)
    ]
    return {"member": name, "context": context, "leader": leader, "error": error, "addresses": addresses}


def test_the_leader_comes_first_then_who_is_reached() -> None:
    members = [member("a", None), member("b", 2.0), member("c", 9.0, leader=True), member("d", 1.0, context=B)]
    assert [one["member"] for one in in_order(members)] == ["c", "b", "d", "a"]
    assert [one["member"] for one in in_order(members, [B])] == ["c", "b", "a"]
    lost = [member("a", 1.0), member("b", None, leader=True)]
    assert [one["member"] for one in in_order(lost)] == ["a", "b"]


def test_the_first_address_that_is_reached_is_rendered() -> None:
    members = [member("a", None, 3.0), member("b", None, None), member("c")]
    rendered = [(one["member"], one["host"], one["reached"]) for one in to_render(members)]
    assert rendered == [("a", "a-1", True), ("b", "b-0", False)]
    assert [one["reached"] for one in to_render(members, "host")] == [True, False]
    assert [one["reached"] for one in to_render(members, A)] == [False, False]


def test_an_address_that_moved_is_named() -> None:
    other = place(
        1, peers=[service(1, "LoadBalancer", "10.9.0.7")], samples=[sample(1, members=[listed(1, "10.9.0.1")])]
    )
    stayed = place(1, peers=[service(1, "LoadBalancer", "10.9.0.1")], samples=other["samples"])
    waiting = place(1, peers=[service(1, "LoadBalancer")], samples=other["samples"])
    mesh = place(1, peers=[service(1)])
    (told,) = moved({B: other})
    assert told.startswith("k8s-2 one-etcd-1: it is known to the others as 10.9.0.1, and its Service has 10.9.0.7:")
    assert [moved({B: one}) for one in (stayed, waiting, mesh, {"error": "silent"})] == [[]] * 4


def test_nothing_is_rendered_from_nothing_or_for_a_proxy_without_a_port() -> None:
    asked = {
        "namespace": "etcd",
        "name": "one",
        "zone_file": None,
        "zone": "z",
        "bind": "127.0.0.1:1",
        "render": ["haproxy"],
    }
    assert _render(asked | {"render": []}, [], {}) == {}
    with pytest.raises(Failed, match="cannot render the endpoints of etcd/one: no member has an address"):
        _render(asked, [], {})
    (one,) = to_render([member("a", 1.0)])
    with pytest.raises(Failed, match="it names no port"):
        _render(asked | {"bind": "localhost"}, [one], {})
    assert "bind 127.0.0.1:1" in _render(asked, [one], {})["haproxy"]


def test_the_serial_of_a_zone_rises_only_when_the_zone_changes() -> None:
    names = Names("one", "etcd", "z", 100)
    (one,) = to_render([member("a", 1.0)])
    other = {**one, "port": 9}
    first = zone_after("", [one], names)
    assert " 100 " in first
    assert zone_after(first, [one], replace(names, serial=200)) == first
    assert " 200 " in zone_after(first, [other], replace(names, serial=200))
    assert " 101 " in zone_after(first, [other], replace(names, serial=50))  # a clock that was put back


# Name → members and what is left out; what a client would stumble over.
PROBLEMS: dict[str, tuple[list[Member], list[str], list[str]]] = {
    "none": ([member("a", 1.0)], [], []),
    "no member": ([], [], ["etcd/one: there is no member"]),
    "left out": ([], [B], ["k8s-2: left out, it is marked as unavailable"]),
    "nobody reaches it": ([member("a", None, None)], [], ["k8s-1 a: nobody reaches it at a-0:1, a-1:1"]),
    "no address": ([member("a")], [], ["k8s-1 a: no Service leads to it"]),
    "silent": ([member("a", error="no answer in time")], [], ["k8s-1 a: no answer in time"]),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_a_client_would_stumble_over(name: str) -> None:
    members, left_out, expected = PROBLEMS[name]
    assert problems_of(members, left_out, THREE) == expected
