"""The lab's plain rules: addresses that never meet, packets that pass, backends of others, builds kept once."""

from __future__ import annotations

import ipaddress
import itertools
import os
import re
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lab import system
from lab.build.store import build_once, content_key, stored
from lab.faults import KINDS, Fault
from lab.mesh import GLOBAL, MANAGER, SHARED, exported, wanted
from lab.packets import node_rules
from lab.settings import (
    API_PORT,
    MAX_DATA_PLANES,
    MAX_RANGE,
    STATE_ROOT,
    Lab,
    LabError,
    cache_root,
    host_network,
    write_atomically,
)

# Settings

# Options of a lab → what is said.
BAD_LABS: dict[str, dict[str, Any]] = {
    "name '': use 1 to 8 lower-case letters and digits, a letter first": {"name": ""},
    "name 'Lab': use": {"name": "Lab"},
    "name '1lab': use": {"name": "1lab"},
    "name 'my-lab': use": {"name": "my-lab"},
    "name 'lab\\n': use": {"name": "lab\n"},
    "name 'ninechars': use": {"name": "ninechars"},
    "range -1: use 0 to 7, one for each lab": {"range": -1},
    "range 8: use 0 to 7": {"range": MAX_RANGE + 1},
    "0 data planes: use 1 to 14": {"data_planes": 0},
    "15 data planes: use 1 to 14": {"data_planes": MAX_DATA_PLANES["pods"] + 1},
    "21 data planes: use 1 to 20": {"data_planes": MAX_DATA_PLANES["servers"] + 1, "profile": "servers"},
    "profile 'vm': use pods or api or servers": {"profile": "vm"},
}


def all_labs() -> list[Lab]:
    """One lab in every range, each as large as can be."""
    return [Lab(f"lab{number}", range=number, data_planes=MAX_DATA_PLANES["pods"]) for number in range(MAX_RANGE + 1)]


@pytest.mark.parametrize("message", BAD_LABS)
def test_a_lab_that_cannot_be_is_refused(message: str) -> None:
    with pytest.raises(LabError, match=rf"^cannot describe the lab: {re.escape(message)}"):
        Lab(**BAD_LABS[message])


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(LabError, match=r"name '': .*; range 9: .*; 99 data planes: .*; profile 'x': "):
        Lab("", range=9, data_planes=99, profile="x")


def test_no_two_networks_of_all_labs_meet() -> None:
    nodes = [node for lab in all_labs() for node in lab.nodes]
    texts = [text for node in nodes for text in (node.pod_network, node.service_network)]
    networks = [ipaddress.ip_network(text) for text in texts] + [host_network(lab.range) for lab in all_labs()]
    assert len(networks) == 8 * (15 * 2 + 1)
    ends = sorted((int(network[0]), int(network[-1])) for network in networks)
    assert all(last < first for (_, last), (first, _) in itertools.pairwise(ends))
    assert all(network.is_private for network in networks)


def test_the_addresses_of_a_lab_literally() -> None:
    found = [(node.address, node.pod_network, node.api_service) for node in Lab(range=1, data_planes=1).nodes]
    assert found == [("172.31.249.10", "10.32.0.0/16", "10.48.0.1"), ("172.31.249.11", "10.33.0.0/16", "10.49.0.1")]


def test_every_address_is_of_its_own_network_and_nobody_elses() -> None:
    for lab in all_labs():
        addresses = [lab.host_address, lab.mesh_address, *(node.address for node in lab.nodes)]
        assert len(set(addresses)) == len(addresses) == 2 + 15
        assert all(ipaddress.ip_address(address) in host_network(lab.range) for address in addresses)
        for node in lab.nodes:
            assert ipaddress.ip_address(node.api_service) in ipaddress.ip_network(node.service_network)
            assert node.server == f"https://{node.address}:{API_PORT}"


def pool(first_and_last: str) -> set[str]:
    first, last = map(ipaddress.IPv4Address, first_and_last.split("-"))
    return {str(ipaddress.IPv4Address(number)) for number in range(int(first), int(last) + 1)}


def test_every_cluster_has_eight_addresses_for_load_balancers_that_are_nobody_elses() -> None:
    for lab in all_labs():
        pools = [pool(node.pool) for node in lab.nodes if node.pool]
        taken = {lab.host_address, lab.mesh_address, *(node.address for node in lab.nodes)}
        assert [len(addresses) for addresses in pools] == [8] * 15
        assert len(taken.union(*pools)) == len(taken) + 8 * 15
        usable = {str(address) for address in host_network(lab.range).hosts()}
        assert usable >= taken.union(*pools)


