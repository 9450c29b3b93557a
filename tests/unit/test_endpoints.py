"""Which addresses lead to which member, in which order, what is untrue of them, and what is rendered."""

from __future__ import annotations

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
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import (
    MEMBER,
    POD_NAME,
    Database,
)

A, B = "k8s-1", "k8s-2"
THREE = Database("etcd", "one", "etcd", (A, B, "k8s-3"), 3)


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
    asked: dict[str, Any] = {"namespace": "etcd", "name": "one", "contexts": [], "vantage": ""}
    asked |= {"zone_file": None, "zone": "z", "bind": "127.0.0.1:1", "render": ["haproxy"]}
    assert _render(asked | {"render": []}, [], {}) == {}
    with pytest.raises(Failed, match="cannot render the endpoints of etcd/one: no member has an address"):
        _render(asked, [], {})
    (one,) = to_render([member("a", 1.0)])
    with pytest.raises(Failed, match="'localhost' has no port"):
        _render(asked | {"bind": "localhost"}, [one], {})
    with pytest.raises(Failed, match="there is no vantage 'k8s-9'"):
        _render(asked | {"vantage": "k8s-9"}, [one], {})
    with pytest.raises(Failed, match="none is reached from host"):
        _render(asked | {"vantage": "host"}, [one | {"reached": False}], {})
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
