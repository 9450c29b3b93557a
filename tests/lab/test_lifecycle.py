"""up, down and what happens in between: twice, side by side, killed half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from traces import everything, left_behind, traces

from lab.build import unpacked
from lab.build.images import archives
from lab.cluster import machine
from lab.cluster.api import Api
from lab.settings import Lab, Node, cache_root, load

Run = Callable[..., subprocess.CompletedProcess[str]]
NAME, RANGE = "tlife", 5
NOTHING: dict[str, list[str]] = {
    "processes": [],
    "namespaces": [],
    "links": [],
    "mounts": [],
    "cgroups": [],
    "folders": [],
    "rules": [],
}


@pytest.fixture
def clean(lab_command: Run) -> Iterator[None]:
    """No lab of this name before, none after."""
    lab_command("--name", NAME, "down")
    yield
    done = lab_command("--name", NAME, "down")
    assert done.returncode == 0, done.stderr


def up(lab_command: Run, *words: str, name: str = NAME, number: int = RANGE) -> str:
    done = lab_command("--name", name, "up", "--range", str(number), "--data-planes", "1", *words)
    assert done.returncode == 0, done.stderr
    return done.stderr


def running() -> Lab:
    lab = load(NAME)
    assert lab is not None
    return lab


def pids() -> dict[str, dict[str, int]]:
    """Context → process → its number, as its supervisor says."""
    found = {}
    for node in running().nodes:
        states = machine.supervisor(node).states()
        assert states
        found[node.name] = {name: record["pid"] for name, record in states.items()}
    return found


def nodes() -> list[dict[str, Any]]:
    return [Api(node).get(f"/api/v1/nodes/{node.name}") for node in running().nodes]


@pytest.mark.usefixtures("clean")
def test_pods_profile_from_nothing_to_nothing(lab_command: Run) -> None:
    before = everything()
    assert traces(NAME, RANGE) == NOTHING
    up(lab_command)
    found = traces(NAME, RANGE)
    assert all(found[key] for key in ("processes", "namespaces", "links", "cgroups", "folders")), found
    # Each node is a machine of its own.
    seen = nodes()
    for field, path in (("machineID", "/etc/machine-id"), ("bootID", "/proc/sys/kernel/random/boot_id")):
        ids = {node["status"]["nodeInfo"][field] for node in seen}
        assert len(ids) == len(seen)
        assert Path(path).read_text().strip() not in ids
    assert len({node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in seen}) == len(seen)
    for node in running().nodes:
        _begins_with_unpacked_images(node)
    assert lab_command("--name", NAME, "down").returncode == 0
    assert traces(NAME, RANGE) == NOTHING
    assert left_behind(before) == {}


def _begins_with_unpacked_images(node: Node) -> None:
    """Files that nobody writes to are the same on all nodes, where one disk holds them; databases are a node's own."""
    store = node.data / unpacked.STORE
    assert {path.stat().st_nlink for path in store.rglob("*.db")} == {1}
    content = [path for path in store.rglob("blobs/sha256/*") if path.stat().st_size]
    if cache_root().stat().st_dev == store.stat().st_dev:
        assert all(path.stat().st_nlink > len(running().nodes) for path in content) and content
    names = {archive.parent.name for archive in archives(node.network)}
    assert names == {path.name for path in (node.data / unpacked.MARKS).iterdir()}


@pytest.mark.usefixtures("clean")
def test_the_switch_makes_nodes_share_one_identity(lab_command: Run) -> None:
    up(lab_command, "--shared-identity")
    seen = nodes()
    host = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert {node["status"]["nodeInfo"]["bootID"] for node in seen} == {host}
    assert len({node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in seen}) == 1


@pytest.mark.usefixtures("clean")
def test_a_lab_that_runs(lab_command: Run) -> None:
    """One lab for all that can be asked of it: twice, another shape, side by side, things killed."""
    up(lab_command, "--profile", "api")
    before = pids()
    assert "everything runs already" in up(lab_command, "--profile", "api")
    assert pids() == before

    refused = lab_command("--name", NAME, "up", "--range", str(RANGE), "--data-planes", "1", "--profile", "pods")
    assert refused.returncode == 1
    assert f"run lab --name {NAME} down first" in refused.stderr
    other = lab_command("--name", "tother", "up", "--range", str(RANGE), "--profile", "api")
    assert other.returncode == 1
    assert f"lab '{NAME}' uses address range {RANGE}: give this one another with --range" in other.stderr
    assert pids() == before

    _side_by_side(lab_command)
    _killed_processes_come_back(lab_command)


def _side_by_side(lab_command: Run) -> None:
    try:
        up(lab_command, "--profile", "api", name="tside", number=6)
        second = load("tside")
        assert second is not None
        places = [*running().nodes, *second.nodes]
        uids = {Api(node).get("/api/v1/namespaces/kube-system")["metadata"]["uid"] for node in places}
        assert len(uids) == len(places)
    finally:
        lab_command("--name", "tside", "down")
    assert lab_command("--name", NAME, "status").returncode == 0


def _killed_processes_come_back(lab_command: Run) -> None:
    node = running().nodes[1]
    old = pids()[node.name]["kube-apiserver"]
    os.kill(old, signal.SIGKILL)
    deadline = time.monotonic() + 300
    while not (Api(node).ready() and pids()[node.name]["kube-apiserver"] not in (0, old)):
        assert time.monotonic() < deadline, "the API server did not come back"
        time.sleep(0.2)
    os.kill(int((node.folder / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    assert "processes started" in up(lab_command, "--profile", "api")
    assert lab_command("--name", NAME, "status").returncode == 0


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("seconds", [0.7, 3.0])
def test_killed_while_coming_up(lab_command: Run, seconds: float) -> None:
    command = [str(Path(sys.executable).with_name("lab")), "--name", NAME, "up", "--range", str(RANGE)]
    with subprocess.Popen([*command, "--data-planes", "1", "--profile", "api"], stderr=subprocess.DEVNULL) as process:
        time.sleep(seconds)
        process.kill()
    up(lab_command, "--profile", "api")
    assert lab_command("--name", NAME, "status").returncode == 0
    assert lab_command("--name", NAME, "down").returncode == 0
    assert traces(NAME, RANGE) == NOTHING


def test_bad_words_get_a_clear_answer(lab_command: Run) -> None:
    for words, answer in (
        (("--name", "Much-Too-Long", "up"), "use 1 to 8 lower-case letters and digits, a letter first"),
        (("--name", "tnone", "status"), "there is no lab 'tnone': run lab --name tnone up"),
        (("--name", NAME, "up", "--data-planes", "99"), "99 data planes: use 1 to 14"),
    ):
        done = lab_command(*words)
        assert done.returncode == 1
        assert answer in done.stderr
        assert "Traceback" not in done.stderr


def test_a_lab_describes_itself() -> None:
    lab = Lab(NAME, RANGE, 2)
    assert [node.name for node in lab.nodes] == ["control", "k8s-1", "k8s-2"]
    assert len({node.pod_network for node in lab.nodes} | {node.service_network for node in lab.nodes}) == 6
