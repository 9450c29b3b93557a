"""What is true of a real mesh that is broken in every way that we know, and what its agents say meanwhile."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _mesh_certificates as certificates
from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _signing as signing
from balanced import until
from days import get
from lab import faults
from lab.settings import Lab
from meshed import MESH_API, SYSTEM, broken, contexts, dropping, in_agent, info, info_until, meshed, pair, said
from support import Played, kubectl

OURS, OTHER, LAST = "k8s-1", "k8s-2", "k8s-3"


@pytest.fixture(scope="module")
def lab(mesh_lab: Lab, mesh_site: Played) -> Lab:
    whole(mesh_lab)
    return mesh_lab


def whole(lab: Lab) -> None:
    """Joined again, and every node reached by a probe; the agents by themselves would make one within two minutes."""

    def is_whole() -> bool:
        for name in contexts(lab):
            with suppress(AssertionError, ValueError):  # an agent that only starts, or beside one that ends
                in_agent(lab, name, "cilium-health", "status", "--probe")
        return bool(info(lab)["whole"])

    until(is_whole)


def test_a_whole_mesh_as_a_matrix(lab: Lab) -> None:
    found = info_until(lab, lambda found: found["whole"])
    assert broken(found) == set()
    assert found["table"][0].split() == ["MESH", "control", OURS, OTHER, LAST]
    assert [line.split()[1:].count("ok") for line in found["table"][1:]] == [3, 3, 3, 3]
    for cluster in found["clusters"].values():
        assert all(days > 1000 for days in cluster["certificates"].values())
    assert len({cluster["authority"] for cluster in found["clusters"].values()}) == 1


def test_a_wrong_number(lab: Lab) -> None:
    expected = {("control", LAST), (OURS, LAST), (OTHER, LAST)}
    found = info_until(lab, lambda found: broken(found) == expected, contexts=meshed(lab, k8s_3=9))
    entry = pair(found, OURS, LAST)
    assert "agents: the peer's number is 4, and 9 is expected" in entry["why"]
    assert entry["agents_say"]


def unprobed_though_ready(lab: Lab, source: str, target: str) -> bool:
    entry = pair(info(lab), source, target)
    return bool(entry["agents_say"] and any("was never probed" in words for words in entry["unprobed"]))


def select(lab: Lab, context: str, value: str | None) -> None:
    """Let the agents run on nodes with a label that none has, or everywhere."""
    selector = {"nodeSelector": {"lab.invalid/nowhere": value}}
    patch = json.dumps({"spec": {"template": {"spec": selector}}})
    kubectl(lab, context, "patch", "daemonset", "-n", SYSTEM, "cilium", "--type=merge", "-p", patch)


def scale(lab: Lab, context: str, replicas: int) -> None:
    kubectl(lab, context, "scale", "deployment", "-n", SYSTEM, MESH_API, f"--replicas={replicas}")


@contextmanager
def another_authority(lab: Lab, context: str) -> Iterator[None]:
    """A cluster that was given certificates of its own CA, as one that somebody installed apart."""
    authority = signing.new_authority("Another CA")
    leaves = certificates.leaves({"cluster": context, "namespace": SYSTEM, "server_names": []})
    made = {leaf.secret: signing.sign(authority, leaf, 30) for leaf in leaves} | {"cilium-ca": authority}
    before = {name: get(lab, "secrets", name, SYSTEM, context)["data"] for name in made}
    try:
        for name, files in made.items():
            give(lab, context, name, {key: base64.b64encode(value).decode() for key, value in files.items()})
        kubectl(lab, context, "rollout", "restart", "deployment", "-n", SYSTEM, MESH_API)
        yield
    finally:
        for name, data in before.items():
            give(lab, context, name, data)
        # An agent may go on waiting for its first connection with certificates that it was given anew.
        for program in (f"deployment/{MESH_API}", "daemonset/cilium"):
            kubectl(lab, context, "rollout", "restart", "-n", SYSTEM, program)


def give(lab: Lab, context: str, secret: str, data: dict[str, str]) -> None:
    patch = json.dumps({"data": data})
    kubectl(lab, context, "patch", "secret", "-n", SYSTEM, secret, "--type=merge", "-p", patch)


class TestThreeBroken:
    """Three clusters at the same time, each in a way of its own: to be whole again takes Cilium minutes."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def three(cls, lab: Lab) -> Iterator[None]:
        with ExitStack() as undo:
            undo.callback(scale, lab, OURS, 1)
            scale(lab, OURS, 0)
            undo.callback(select, lab, OTHER, None)
            select(lab, OTHER, "true")
            undo.enter_context(another_authority(lab, LAST))
            yield
        whole(lab)

    def test_no_kvstoremesh(self, lab: Lab) -> None:
        entry = said(lab, OURS, "control", "no kvstoremesh runs")
        assert "broken" in info(lab)["table"][2]
        assert entry["connected"] is False

    def test_another_ca(self, lab: Lab) -> None:
        said(lab, LAST, "control", "its CA is not that of control")
        entry = said(lab, LAST, "control", "do not accept each other's certificates")
        assert not entry["connected"]

    def test_no_agent(self, lab: Lab) -> None:
        assert not said(lab, OTHER, "control", "no agent runs")["agents_say"]

    def test_an_agent_whose_nodes_were_never_probed(self, lab: Lab) -> None:
        """Its own word comes first, and says nothing of the way."""
        select(lab, OTHER, None)
        until(lambda: unprobed_though_ready(lab, OTHER, "control"))


def test_a_dead_peer_a_link_that_is_cut_and_a_port_that_is_closed(lab: Lab) -> None:
    """All at once, each of another pair, as Cilium takes two minutes to lose a peer."""
    other = lab.node(OTHER).address
    link, port = (f"in -s {other}", f"out -d {other}"), ("in -p tcp --dport 32379",)
    with dropping(lab, OURS, *link), dropping(lab, "control", *port):
        faults.fail(lab, faults.Fault(LAST, "partition"), print)
        try:
            cut = said(lab, OURS, OTHER, "k8s-2 runs, and its nodes are not reached from here")
            closed = said(lab, OTHER, "control", "nodes of control are reached, and its mesh API is not")
            dead = said(lab, OTHER, LAST, "neither the nodes of k8s-3 nor its API server are reached")
            found = info_until(lab, all_is_said)
        finally:
            faults.heal(lab, None, print)
    for entry in (cut, closed, dead):
        assert entry["agents_say"], "the agents' own word stays when the peer is gone"
    assert closed["last_contact"] is not None and cut["last_contact"] is None and dead["last_contact"] is None
    assert "broken, agents say ok" in "\n".join(found["table"])
    whole(lab)


def all_is_said(found: dict[str, Any]) -> bool:
    """Of a pair that is well, and of the cluster that is dead."""
    well = pair(found, "control", OURS)["why"] == []
    return well and any(why.startswith("k8s-3: ") for why in pair(found, LAST, OURS)["why"])
