"""Every module through both of its bodies, against real API servers: equal results, nothing written in check mode."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError
from lab.build.crds import kubeblocks_crds
from lab.build.oci import REGISTRY
from lab.outputs import CHARTS
from lab.settings import Lab
from local_etcd import LocalEtcd, SteadyEtcd
from support import Audit, kubectl, module, places, uid_of_control

CLUSTER = {"namespace": "two", "name": "two"}
# One look, by whoever is busy: a request may take long, and is no silence.
SHORT = {"window": 0.5, "samples": 2, "request_timeout": 30.0}
LONG = {"request_timeout": 30.0, "deadline": 120.0}


def cases(lab: Lab, store: LocalEtcd | None = None) -> dict[str, dict[str, Any]]:
    """Module → options, in an order in which each finds what it stands on. ``store``: for what knows no context."""
    control = {"kubeconfig": str(lab.kubeconfig), "context": "control"}
    data = {"kubeconfig": str(lab.kubeconfig), "context": "k8s-1"}
    account = {"service_account": "default", "service_account_namespace": "two"}
    return {
        "context_identity": {**data, "contexts": places(lab), "operator_namespace": "two"},
        "object_drift_info": {
            **data,
            "definitions": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "three"}}],
        },
        "preflight_report": {
            "contexts": places(lab),
            "placement": ["k8s-1", "k8s-2", "k8s-3"],
            "helm_binary": "helm",
            "storage_class": "none-such",
            "accept": ["storage.class_missing"],
            "charts": [{"ref": str(CHARTS / "etcd")}],
            **LONG,
        },
        "placement_info": {"placement": ["k8s-1", "k8s-2", "k8s-3"], "replicas": 4},
        "context_health_info": {"contexts": places(lab), "databases": [CLUSTER], **SHORT},
        # Nothing is dead here, and there is no operator: tests/e2e/test_9_failover.py is where it writes.
        "context_mark": {
            **control,
            "contexts": places(lab),
            "operator_namespace": "two",
            "in_cluster": "members",
            **SHORT,
        },
        "context_record": {**control, "namespace": "two", "contexts": places(lab)},
        "crd_bundle": {**control, "source": str(kubeblocks_crds()), "namespace": "two", "request_timeout": 60.0},
        "helm_release_claim": {**control, "namespace": "two", "releases": ["one"]},
        "operator_kubeconfig": {**control, "namespace": "two", "contexts": places(lab), **account},
        "cluster_role_replica": {**data, "source_context": "control", "source_kubeconfig": str(lab.kubeconfig)},
        "etcd_cluster": {**control, **CLUSTER, "placement": ["k8s-1", "k8s-2", "k8s-3"]},
        "member_services": {**data, "contexts": places(lab), **CLUSTER, "exposure": "node_port"},
        "metallb_configuration": {**data, "addresses": ["192.0.2.8/29"]},
        "mesh_info": {"contexts": places(lab), **LONG},
        "mesh_peers": {**control, "contexts": places(lab), "operator_namespace": "two", **LONG},
        "mesh_plan_info": {"contexts": places(lab), **LONG},
        "mesh_test": {**control, "contexts": [{**place, "mesh": {"id": 1 + n}} for n, place in enumerate(places(lab))]},
        # Where it writes: tests/integration/test_mesh.py.
        "mesh_certificates": {
            **data,
            "contexts": places(lab),
            "control_plane_uid": uid_of_control(lab) if lab.kubeconfig.exists() else "",
            "cluster": "k8s-1",
            "namespace": "two",
        },
        "endpoints_info": {"contexts": places(lab), **CLUSTER, "operator_namespace": "two", **LONG},
        "etcd_members_info": {"contexts": places(lab), **CLUSTER},
        "etcd_sentinel": {"endpoints": [f"127.0.0.1:{port}" for port in (store.clients if store else [])]},
        "status_report": {"contexts": places(lab), **CLUSTER, "request_timeout": 30.0},
    }


MODULES = list(cases(Lab("x")))
WRITERS = (
    "context_record",
    "crd_bundle",
    "operator_kubeconfig",
    "cluster_role_replica",
    "etcd_cluster",
    "member_services",
)
# Where the two bodies of a module write, if not here: it needs MetalLB or Pods, or each run writes keys of its own.
ELSEWHERE = {
    "metallb_configuration": "tests/e2e/test_6_clients.py",
    "etcd_sentinel": "tests/integration/test_sentinel.py",
    "mesh_certificates": "tests/integration/test_mesh.py",
    "mesh_test": "tests/e2e/test_mesh_ways.py",
}
DATA_PLANES = ("cluster_role_replica", "member_services")


@pytest.fixture(scope="module")
def ground(api_lab: Lab) -> Iterator[Lab]:
    """A namespace everywhere, a role to copy and a definition that counts as Available."""
    for node in api_lab.nodes:
        kubectl(api_lab, node.name, "create", "namespace", "two")
    kubectl(
        api_lab,
        "control",
        "create",
        "clusterrole",
        "kubeblocks-cluster-pod-role",
        "--verb=create,get,update",
        "--resource=events",
    )
    yield api_lab
    for node in api_lab.nodes:
        kubectl(api_lab, node.name, "delete", "clusterrole", "kubeblocks-cluster-pod-role", "--ignore-not-found")
        kubectl(api_lab, node.name, "delete", "namespace", "two", "--wait=false")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEtcd]:
    """An etcd of one member on this machine, behind no API server."""
    etcd = SteadyEtcd(tmp_path_factory.mktemp("store"), 1)
    try:
        etcd.start_members()
        yield etcd
    finally:
        etcd.end()


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what differs from call to call: time, and what only a display adds."""
    left_out = {"waited", "invocation", "warnings", "_ansible_no_log", "action"}
    found = {key: value for key, value in result.items() if key not in left_out and not key.startswith("_ansible")}
    for each in [*found.get("samples", []), *found.get("verdicts", {}).values()]:
        for moment in ("at", "lasting"):
            each.pop(moment, 0)
    if "verdicts" in found:  # which contexts and words are there is compared, and for how many seconds is not
        found["table"] = [re.sub(r" +", " ", re.sub(r"  \d+ s  ", "  some s  ", line)) for line in found["table"]]
    for seen in found.get("preflight_report", {}).get("contexts", {}).values():
        for moment in ("authority_left", "credential_left", "clock_offset"):
            assert seen.pop(moment, 0) is not None or moment == "credential_left"
    return found


