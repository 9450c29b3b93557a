"""Bad input is found by ``site.yml`` before anything is written, and the message is the one that a person needs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from databases import APPS, await_all, client_of
from lab.build.tools import tools
from lab.outputs import CHARTS
from lab.settings import Lab
from support import Audit, Played, changed_inventory, kubectl, play

SITE = "playbooks/site.yml"


def messages(played: Played) -> str:
    """What was printed, with every run of white space as one blank: the callback wraps lines."""
    return re.sub(r"\s+", " ", played.output)


@pytest.fixture
def refused(api_lab: Lab) -> Callable[..., None]:
    """Run site.yml and require exactly these findings, and that nothing was written anywhere."""

    def check(expected: list[str], *words: str, inventory: Path | None = None, **extra: str) -> None:
        audit = Audit(api_lab)
        played = play(
            api_lab, SITE, "-e", '{"preflight_accept": ["storage.default_class"]}', *words, inventory=inventory, **extra
        )
        assert played.code != 0
        noun = "finding" if len(expected) == 1 else "findings"
        wanted = f"preflight: {len(expected)} {noun} must be mended before anything is written: " + " ".join(expected)
        assert wanted in messages(played), played.output
        assert audit.writes() == {node.name: [] for node in api_lab.nodes}

    return check


def test_context_missing(api_lab: Lab, tmp_path: Path, refused: Callable[..., None]) -> None:
    inventory = changed_inventory(api_lab, tmp_path, lambda hosts: hosts["data_plane"]["hosts"].update({"k8s-9": None}))
    refused(
        [
            f"k8s-9: find context 'k8s-9' in kubeconfig {api_lab.kubeconfig}: it has control, k8s-1, k8s-2, k8s-3. "
            "Without a context there is no way to this cluster. Add the context to the kubeconfig, or set "
            "kubeblocks_context or kubeblocks_kubeconfig for this host. [context.missing]"
        ],
        inventory=inventory,
    )


def test_two_data_planes_are_one_cluster(api_lab: Lab, tmp_path: Path, refused: Callable[..., None]) -> None:
    uid = kubectl(api_lab, "k8s-1", "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    kubeconfig = json.loads(api_lab.kubeconfig.read_text())
    kubeconfig["contexts"].append({**kubeconfig["contexts"][1], "name": "again"})
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    folder = tmp_path / "inventory"
    folder.mkdir()
    inventory = changed_inventory(api_lab, folder, lambda hosts: hosts["data_plane"]["hosts"].update({"again": None}))
    refused(
        [
            f"again: k8s-1 and again are the same cluster (kube-system has UID {uid}). Two data planes with one "
            "cluster behind them die together, and the operator would treat it as two. Let each host's context lead "
            "to a cluster of its own. [identity.duplicate]"
        ],
        "-e",
        f"kubeblocks_kubeconfig={path}",
        inventory=inventory,
    )
    audit = Audit(api_lab)
    words = ["-e", f"kubeblocks_kubeconfig={path}", "-e", "target=control role=control_plane"]
    alone = play(api_lab, "tests/integration/role.yml", *words, inventory=inventory)
    assert alone.code != 0
    assert "control: cannot write to this context, and nothing was written: again: k8s-1 and again" in messages(alone)
    assert audit.writes() == {node.name: [] for node in api_lab.nodes}


@pytest.mark.parametrize(("hosts", "listed"), [([], "none"), (["control", "other"], "control, other")])
def test_not_one_control_plane(
    api_lab: Lab, tmp_path: Path, refused: Callable[..., None], hosts: list[str], listed: str
) -> None:
    inventory = changed_inventory(
        api_lab, tmp_path, lambda found: found.update({"control_plane": {"hosts": dict.fromkeys(hosts)}})
    )
    refused(
        [
            f"inventory: group control_plane has {len(hosts)} hosts ({listed}). KubeBlocks has exactly one control "
            "plane. Leave exactly one host in the group control_plane. [inventory.control_plane]"
        ],
        inventory=inventory,
    )
    audit = Audit(api_lab)
    alone = play(api_lab, "tests/integration/role.yml", "-e", "target=k8s-1 role=data_plane", inventory=inventory)
    assert alone.code != 0
    assert "[inventory.control_plane]" in alone.output
    assert audit.writes() == {node.name: [] for node in api_lab.nodes}


def test_one_host_in_both_groups(api_lab: Lab, tmp_path: Path, refused: Callable[..., None]) -> None:
    inventory = changed_inventory(
        api_lab, tmp_path, lambda hosts: hosts["data_plane"]["hosts"].update({"control": None})
    )
    refused(
        [
            "control: this host stands in the groups control_plane and data_plane. One host is one context, and it "
            "would be prepared as both. Leave it in one group. [inventory.both_planes]"
        ],
        inventory=inventory,
    )


def test_api_that_does_not_answer(api_lab: Lab, tmp_path: Path, refused: Callable[..., None]) -> None:
    kubeconfig = json.loads(api_lab.kubeconfig.read_text())
    kubeconfig["clusters"][2]["cluster"]["server"] = "https://127.0.0.1:9"
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    refused(
        [
            "k8s-2: https://127.0.0.1:9 does not answer: Connection refused. Nothing can be prepared on a cluster "
            "that does not answer. Check that the cluster runs, that its address can be reached from here and that "
            "the credential is valid. [api.silent]"
        ],
        "-e",
        f"kubeblocks_kubeconfig={path}",
    )


def test_data_plane_with_crds(api_lab: Lab, refused: Callable[..., None]) -> None:
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "clusters.apps.kubeblocks.io"},
        "spec": {
            "group": "apps.kubeblocks.io",
            "names": {"kind": "Cluster", "plural": "clusters"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }
            ],
        },
    }
    kubectl(api_lab, "k8s-3", "apply", "-f", "-", stdin=json.dumps(crd))
    await_all(client_of(api_lab, "k8s-3"), [f"{APPS}/clusters"])
    try:
        refused(
            [
                "k8s-3: this data plane has CRDs of KubeBlocks (clusters.apps.kubeblocks.io). Its garbage collector "
                "takes the members' Services, Pods and volumes for orphans and deletes them. Make sure that no "
                "database of its own uses them, then remove the CRDs of *.kubeblocks.io here. [crds.present]"
            ]
        )
    finally:
        kubectl(api_lab, "k8s-3", "delete", "crd", "clusters.apps.kubeblocks.io")


def test_release_pending_by_somebody_else(api_lab: Lab, refused: Callable[..., None]) -> None:
    labels = {"owner": "helm", "name": "kubeblocks", "status": "pending-upgrade", "version": "3"}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {"namespace": "kb-system", "name": "sh.helm.release.v1.kubeblocks.v3", "labels": labels},
    }
    kubectl(api_lab, "control", "create", "namespace", "kb-system")
    kubectl(api_lab, "control", "apply", "-f", "-", stdin=json.dumps(secret))
    try:
        refused(
            [
                "control: Helm release kb-system/kubeblocks is pending-upgrade, and not by an interrupted run of this "
                "collection. Helm refuses to touch it, and whoever started it may still be at work. Wait for the "
                "other Helm, or clear it: helm rollback kubeblocks -n kb-system, or helm uninstall if it was never "
                "deployed. [release.pending]"
            ]
        )
    finally:
        kubectl(api_lab, "control", "delete", "namespace", "kb-system")


def test_helm_missing(refused: Callable[..., None]) -> None:
    refused(
        [
            "ansible host: the program helm cannot be run (helm-none-such: no such program). The operator is "
            "installed by Helm. Install helm 3.17 or newer, below 4, on this host, or set kubeblocks_helm_binary to "
            "its path. [helm.missing]"
        ],
        "-e",
        "kubeblocks_helm_binary=helm-none-such",
    )


def test_another_helm(refused: Callable[..., None], tmp_path: Path) -> None:
    """A stand-in that calls itself helm 4 and is the lab's own helm in all else."""
    helm = tmp_path / "helm"
    helm.write_text(f'#!/bin/sh\n[ "$1" = version ] && exec echo v4.0.1\nexec {tools() / "helm"} "$@"\n')
    helm.chmod(0o755)
    refused(
        [
            f"ansible host: {helm} is v4.0.1. Kubernetes.core calls it in the way of helm 3, from 3.17 on. Install "
            "helm 3.17 or newer, below 4, or set kubeblocks_helm_binary to the path of one. [helm.version]"
        ],
        "-e",
        f"kubeblocks_helm_binary={helm}",
    )


