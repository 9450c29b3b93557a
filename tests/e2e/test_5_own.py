"""The control plane's own cluster as one of the data planes: only where that is said, and then like any other."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from balanced import report_of
from lab import lifecycle
from lab.settings import Lab
from support import Audit, changed_inventory, kubectl, play

SITE = "playbooks/site.yml"
OWN = "-e", "kubeblocks_control_plane_is_data_plane=true"


def _say(_text: str) -> None:
    """The lab's words are not needed here."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    found = Lab("town", range=7, data_planes=2)
    lifecycle.down(found.name, _say)
    lifecycle.up(found, _say)
    yield found
    lifecycle.down(found.name, _say)


@pytest.fixture(scope="module")
def inventory(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A third data plane, whose context leads to the control plane's cluster."""
    folder = tmp_path_factory.mktemp("own")
    kubeconfig = json.loads(lab.kubeconfig.read_text())
    control = next(context for context in kubeconfig["contexts"] if context["name"] == "control")
    kubeconfig["contexts"].append({"name": "own", "context": control["context"]})
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig))

    def add(hosts: dict[str, Any]) -> None:
        hosts["data_plane"]["hosts"]["own"] = {"kubeblocks_kubeconfig": str(folder / "kubeconfig")}

    return changed_inventory(lab, folder, add)


def test_it_is_refused_where_nobody_said_so(lab: Lab, inventory: Path) -> None:
    audit = Audit(lab)
    refused = play(lab, SITE, inventory=inventory)
    assert refused.code != 0
    uid = kubectl(lab, "control", "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    sentence = (
        f"preflight: 1 finding must be mended before anything is written: own: control and own are the same cluster "
        f"(kube-system has UID {uid}). A control plane and a data plane with one cluster behind them die together, and "
        "the operator would treat it as two. Let each host's context lead to a cluster of its own, or set "
        "kubeblocks_control_plane_is_data_plane. [identity.duplicate]"
    )
    assert sentence in " ".join(refused.output.split())
    assert audit.writes() == {node.name: [] for node in lab.nodes}


def test_where_it_is_said_the_members_are_one_etcd(lab: Lab, inventory: Path) -> None:
    site = play(lab, SITE, *OWN, inventory=inventory)
    assert site.code == 0, site.output

    def is_one_etcd(report: str) -> bool:
        own = "".join(line for line in report.splitlines() if line.strip().startswith("own "))
        well = "operator ready, Cluster Running" in report and report.count("in use") == 3
        return well and "etcd-etcd-2 Running" in own

    report_of(lab, site, is_one_etcd, *OWN, inventory=inventory)
    secret = json.loads(
        kubectl(lab, "control", "get", "secret", "-n", "kb-system", "kubeblocks-contexts", "-o", "json")
    )
    kubeconfig = json.loads(base64.b64decode(secret["data"]["kubeconfig"]))
    servers = {entry["name"]: entry["cluster"]["server"] for entry in kubeconfig["clusters"]}
    assert servers["own"] == "https://kubernetes.default.svc:443"
    assert servers["k8s-1"] == lab.node("k8s-1").server


def test_the_second_run_changes_nothing(lab: Lab, inventory: Path) -> None:
    again = play(lab, SITE, *OWN, inventory=inventory)
    assert again.code == 0, again.output
    assert set(again.changed.values()) == {0}, again.output


def test_it_cannot_be_marked(lab: Lab, inventory: Path) -> None:
    """The mark as KubeBlocks reads it, put there by somebody: the next run refuses to go on with it."""
    deployment = json.loads(kubectl(lab, "control", "get", "deployment", "-n", "kb-system", "kubeblocks", "-o", "json"))
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    path = "/spec/template/spec/containers/0/args"
    marked = [*arguments, "--multi-cluster-contexts-disabled=own"]
    patch = [{"op": "replace", "path": path, "value": marked}, {"op": "add", "path": "/spec/paused", "value": True}]
    words = ["patch", "deployment", "-n", "kb-system", "kubeblocks", "--type=json", "-p"]
    kubectl(lab, "control", *words, json.dumps(patch))
    refused = play(lab, "playbooks/preflight.yml", *OWN, inventory=inventory)
    assert refused.code != 0
    assert "own: context own is marked as unavailable, and is the control plane itself." in refused.output
    assert "[identity.control_plane_marked]" in refused.output
