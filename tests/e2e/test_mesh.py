"""From clusters without a network to etcd over a real Cilium Cluster Mesh, by ``site.yml`` alone."""

from __future__ import annotations

from itertools import permutations

import pytest

from balanced import SITE, until
from lab.crossing import cross
from lab.settings import Lab
from meshed import SYSTEM, contexts, info, items
from support import Audit, Played, kubectl, play


@pytest.fixture(scope="module")
def lab(mesh_lab: Lab) -> Lab:
    return mesh_lab


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


def test_a_mesh_of_all_clusters_and_etcd_over_it(lab: Lab, mesh_site: Played) -> None:
    found = info(lab, wait=True, wait_timeout=600)
    assert found["whole"], found["table"]
    assert {(pair["source"], pair["target"]) for pair in found["pairs"]} == set(permutations(contexts(lab), 2))
    assert all(pair["nodes"] == 1 and pair["last_contact"] is not None for pair in found["pairs"])
    where = ("-n", "etcd", "etcd", "-o", "jsonpath={.status.phase}")
    until(lambda: kubectl(lab, "control", "get", "clusters.apps.kubeblocks.io", *where) == "Running")
    assert cross(lab)
    secret = ("get", "secret", "-n", SYSTEM, "cilium-ca", "-o", "jsonpath={.data}")
    assert len({kubectl(lab, context, *secret) for context in contexts(lab)}) == 1


def test_a_second_run_changes_nothing(lab: Lab, mesh_site: Played) -> None:
    """No write, no revision of Cilium's release, no Pod restarted."""
    before, audit = of_cilium(lab), Audit(lab)
    quiet = play(lab, SITE)
    assert quiet.code == 0, quiet.output
    assert set(quiet.changed.values()) == {0}, quiet.output
    assert of_cilium(lab) == before
    assert all(revisions == ["1 deployed"] for _pods, revisions in before.values())
    written = [write for writes in audit.writes().values() for write in writes if "/leases/" not in write]
    assert written == []


def test_a_key_is_in_no_output(lab: Lab, mesh_site: Played) -> None:
    assert "Secret cilium-ca" in mesh_site.output, "what is written is shown"
    key = kubectl(lab, "control", "get", "secret", "-n", SYSTEM, "cilium-ca", "-o", r"jsonpath={.data.ca\.key}")
    assert key[100:160] not in mesh_site.output
    assert "PRIVATE KEY" not in mesh_site.output