def test_chart_missing(refused: Callable[..., None]) -> None:
    chart = CHARTS / "none-such"
    refused(
        [
            f'ansible host: the chart {chart} cannot be found (path "{chart}" not found). Nothing can be installed '
            "without it. Check the chart's reference, version and repository, and that the repository can be reached. "
            "[chart.missing]"
        ],
        "-e",
        f"kubeblocks_chart_ref={chart}",
    )


def test_placement_names_unknown_context(refused: Callable[..., None]) -> None:
    refused(
        [
            "k8s-7: the placement names 'k8s-7', which is no data plane (they are: k8s-1, k8s-2, k8s-3). KubeBlocks "
            "drops unknown names silently, and the member would never exist. Correct etcd_placement, or add the "
            "context to the group data_plane. [placement.unknown]"
        ],
        "-e",
        '{"etcd_placement": ["k8s-1", "k8s-7", "k8s-3"]}',
    )


def test_several_findings_are_reported_together(refused: Callable[..., None]) -> None:
    refused(
        [
            "ansible host: the program helm cannot be run (helm-none-such: no such program). The operator is "
            "installed by Helm. Install helm 3.17 or newer, below 4, on this host, or set kubeblocks_helm_binary to "
            "its path. [helm.missing]",
            "k8s-7: the placement names 'k8s-7', which is no data plane (they are: k8s-1, k8s-2, k8s-3). KubeBlocks "
            "drops unknown names silently, and the member would never exist. Correct etcd_placement, or add the "
            "context to the group data_plane. [placement.unknown]",
        ],
        "-e",
        '{"etcd_placement": ["k8s-1", "k8s-7", "k8s-3"], "kubeblocks_helm_binary": "helm-none-such"}',
    )


def test_binding_of_another_role(api_lab: Lab) -> None:
    """A ClusterRoleBinding under the operator's name that leads to another role: said before this role writes."""
    words = ["clusterrolebinding", "kubeblocks-operator"]
    kubectl(api_lab, "k8s-2", "create", *words, "--clusterrole=view", "--user=somebody")
    try:
        audit = Audit(api_lab)
        played = play(api_lab, "tests/integration/role.yml", "-e", "target=k8s-2 role=data_plane")
        assert played.code != 0
        assert (
            "k8s-2: cannot apply ClusterRoleBinding kubeblocks-operator: its roleRef is not kubeblocks-operator, and "
            "Kubernetes never changes a roleRef. Find out who made it, then remove it: kubectl --context k8s-2 delete "
            "clusterrolebinding kubeblocks-operator"
        ) in messages(played)
        assert audit.writes()["k8s-2"] == []
    finally:
        kubectl(api_lab, "k8s-2", "delete", *words)