def test_the_pools_literally() -> None:
    found = [node.pool for node in Lab(range=1, data_planes=14, profile="api").nodes]
    assert found[::14] == ["172.31.249.100-172.31.249.107", "172.31.249.212-172.31.249.219"]
    servers = Lab(data_planes=MAX_DATA_PLANES["servers"], profile="servers")
    assert {node.pool for node in servers.nodes} == {None}


def test_no_two_names_of_all_labs_meet_and_interfaces_fit() -> None:
    labs = all_labs()
    nodes = [node for lab in labs for node in lab.nodes]
    interfaces = [node.uplink for node in nodes] + [lab.bridge for lab in labs]
    spaces = [node.namespace for node in nodes] + [lab.mesh_namespace for lab in labs]
    cgroups = [node.cgroup for node in nodes] + [lab.mesh_cgroup for lab in labs]
    folders = [node.folder for node in nodes] + [lab.folder for lab in labs]
    for names in (interfaces, spaces, cgroups, folders):
        assert len({*names}) == len(names)
    assert max(map(len, interfaces)) <= 15
    assert all(STATE_ROOT in folder.parents for folder in folders)
    assert all(node.volumes.is_relative_to(node.data) and node.data.parent == node.folder for node in nodes)


def test_nodes_by_name() -> None:
    lab = Lab("x", range=1, data_planes=2)
    assert [node.name for node in lab.nodes] == ["control", "k8s-1", "k8s-2"]
    assert [lab.node(node.name) for node in lab.nodes] == list(lab.nodes)
    with pytest.raises(LabError, match=r"no context 'k8s-3' in lab 'x': it has control, k8s-1, k8s-2$"):
        lab.node("k8s-3")


def test_identity_is_shared_only_if_it_was_asked_for() -> None:
    assert len({node.zone for node in Lab().nodes}) == 4
    assert {node.zone for node in Lab(own_identity=False).nodes} == {"zone-0"}


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for text, mode in (("one", 0o600), ("two, and longer", 0o644)):
        write_atomically(path, text, mode)
        assert path.read_text() == text
        assert stat.S_IMODE(path.stat().st_mode) & ~mode == 0
    assert list(tmp_path.iterdir()) == [path]


# Packets

RULE = re.compile(
    r"(?P<udp>! )?(?P<p>-p tcp )?(?:-m tcp ! --dport (?P<to>\d+) -m tcp ! --sport (?P<of>\d+) )?-j (?P<j>\w+).*"
)


def passes(rules: dict[str, list[str]], way: str, protocol: str, *, to: int, of: int) -> str:
    """A small iptables: DROP, NFQUEUE or ACCEPT for a packet on its way in or out of a node."""
    chains = {"in": ["LAB-IN", "LAB-API"], "out": ["LAB-OUT"]}[way]
    verdict = "ACCEPT"
    for chain in chains:
        if chain == "LAB-API" and (protocol, to) != ("tcp", API_PORT):
            continue  # what the hook lets through
        for rule in rules[chain]:
            match = RULE.fullmatch(rule)
            assert match, rule
            wrong_protocol = match["p"] and (protocol == "tcp") is bool(match["udp"])
            if wrong_protocol or (match["to"] and (to == int(match["to"]) or of == int(match["of"]))):
                continue
            if match["j"] == "DROP":
                return "DROP"
            verdict = match["j"]
            break
    return verdict


def expected(faults: set[tuple[str, str]], way: str, protocol: str, *, to: int, of: int) -> str:
    """What the words of the faults promise."""
    kinds = {how for how, _ in faults}
    api = protocol == "tcp" and API_PORT in (to, of)
    asked = way == "in" and protocol == "tcp" and to == API_PORT
    other = {"in": "out", "out": "in"}[way]
    lost = "partition" in kinds or ("asymmetric", other) in faults or ("data" in kinds and not api)
    if lost or ("api" in kinds and asked):
        return "DROP"
    return "NFQUEUE" if "slow" in kinds else "ACCEPT"


