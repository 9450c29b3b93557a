"""The values of Cilium's chart: whole, for each minor; and which addresses the others are told."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh import LOAD_BALANCER, NATIVE, Wish
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_values import (
    MANAGED,
    Settings,
    lasting,
    peer,
    peers_of,
    server_names,
    values,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_versions import MINORS

RELEASES = {(1, 17): "1.17.18", (1, 18): "1.18.12", (1, 19): "1.19.6", (1, 20): "1.20.0"}
WISH = Wish("k8s-1", 1, pod_cidrs=("10.1.0.0/16",))
PEERS = [{"name": "k8s-2", "port": 32379, "ips": ["192.0.2.2"]}, {"name": "k8s-3", "port": 32379, "ips": ["192.0.2.3"]}]
AUTO = {"enabled": True, "method": "cronJob", "schedule": "0 0 1 */4 *"}
# What is the same in every minor.
SAME: dict[str, Any] = {
    "cluster": {"name": "k8s-1", "id": 1},
    "ipam": {
        "mode": "cluster-pool",
        "operator": {"clusterPoolIPv4PodCIDRList": ["10.1.0.0/16"], "clusterPoolIPv4MaskSize": 24},
    },
    "routingMode": "tunnel",
    "tunnelProtocol": "vxlan",
    "kubeProxyReplacement": False,
    "rollOutCiliumPods": True,
    "operator": {"replicas": 2, "rollOutPods": True},
    "certgen": {"generateCA": False},
}
HUBBLE = {"enabled": True, "tls": {"auto": {"method": "cronJob", "schedule": "0 0 1 */4 *"}}}
MESH: dict[str, Any] = {
    "useAPIServer": True,
    "maxConnectedClusters": 255,
    "config": {"enabled": True, "clusters": PEERS},
}
SERVICE = {"type": "NodePort", "nodePort": 32379}
# Minor → certgen's days, whether dead backends can be forgotten, whether the chart makes Secrets unless told not to.
TABLE = {
    (1, 17): (1095, False, True),
    (1, 18): (1095, False, True),
    (1, 19): (1095, True, True),
    (1, 20): (365, True, False),
}


def made(minor: tuple[int, int], *, nodes: int = 3, settings: Settings | None = None, **changed: Any) -> dict[str, Any]:
    return values(replace(WISH, version=RELEASES[minor], **changed), nodes, PEERS, settings or Settings())


def test_every_minor_has_its_row() -> None:
    assert list(MINORS) == list(TABLE) == list(RELEASES)


@pytest.mark.parametrize("minor", TABLE)
def test_values_of_a_minor(minor: tuple[int, int]) -> None:
    days, forgets, _makes_secrets = TABLE[minor]
    ttl = {"cacheTTL": "60s"} if forgets else {}
    tls = {"auto": {**AUTO, "certValidityDuration": days}}
    mesh = {**MESH, **ttl, "apiserver": {"service": SERVICE, "tls": tls}}
    assert made(minor) == {**SAME, "hubble": HUBBLE, "clustermesh": mesh}


@pytest.mark.parametrize("minor", TABLE)
def test_values_of_a_minor_with_certificates_of_our_own(minor: tuple[int, int]) -> None:
    """No Job of Cilium's may be left, and no Secret that the chart makes."""
    _days, forgets, makes_secrets = TABLE[minor]
    ttl = {"cacheTTL": "60s"} if forgets else {}
    tls = {"auto": {"enabled": False}, **({"enableSecrets": False} if makes_secrets else {})}
    mesh = {**MESH, **ttl, "apiserver": {"service": SERVICE, "tls": tls}}
    found = made(minor, settings=Settings(MANAGED))
    assert found == {**SAME, "hubble": {"enabled": False}, "clustermesh": mesh}


@pytest.mark.parametrize("minor", TABLE)
def test_a_second_time_makes_the_same_bytes(minor: tuple[int, int]) -> None:
    assert json.dumps(made(minor)) == json.dumps(made(minor))


def test_a_single_node_has_one_operator() -> None:
    assert [made((1, 19), nodes=count)["operator"]["replicas"] for count in (1, 2, 3)] == [1, 2, 2]


