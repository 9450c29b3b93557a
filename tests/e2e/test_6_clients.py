"""Load balancers by real MetalLB, for members and clients: what is opened, what is true of it, a cluster cut off."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from balanced import (
    ENDPOINTS,
    ETCD,
    METALLB,
    PLANES,
    PODS,
    client_targets,
    in_pool,
    look_until,
    run,
    until,
)
from clients import Writer, etcdctl, in_member, metrics, services
from lab import faults
from lab.build.programs import program
from lab.settings import Lab
from support import Played, kubectl, module, places


@pytest.fixture(scope="module")
def lab(balanced_lab: Lab) -> Lab:
    return balanced_lab


@pytest.fixture(scope="module")
def inventory(balanced_inventory: Path) -> Path:
    return balanced_inventory


@pytest.fixture(scope="module")
def site(balanced_site: Played) -> Played:
    return balanced_site


def test_members_know_each_other_by_the_addresses_of_load_balancers(lab: Lab, site: Played) -> None:
    listed = json.loads(in_member(lab, "k8s-1", PODS[0], "member", "list", "-w", "json"))["members"]
    for number, context in enumerate(PLANES):
        peer = services(lab, context)[PODS[number]]
        (ingress,) = peer["status"]["loadBalancer"]["ingress"]
        entry = next(member for member in listed if member["name"] == PODS[number])
        assert entry["peerURLs"] == [f"http://{ingress['ip']}:2380"]
        assert in_pool(lab, context, ingress["ip"])
        assert PODS[(number + 1) % 3] not in services(lab, context), "a peer's Service is where its member is, only"


def test_a_client_outside_the_clusters_writes_through_each_address(lab: Lab, site: Played) -> None:
    targets = client_targets(look_until(lab, lambda found: sorted(client_targets(found)) == PODS))
    for member, target in targets.items():
        etcdctl(target, "put", f"through/{member}", target)
    for target in targets.values():
        assert etcdctl(target, "get", "--prefix", "through/", "--print-value-only").split() == [
            targets[member] for member in PODS
        ]


def test_what_members_advertise_is_true_from_every_cluster(lab: Lab, site: Played) -> None:
    for context, pod in zip(PLANES, PODS, strict=True):
        found = json.loads(in_member(lab, context, pod, "endpoint", "status", "--cluster", "-w", "json"))
        assert len(found) == 3
        assert len({entry["Status"]["header"]["member_id"] for entry in found}) == 3


def test_endpoints_says_from_where_each_address_is_reached(lab: Lab, site: Played) -> None:
    def all_in_time(found: dict[str, Any]) -> bool:
        addresses = [address for endpoint in found["endpoints"] for address in endpoint["addresses"]]
        took = [each for address in addresses for each in address["reached"].values()]
        leaders = [endpoint["leader"] for endpoint in found["endpoints"]].count(True)
        plain = all(address["speaks"] == "plain" for address in addresses)
        return found["problems"] == [] and None not in took and leaders == 1 and plain

    found = look_until(lab, all_in_time)
    assert {vantage: entry["asked"] for vantage, entry in found["vantages"].items()} == {
        "host": "host",
        "control": "probe",
        **dict.fromkeys(PLANES, "member"),
    }
    assert [endpoint["leader"] for endpoint in found["endpoints"]] == [True, False, False]
    for endpoint in found["endpoints"]:
        for address in endpoint["addresses"]:
            assert set(address["reached"]) == {"host", "control", *PLANES}


def test_the_client_port_is_open_on_the_internet_only_by_name(lab: Lab, site: Played) -> None:
    def ports() -> list[int]:
        return [port["port"] for port in services(lab, "k8s-1")[PODS[0]]["spec"]["ports"]]

    options = {"kubeconfig": str(lab.kubeconfig), "context": "k8s-1", "contexts": places(lab), **ETCD}
    options |= {"exposure": "load_balancer", "peer_scope": "internet"}
    assert ports() == [2380, 2379]
    closed = module(lab, "member_services", options, body="action")
    assert closed["changed"]
    assert "port 2379 is not opened on the peer Service etcd-etcd-0" in closed["warnings"][0]
    assert ports() == [2380]
    assert not module(lab, "member_services", options, body="action")["changed"]
    accepted = options | {"accept": ["exposure.client_port_internet"]}
    assert module(lab, "member_services", accepted, body="module")["changed"]
    assert ports() == [2380, 2379]
    assert not module(lab, "member_services", options | {"peer_scope": "internal"}, body="module")["changed"]


def test_the_second_run_changes_nothing(lab: Lab, site: Played, inventory: Path) -> None:
    again = run(lab, inventory)
    assert again.code == 0, again.output
    assert set(again.changed.values()) == {0}, again.output
    for context in PLANES:
        for name in ("metallb-controller", "metallb-speaker"):
            kind = "daemonset" if name.endswith("speaker") else "deployment"
            log = kubectl(lab, context, "logs", "-n", METALLB, f"{kind}/{name}", "--all-containers")
            assert "forbidden" not in log.lower()


def test_clients_come_in_another_way_and_back_without_a_member_noticing(
    lab: Lab, site: Played, inventory: Path
) -> None:
    peers = {
        f"{services(lab, context)[pod]['status']['loadBalancer']['ingress'][0]['ip']}:2379"
        for context, pod in zip(PLANES, PODS, strict=True)
    }
    before = {peer: metrics(lab, peer) for peer in peers}
    balanced = names(lab)
    ports = run(lab, inventory, endpoints_client_exposure="node_port")
    assert ports.code == 0, ports.output
    assert ports.changed == {"control": 0, "k8s-1": 1, "k8s-2": 1, "k8s-3": 1}
    found = look_until(lab, lambda found: sorted(client_targets(found, "node_port")) == PODS)
    targets = client_targets(found, "node_port")
    assert {target.partition(":")[0] for target in targets.values()} == {
        lab.node(context).address for context in PLANES
    }
    for member, target in targets.items():
        etcdctl(target, "put", f"port/{member}", target)
    closed = run(lab, inventory, endpoints_client_exposure="none")
    assert closed.code == 0, closed.output
    assert {context: sorted(services(lab, context)) for context in PLANES} == {
        context: sorted({name for name in there if not re.search("client|any", name)})
        for context, there in balanced.items()
    }
    back = run(lab, inventory)
    assert back.code == 0, back.output
    assert names(lab) == balanced
    assert {peer: metrics(lab, peer) for peer in peers} == before


def names(lab: Lab) -> dict[str, list[str]]:
    return {context: sorted(services(lab, context)) for context in PLANES}


def test_applications_in_the_control_plane_find_it_as_a_service(
    lab: Lab, site: Played, inventory: Path, tmp_path: Path
) -> None:
    rendered = {"endpoints_render": ["kubernetes", "dns", "envoy"], "endpoints_directory": str(tmp_path)}
    played = run(lab, inventory, ENDPOINTS, **rendered)
    assert played.code == 0, played.output
    kubectl(lab, "control", "apply", "-f", str(tmp_path / "kubernetes.yaml"))
    address = services(lab, "control")["etcd"]["spec"]["clusterIP"]
    control = lab.node("control")
    asked = [str(program("etcd", "etcdctl")), f"--endpoints={address}:2379", "endpoint", "health", "-w", "json"]
    inside = ["ip", "netns", "exec", control.namespace, *asked]
    until(lambda: '"health":true' in subprocess.run(inside, capture_output=True, text=True, check=False).stdout)
    # What is rendered says who leads: after an election the next run writes, and the one after it does not.
    again = [run(lab, inventory, ENDPOINTS, **rendered) for _try in range(2)]
    assert {"control": 0} in [played.changed for played in again], again[-1].output


@pytest.fixture
def proxy(lab: Lab, site: Played, inventory: Path, tmp_path: Path) -> Iterator[str]:
    """The real HAProxy with what the playbook rendered, on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        bind = f"127.0.0.1:{free.getsockname()[1]}"
    rendered = {"endpoints_render": ["haproxy", "env"], "endpoints_directory": str(tmp_path), "endpoints_bind": bind}

    def all_are_in() -> bool:
        played = run(lab, inventory, ENDPOINTS, **rendered)
        assert played.code == 0, played.output
        return (tmp_path / "etcd.env").read_text().count("http://") == 3

    until(all_are_in)
    command = ["/usr/sbin/haproxy", "-db", "-f", str(tmp_path / "haproxy.cfg")]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield bind
        finally:
            process.terminate()
            process.wait(10)