def test_every_set_of_faults_on_every_kind_of_packet() -> None:
    single = [(how, "") for how in KINDS if how != "asymmetric"] + [("asymmetric", "in"), ("asymmetric", "out")]
    packets = [(API_PORT, 40000), (40000, API_PORT), (2380, 40000), (40000, 2380)]
    for size in range(4):
        for faults in itertools.combinations(single, size):
            rules = node_rules(faults)
            for way, protocol, (to, of) in itertools.product(("in", "out"), ("tcp", "udp"), packets):
                found = passes(rules, way, protocol, to=to, of=of)
                assert found == expected(set(faults), way, protocol, to=to, of=of), (faults, way, protocol, to, of)


def test_the_order_of_faults_does_not_matter() -> None:
    faults = [("slow", ""), ("data", ""), ("asymmetric", "out")]
    assert len({str(node_rules(order)) for order in itertools.permutations(faults)}) == 1
    assert node_rules([("slow", "out"), ("data", "in")]) == node_rules([("slow", ""), ("data", "")])
    assert node_rules([]) == {"LAB-IN": [], "LAB-OUT": [], "LAB-API": []}


def test_a_fault_in_words() -> None:
    assert str(Fault("k8s-1", "api", done=True)) == "api"
    assert str(Fault("k8s-1", "asymmetric", "out", done=True)) == "asymmetric (out passes)"
    assert str(Fault("k8s-1", "wipe")) == "wipe, unfinished: run lab heal k8s-1"


# The stand-in for a mesh

Offer = dict[tuple[str, str], list[dict[str, Any]]]


def service(name: str, **annotations: str) -> dict[str, Any]:
    keys = {"everywhere": GLOBAL, "shared": SHARED}
    given = {keys[word]: value for word, value in annotations.items()}
    return {"metadata": {"namespace": "etcd", "name": name} | ({"annotations": given} if given else {})}


def piece(owner: str, *addresses: str, manager: str = "endpointslice-controller.k8s.io") -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": owner, "endpointslice.kubernetes.io/managed-by": manager}
    return {
        "metadata": {"namespace": "etcd", "name": f"{owner}-x", "labels": labels, "uid": "1"},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": [address], "conditions": {"ready": True}, "nodeName": "n"} for address in addresses
        ],
        "ports": [{"name": "peer", "port": 2380}],
    }


# Name → annotations of the Service, whether it is global, whether its backends are offered.
SERVICES: dict[str, tuple[dict[str, str], bool, bool]] = {
    "plain": ({}, False, False),
    "global": ({"everywhere": "true"}, True, True),
    "global in other words": ({"everywhere": "True"}, False, False),
    "not global": ({"everywhere": "false"}, False, False),
    "global, and keeps its own": ({"everywhere": "true", "shared": "false"}, True, False),
    "global, and shares": ({"everywhere": "true", "shared": "true"}, True, True),
    "shared without being global": ({"shared": "true"}, False, False),
}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_cluster_offers(name: str) -> None:
    annotations, everywhere, offers = SERVICES[name]
    own, foreign, others = piece("one", "10.1.0.1"), piece("one", "10.2.0.1", manager=MANAGER), piece("two", "10.1.0.9")
    found = exported([service("one", **annotations), service("two")], [own, foreign, others])
    assert found == ({("etcd", "one"): [own] if offers else []} if everywhere else {})


