"""Again and again: what one round leaves behind shows after many. Not part of CI; run: make soak"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import lifecycle
from lab.settings import Lab
from support import kubectl, play

sys.path.insert(0, str(Path(__file__).parent.parent / "lab"))
from traces import everything, left_behind

UPS, DATABASES, AT_ONCE = 10, 30, 3


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def test_ten_times_up_and_down() -> None:
    lab = Lab("tsoak", range=5)
    before = everything()
    for _ in range(UPS):
        lifecycle.up(lab, _say)
        lifecycle.down(lab.name, _say)
        assert left_behind(before) == {}


@pytest.fixture
def site() -> Iterator[Lab]:
    lab = Lab("tsoak", range=5)
    lifecycle.up(lab, _say)
    played = play(lab, "playbooks/site.yml", "--skip-tags", "etcd,report")
    assert played.code == 0, played.output
    yield lab
    lifecycle.down(lab.name, _say)


def _volumes(lab: Lab) -> list[str]:
    folders = [path.name for node in lab.nodes for path in node.volumes.iterdir()]
    claims = [kubectl(lab, node.name, "get", "pv,pvc", "-A", "-o", "name").split() for node in lab.nodes]
    return [*folders, *(name for names in claims for name in names)]


def _create(lab: Lab, name: str) -> None:
    words = ["-e", f"target=control role=etcd etcd_name={name} etcd_termination_policy=WipeOut"]
    played = play(lab, "tests/integration/role.yml", *words)
    assert played.code == 0, played.output


def test_thirty_databases_leave_no_volume(site: Lab) -> None:
    """Three at a time: each is one etcd before it is deleted."""
    names = [f"e{number}" for number in range(DATABASES)]
    for start in range(0, DATABASES, AT_ONCE):
        some = names[start : start + AT_ONCE]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda name: _create(site, name), some))
        assert len(_volumes(site)) == 3 * 3 * len(some)  # a folder, a volume and a claim for each member
        kubectl(site, "control", "delete", "clusters.apps.kubeblocks.io", "-n", "etcd", *some)
        deadline = time.monotonic() + 180
        while _volumes(site) and time.monotonic() < deadline:
            time.sleep(1)
        assert _volumes(site) == []
        _say(f"{start + len(some)} databases made and deleted, no volume left")
