"""Labs for the tests: each kind is brought up once, by name, and taken away at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TREE = ROOT / ".cache" / "tree"
sys.path.insert(0, str(TREE))
sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("", "e2e", "integration")]
os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _running(lab: object) -> Iterator[object]:
    """The lab, fresh. With KUBEBLOCKS_LAB_KEEP set it is taken as it is and left up, for work on the tests."""
    from lab import lifecycle
    from lab.settings import Lab

    assert isinstance(lab, Lab)
    keep = bool(os.environ.get("KUBEBLOCKS_LAB_KEEP"))
    if not keep:
        lifecycle.down(lab.name, _say)
    lifecycle.up(lab, _say)
    yield lab
    if not keep:
        lifecycle.down(lab.name, _say)


@pytest.fixture(scope="session")
def api_lab() -> Iterator[object]:
    """Four clusters of API server, store and controllers."""
    from lab.settings import Lab

    yield from _running(Lab("tapi", range=3, profile="api"))


@pytest.fixture(scope="session")
def pods_lab() -> Iterator[object]:
    """Four clusters with a node each."""
    from lab.settings import Lab

    yield from _running(Lab("tpods", range=2, profile="pods"))


@pytest.fixture(scope="session")
def balanced_lab() -> Iterator[object]:
    """Four clusters with a node each, for load balancers."""
    from lab.settings import Lab

    yield from _running(Lab("tcli", range=4, profile="pods"))


@pytest.fixture(scope="session")
def mesh_lab() -> Iterator[object]:
    """Four clusters without a network, for Cilium."""
    from lab.settings import CILIUM, Lab

    yield from _running(Lab("tmesh", range=6, network=CILIUM))
