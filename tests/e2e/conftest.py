"""The etcd of the playbooks on the lab of load balancers, and on the one with a mesh, each made once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from balanced import SITE, run
from lab.settings import Lab
from meshed import of_its_node
from support import Played, changed_inventory, play


@pytest.fixture(scope="session")
def balanced_inventory(balanced_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each data plane with the lab's addresses for its load balancers."""

    def give(hosts: dict[str, Any]) -> None:
        for variables in hosts["data_plane"]["hosts"].values():
            variables["load_balancer_addresses"] = variables["lab_pool"]

    return changed_inventory(balanced_lab, tmp_path_factory.mktemp("balanced"), give)


@pytest.fixture(scope="session")
def balanced_site(balanced_lab: Lab, balanced_inventory: Path) -> Played:
    played = run(balanced_lab, balanced_inventory)
    assert played.code == 0, played.output
    return played


@pytest.fixture(scope="session")
def mesh_site(mesh_lab: Lab) -> Played:
    """The first run, which tells all that it can: no Pod could have run before it."""
    ready = {node.name: of_its_node(mesh_lab, node.name) for node in mesh_lab.nodes}
    assert ready == dict.fromkeys(ready, "False") or os.environ.get("KUBEBLOCKS_LAB_KEEP")
    played = play(mesh_lab, SITE, "-vvv", "--diff")
    assert played.code == 0, played.output
    return played
