"""Each fault of the lab is proven by its effect, and undone without a trace, also when the tool dies in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lab import faults
from lab.cluster import cgroups
from lab.settings import Lab
from probes import WELL, Probes, Seen
from support import play

VICTIM = "k8s-2"
GONE = replace(WELL, peer_port=False, linearizable_read=False, disk=False)
EFFECTS = {
    "api": replace(WELL, api_from_host=False, api_from_control=False),
    "data": replace(WELL, peer_port=False, linearizable_read=False, packets_in=False, packets_out=False, slow=None),
    "partition": Seen(False, False, False, False, True, True, False, False, None),
    "asymmetric in": Seen(False, False, False, False, True, True, True, False, None),
    "asymmetric out": Seen(False, False, False, False, True, True, False, True, None),
    "slow": replace(WELL, slow=True),
    "freeze": Seen(False, False, False, False, True, None, True, True, False),
    "wipe": GONE,
    "rebuild": replace(GONE, same_uid=False),
}


def lab_command(lab: Lab, *words: str) -> list[str]:
    return [str(Path(sys.executable).with_name("lab")), "--name", lab.name, *words]


def run(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(lab_command(lab, *words), capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def probes(pods_lab: Lab) -> Probes:
    """An etcd of the playbooks, healthy before the first fault."""
    played = play(pods_lab, "playbooks/site.yml")
    assert played.code == 0, played.output
    found = Probes(pods_lab, VICTIM)
    found.until(WELL)
    return found


@pytest.mark.parametrize("fault", EFFECTS)
def test_a_fault_does_what_it_says_and_no_more(pods_lab: Lab, probes: Probes, fault: str) -> None:
    how, _, direction = fault.partition(" ")
    words = ["--how", how, *(["--direction", direction] if direction else [])]
    done = run(pods_lab, "fail", VICTIM, *words)
    assert done.returncode == 0, done.stderr
    listed = json.loads(run(pods_lab, "status", "--json").stdout)["contexts"][VICTIM]["faults"]
    assert [text.partition(" ")[0] for text in listed] == [how]
    try:
        probes.until(EFFECTS[fault])
    finally:
        healed = run(pods_lab, "heal", VICTIM)
    assert healed.returncode == 0, healed.stderr
    assert faults.in_force(pods_lab) == []
    probes.until(WELL)


def test_the_observer_alone_is_cut_off(pods_lab: Lab, probes: Probes) -> None:
    assert run(pods_lab, "fail", "observer").returncode == 0
    probes.until(replace(WELL, api_from_host=False, slow=None))
    assert run(pods_lab, "heal", "observer").returncode == 0
    probes.until(WELL)


@pytest.mark.parametrize(("how", "seconds"), [("partition", 0.25), ("freeze", 0.3), ("wipe", 0.35), ("rebuild", 3.0)])
def test_the_tool_killed_during_a_fault(pods_lab: Lab, probes: Probes, how: str, seconds: float) -> None:
    with subprocess.Popen(lab_command(pods_lab, "fail", VICTIM, "--how", how), stderr=subprocess.DEVNULL) as process:
        time.sleep(seconds)
        process.kill()
    healed = run(pods_lab, "heal")
    assert healed.returncode == 0, healed.stderr
    assert faults.in_force(pods_lab) == []
    assert not cgroups.frozen(pods_lab.node(VICTIM).cgroup)
    probes.until(WELL)
