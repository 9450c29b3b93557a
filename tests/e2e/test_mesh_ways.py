"""Every way through a real mesh, by Pods of its own: all are open, and one that is not is named."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from balanced import until
from lab.settings import Lab
from meshed import contexts, dropping, every_way
from support import Played, kubectl, play

OURS, OTHER = "k8s-1", "k8s-2"


@pytest.fixture(scope="module")
def lab(mesh_lab: Lab, mesh_site: Played) -> Lab:
    return mesh_lab


def left(lab: Lab) -> list[str]:
    """What the test made and did not take away."""
    kinds = "jobs,pods,services"
    found = [kubectl(lab, name, "get", kinds, "-n", "kb-system", "-o", "name") for name in contexts(lab)]
    return [line for text in found for line in text.split() if "probe" in line or "mesh-test" in line]


def test_all_ways_are_open(lab: Lab, tmp_path: Path) -> None:
    report = tmp_path / "mesh.xml"
    variables = json.dumps({"cluster_mesh_test_junit": str(report)})
    played = play(lab, "playbooks/mesh_test.yml", "-e", variables)
    assert played.code == 0, played.output
    assert set(played.changed.values()) == {0}
    assert "CONNECTIVITY" in played.output and "FAILED" not in played.output
    suite = ElementTree.parse(report).getroot()  # noqa: S314 - it is our own
    assert (suite.get("tests"), suite.get("failures")) == (str(12 * 6 + 4), "0")
    until(lambda: left(lab) == [])


def test_what_was_measured(lab: Lab) -> None:
    found = every_way(lab)
    assert found["whole"], found["table"]
    values = {(each["source"], each["target"], each["check"]): each["value"] for each in found["results"]}
    assert values[OURS, "all clusters", "global"] == 4
    assert values[OURS, OTHER, "packet"] == 1450, "of 1500 bytes, VXLAN takes 50"
    assert 0 < values[OURS, OTHER, "round_trip"] < 1000
    assert values[OURS, OTHER, "throughput"] > 1


def test_a_way_that_is_cut_is_named(lab: Lab) -> None:
    other = lab.node(OTHER).address
    with dropping(lab, OURS, f"in -s {other}", f"out -d {other}"):
        found = every_way(lab)
    assert found["failed"] and not found["whole"]
    named = {(each["source"], each["target"]) for each in found["results"] if not each["ok"]}
    assert named - {(OURS, "all clusters"), (OTHER, "all clusters")} == {(OURS, OTHER), (OTHER, OURS)}
    assert f"{OURS} -> {OTHER}: Pod to Pod: no answer within 2 s" in found["msg"]
    assert f"{OURS} -> control" not in found["msg"]
    until(lambda: left(lab) == [])


def test_large_packets_that_are_lost_are_found(lab: Lab) -> None:
    """A way that carries small packets alone, as behind a tunnel that nobody made room for."""
    with dropping(lab, OTHER, "in -p udp --dport 8472 -m length --length 1400:"):
        found = every_way(lab)
    lost = [each for each in found["results"] if not each["ok"] and each["check"] == "packet"]
    assert {each["target"] for each in lost} == {OTHER}
    assert all("a packet of 1450 bytes is lost, one of 13" in each["why"] for each in lost)
