"""A peer of a real mesh dies: nobody is sent there any more from the mark on, without waiting for the TTL."""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import Any

import pytest
from asking import NAME, SPACE, asking
from meshed import SYSTEM, contexts, in_agent, info

from balanced import until
from days import MARKS, OPERATOR, SHORT, get
from lab import faults
from lab.build.tools import tools
from lab.settings import Lab
from support import Played, kubectl, play

DEAD, OURS = "k8s-3", "k8s-1"
LISTS = ("cilium-clustermesh", "cilium-kvstoremesh")


@pytest.fixture(scope="module")
def lab(mesh_lab: Lab, mesh_site: Played) -> Lab:
    assert mesh_site.code == 0, mesh_site.output
    return mesh_lab


def run(lab: Lab, playbook: str, **variables: Any) -> Played:
    return play(lab, f"playbooks/{playbook}.yml", "-e", json.dumps(SHORT | variables))


def backends(lab: Lab, context: str) -> set[str]:
    """The addresses that an agent sends requests to, of the Service that everybody has."""
    address = kubectl(lab, context, "get", "service", "-n", SPACE, NAME, "-o", "jsonpath={.spec.clusterIP}")
    for service in in_agent(lab, context, "cilium-dbg", "service", "list"):
        realized = service["status"]["realized"]
        if realized["frontend-address"]["ip"] == address:
            return {each["ip"] for each in realized.get("backend-addresses") or []}
    return set()


def listed(lab: Lab, context: str) -> set[str]:
    """Whom a cluster's two lists of peers have."""
    found = [set(get(lab, "secret", name, SYSTEM, context).get("data") or {}) for name in LISTS]
    assert found[0] == found[1]
    return found[0]


def released(lab: Lab, context: str) -> set[str]:
    """Whom a cluster's release of Cilium was made with."""
    words = (str(tools() / "helm"), "--kubeconfig", str(lab.kubeconfig), "--kube-context", context, "-n", SYSTEM)
    done = subprocess.run([*words, "get", "values", "cilium", "-o", "json"], capture_output=True, text=True, check=True)
    return {entry["name"] for entry in json.loads(done.stdout)["clustermesh"]["config"]["clusters"]}


def failback(lab: Lab) -> None:
    deadline = time.monotonic() + 240
    while (played := run(lab, "failback")).code != 0 and time.monotonic() < deadline:
        refused = set(re.findall(r"\[(D4\.\d)\]", played.output))
        assert refused and refused <= {"D4.1", "D4.5"}, played.output
    assert played.code == 0, played.output


def joined(lab: Lab) -> bool:
    """Whether all have taken over what all offer. Probes that failed are made again within two minutes."""
    return all(pair["connected"] and pair["synced"] for pair in info(lab)["pairs"])


def marked(lab: Lab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(get(lab, "configmap", MARKS, OPERATOR)["data"]["marks"])
    return found


def test_a_dead_peer_is_cut_off_with_the_mark_and_joined_again(lab: Lab) -> None:
    others = [name for name in contexts(lab) if name != DEAD]
    network = lab.node(DEAD).pod_network.removesuffix("0.0/16")
    with asking(lab, OURS) as asked:
        before = {name: backends(lab, name) for name in others}
        assert all(any(address.startswith(network) for address in found) for found in before.values())
        faults.fail(lab, faults.Fault(DEAD, "partition"), print)
        try:
            played = run(lab, "failover")
            assert played.code == 0, played.output
            done = time.time()
            for name in others:
                assert listed(lab, name) == set(others) - {name}
                until(lambda: not any(each.startswith(network) for each in backends(lab, name)), 10)  # noqa: B023
            time.sleep(25)
            asked.look()
            assert asked.share(done - 15, done - 5) > 0, "requests went to the dead one before"
            assert asked.share(done + 10, done + 20) == 0
            again = run(lab, "failover", failover_names=[DEAD])
            assert again.code == 0 and again.changed == {"control": 0}, again.output
            assert info(lab)["marked"] == [DEAD] and info(lab)["whole"]
        finally:
            faults.heal(lab, None, print)
        failback(lab)
        assert marked(lab) == {}
        assert all(listed(lab, name) == set(contexts(lab)) - {name} for name in contexts(lab))
        until(lambda: joined(lab), 300)
        until(lambda: {name: backends(lab, name) for name in others} == before, 60)
        until(lambda: asked.names(time.time() - 10) == set(contexts(lab)), 60)


def test_what_site_left_out_meanwhile_is_brought_back(lab: Lab) -> None:
    """A run of site while the peer is dead makes releases without it; failback makes them anew before anything else."""
    faults.fail(lab, faults.Fault(DEAD, "partition"), print)
    try:
        assert run(lab, "failover").code == 0
        site = run(lab, "site")
        assert site.code == 0, site.output
        assert all(DEAD not in released(lab, name) for name in contexts(lab) if name != DEAD)
    finally:
        faults.heal(lab, None, print)
    failback(lab)
    until(lambda: joined(lab), 300)
    assert all(DEAD in released(lab, name) for name in contexts(lab) if name != DEAD)
    quiet = run(lab, "site")
    assert quiet.code == 0 and set(quiet.changed.values()) == {0}, quiet.output