@pytest.mark.parametrize("name", MODULES)
def test_check_mode_writes_nothing_and_both_bodies_agree(ground: Lab, store: LocalEtcd, name: str) -> None:
    audit, revision = Audit(ground), store.revision()
    options = cases(ground, store)[name]
    results = [module(ground, name, options, body=body, check=True) for body in ("action", "module")]
    assert comparable(results[0]) == comparable(results[1])
    assert not results[0].get("failed"), results[0].get("msg")
    assert audit.writes() == {node.name: [] for node in ground.nodes}
    assert store.revision() == revision
    planned = name in WRITERS and name != "member_services"  # there is no Cluster yet
    assert results[0]["changed"] is (planned or name in ("metallb_configuration", "mesh_certificates"))


@pytest.mark.parametrize("name", [name for name in MODULES if name not in (*WRITERS, *ELSEWHERE)])
def test_readers_agree_in_both_bodies(ground: Lab, name: str) -> None:
    results = [module(ground, name, cases(ground)[name], body=body) for body in ("action", "module")]
    assert comparable(results[0]) == comparable(results[1])
    assert not results[0].get("failed"), results[0].get("msg")


def make_definition_available(lab: Lab) -> None:
    """What the operator does when it has looked at a definition; there is no operator on these clusters."""
    body = """
apiVersion: apps.kubeblocks.io/v1
kind: ComponentDefinition
metadata: {name: etcd-3-test}
spec: {runtime: {containers: [{name: etcd}]}}
"""
    kubectl(lab, "control", "apply", "-f", "-", stdin=body)
    status = '{"status": {"phase": "Available"}}'
    kubectl(
        lab,
        "control",
        "patch",
        "componentdefinition",
        "etcd-3-test",
        "--subresource=status",
        "--type=merge",
        "-p",
        status,
    )


