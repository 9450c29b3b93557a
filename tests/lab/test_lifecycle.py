"""up, down and what happens in between: twice, side by side, killed half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from traces import everything, traces

from lab.build.everything import build_everything
from lab.cluster import machine
from lab.cluster.api import Api
from lab.settings import Lab, load

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


@pytest.fixture(autouse=True)
def clean(lab_command: Run) -> Iterator[None]:
    lab_command("--name", NAME, "down")
    yield
    done = lab_command("--name", NAME, "down")
    assert done.returncode == 0, done.stderr


def up(lab_command: Run, *words: str, name: str = NAME, number: int = RANGE) -> str:
    done = lab_command("--name", name, "up", "--range", str(number), "--data-planes", "1", *words)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("profile", ["api", "pods"])
def test_up_and_down_leave_nothing(lab_command: Run, profile: str) -> None:
    before = everything()
    assert traces(NAME, RANGE) == NOTHING
    up(lab_command, "--profile", profile)
    found = traces(NAME, RANGE)
    assert all(found[key] for key in ("processes", "namespaces", "links", "cgroups", "folders")), found
    assert lab_command("--name", NAME, "down").returncode == 0
    assert traces(NAME, RANGE) == NOTHING
    assert everything() == before


def test_up_twice_changes_nothing(lab_command: Run) -> None:
    up(lab_command, "--profile", "api")
    before = pids()
    assert "everything runs already" in up(lab_command, "--profile", "api")
    assert pids() == before


def pids() -> dict[str, dict[str, int]]:
    """Context → process → its number, as its supervisor says."""
    lab = load(NAME)
    assert lab is not None
    found = {}
    for node in lab.nodes:
        states = machine.supervisor(node).states()
        assert states
        found[node.name] = {name: record["pid"] for name, record in states.items()}
    return found


def test_another_shape_is_refused(lab_command: Run) -> None:
    up(lab_command, "--profile", "api")
    refused = lab_command("--name", NAME, "up", "--range", str(RANGE), "--data-planes", "1", "--profile", "pods")
    assert refused.returncode == 1
    assert f"run lab --name {NAME} down first" in refused.stderr
    other = lab_command("--name", "tother", "up", "--range", str(RANGE), "--profile", "api")
    assert other.returncode == 1
    assert f"lab '{NAME}' uses address range {RANGE}: give this one another with --range" in other.stderr


def test_two_labs_side_by_side(lab_command: Run) -> None:
    up(lab_command, "--profile", "api")
    try:
        up(lab_command, "--profile", "api", name="tside", number=6)
        first, second = load(NAME), load("tside")
        assert first and second
        uids = {
            Api(node).get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
            for lab in (first, second)
            for node in lab.nodes
        }
        assert len(uids) == 4
        assert lab_command("--name", "tside", "down").returncode == 0
        assert lab_command("--name", NAME, "status").returncode == 0
    finally:
        lab_command("--name", "tside", "down")


@pytest.mark.parametrize("seconds", [0.5, 2.0, 5.0])
def test_killed_while_coming_up(lab_command: Run, seconds: float) -> None:
    build_everything(lambda _text: None)
    command = [str(Path(sys.executable).with_name("lab")), "--name", NAME, "up", "--range", str(RANGE)]
    with subprocess.Popen([*command, "--data-planes", "1", "--profile", "api"], stderr=subprocess.DEVNULL) as process:
        time.sleep(seconds)
        process.kill()
    up(lab_command, "--profile", "api")
    assert lab_command("--name", NAME, "status").returncode == 0
    assert lab_command("--name", NAME, "down").returncode == 0
    assert traces(NAME, RANGE) == NOTHING


def test_a_killed_process_comes_back_and_a_killed_supervisor_too(lab_command: Run) -> None:
    up(lab_command, "--profile", "api")
    lab = load(NAME)
    assert lab is not None
    node = lab.nodes[1]
    old = pids()[node.name]["kube-apiserver"]
    os.kill(old, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not (Api(node).ready() and pids()[node.name]["kube-apiserver"] not in (0, old)):
        assert time.monotonic() < deadline, "the API server did not come back"
        time.sleep(0.2)
    os.kill(int((node.folder / "run" / "supervisord.pid").read_text()), signal.SIGKILL)
    assert "processes started" in up(lab_command, "--profile", "api")
    assert lab_command("--name", NAME, "status").returncode == 0


def test_each_node_is_a_machine_of_its_own(lab_command: Run) -> None:
    up(lab_command)
    lab = load(NAME)
    assert lab is not None
    info = [Api(node).get(f"/api/v1/nodes/{node.name}")["status"]["nodeInfo"] for node in lab.nodes]
    host = {"machineID": Path("/etc/machine-id").read_text().strip()}
    for field in ("machineID", "bootID"):
        assert len({entry[field] for entry in info}) == len(lab.nodes)
    assert all(entry["machineID"] != host["machineID"] for entry in info)
    zones = {
        Api(node).get(f"/api/v1/nodes/{node.name}")["metadata"]["labels"]["topology.kubernetes.io/zone"]
        for node in lab.nodes
    }
    assert len(zones) == len(lab.nodes)


def test_the_switch_makes_them_share_one(lab_command: Run) -> None:
    up(lab_command, "--shared-identity")
    lab = load(NAME)
    assert lab is not None
    nodes = [Api(node).get(f"/api/v1/nodes/{node.name}") for node in lab.nodes]
    assert len({node["status"]["nodeInfo"]["bootID"] for node in nodes}) == 1
    assert len({node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes}) == 1


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
