"""What is true of a mesh, from what its programs print: a pair is whole only if nothing at all speaks against it."""

from __future__ import annotations

import copy
import datetime
import math
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_samples import (
    addresses_of,
    clusters_of,
    probes_of,
    tunnels_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_truth import Member, Pair, pairs

MEMBERS = [Member("k8s-1", "one", 1), Member("k8s-2", "two", 2)]
ADDRESSES = {"k8s-1": "192.0.2.1", "k8s-2": "192.0.2.2"}
Seen = dict[str, Any]


def state(name: str, number: int) -> dict[str, Any]:
    """As an agent and kvstoremesh print it of a peer that is well."""
    parts = ("nodes", "endpoints", "identities", "services")
    return {
        "name": name,
        "ready": True,
        "connected": True,
        "status": "etcd: 1/1 connected",
        "num-nodes": 1,
        "num-shared-services": 3,
        "config": {"required": True, "retrieved": True, "cluster-id": number},
        "synced": dict.fromkeys(parts, True),
    }


def cluster(context: str, peer: Member) -> Seen:
    node = f"{peer.name}/{peer.context}"
    there = state(peer.name, peer.id)
    agent = {
        "pod": "cilium-x",
        "problem": "",
        "clusters": {peer.name: there},
        "known": {node: ADDRESSES[peer.context]},
        "tunnels": {node: True},
        "probes": {node: 12.0},
    }
    return {
        "problem": "",
        "nodes": {context: ADDRESSES[context]},
        "desired_agents": 1,
        "agents": [agent],
        "kvstoremesh": [{"pod": "mesh-x", "problem": "", "clusters": {peer.name: copy.deepcopy(there)}}],
        "expected": [peer.name],
        "authority": "aa",
    }


def well() -> dict[str, Seen]:
    return {"k8s-1": cluster("k8s-1", MEMBERS[1]), "k8s-2": cluster("k8s-2", MEMBERS[0])}


def first(seen: dict[str, Seen]) -> Pair:
    """What k8s-1 knows of k8s-2."""
    return pairs(MEMBERS, seen)[0]


def test_a_mesh_that_is_well() -> None:
    found = pairs(MEMBERS, well())
    assert [(pair.source, pair.target, pair.whole, pair.why) for pair in found] == [
        ("k8s-1", "k8s-2", True, ()),
        ("k8s-2", "k8s-1", True, ()),
    ]
    assert (found[0].connected, found[0].synced, found[0].agents_say) == (True, True, True)
    assert (found[0].nodes, found[0].services, found[0].last_contact) == (1, 3, 12.0)


def agent(seen: Seen) -> dict[str, Any]:
    found: dict[str, Any] = seen["agents"][0]
    return found


def by_agent(seen: Seen) -> dict[str, Any]:
    found: dict[str, Any] = agent(seen)["clusters"]["two"]
    return found


def by_mesh(seen: Seen) -> dict[str, Any]:
    found: dict[str, Any] = seen["kvstoremesh"][0]["clusters"]["two"]
    return found


NODE = "two/k8s-2"
# What is wrong at k8s-1 → what is said, and whether the agents still say that all is well.
WRONG: dict[str, tuple[Callable[[Seen], Any], str, bool]] = {
    "the peer is dead": (
        lambda seen: by_mesh(seen).update(connected=False, ready=False, status="Cannot establish TCP connection"),
        "kvstoremesh: not connected (Cannot establish TCP connection)",
        True,
    ),
    "false and zero are left out": (
        lambda seen: seen["kvstoremesh"][0]["clusters"].update(two={"name": "two"}),
        "kvstoremesh: not connected (no reason given)",
        True,
    ),
    "its name is another": (
        lambda seen: by_mesh(seen).update(config={"required": True}),
        "kvstoremesh: the peer's configuration cannot be had: is its name right?",
        True,
    ),
    "its number is another": (
        lambda seen: by_agent(seen)["config"].update({"cluster-id": 7}),
        "agents: the peer's number is 7, and 2 is expected",
        True,
    ),
    "services are not there yet": (
        lambda seen: by_agent(seen)["synced"].pop("services"),
        "agents: not taken over yet: services",
        True,
    ),
    "an agent is down": (
        lambda seen: agent(seen).update(problem="it is Running, and not Ready"),
        "cilium-x: it is Running, and not Ready",
        True,
    ),
    "an agent is not there": (
        lambda seen: seen.update(desired_agents=2),
        "1 of 2 agents are not there",
        True,
    ),
    "no agent": (lambda seen: seen.update(agents=[], desired_agents=0), "no agent runs", False),
    "no kvstoremesh": (lambda seen: seen.update(kvstoremesh=[]), "no kvstoremesh runs", True),
    "kvstoremesh is down": (
        lambda seen: seen["kvstoremesh"][0].update(problem="it is Pending, and not Ready"),
        "mesh-x: it is Pending, and not Ready",
        True,
    ),
    "nobody told it": (lambda seen: seen.update(expected=[]), "it is not told of two", True),
    "an agent has not heard": (
        lambda seen: agent(seen).update(clusters={}),
        "agents: two is not in the list",
        False,
    ),
    "another CA": (lambda seen: seen.update(authority="bb"), "its CA is not that of two", True),
    "a node nobody knows": (
        lambda seen: agent(seen)["known"].clear(),
        "node two/k8s-2 at 192.0.2.2 is not known",
        True,
    ),
    "a node at another address": (
        lambda seen: agent(seen)["known"].update({NODE: "192.0.2.9"}),
        "node two/k8s-2 at 192.0.2.2 is not known",
        True,
    ),
    "no tunnel": (
        lambda seen: agent(seen)["tunnels"].update({NODE: False}),
        "packets for Pods of two/k8s-2 are not sent there",
        True,
    ),
    "a probe that went wrong": (
        lambda seen: agent(seen)["probes"].update({NODE: None}),
        "two/k8s-2 was not reached by a probe",
        True,
    ),
    "a node that was never probed": (
        lambda seen: agent(seen)["probes"].update({NODE: math.inf}),
        "two/k8s-2 was never probed",
        True,
    ),
    "no probe at all": (lambda seen: agent(seen)["probes"].clear(), "two/k8s-2 was never probed", True),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_words(case: str) -> None:
    harm, said, agents_say = WRONG[case]
    seen = well()
    harm(seen["k8s-1"])
    found = first(seen)
    # Why it is not connected is told besides, and has a table of its own.
    why = tuple(
        each
        for each in (*found.why, *found.unprobed)
        if each == said or not each.startswith("nodes of two are reached")
    )
    assert (found.whole, why, found.agents_say) == (False, (said,), agents_say and "agent is down" not in case)


# Age of the probe, whether the peer's own API answers, kvstoremesh's words → what is taken for the reason.
BETWEEN: list[tuple[float | None, bool, str, str]] = [
    (
        3.0,
        True,
        "Cannot establish TCP connection",
        "nodes of two are reached, and its mesh API is not: is its port open?",
    ),
    (3.0, False, "i/o timeout", "nodes of two are reached, and its mesh API is not: is its port open?"),
    (None, True, "i/o timeout", "two runs, and its nodes are not reached from here: the way between the two is cut"),
    (math.inf, True, "", "two runs, and its nodes are not reached from here: the way between the two is cut"),
    (None, False, "", "neither the nodes of two nor its API server are reached: it is dead, or cut off"),
    (3.0, True, "x509: unknown authority", "two and this cluster do not accept each other's certificates"),
    (None, False, "TLS: bad certificate", "two and this cluster do not accept each other's certificates"),
]


@pytest.mark.parametrize("case", BETWEEN)
def test_what_keeps_a_cluster_from_its_peer(case: tuple[float | None, bool, str, str]) -> None:
    age, answers, words, said = case
    seen = well()
    by_mesh(seen["k8s-1"]).update(connected=False, status=words)
    agent(seen["k8s-1"])["probes"][NODE] = age
    if not answers:
        seen["k8s-2"] = {"problem": "no answer in time"}
    assert first(seen).why[0] == said


def test_a_cluster_that_cannot_be_asked() -> None:
    seen = well()
    seen["k8s-1"] = {"problem": "no answer in time"}
    one, other = pairs(MEMBERS, seen)
    assert (one.why, one.agents_say, one.last_contact) == (("k8s-1: no answer in time",), False, None)
    # What the other one sees is another matter, but for the nodes that it should see.
    assert (other.why, other.whole) == ((), False)
    assert other.unprobed == ("the nodes of one are not known: no answer in time",)
    assert pairs(MEMBERS, {})[0].why == ("k8s-1: it was not asked",)


def test_a_node_that_is_in_no_list_of_probes() -> None:
    seen = well()
    seen["k8s-2"]["nodes"]["late"] = "192.0.2.7"
    agent(seen["k8s-1"])["known"]["two/late"] = "192.0.2.7"
    agent(seen["k8s-1"])["tunnels"] = None
    found = first(seen)
    assert (found.why, found.unprobed, found.whole) == ((), ("two/late was never probed",), False)


def test_one_bad_agent_of_two_is_enough() -> None:
    seen = well()
    bad = copy.deepcopy(agent(seen["k8s-1"]))
    bad["clusters"]["two"]["ready"] = bad["clusters"]["two"]["connected"] = False
    seen["k8s-1"]["agents"].append(bad)
    found = first(seen)
    assert (found.connected, found.agents_say) == (False, False)
    assert found.why == ("agents: not connected (etcd: 1/1 connected)",)


# What the programs print


def test_what_an_agent_and_kvstoremesh_print() -> None:
    entry = state("two", 2)
    assert clusters_of({"cluster-mesh": {"clusters": [entry]}}) == clusters_of([entry]) == {"two": entry}
    assert clusters_of({"cluster-mesh": {}}) == clusters_of({}) == clusters_of([]) == {}


NODES = [
    {"name": "one/a", "primary-address": {"ipv4": {"ip": "192.0.2.1", "alloc-range": "10.1.0.0/24"}}},
    {"name": "two/b", "primary-address": {"ipv4": {"ip": "192.0.2.2", "alloc-range": "10.2.0.0/24"}}},
]


STATUS = {"cilium": {"msg": "1.18.4 (v1.18.4-abc)"}, "routing": {"inter-host-routing-mode": "Tunnel"}}


def test_nodes_and_tunnels() -> None:
    ipcache = {
        "10.1.0.0/24": ["identity=2 encryptkey=0 tunnelendpoint=0.0.0.0 flags=<none>"],
        "10.2.0.0/24": ["identity=2 encryptkey=0 tunnelendpoint=192.0.2.2 flags=hastunnel"],
    }
    assert addresses_of(NODES) == {"one/a": "192.0.2.1", "two/b": "192.0.2.2"}
    assert tunnels_of(STATUS, NODES, ipcache) == {"one/a": False, "two/b": True}
    assert tunnels_of(STATUS, NODES, {}) == {"one/a": False, "two/b": False}
    old = {**STATUS, "cilium": {"msg": "1.17.18 (v1.17.18-abc)"}}
    native = {**STATUS, "routing": {"inter-host-routing-mode": "Native"}}
    assert tunnels_of(old, NODES, ipcache) is tunnels_of(native, NODES, ipcache) is None


NOW = datetime.datetime(2026, 1, 1, 12, 0, 0, tzinfo=datetime.UTC)
EARLY, LATE = "2026-01-01T11:59:00Z", "2026-01-01T11:59:50Z"
GOOD = {"lastProbed": LATE, "latency": 130966}
NEVER: dict[str, Any] = {}
FAILED = {"lastProbed": LATE, "status": "Connection timed out"}


@pytest.mark.parametrize(
    "case",
    [
        ({"icmp": GOOD, "http": GOOD}, {"icmp": GOOD, "http": GOOD}, 10.0),
        ({"icmp": GOOD, "http": GOOD}, {"icmp": {**GOOD, "lastProbed": EARLY}}, 60.0),
        ({"icmp": GOOD, "http": FAILED}, {"http": GOOD}, 10.0),
        ({"icmp": GOOD}, {"icmp": FAILED, "http": FAILED}, None),
        ({"icmp": FAILED}, {"icmp": GOOD}, None),
        ({"icmp": GOOD}, NEVER, math.inf),
        ({"icmp": FAILED}, NEVER, None),
        (NEVER, NEVER, math.inf),
        ({"icmp": GOOD}, {"icmp": {**GOOD, "lastProbed": "2026-01-01T11:40:00Z"}}, math.inf),
    ],
)
def test_a_probe_that_was_never_made_is_no_sign_of_health(
    case: tuple[dict[str, Any], dict[str, Any], float | None],
) -> None:
    host, endpoint, age = case
    node = {
        "name": "two/b",
        "host": {"primary-address": {"ip": "192.0.2.2", **host}},
        "health-endpoint": {"primary-address": {"ip": "10.2.0.9", **endpoint}},
    }
    assert probes_of({"nodes": [node]}, NOW) == {"two/b": age}


def test_nothing_to_probe() -> None:
    assert probes_of({}, NOW) == {}
    assert probes_of({"nodes": [{"name": "two/b"}]}, NOW) == {"two/b": math.inf}
