"""The collection's main job on real clusters: from nothing to one etcd over three of them, told in order."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from balanced import report_of
from lab.crossing import cross
from lab.settings import Lab
from support import Audit, Played, changed_inventory, kubectl, play

SITE = "playbooks/site.yml"
OPERATOR, UIDS = "app.kubernetes.io/instance=kubeblocks", "jsonpath={.items[*].metadata.uid}"


@pytest.fixture(scope="module")
def planned(pods_lab: Lab) -> tuple[Played, dict[str, list[str]]]:
    """``site.yml --check --diff`` on four empty clusters, and what it wrote."""
    audit = Audit(pods_lab)
    played = play(pods_lab, SITE, "--check", "--diff")
    return played, audit.writes()


@pytest.fixture(scope="module")
def site(pods_lab: Lab, planned: tuple[Played, dict[str, list[str]]]) -> Played:
    """``site.yml`` for the first time."""
    return play(pods_lab, SITE)


def test_check_mode_gives_the_whole_plan_and_writes_nothing(
    pods_lab: Lab, planned: tuple[Played, dict[str, list[str]]]
) -> None:
    played, writes = planned
    assert played.code == 0, played.output
    assert writes == {node.name: [] for node in pods_lab.nodes}
    assert all(count > 0 for count in played.changed.values()), played.changed
    for part in (
        "kind: ServiceAccount",
        "clusters.apps.kubeblocks.io",
        "Secret kubeblocks-contexts",
        "Releases | Install the operator",
        "Cluster etcd",
        "apps.kubeblocks.io/multi-cluster-placement: k8s-1,k8s-2,k8s-3",
    ):
        assert part in played.output


def test_site_ends_with_one_etcd_over_three_contexts(pods_lab: Lab, site: Played) -> None:
    assert site.code == 0, site.output
    report_of(pods_lab, site, is_one_etcd)


def is_one_etcd(report: str) -> bool:
    rows = re.findall(r"(k8s-\d) +v1\.34\.4 +in use +(etcd-etcd-\d) Running +([0-9a-f]+) +(leader|-) ", report)
    places = [("k8s-1", "etcd-etcd-0"), ("k8s-2", "etcd-etcd-1"), ("k8s-3", "etcd-etcd-2")]
    return (
        [(context, pod) for context, pod, _, _ in rows] == places
        and len({member for _, _, member, _ in rows}) == 3
        and [leads for _, _, _, leads in rows].count("leader") == 1
        and "operator ready, Cluster Running" in report
    )


def test_waiting_speaks(site: Played) -> None:
    """What is missing, and for how long; which of the stages are met depends on the machine."""
    assert re.search(r"etcd etcd/etcd: .*\b[0-2] of 3 Pods exist.*, \d+ s", site.output)


def test_a_key_crosses_the_clusters(pods_lab: Lab, site: Played) -> None:
    assert "is read through the member in k8s-3" in cross(pods_lab)


def test_no_secret_was_printed(pods_lab: Lab, site: Played) -> None:
    held = tokens(pods_lab)
    assert set(held) == {"kubeconfig", "token-k8s-1", "token-k8s-2", "token-k8s-3"}
    assert "eyJ" not in site.output
    assert all(value not in site.output for value in held.values())


def test_second_run_changes_nothing(pods_lab: Lab, site: Played) -> None:
    """And a quiet run asks little of a data plane: three roles make sure who it is, and the members are asked twice;
    where a member is late, or an election under way, they are asked again."""
    for _try in range(3):
        audit = Audit(pods_lab)
        again = play(pods_lab, SITE)
        assert again.code == 0, again.output
        assert again.changed == {"control": 0, "k8s-1": 0, "k8s-2": 0, "k8s-3": 0}
        written = [line for lines in audit.writes().values() for line in lines]
        assert all("/leases/kubeblocks-multicluster" in line for line in written), written
        requests = {node.name: audit.count(node.name).total() for node in pods_lab.nodes[1:]}
        if max(requests.values()) <= 44:
            return
    raise AssertionError(requests)


def test_the_operator_is_never_forbidden_anything(pods_lab: Lab, site: Played) -> None:
    for deployment in ("kubeblocks", "kubeblocks-dataprotection"):
        log = kubectl(pods_lab, "control", "logs", "-n", "kb-system", f"deployment/{deployment}", "--all-containers")
        assert "forbidden" not in log.lower()
    account = "system:serviceaccount:kb-system:kubeblocks-operator"
    for node in pods_lab.nodes[1:]:
        events = Audit(pods_lab, account)
        events._start[node.name] = 0
        asked = events.events(node.name)
        assert asked, "the operator has not been here with its minted token"
        assert [event["requestURI"] for event in asked if event["responseStatus"].get("code") == 403] == []


def test_drift_is_put_right(pods_lab: Lab, site: Played) -> None:
    """A role that somebody emptied, a CRD that somebody changed, a binding that is gone."""
    kubectl(
        pods_lab, "k8s-2", "patch", "clusterrole", "kubeblocks-cluster-pod-role", "--type=merge", "-p", '{"rules": []}'
    )
    kubectl(pods_lab, "k8s-3", "delete", "clusterrolebinding", "kubeblocks-operator")
    crd = "clusters.apps.kubeblocks.io"
    patch = '{"spec": {"names": {"categories": ["other"]}}}'
    kubectl(pods_lab, "control", "patch", "crd", crd, "--type=merge", "-p", patch)
    again = play(pods_lab, SITE)
    assert again.code == 0, again.output
    assert again.changed == {"control": 1, "k8s-1": 0, "k8s-2": 1, "k8s-3": 1}
    assert "missing rule: create, get, update events (core)" in again.output
    categories = kubectl(pods_lab, "control", "get", "crd", crd, "-o", "jsonpath={.spec.names.categories}")
    assert "kubeblocks" in categories
    assert "other" not in categories


def test_a_changed_placement_is_refused(pods_lab: Lab, site: Played) -> None:
    """By preflight, before the operator is changed for it, and by the task that would write it."""
    changed = json.dumps({"etcd_placement": ["k8s-2", "k8s-1", "k8s-3"]})
    audit = Audit(pods_lab)
    refused = play(pods_lab, SITE, "-e", changed)
    assert refused.code != 0
    sentence = (
        "preflight: 1 finding must be mended before anything is written: placement: the members are placed on "
        "k8s-1,k8s-2,k8s-3, and k8s-2,k8s-1,k8s-3 is asked for. A changed placement would start second members beside "
        "the living ones. Set etcd_placement to what it is. [placement.changed]"
    )
    assert sentence in " ".join(refused.output.split())
    alone = play(pods_lab, "tests/integration/role.yml", "-e", "target=control role=etcd", "-e", changed)
    assert alone.code != 0
    sentence = (
        "control: cannot change Cluster etcd/etcd: its members are placed on k8s-1,k8s-2,k8s-3, and "
        "k8s-2,k8s-1,k8s-3 is asked for. A changed placement would start second members beside the living ones. "
        "Set etcd_placement to what it is."
    )
    assert sentence in " ".join(alone.output.split())
    assert audit.writes() == {node.name: [] for node in pods_lab.nodes}


def test_a_context_is_not_taken_away_from_the_operator_unasked(pods_lab: Lab, site: Played, tmp_path: Path) -> None:
    inventory = changed_inventory(pods_lab, tmp_path, lambda hosts: hosts["data_plane"]["hosts"].pop("k8s-3"))
    audit = Audit(pods_lab)
    refused = play(pods_lab, SITE, inventory=inventory)
    assert refused.code != 0
    assert "[inventory.context_dropped]" in refused.output
    assert "[placement.unknown]" in refused.output
    written = [line for lines in audit.writes().values() for line in lines]
    assert [line for line in written if "/jobs" not in line] == []  # the kubeconfig would change: a Pod is asked


def test_a_short_lived_token_is_renewed_without_a_restart(pods_lab: Lab, site: Played) -> None:
    """A token of ten minutes is what the server grants at least; with a third of its life gone it stays."""
    pods = kubectl(pods_lab, "control", "get", "pods", "-n", "kb-system", "-l", OPERATOR, "-o", UIDS)
    delete = '[{"op": "remove", "path": "/data/token-k8s-1"}]'
    kubectl(
        pods_lab, "control", "patch", "secret", "-n", "kb-system", "kubeblocks-contexts", "--type=json", "-p", delete
    )
    before = tokens(pods_lab)
    again = play(pods_lab, SITE, "-e", "control_plane_token_seconds=600")
    assert again.code == 0, again.output
    after = tokens(pods_lab)
    assert after["token-k8s-1"]
    assert {key: after[key] for key in before if key != "kubeconfig"} == {
        key: before[key] for key in before if key != "kubeconfig"
    }
    assert "granted_seconds: 600" in again.output
    time.sleep(1)
    assert pods == kubectl(pods_lab, "control", "get", "pods", "-n", "kb-system", "-l", OPERATOR, "-o", UIDS)
    # The tests that come after on this lab would see it age: it gets a long life again.
    kubectl(
        pods_lab, "control", "patch", "secret", "-n", "kb-system", "kubeblocks-contexts", "--type=json", "-p", delete
    )
    renewed = play(pods_lab, SITE)
    assert renewed.code == 0, renewed.output
    assert "granted_seconds: 31536000" in renewed.output


def tokens(lab: Lab) -> dict[str, str]:
    secret = kubectl(lab, "control", "get", "secret", "-n", "kb-system", "kubeblocks-contexts", "-o", "json")
    found: dict[str, str] = json.loads(secret)["data"]
    return found