def test_without_tunnels() -> None:
    found = made((1, 19), routing_mode=NATIVE, native_cidr="10.0.0.0/8")
    assert found["routingMode"] == "native"
    assert found["ipv4NativeRoutingCIDR"] == "10.0.0.0/8"
    assert {"tunnelProtocol", "tunnelPort"} & found.keys() == set()


def test_a_port_of_ones_own_for_tunnels() -> None:
    assert made((1, 19), tunnel_port=8473)["tunnelPort"] == 8473


def test_without_kube_proxy() -> None:
    found = made((1, 19), kube_proxy_replacement=True, api_server="192.0.2.1:6443")
    assert (found["kubeProxyReplacement"], found["k8sServiceHost"], found["k8sServicePort"]) == (
        True,
        "192.0.2.1",
        6443,
    )


def test_another_registry() -> None:
    """Only then are images named: the chart pins its own by digest."""
    settings = Settings(registry="registry.example", digests=False)
    found = made((1, 19), settings=settings)
    assert found["image"] == {"repository": "registry.example/cilium/cilium", "useDigest": False}
    assert found["operator"]["image"]["repository"] == "registry.example/cilium/operator"
    assert found["certgen"]["image"]["repository"] == "registry.example/cilium/certgen"
    assert found["clustermesh"]["apiserver"]["image"]["repository"] == "registry.example/cilium/clustermesh-apiserver"
    managed = made((1, 19), settings=replace(settings, certificates=MANAGED))
    assert managed["certgen"] == {"generateCA": False}


def test_a_load_balancer_by_name() -> None:
    """Its certificate has to carry the name, and others connect to the port behind which the mesh API is."""
    settings = Settings(service_annotations={"example.com/internal": "true"})
    name = "mesh.example.com"
    found = made((1, 19), settings=settings, service_type=LOAD_BALANCER, endpoints=(name,))["clustermesh"]["apiserver"]
    assert found["service"] == {"type": "LoadBalancer", "annotations": {"example.com/internal": "true"}}
    assert found["tls"]["server"] == {"extraDnsNames": [name]}
    wish = replace(WISH, service_type=LOAD_BALANCER, endpoints=(name,))
    assert peer(wish, ["192.0.2.1"]) == {"name": "k8s-1", "port": 2379, "address": name}
    assert server_names(wish) == [name]


def test_a_cluster_as_the_others_see_it() -> None:
    assert peer(WISH, ["192.0.2.9", "192.0.2.1"]) == {"name": "k8s-1", "port": 32379, "ips": ["192.0.2.1", "192.0.2.9"]}
    named = replace(WISH, name="one", endpoints=("192.0.2.7",), node_port=32380)
    assert peer(named, ["192.0.2.9"]) == {"name": "one", "port": 32380, "ips": ["192.0.2.7"]}
    assert server_names(named) == []


def test_the_list_of_peers_is_sorted_and_has_nobody_who_is_cut_off() -> None:
    every = {f"k8s-{number}": {"name": f"c{10 - number}"} for number in range(1, 6)}
    assert [entry["name"] for entry in peers_of(WISH, every)] == ["c5", "c6", "c7", "c8"]
    assert [entry["name"] for entry in peers_of(WISH, every, cut=["k8s-3"])] == ["c5", "c6", "c8"]


def test_addresses_last() -> None:
    """Nodes that come and go change nothing, as long as one that the others know is left."""
    every = [f"192.0.2.{number}" for number in range(1, 10)]
    assert lasting([], every, every) == every[:3]
    assert lasting([every[8]], every, every) == [every[8]]
    assert lasting([every[8], "192.0.2.200"], every, every) == [every[8]]
    assert lasting(["192.0.2.200"], every[4:], every) == every[4:7]
    assert lasting([], [], every) == every[:3]  # before there is a network, no node is ready
    assert lasting([], [], []) == []


def test_addresses_last_whatever_nodes_come() -> None:
    chance = random.Random(1)  # noqa: S311 - a shuffle
    for _ in range(200):
        every = [f"192.0.2.{number}" for number in chance.sample(range(1, 250), 8)]
        told = lasting([], every, every)
        staying = chance.sample(told, chance.randint(1, len(told)))
        others = [f"198.51.100.{number}" for number in range(5)]
        assert sorted(lasting(told, others, [*others, *staying])) == sorted(staying)
