"""A peer of a real mesh dies: nobody is sent there any more from the mark on, without waiting for the TTL."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from asking import NAME, SPACE, asking
from balanced import until
from days import SHORT, get, helm, marks, sure, until_unmarked
from lab import faults
from lab.settings import Lab
from meshed import SYSTEM, contexts, in_agent, info, info_until
from support import Played, kubectl, play

DEAD, OURS = "k8s-3", "k8s-1"
LISTS = ("cilium-clustermesh", "cilium-kvstoremesh")


@pytest.fixture(scope="module")
def lab(mesh_lab: Lab, mesh_site: Played) -> Lab:
    return mesh_lab


def run(lab: Lab, playbook: str, *words: str, **variables: Any) -> Played:
    return play(lab, f"playbooks/{playbook}.yml", "-e", json.dumps(SHORT | variables), *words)


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
    found = [set(get(lab, "secrets", name, SYSTEM, context).get("data") or {}) for name in LISTS]
    assert found[0] == found[1]
    return found[0]


def released(lab: Lab, context: str) -> set[str]:
    """Whom a cluster's release of Cilium was made with."""
    values = json.loads(helm(lab, "get", "values", "cilium", "-o", "json", context=context, namespace=SYSTEM))
    return {entry["name"] for entry in values["clustermesh"]["config"]["clusters"]}


def failback(lab: Lab) -> None:
    until_unmarked(lambda: run(lab, "failback"))


def joined(lab: Lab) -> bool:
    """Whether all have taken over what all offer. Probes that failed are made again within two minutes."""
    return all(pair["connected"] and pair["synced"] for pair in info(lab)["pairs"])


def test_a_dead_peer_is_cut_off_with_the_mark_and_joined_again(lab: Lab) -> None:
    """A run of site meanwhile makes releases without it; failback makes them anew before anything else."""
    others = [name for name in contexts(lab) if name != DEAD]
    network = lab.node(DEAD).pod_network.removesuffix("0.0/16")
    with asking(lab, OURS, seconds=5) as asked:  # on a busy machine a Pod may be late
        until(lambda: all(len(backends(lab, name)) == len(contexts(lab)) for name in others))
        before = {name: backends(lab, name) for name in others}
        assert all(any(address.startswith(network) for address in found) for found in before.values())
        faults.fail(lab, faults.Fault(DEAD, "partition"), print)
        broken = time.time()
        try:
            checked = sure(lambda: run(lab, "failover", "--check", "--diff"))
            assert checked.code == 0 and all(f"Secret {name}" in checked.output for name in LISTS), checked.output
            assert all(DEAD in listed(lab, name) for name in others), "it says who would be cut off, and cuts nobody"
            played = sure(lambda: run(lab, "failover"))
            assert played.code == 0, played.output
            for name in others:
                assert listed(lab, name) == set(others) - {name}
                until(lambda: not any(each.startswith(network) for each in backends(lab, name)))  # noqa: B023
            done = time.time()
            time.sleep(25)
            asked.look()
            assert asked.share(broken, done) > 0, "requests went to the dead one before"
            assert asked.share(done + 10, done + 20) == 0
            again = run(lab, "failover", failover_names=[DEAD])
            assert again.code == 0 and again.changed == {"control": 0}, again.output
            info_until(lab, lambda found: found["marked"] == [DEAD] and found["whole"])
            site = run(lab, "site")
            assert site.code == 0, site.output
            assert all(DEAD not in released(lab, name) for name in others)
        finally:
            faults.heal(lab, None, print)
        failback(lab)
        assert marks(lab) == {}
        assert all(listed(lab, name) == set(contexts(lab)) - {name} for name in contexts(lab))
        assert all(DEAD in released(lab, name) for name in others)
        until(lambda: joined(lab))
        until(lambda: {name: backends(lab, name) for name in others} == before)
        until(lambda: asked.names(time.time() - 10) == set(contexts(lab)))
    quiet = run(lab, "site")
    assert quiet.code == 0 and set(quiet.changed.values()) == {0}, quiet.output
