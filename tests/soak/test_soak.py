"""Again and again: what one round leaves behind shows after many. Not part of CI; run: make soak"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import lifecycle
from lab.settings import Lab
from support import kubectl, play

sys.path.insert(0, str(Path(__file__).parent.parent / "lab"))
from traces import everything, left_behind

UPS, DATABASES = 10, 30


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
    yield lab
    lifecycle.down(lab.name, _say)


def _volumes(lab: Lab) -> list[str]:
    folders = [path.name for node in lab.nodes for path in node.volumes.iterdir()]
    claims = [kubectl(lab, node.name, "get", "pv,pvc", "-A", "-o", "name").split() for node in lab.nodes]
    return [*folders, *(name for names in claims for name in names)]


def test_thirty_databases_leave_no_volume(site: Lab) -> None:
    for number in range(DATABASES):
        words = ["-e", "etcd_termination_policy=WipeOut", "-e", f"etcd_name=e{number}"]
        played = play(site, "playbooks/site.yml", *words)
        assert played.code == 0, played.output
        assert _volumes(site)
        kubectl(site, "control", "delete", "clusters.apps.kubeblocks.io", "-n", "etcd", f"e{number}")
        deadline = time.monotonic() + 120
        while _volumes(site) and time.monotonic() < deadline:
            time.sleep(1)
        assert _volumes(site) == []