def away(found: dict[str, Any]) -> list[str]:
    return [endpoint["context"] for endpoint in found["endpoints"] if not endpoint["reached"]]


def test_a_client_behind_haproxy_keeps_writing_while_a_cluster_is_cut_off(
    lab: Lab, proxy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = look_until(lab, lambda found: any(endpoint["leader"] for endpoint in found["endpoints"]))
    leader = next(endpoint["context"] for endpoint in found["endpoints"] if endpoint["leader"])
    with Writer(proxy, "sentinel/") as writer:
        until(lambda: len(writer.acknowledged) > 20)
        faults.fail(lab, faults.Fault(leader, "partition"), print)
        try:
            before = len(writer.acknowledged)
            until(lambda: len(writer.acknowledged) > before + 40)
            found = look_until(lab, lambda found: away(found) == [leader] and found["endpoints"][0]["leader"])
            assert any(problem.startswith(f"{leader} etcd-etcd-") for problem in found["problems"])
            assert found["vantages"][leader]["asked"] == "silent"
        finally:
            faults.heal(lab, leader, print)
        look_until(lab, lambda found: found["problems"] == [])
        before = len(writer.acknowledged)
        until(lambda: len(writer.acknowledged) > before + 20)
    assert writer.lost(proxy) == []
    with capsys.disabled():
        told = f"{len(writer.acknowledged)} writes acknowledged, none lost, {writer.refused} refused"
        print(f"behind HAProxy, the leader's cluster cut off: write gap {writer.gap():.1f} s; {told}")
