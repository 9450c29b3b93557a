"""The clouds' annotations on the Services that KubeBlocks really makes: each cloud, each mix of two, both scopes.

No cloud answers here, so no Service gets an address and no Pod is started; looked at is what a cloud would read.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _cluster
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call
from clients import services
from lab.settings import Lab
from support import Audit, kubectl, play

PREFIX = "service.beta.kubernetes.io"
SUBNET = f"{PREFIX}/volcengine-loadbalancer-subnet-id"
# Written down from the clouds' documents, apart from the code: cloud → internal, internet.
DOCUMENTED: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "ack": (
        {f"{PREFIX}/alibaba-cloud-loadbalancer-address-type": "intranet"},
        {f"{PREFIX}/alibaba-cloud-loadbalancer-address-type": "internet"},
    ),
    "vke": (
        {f"{PREFIX}/volcengine-loadbalancer-address-type": "PRIVATE", SUBNET: "subnet-1"},
        {f"{PREFIX}/volcengine-loadbalancer-address-type": "PUBLIC", SUBNET: "subnet-1"},
    ),
    "aws": (
        {
            f"{PREFIX}/aws-load-balancer-type": "external",
            f"{PREFIX}/aws-load-balancer-nlb-target-type": "ip",
            f"{PREFIX}/aws-load-balancer-scheme": "internal",
        },
        {
            f"{PREFIX}/aws-load-balancer-type": "external",
            f"{PREFIX}/aws-load-balancer-nlb-target-type": "ip",
            f"{PREFIX}/aws-load-balancer-scheme": "internet-facing",
        },
    ),
    "gke": (
        {
            "networking.gke.io/load-balancer-type": "Internal",
            "networking.gke.io/internal-load-balancer-allow-global-access": "true",
        },
        {},
    ),
    "aks": (
        {f"{PREFIX}/azure-load-balancer-internal": "true"},
        {f"{PREFIX}/azure-load-balancer-internal": "false"},
    ),
}
SCOPES = ("internal", "internet")
MIXES = [*itertools.combinations(DOCUMENTED, 1), *itertools.combinations(DOCUMENTED, 2)]
CASES = [(mix, scope) for mix in MIXES for scope in SCOPES]


def name_of(mix: tuple[str, ...], scope: str) -> str:
    return "-".join([*mix, {"internal": "lan", "internet": "wan"}[scope]])


def make(lab: Lab, **changed: Any) -> dict[str, Any]:
    """A Cluster of one member, by the module that the playbooks use."""
    defaults = {key: option.get("default") for key, option in _cluster.SPEC.items()}
    access = {"kubeconfig": str(lab.kubeconfig), "context": "control", "request_timeout": 10.0}
    asked = {"namespace": "etcd", "placement": ["k8s-1"], "replicas": 1, "peer_exposure": "load_balancer"}
    return _cluster.run(Call(defaults | access | asked | changed))


@pytest.fixture(scope="module")
def made(pods_lab: Lab) -> Iterator[dict[str, dict[str, Any]]]:
    """Every case as a Cluster; the Services in the data plane, by name."""
    played = play(pods_lab, "playbooks/site.yml")
    assert played.code == 0, played.output
    for mix, scope in CASES:
        extra = {SUBNET: "subnet-1"} if "vke" in mix else {}
        options = {"peer_clouds": list(mix), "peer_scope": scope, "peer_annotations": extra}
        make(pods_lab, name=name_of(mix, scope), accept=["exposure.plain_internet"], **options)
    wanted = {f"{name_of(mix, scope)}-etcd-0" for mix, scope in CASES}
    deadline = time.monotonic() + 600
    while not wanted <= set(there := services(pods_lab, "k8s-1")) and time.monotonic() < deadline:
        time.sleep(1)
    assert wanted <= set(there), wanted - set(there)
    yield there
    clusters = [name_of(*case) for case in CASES]
    kubectl(pods_lab, "control", "delete", "clusters.apps.kubeblocks.io", "-n", "etcd", "--wait=false", *clusters)


@pytest.mark.parametrize(("mix", "scope"), CASES, ids=lambda part: part if isinstance(part, str) else "-".join(part))
def test_a_service_carries_exactly_what_the_clouds_document(
    made: dict[str, dict[str, Any]], mix: tuple[str, ...], scope: str
) -> None:
    service = made[f"{name_of(mix, scope)}-etcd-0"]
    expected = {"apps.kubeblocks.io/multi-cluster-placement": "k8s-1"}  # KubeBlocks' own
    for cloud in mix:
        expected |= DOCUMENTED[cloud][SCOPES.index(scope)]
    assert service["metadata"].get("annotations", {}) == expected
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["spec"]["externalTrafficPolicy"] == "Local"


# Options → the sentence that refuses them, before anything is written.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "one load balancer for all": (
        {"peer_clouds": ["ack"], "peer_annotations": {f"{PREFIX}/alibaba-cloud-loadbalancer-id": "lb-1"}},
        f"the annotation {PREFIX}/alibaba-cloud-loadbalancer-id is asked for on the Service of every member. All "
        "members would share one load balancer or one address, and a name would lead to any of them. Leave it out; "
        "each Service gets a load balancer of its own. [exposure.one_load_balancer]",
    ),
    "plain HTTP on the internet": (
        {"peer_clouds": ["gke"], "peer_scope": "internet"},
        "plain HTTP is asked for on addresses of the internet. Whoever finds such an address reads and writes the "
        "database, or joins it. Use internal addresses or a mesh; a firewall of your own may make it right, then "
        "accept it by name. [exposure.plain_internet]",
    ),
    "vke without a subnet": (
        {"peer_clouds": ["vke"]},
        f"the preset vke has no annotation {SUBNET}. VKE makes no load balancer without a subnet. Give it beside the "
        "preset, with the ID of a subnet. [exposure.vke_subnet]",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_said_and_not_made(pods_lab: Lab, made: dict[str, Any], case: str) -> None:
    options, sentence = REFUSED[case]
    audit = Audit(pods_lab)
    with pytest.raises(Failed) as refused:
        make(pods_lab, name="refused", **options)
    assert str(refused.value) == f"Cluster etcd/refused: {sentence}"
    words = json.dumps(
        {f"etcd_{key}": value for key, value in options.items()} | {"etcd_peer_exposure": "load_balancer"}
    )
    played = play(pods_lab, "playbooks/preflight.yml", "-e", words, "-e", "preflight_in_cluster=never")
    assert played.code != 0
    assert f"peers: {sentence}" in " ".join(played.output.split())
    assert audit.writes() == {node.name: [] for node in pods_lab.nodes}


def test_peers_are_never_changed_to_another_kind(pods_lab: Lab, made: dict[str, Any]) -> None:
    with pytest.raises(Failed, match="its peer Services are of type LoadBalancer, and ClusterIP is asked for"):
        make(pods_lab, name=name_of(("ack",), "internal"), peer_exposure="mesh")