def test_each_cluster_gets_the_backends_of_the_others_and_no_more() -> None:
    offers: dict[str, Offer] = {
        "k8s-1": {("etcd", "one"): [piece("one", "10.1.0.1")], ("etcd", "alone"): [piece("alone", "10.1.0.2")]},
        "k8s-2": {("etcd", "one"): [piece("one", "10.2.0.1"), piece("one", "10.2.0.2")]},
        "k8s-3": {("etcd", "one"): [piece("one")], ("other", "one"): [piece("one", "10.3.0.9")]},
        "control": {},
    }
    found = {context: wanted(context, offers) for context in offers}
    addresses = {
        context: {name: slices["endpoints"][0]["addresses"] for (_, name), slices in bodies.items()}
        for context, bodies in found.items()
    }
    both = {"one-mesh-k8s-2-0": ["10.2.0.1"], "one-mesh-k8s-2-1": ["10.2.0.2"]}
    assert addresses == {
        "k8s-1": both,
        "k8s-2": {"one-mesh-k8s-1-0": ["10.1.0.1"]},
        "k8s-3": {"one-mesh-k8s-1-0": ["10.1.0.1"], **both},
        "control": {},
    }
    body = found["k8s-2"]["etcd", "one-mesh-k8s-1-0"]
    assert body["endpoints"] == [{"addresses": ["10.1.0.1"], "conditions": {"ready": True}}]
    assert body["ports"] == [{"name": "peer", "port": 2380}]
    assert body["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == MANAGER
    portless = {("etcd", "one"): [{**piece("one", "10.1.0.1"), "ports": None}]}
    assert wanted("a", {"a": {("etcd", "one"): []}, "b": portless})["etcd", "one-mesh-b-0"]["ports"] == []
    assert exported([service("one", everywhere="true")], [body]) == {("etcd", "one"): []}  # it is not passed on


# Packages


def asked(policy: Path) -> int:
    """What Debian is told before it starts a service: 0 yes, 101 no."""
    return subprocess.run([policy, "haproxy", "start"], check=False).returncode


def test_no_service_starts_while_packages_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(system, "POLICY", policy)
    with system.no_services_started():
        assert asked(policy) == 101
        left = policy.read_text()
    assert not policy.exists()
    policy.write_text(left.replace(f"/proc/{os.getpid()} ", "/proc/gone "))  # as after a build that was killed
    policy.chmod(0o755)
    assert asked(policy) == 0


def test_a_policy_that_the_machine_has_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("of the machine")
    monkeypatch.setattr(system, "POLICY", policy)
    with system.no_services_started():
        pass
    assert policy.read_text() == "of the machine"


# The store of builds


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBEBLOCKS_LAB_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    return tmp_path


def quiet(_text: str) -> None:
    """Nobody listens."""


def fill(folder: Path) -> None:
    assert list(folder.iterdir()) == []
    (folder / "file").write_text("built")


def fail(folder: Path) -> None:
    (folder / "half").write_text("half")
    raise LabError("no")


def test_a_key_tells_contents_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("ab")
    parts: list[list[str | bytes | Path]] = [[], [""], ["", ""], ["ab"], ["a", "b"], ["b", "a"], ["ab", ""], ["", "ab"]]
    keys = [content_key(given) for given in parts]
    assert len(set(keys)) == len(parts)
    assert all(re.fullmatch("[0-9a-f]{16}", key) for key in keys)
    assert content_key(["ab"]) == content_key([b"ab"]) == content_key([tmp_path / "file"])


def test_nothing_is_built_twice(cache: Path) -> None:
    said: list[str] = []
    built = build_once("kind", "name", "0" * 16, fill, said.append)
    assert built == stored("kind", "name", "0" * 16) == cache / "kind" / f"name-{'0' * 16}"
    assert (built / "file").read_text() == "built"
    assert [text.split(" in ")[0] for text in said] == ["name: building", "name: built"]
    assert build_once("kind", "name", "0" * 16, fail, said.append) == built
    assert len(said) == 2
    assert build_once("kind", "name", "1" * 16, fill, quiet) != built


@pytest.mark.usefixtures("cache")
def test_a_build_that_fails_leaves_nothing_to_be_taken_for_a_build() -> None:
    target = stored("kind", "name", "0" * 16)
    for _ in range(2):
        with pytest.raises(LabError, match="no"):
            build_once("kind", "name", "0" * 16, fail, quiet)
        assert not target.exists()
    assert build_once("kind", "name", "0" * 16, fill, quiet) == target


def test_a_build_that_fails_leaves_nothing_at_all(cache: Path) -> None:
    """The next build has another key, so that nobody would ever clear it away."""
    with pytest.raises(LabError):
        build_once("kind", "name", "0" * 16, fail, quiet)
    assert [path.name for path in cache.rglob("*") if path.name != ".name.lock"] == ["kind"]


@pytest.mark.usefixtures("cache")
def test_two_at_once_build_once() -> None:
    made: list[Path] = []

    def slowly(folder: Path) -> None:
        made.append(folder)
        time.sleep(0.05)

    threads = [threading.Thread(target=build_once, args=("kind", "name", "0" * 16, slowly, quiet)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(made) == 1


def test_the_last_three_builds_of_a_name_stay(cache: Path) -> None:
    for number in range(5):
        built = build_once("kind", "name", str(number) * 16, fill, quiet)
        os.utime(built, (1000 + number, 1000 + number))
    other = build_once("kind", "name-other", "0" * 16, fill, quiet)
    build_once("kind", "name", "9" * 16, fill, quiet)
    kept = sorted(path.name for path in (cache / "kind").iterdir() if path.is_dir())
    assert kept == [f"name-{digit * 16}" for digit in "349"] + [other.name]
