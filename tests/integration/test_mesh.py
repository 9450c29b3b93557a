"""The plan of a mesh and its CA, on real API servers: what is refused before anything is written, and what is made."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _signing as signing
from lab.build.tools import tools
from lab.outputs import CHARTS
from lab.settings import Lab
from support import Audit, kubectl, module, places, uid_of_control

SPACE, CA = "meshed", "cilium-ca"
CERTIFICATES = [f"clustermesh-apiserver-{name}-cert" for name in ("admin", "local", "remote", "server")]
PLANES = ("control", "k8s-1", "k8s-2")


@pytest.fixture(scope="module")
def noded_lab(api_lab: Lab) -> Iterator[Lab]:
    """API servers alone have no kubelet that would tell of a node: each is told of one."""
    for node in api_lab.nodes:
        make_node(api_lab, node.name)
        kubectl(api_lab, node.name, "create", "namespace", SPACE)
    yield api_lab
    for node in api_lab.nodes:
        kubectl(api_lab, node.name, "delete", "node", node.name)
        kubectl(api_lab, node.name, "delete", "namespace", SPACE, "--wait=true")


def make_node(lab: Lab, context: str) -> None:
    """One that nothing runs on."""
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": context}}
    kubectl(lab, context, "apply", "-f", "-", stdin=json.dumps(body))
    status = {
        "addresses": [{"type": "InternalIP", "address": lab.node(context).address}],
        "nodeInfo": {"kernelVersion": "6.1.0", "architecture": "amd64"},
    }
    patch = json.dumps({"status": status})
    kubectl(lab, context, "patch", "node", context, "--subresource=status", "--type=merge", "-p", patch)


def meshed(lab: Lab, **changed: dict[str, Any]) -> list[dict[str, Any]]:
    """The control plane and two data planes are to be in the mesh; ``changed``: what differs, by context."""
    found = places(lab)
    for number, place in enumerate(found[:3], 1):
        mesh = {"id": number, "pod_cidrs": [f"10.{200 + number}.0.0/16"]}
        place["mesh"] = mesh | changed.get(place["name"].replace("-", "_"), {})
    return found


def plan(lab: Lab, places: list[dict[str, Any]], body: str = "action", **options: Any) -> dict[str, Any]:
    return module(
        lab, "mesh_plan_info", {"contexts": places, "request_timeout": 30.0, "deadline": 120.0, **options}, body=body
    )


def test_a_plan_over_all_clusters(noded_lab: Lab) -> None:
    audit = Audit(noded_lab)
    ways = [plan(noded_lab, meshed(noded_lab), body) for body in ("action", "module")]
    assert ways[0]["plan"] == ways[1]["plan"]
    assert audit.writes() == {node.name: [] for node in noded_lab.nodes}
    assert list(ways[0]["plan"]) == list(PLANES)
    for name in PLANES:
        values = ways[0]["plan"][name]["values"]
        listed = values["clustermesh"]["config"]["clusters"]
        assert [entry["name"] for entry in listed] == [other for other in PLANES if other != name]
        assert [entry["ips"] for entry in listed] == [
            [noded_lab.node(other).address] for other in PLANES if other != name
        ]
        assert (values["cluster"]["name"], values["operator"]["replicas"]) == (name, 1)


# What differs → what is said. Nothing may be written before.
REFUSED: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "networks that overlap": (
        {"k8s_2": {"pod_cidrs": ["10.202.0.0/16"]}},
        r"k8s-2: Pods of k8s-1 (10.202.0.0/16) and k8s-2 (10.202.0.0/16) overlap.",
    ),
    "a network that holds a node": ({"k8s_1": {"pod_cidrs": ["172.16.0.0/12"]}}, "holds the node 172.31."),
    "a number twice": ({"k8s_2": {"id": 2}}, "k8s-2: k8s-1 and k8s-2 both have the number 2."),
    "a name of 33 characters": ({"k8s_1": {"name": "a" * 33}}, "k8s-1: the mesh's name for it is 'aaa"),
    "two protocols": ({"k8s_2": {"tunnel_protocol": "geneve"}}, "k8s-2: it would use tunnel geneve 0, and control"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_before_anything_is_written(noded_lab: Lab, case: str) -> None:
    changed, said = REFUSED[case]
    audit = Audit(noded_lab)
    found = plan(noded_lab, meshed(noded_lab, **changed))
    assert found["failed"]
    assert said in found["msg"]
    assert "nothing was written" in found["msg"]
    assert "plan" not in found
    assert audit.writes() == {node.name: [] for node in noded_lab.nodes}


def ids(found: dict[str, Any]) -> set[str]:
    return {finding["id"] for finding in found["findings"]}


def test_everything_that_the_inventory_has_wrong_is_said_at_once(noded_lab: Lab) -> None:
    wrong = meshed(
        noded_lab,
        control={
            "name": "a" * 33,
            "max_clusters": 300,
            "node_port": 1,
            "kube_proxy_replacement": True,
            "pod_cidrs": ["172.16.0.0/12"],
        },
        k8s_1={"id": 999, "pod_cidrs": [], "service_type": "LoadBalancer", "version": "1.17.18"},
        k8s_2={
            "id": 999,
            "name": "a" * 33,
            "routing_mode": "native",
            "mask_size": 12,
            "version": "1.16.0",
            "pod_cidrs": ["172.16.0.0/12"],
        },
    )
    assert ids(plan(noded_lab, wrong)) == {
        "mesh.api_server",
        "mesh.capacity",
        "mesh.datapath",
        "mesh.endpoints",
        "mesh.id",
        "mesh.id_doubled",
        "mesh.max_clusters",
        "mesh.name",
        "mesh.name_doubled",
        "mesh.native",
        "mesh.node_port",
        "mesh.pod_cidr",
        "mesh.pod_network",
        "mesh.pod_overlap",
        "mesh.skew",
        "mesh.version",
    }


@pytest.fixture
def unfit_lab(noded_lab: Lab) -> Iterator[Lab]:
    """The control plane has a Cilium of another name and an old machine; k8s-1 has another network, and CAs differ."""
    system = ("-n", "kube-system")
    helm(noded_lab, "install", "cilium", str(CHARTS / "cilium"), *system, "--set", "cluster.name=other,cluster.id=9")
    machine = {"status": {"nodeInfo": {"kernelVersion": "4.19.0", "architecture": "s390x"}}}
    patch = ("patch", "node", "control", "--subresource=status", "--type=merge", "-p", json.dumps(machine))
    kubectl(noded_lab, "control", *patch)
    labels = {"app": "calico"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "one", "image": "lab.invalid/one:1"}]}}
    network = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"namespace": SPACE, "name": "calico-node"},
        "spec": {"selector": {"matchLabels": labels}, "template": pod},
    }
    kubectl(noded_lab, "k8s-1", "apply", "-f", "-", stdin=json.dumps(network))
    kubectl(noded_lab, "k8s-2", "delete", "node", "k8s-2")
    put(noded_lab, "control", signing.new_authority("ends soon", days=30), "kube-system")
    put(noded_lab, "k8s-1", signing.new_authority("another"), "kube-system")
    put(noded_lab, "k8s-2", {"ca.crt": b"nothing", "ca.key": b"nothing"}, "kube-system")
    yield noded_lab
    helm(noded_lab, "uninstall", "cilium", *system)
    kubectl(noded_lab, "k8s-1", "delete", "daemonset", "-n", SPACE, "calico-node")
    for context in PLANES:
        kubectl(noded_lab, context, "delete", "secret", *system, CA)
        make_node(noded_lab, context)


def helm(lab: Lab, *words: str) -> None:
    command = [str(tools() / "helm"), "--kubeconfig", str(lab.kubeconfig), "--kube-context", "control", *words]
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def test_everything_that_the_clusters_have_already_is_held_against_it(unfit_lab: Lab) -> None:
    audit = Audit(unfit_lab)
    older = {"version": "1.18.12"}
    found = plan(unfit_lab, meshed(unfit_lab, control=older, k8s_1=older, k8s_2=older))
    assert ids(found) == {
        "mesh.architecture",
        "mesh.ca",
        "mesh.ca_differs",
        "mesh.ca_ends",
        "mesh.different",
        "mesh.kernel",
        "mesh.nodes",
        "mesh.other_network",
        "mesh.version_step",
    }
    assert "control: its Cilium has cluster-name other, and control is wanted." in found["msg"]
    assert "k8s-1: another network is installed (Calico)." in found["msg"]
    assert audit.writes() == {node.name: [] for node in unfit_lab.nodes}


def test_some_may_be_accepted_and_others_never(noded_lab: Lab) -> None:
    overlapping = meshed(noded_lab, k8s_2={"pod_cidrs": ["10.202.0.0/16"]})
    found = plan(noded_lab, overlapping, accept=["mesh.pod_overlap"])
    assert list(found["plan"]) == list(PLANES)
    found = plan(noded_lab, meshed(noded_lab, k8s_2={"id": 2}), accept=["mesh.id_doubled"])
    assert "k8s-2: k8s-1 and k8s-2 both have the number 2." in found["msg"]


def test_one_that_does_not_answer(noded_lab: Lab) -> None:
    wanted = meshed(noded_lab)
    wanted[2]["kubeconfig"] = "/nowhere/kubeconfig"
    assert ids(plan(noded_lab, wanted)) == {"mesh.silent"}


def test_a_cluster_that_nobody_manages_here_may_have_any(noded_lab: Lab) -> None:
    """cluster_mesh_manage off: what is there is its own business, and only looked at."""
    data = {"cluster-name": "other", "cluster-id": "9"}
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": "kube-system", "name": "cilium-config"},
        "data": data,
    }
    kubectl(noded_lab, "k8s-1", "apply", "-f", "-", stdin=json.dumps(body))
    try:
        managed = plan(noded_lab, meshed(noded_lab))
        left = plan(noded_lab, meshed(noded_lab, k8s_1={"manage": False}))
    finally:
        kubectl(noded_lab, "k8s-1", "delete", "configmap", "-n", "kube-system", "cilium-config")
    assert ids(managed) == {"mesh.foreign"}
    assert not left.get("failed"), left.get("msg")


# The CA and what it signs


def certify(lab: Lab, context: str, *, check: bool = False, body: str = "action", **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "kubeconfig": str(lab.kubeconfig),
        "context": context,
        "contexts": meshed(lab),
        "namespace": SPACE,
        "control_plane_uid": uid_of_control(lab),
        "cluster": context,
        "managed": True,
    }
    return module(lab, "mesh_certificates", given | options, body=body, check=check)


def secrets(lab: Lab, context: str) -> dict[str, dict[str, bytes]]:
    items = json.loads(kubectl(lab, context, "get", "secrets", "-n", SPACE, "-o", "json"))["items"]
    return {
        item["metadata"]["name"]: {key: base64.b64decode(value) for key, value in item["data"].items()}
        for item in items
    }


def authority_of(lab: Lab, context: str) -> dict[str, bytes]:
    return secrets(lab, context)[CA]


@pytest.fixture
def clean(noded_lab: Lab) -> Iterator[Lab]:
    yield noded_lab
    for node in noded_lab.nodes:
        kubectl(noded_lab, node.name, "delete", "secrets", "-n", SPACE, "--all")


def test_one_authority_for_all_and_each_its_own_certificates(clean: Lab) -> None:
    audit = Audit(clean)
    assert certify(clean, "k8s-1", check=True)["changed"]
    assert audit.writes() == {node.name: [] for node in clean.nodes}
    first, second = certify(clean, "k8s-1"), certify(clean, "k8s-2", body="module")
    assert [first["changed"], second["changed"]] == [True, True]
    assert authority_of(clean, "control") == authority_of(clean, "k8s-1") == authority_of(clean, "k8s-2")
    made = signing.fingerprint(authority_of(clean, "control")["ca.crt"])
    assert [first["fingerprint"], second["fingerprint"]] == [made, made]
    assert sorted(first["renewed"]) == CERTIFICATES == sorted(set(secrets(clean, "k8s-1")) - {CA})
    issuer = x509.load_pem_x509_certificate(authority_of(clean, "control")["ca.crt"])
    names = {}
    for secret in CERTIFICATES:
        certificate = x509.load_pem_x509_certificate(secrets(clean, "k8s-1")[secret]["tls.crt"])
        certificate.verify_directly_issued_by(issuer)
        names[secret.split("-")[2]] = certificate.subject.rfc4514_string()
    assert names == {
        "admin": "CN=admin-k8s-1",
        "local": "CN=local-k8s-1",
        "remote": "CN=remote",
        "server": "CN=clustermesh-apiserver.cilium.io",
    }


def test_a_second_run_writes_nothing_and_no_key_is_said(clean: Lab) -> None:
    told = json.dumps([certify(clean, "k8s-1"), certify(clean, "k8s-1", check=True)])
    audit = Audit(clean)
    for body in ("action", "module"):
        again = certify(clean, "k8s-1", body=body)
        assert not again["changed"]
        told += json.dumps(again)
    assert audit.writes() == {node.name: [] for node in clean.nodes}
    held = secrets(clean, "k8s-1")
    keys = [held[CA]["ca.key"], *(held[secret]["tls.key"] for secret in CERTIFICATES)]
    for key in keys:
        middle = key.splitlines()[1].decode()
        assert middle not in told
        assert base64.b64encode(key).decode()[:40] not in told


def test_an_authority_that_a_cluster_has_is_the_meshs(clean: Lab) -> None:
    """Brought by its owner, or from a Cilium that was there before."""
    own = signing.new_authority("somebody's own")
    put(clean, "k8s-2", own)
    found = certify(clean, "k8s-1")
    assert found["fingerprint"] == signing.fingerprint(own["ca.crt"])
    assert authority_of(clean, "k8s-1") == authority_of(clean, "control") == own


def put(lab: Lab, context: str, authority: dict[str, bytes], namespace: str = SPACE) -> None:
    data = {key: base64.b64encode(value).decode() for key, value in authority.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": CA}, "data": data}
    kubectl(lab, context, "apply", "-f", "-", stdin=json.dumps(body))


def test_different_authorities_are_nobodys_to_choose(clean: Lab) -> None:
    put(clean, "k8s-1", signing.new_authority("one"))
    put(clean, "k8s-2", signing.new_authority("other"))
    audit = Audit(clean)
    found = certify(clean, "k8s-1")
    assert "k8s-1: cannot choose the mesh's CA: k8s-1 and k8s-2 have different ones." in found["msg"]
    put(clean, "control", authority_of(clean, "k8s-1"))
    found = certify(clean, "k8s-2")
    assert "k8s-2: cannot join this cluster: its CA is not the mesh's" in found["msg"]
    assert [write for write in audit.writes()["k8s-2"] if "clustermesh" in write] == []


def test_an_authority_that_cannot_sign(clean: Lab) -> None:
    whole = signing.new_authority("one")
    put(clean, "control", {"ca.crt": whole["ca.crt"], "ca.key": signing.new_authority("other")["ca.key"]})
    found = certify(clean, "k8s-1")
    assert "control: cannot use the mesh's CA: its key is not that of its certificate." in found["msg"]
    assert secrets(clean, "k8s-1") == {}


def test_certificates_are_renewed_before_they_end_and_no_sooner(clean: Lab) -> None:
    certify(clean, "k8s-1", days=90)
    before = secrets(clean, "k8s-1")
    assert not certify(clean, "k8s-1", days=90, renew_days=60)["changed"]
    renewed = certify(clean, "k8s-1", days=90, renew_days=91)
    assert renewed["renewed"] == dict.fromkeys(CERTIFICATES, "it ends soon")
    after = secrets(clean, "k8s-1")
    assert after[CA] == before[CA]
    assert all(after[secret]["tls.crt"] != before[secret]["tls.crt"] for secret in CERTIFICATES)


def test_the_control_plane_has_to_be_the_one_that_was_looked_at(clean: Lab) -> None:
    found = certify(clean, "k8s-1", control_plane_uid="another")
    assert "control: cannot keep the mesh's CA in this context: it was cluster another, and is" in found["msg"]
    assert secrets(clean, "control") == secrets(clean, "k8s-1") == {}


def test_nobody_makes_an_authority_before_all_were_asked(clean: Lab) -> None:
    """One that does not answer may have one."""
    places = meshed(clean)
    places[2]["kubeconfig"] = "/nowhere/kubeconfig"
    found = certify(clean, "k8s-1", contexts=places)
    assert "k8s-1: cannot make the mesh's CA: these clusters cannot be asked whether they have one:" in found["msg"]
    assert secrets(clean, "control") == {}
