"""Another cluster behind a known name: whoever would write refuses, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab import faults
from lab.settings import Lab
from support import Audit, Played, kubectl, play

SITE = "playbooks/site.yml"
ROLE = "tests/integration/role.yml"


def uid(lab: Lab, context: str) -> str:
    return kubectl(lab, context, "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")


@pytest.fixture(scope="module")
def lab(pods_lab: Lab) -> Lab:
    """Clusters on which ``site.yml`` has run: their contexts are recorded."""
    played = play(pods_lab, SITE)
    assert played.code == 0, played.output
    return pods_lab


@pytest.fixture(params=["k8s-2", "control"])
def swapped(lab: Lab, request: pytest.FixtureRequest) -> Iterator[tuple[Lab, str, str, str]]:
    """A context that leads to a new cluster under the old name and address: its name, and the UIDs before and now."""
    context = request.param
    before = uid(lab, context)
    faults.fail(lab, faults.Fault(context, "rebuild"), lambda _text: None)
    yield lab, context, before, uid(lab, context)
    faults.heal(lab, context, lambda _text: None)


def words(played: Played) -> str:
    return " ".join(played.output.split())


def test_the_first_run_records_every_context(lab: Lab) -> None:
    record = kubectl(
        lab, "control", "get", "configmap", "-n", "kb-system", "kubeblocks-multicluster-contexts", "-o", "json"
    )
    contexts = json.loads(json.loads(record)["data"]["contexts"])
    assert {name: entry["uid"] for name, entry in contexts.items()} == {
        node.name: uid(lab, node.name) for node in lab.nodes
    }
    for node in lab.nodes[1:]:
        space = json.loads(kubectl(lab, node.name, "get", "namespace", "kb-system", "-o", "json"))
        assert space["metadata"]["annotations"]["kubeblocks.multicluster/control-plane"] == uid(lab, "control")


def test_another_cluster_behind_the_name_is_refused(swapped: tuple[Lab, str, str, str]) -> None:
    lab, context, before, now = swapped
    assert before != now
    audit = Audit(lab)
    if context == "control":
        refused = f"this data plane belongs to control plane {before}, and this one is {now}"
        alone = [("k8s-1", "data_plane"), ("control", "control_plane"), ("control", "etcd")]
    else:
        refused = f"context k8s-2 was {before}, is {now}: renamed or rebuilt?"
        alone = [("k8s-2", "data_plane"), ("control", "control_plane"), ("control", "etcd")]
    site = play(lab, SITE)
    assert site.code != 0
    assert refused in words(site)
    accepted = play(lab, SITE, "-e", '{"preflight_accept": ["identity.changed", "identity.other_control_plane"]}')
    assert accepted.code != 0, "an identity cannot be accepted"
    assert refused in words(accepted)
    for target, role in alone:
        played = play(lab, ROLE, "-e", f"target={target} role={role}")
        assert played.code != 0, (target, role)
        assert refused in words(played), (target, role)
    assert audit.writes() == {node.name: [] for node in lab.nodes}
