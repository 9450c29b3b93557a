"""What differs between the record of marks and the operator, and the Services that stand in for lost members."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import digest_of, standing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.marks import of_marks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.members import problems_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.standins import (
    ABSENT,
    address_status,
    host_of,
    needs_them,
    stand_in,
    superfluous,
)

BOTH = {"kubeblocks": ["k8s-2"], "kubeblocks-dataprotection": ["k8s-2"]}
ENTRY = {"k8s-2": {"state": "marked", "since": "2026-11-25T20:00:00Z", "by": "root (a/b/1/2)", "why": "fire"}}
# Name → recorded, what the Deployments were told, the findings.
MARKS: dict[str, tuple[dict[str, Any], dict[str, list[str]], list[str]]] = {
    "nothing": ({}, {"kubeblocks": []}, []),
    "as it should be": (ENTRY, BOTH, ["host-2 mark.standing"]),
    "dropped": (ENTRY, {name: [] for name in BOTH}, ["host-2 mark.standing", "control mark.dropped"]),
    "dropped from one": (ENTRY, BOTH | {"kubeblocks": []}, ["host-2 mark.standing", "control mark.dropped"]),
    "no operator": (ENTRY, {}, ["host-2 mark.standing"]),
    "by hand": ({}, BOTH, ["host-2 mark.standing", "control mark.by_hand"]),
    "another one by hand": (
        ENTRY,
        {name: ["k8s-1", "k8s-2"] for name in BOTH},
        ["host-2 mark.standing", "k8s-1 mark.standing", "control mark.by_hand"],
    ),
}


@pytest.mark.parametrize("name", MARKS)
def test_marks_that_differ(name: str) -> None:
    recorded, told, expected = MARKS[name]
    found = of_marks("control", recorded, told, {"k8s-2": "host-2"})
    assert [f"{finding.context} {finding.id}" for finding in found] == expected


def test_a_mark_says_since_when_by_whom_and_why() -> None:
    found = of_marks("control", ENTRY, BOTH | {"kubeblocks": []}, {})
    assert found[0].seen == "it is marked as unavailable since 2026-11-25T20:00:00Z by root (a/b/1/2) (fire)"
    assert found[1].seen == "context k8s-2 is recorded as marked, but kubeblocks was not told of it"


def test_what_is_about_to_be_unmarked_does_not_stand() -> None:
    assert standing(ENTRY | {"k8s-1": {"state": "unmarking"}, "k8s-3": {"state": "marking"}}) == ["k8s-2", "k8s-3"]


def test_the_digest_knows_other_evidence() -> None:
    assert digest_of([{"a": True}]) == digest_of([{"a": True}]) != digest_of([{"a": False}])


def test_members_that_are_away_are_not_missed() -> None:
    sample = {"context": "k8s-1", "pod": "p", "phase": "Running", "cluster_id": "1", "error": "", "linearizable": True}
    listed = [{"id": str(number), "name": str(number), "learner": False} for number in (1, 2, 3)]
    samples = [{**sample, "member_id": str(number), "leader_id": "1", "members": listed} for number in (1, 2)]
    assert problems_of(samples, 3) == ["2 of 3 Pods exist"]
    assert problems_of(samples, 3, away=1) == []
    assert problems_of(samples[:1], 3, away=1) == ["1 of 2 Pods exist"]


# Services that stand in

FIVE = Database("etcd", "one", "etcd", ("k8s-1", "k8s-2", "k8s-3"), 5)
SIBLING = {
    "metadata": {"name": "one-etcd-0", "labels": FIVE.labels, "uid": "x", "finalizers": ["y"], "ownerReferences": [{}]},
    "spec": {
        "type": "LoadBalancer",
        "clusterIP": "10.0.0.1",
        "ports": [
            {"name": "peer", "port": 2380, "protocol": "TCP", "targetPort": "peer", "nodePort": 31000},
            {"name": "client", "port": 2379, "protocol": "TCP", "targetPort": 2379, "nodePort": 31001},
        ],
        "selector": {**FIVE.labels, "apps.kubeblocks.io/pod-name": "one-etcd-0"},
    },
}


def test_the_members_of_marked_contexts_are_away() -> None:
    assert FIVE.away(["k8s-2"]) == ["one-etcd-1", "one-etcd-4"]
    assert FIVE.away([]) == []


# Marked → where the stand-ins go.
HOSTS = {(): "k8s-1", ("k8s-2",): "k8s-1", ("k8s-1",): "k8s-2", ("k8s-1", "k8s-2"): "k8s-3", FIVE.placement: ""}


@pytest.mark.parametrize("marked", HOSTS)
def test_stand_ins_go_to_the_first_context_that_is_left(marked: tuple[str, ...]) -> None:
    assert host_of(FIVE, marked) == HOSTS[marked]


def test_a_stand_in_is_like_its_sibling_but_for_what_only_a_living_one_has() -> None:
    body = stand_in(FIVE, "one-etcd-1", SIBLING)
    assert body["metadata"] == {
        "namespace": "etcd",
        "name": "one-etcd-1",
        "labels": {**FIVE.labels, "kubeblocks.multicluster/stands-in-for": "k8s-2"},
        "annotations": {"apps.kubeblocks.io/multi-cluster-placement": "k8s-2"},
    }
    spec = body["spec"]
    assert (spec["type"], spec["loadBalancerClass"], spec["allocateLoadBalancerNodePorts"]) == (
        "LoadBalancer",
        ABSENT,
        False,
    )
    assert spec["ports"] == [{"name": "peer", "port": 2380, "protocol": "TCP", "targetPort": "peer"}]
    assert spec["selector"] == {**FIVE.labels, "apps.kubeblocks.io/pod-name": "one-etcd-1"}
    assert "clusterIP" not in spec


@pytest.mark.parametrize(
    ("address", "kind"), [("172.31.0.1", "ip"), ("fd00::1", "ip"), ("lb-1.example.org", "hostname"), ("1x", "hostname")]
)
def test_the_last_known_address_stands_in_the_status(address: str, kind: str) -> None:
    assert address_status(address) == {"loadBalancer": {"ingress": [{kind: address}]}}


def test_what_nobody_wants_any_more() -> None:
    found = [{"metadata": {"name": name}} for name in ("one-etcd-1", "one-etcd-4")]
    assert superfluous(found, ["one-etcd-4"]) == found[:1]


def cluster(**changed: Any) -> dict[str, Any]:
    service = {
        "name": "peer",
        "podService": True,
        "serviceType": "LoadBalancer",
        "annotations": {"apps.kubeblocks.io/multi-cluster-service-placement": "unique"},
    }
    return {"spec": {"componentSpecs": [{"name": "etcd", "services": [service | changed]}, {"name": "proxy"}]}}


# Name → Cluster, component, whether the operator looks for the address of each member.
NEEDS: dict[str, tuple[dict[str, Any] | None, str, bool]] = {
    "load balancers": (cluster(), "etcd", True),
    "of another component": (cluster(), "proxy", False),
    "ClusterIP": (cluster(serviceType="ClusterIP"), "etcd", False),
    "not for each Pod": (cluster(podService=False), "etcd", False),
    "mirrored": (cluster(annotations={}), "etcd", False),
    "no annotations": (cluster(annotations=None), "etcd", False),
    "no Cluster": (None, "etcd", False),
}


@pytest.mark.parametrize("name", NEEDS)
def test_who_needs_them(name: str) -> None:
    body, component, expected = NEEDS[name]
    assert needs_them(body, component) is expected
