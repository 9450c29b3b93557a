"""From clusters without a network to etcd over a real Cilium Cluster Mesh, by ``site.yml`` alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab import lifecycle
from lab.crossing import cross
from lab.settings import CILIUM, Lab
from support import Audit, Played, kubectl, play

SITE = "playbooks/site.yml"
LAB = Lab("tmesh", range=6, network=CILIUM)
SYSTEM = "kube-system"


def _say(_text: str) -> None:
    """The lab's words are not needed here."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lifecycle.down(LAB.name, _say)
    lifecycle.up(LAB, _say)
    yield LAB
    lifecycle.down(LAB.name, _say)


@pytest.fixture(scope="module")
def joined(lab: Lab) -> Played:
    """The first run: no Pod could have run before it."""
    assert {node.name: ready(lab, node.name) for node in lab.nodes} == dict.fromkeys(contexts(lab), "False")
    return play(lab, SITE)


def contexts(lab: Lab) -> list[str]:
    return [node.name for node in lab.nodes]


def ready(lab: Lab, context: str) -> str:
    """What a cluster's one node says of itself."""
    path = "jsonpath={.items[0].status.conditions[?(@.type=='Ready')].status}"
    return kubectl(lab, context, "get", "nodes", "-o", path)


def of_cilium(lab: Lab) -> dict[str, tuple[list[str], list[str]]]:
    """Context → Pods of kube-system with their restarts, and Helm's revisions of Cilium there."""
    found = {}
    for context in contexts(lab):
        pods = items(lab, context, "pods", "-n", SYSTEM)
        lines = [
            f"{pod['metadata']['uid']} {[each['restartCount'] for each in pod['status']['containerStatuses']]}"
            for pod in pods
        ]
        releases = items(lab, context, "secrets", "-n", SYSTEM, "-l", "owner=helm,name=cilium")
        revisions = [
            f"{one['metadata']['labels']['version']} {one['metadata']['labels']['status']}" for one in releases
        ]
        found[context] = (sorted(lines), revisions)
    return found


def items(lab: Lab, context: str, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kubectl(lab, context, "get", *words, "-o", "json"))["items"]
    return found


def of_the_mesh(lab: Lab, context: str) -> dict[str, bool]:
    """Peer → whether this cluster's kvstoremesh has all of it: the agents' own word is not enough."""
    (pod,) = items(lab, context, "pods", "-n", SYSTEM, "-l", "k8s-app=clustermesh-apiserver")
    words = ("exec", "-n", SYSTEM, pod["metadata"]["name"], "-c", "kvstoremesh", "--")
    program = ("/usr/bin/clustermesh-apiserver", "kvstoremesh-dbg", "status", "-o", "json")
    return {peer["name"]: peer.get("ready", False) for peer in json.loads(kubectl(lab, context, *words, *program))}


def test_a_mesh_of_all_clusters_and_etcd_over_it(lab: Lab, joined: Played) -> None:
    assert joined.code == 0, joined.output
    for context in contexts(lab):
        others = [other for other in contexts(lab) if other != context]
        assert of_the_mesh(lab, context) == dict.fromkeys(others, True)
    where = ("-n", "etcd", "etcd", "-o", "jsonpath={.status.phase}")
    assert kubectl(lab, "control", "get", "clusters.apps.kubeblocks.io", *where) == "Running"
    assert cross(lab)
    secret = ("get", "secret", "-n", SYSTEM, "cilium-ca", "-o", "jsonpath={.data}")
    assert len({kubectl(lab, context, *secret) for context in contexts(lab)}) == 1


def test_a_second_run_changes_nothing(lab: Lab, joined: Played) -> None:
    """No write, no revision of Cilium's release, no Pod restarted."""
    assert joined.code == 0, joined.output
    before, audit = of_cilium(lab), Audit(lab)
    quiet = play(lab, SITE)
    assert quiet.code == 0, quiet.output
    assert set(quiet.changed.values()) == {0}, quiet.output
    assert of_cilium(lab) == before
    assert all(revisions == ["1 deployed"] for _pods, revisions in before.values())
    written = [write for writes in audit.writes().values() for write in writes if "/leases/" not in write]
    assert written == []


def test_a_key_is_in_no_output(lab: Lab, joined: Played) -> None:
    key = kubectl(lab, "control", "get", "secret", "-n", SYSTEM, "cilium-ca", "-o", r"jsonpath={.data.ca\.key}")
    assert key[100:160] not in joined.output
    assert "PRIVATE KEY" not in joined.output
