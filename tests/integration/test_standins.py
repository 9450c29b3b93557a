"""Services that stand in for those of lost members, on real API servers: put up, kept, moved, taken away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _standins
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._databases import Known
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import uid_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database
from lab.settings import Lab
from support import kubectl

PLANES = ["k8s-1", "k8s-2", "k8s-3"]
THREE = Database("stand", "one", "etcd", PLANES, 3)
CLUSTER = {
    "spec": {
        "componentSpecs": [
            {
                "name": "etcd",
                "services": [
                    {
                        "name": "peer",
                        "podService": True,
                        "serviceType": "LoadBalancer",
                        "annotations": {"apps.kubeblocks.io/multi-cluster-service-placement": "unique"},
                    }
                ],
            }
        ]
    }
}
KNOWN = Known([THREE], [], {"stand/one": CLUSTER})
MEMBERS = {"stand/one": [{"name": f"one-etcd-{n}", "peer_url": f"http://192.0.2.{n}:2380"} for n in range(3)]}


def peer(number: int) -> dict[str, Any]:
    """A member's own Service, as KubeBlocks makes it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "stand", "name": f"one-etcd-{number}", "labels": THREE.labels},
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerClass": "lab/none",
            "selector": {**THREE.labels, "apps.kubeblocks.io/pod-name": f"one-etcd-{number}"},
            "ports": [{"name": "peer", "port": 2380, "targetPort": 2380}],
        },
    }


@pytest.fixture
def clients(api_lab: Lab) -> Iterator[dict[str, Client]]:
    for number, context in enumerate(PLANES):
        kubectl(api_lab, context, "create", "namespace", "stand")
        kubectl(api_lab, context, "apply", "-f", "-", stdin=json.dumps(peer(number)))
    yield {context: Client(Access(context, str(api_lab.kubeconfig))) for context in PLANES}
    for context in PLANES:
        kubectl(api_lab, context, "delete", "namespace", "stand")


def put_up(clients: dict[str, Client], *marked: str) -> _standins.StandIns:
    """Plan and write with these contexts marked, which do not answer."""
    there = {context: client for context, client in clients.items() if context not in marked}
    planned = _standins.plan_all(there, KNOWN, marked, MEMBERS)
    _standins.write(there, planned.steps, {context: uid_of(client) for context, client in there.items()})
    return planned


def there(clients: dict[str, Client]) -> dict[str, list[str]]:
    """Context → stand-ins, each with the address that its status tells."""
    return {
        context: [
            f"{body['metadata']['name']} {body['status']['loadBalancer']['ingress'][0]['ip']}"
            for body in _standins.stand_ins_in(client, THREE)
        ]
        for context, client in clients.items()
    }


def test_they_go_up_once_and_move_when_their_host_is_lost_too(clients: dict[str, Client]) -> None:
    found = put_up(clients, "k8s-2")
    assert found.listed == [{"context": "k8s-1", "service": "stand/one-etcd-1", "address": "192.0.2.1"}]
    assert there(clients) == {"k8s-1": ["one-etcd-1 192.0.2.1"], "k8s-2": [], "k8s-3": []}
    assert put_up(clients, "k8s-2").steps == []
    moved = put_up(clients, "k8s-1", "k8s-2")
    assert {each["context"] for each in moved.listed} == {"k8s-3"}
    assert there(clients)["k8s-3"] == ["one-etcd-0 192.0.2.0", "one-etcd-1 192.0.2.1"]
    # One of them is back, with what stood there before it was lost.
    put_up(clients, "k8s-2")
    assert there(clients) == {"k8s-1": ["one-etcd-1 192.0.2.1"], "k8s-2": [], "k8s-3": []}
    put_up(clients)
    assert there(clients) == {context: [] for context in PLANES}
    own = clients["k8s-1"].get("/api/v1/namespaces/stand/services/one-etcd-0")
    assert own is not None


def test_packets_for_the_address_are_left_alone(clients: dict[str, Client]) -> None:
    assert put_up(clients, "k8s-2").missing == []
    (body,) = _standins.stand_ins_in(clients["k8s-1"], THREE)
    assert body["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1", "ipMode": "Proxy"}]


def test_a_run_that_was_killed_before_the_address_was_told_is_finished(clients: dict[str, Client]) -> None:
    put_up(clients, "k8s-2")
    path = "/api/v1/namespaces/stand/services/one-etcd-1/status"
    clients["k8s-1"].patch(path, {"status": {"loadBalancer": {"ingress": None}}})
    put_up(clients, "k8s-2")
    assert there(clients)["k8s-1"] == ["one-etcd-1 192.0.2.1"]


def test_an_address_that_nobody_knows_is_said(clients: dict[str, Client]) -> None:
    left = {context: clients[context] for context in ("k8s-1", "k8s-3")}
    found = _standins.plan_all(left, KNOWN, ["k8s-2"], {})
    assert (list(found.steps), list(found.missing)) == (
        [],
        ["stand/one one-etcd-1: nobody knows its address any more"],
    )


def test_nothing_is_written_to_another_cluster_than_the_recorded_one(clients: dict[str, Client]) -> None:
    left = {context: clients[context] for context in ("k8s-1", "k8s-3")}
    planned = _standins.plan_all(left, KNOWN, ["k8s-2"], MEMBERS)
    with pytest.raises(Failed, match="k8s-1: cannot write Services there: it was cluster another"):
        _standins.write(left, planned.steps, {"k8s-1": "another", "k8s-3": uid_of(left["k8s-3"])})
    assert there(clients)["k8s-1"] == []