def await_served_crds(lab: Lab) -> None:
    """A CRD that is deleted while its storage still starts stays for minutes: Kubernetes tries less and less often."""
    client = Client(Access("control", str(lab.kubeconfig)))
    crds = client.list("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    waiting = [
        f"/apis/{crd['spec']['group']}/{version['name']}/{crd['spec']['names']['plural']}"
        for crd in crds
        for version in crd["spec"]["versions"]
        if version["served"]
    ]
    deadline = time.monotonic() + 300
    while waiting and time.monotonic() < deadline:
        waiting = [path for path in waiting if not served(client, path)]
    assert waiting == []


def served(client: Client, path: str) -> bool:
    try:
        return client.get(path) is not None
    except ContextError:
        return False


UNDO = {
    "context_record": [["delete", "configmap", "-n", "two", "kubeblocks-multicluster-contexts"]],
    "crd_bundle": [["delete", "configmap", "-n", "two", "kubeblocks-multicluster-crds"], ["delete", "crd", "--all"]],
    "operator_kubeconfig": [["delete", "secret", "-n", "two", "kubeblocks-contexts"]],
    "cluster_role_replica": [["delete", "clusterrole", "kubeblocks-cluster-pod-role"]],
    "member_services": [["delete", "services", "-n", "two", "-l", "kubeblocks.multicluster/clients-of"]],
    "etcd_cluster": [["delete", "clusters.apps.kubeblocks.io", "-n", "two", "two"]],
}


def without_life(name: str, result: dict[str, Any]) -> dict[str, Any]:
    """Tokens are minted at different seconds, all else is equal."""
    found = comparable(result)
    if name == "operator_kubeconfig":
        found = {**found, "tokens": [{**token, "expires": ""} for token in found["tokens"]]}
    return found


@pytest.mark.parametrize("name", WRITERS)
def test_writers_agree_and_a_second_run_changes_nothing(ground: Lab, name: str) -> None:
    if name == "etcd_cluster":
        make_definition_available(ground)
    context = "k8s-1" if name in DATA_PLANES else "control"
    first = {}
    for body in ("action", "module"):
        first[body] = module(ground, name, cases(ground)[name], body=body)
        assert first[body].get("changed"), first[body]
        audit = Audit(ground)
        second = module(ground, name, cases(ground)[name], body=body)
        assert second["changed"] is False, second
        assert audit.writes()[context] == []
        if body == "action":
            if name == "crd_bundle":
                await_served_crds(ground)
            for words in UNDO[name]:
                kubectl(ground, context, *words)
    assert without_life(name, first["action"]) == without_life(name, first["module"])


def test_no_token_is_ever_printed(ground: Lab) -> None:
    secret = kubectl(ground, "control", "get", "secret", "-n", "two", "kubeblocks-contexts", "-o", "json")
    assert "token-k8s-1" in secret
    for body in ("action", "module"):
        for check in (False, True):
            kubectl(ground, "control", "delete", "secret", "-n", "two", "kubeblocks-contexts", "--ignore-not-found")
            result = module(ground, "operator_kubeconfig", cases(ground)["operator_kubeconfig"], body=body, check=check)
            assert "eyJ" not in str(result)
            assert "*** hidden ***" in str(result["diff"])


@pytest.mark.parametrize("body", ["action", "module"])
def test_no_key_is_left_on_disk(ground: Lab, body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab's kubeconfig holds its keys itself, and OpenSSL reads them from files only."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert "client-key-data" in ground.kubeconfig.read_text()
    found = module(ground, "context_identity", cases(ground)["context_identity"], body=body)
    assert found["identity"]["uid"]
    assert list(tmp_path.iterdir()) == []


def test_images_come_from_nowhere() -> None:
    assert REGISTRY.endswith(".invalid")
