"""How clients are told where etcd is: what each format makes of the same lists of endpoints."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._render import (
    FORMATS,
    LEADER,
    NOT_REACHED,
    Names,
)
from endpoints import LISTS, endpoint

NAMES = Names(name="etcd", namespace="demo", zone="etcd.example.org", serial=7)

# Name of the list → what etcdctl is given.
ENV: dict[str, str] = {
    "three": "http://192.0.2.1:2379,http://192.0.2.2:2379,http://192.0.2.3:2379",
    "one member": "http://192.0.2.1:2379",
    "no member": "",
    "one not reached": "http://192.0.2.1:2379,http://192.0.2.3:2379,http://192.0.2.2:2379",
    "nothing reached": "http://192.0.2.1:2379,http://192.0.2.2:2379",
    "IPv6 too": "http://[2001:db8::1]:2379,http://192.0.2.3:2379,http://[2001:db8::2]:2379",
    "a DNS name": "http://192.0.2.1:2379,http://b.example.org:2379",
    "https": "https://192.0.2.1:2379,https://192.0.2.2:2379",
    "ports": "http://192.0.2.1:30001,http://192.0.2.2:30002,http://192.0.2.3:30001",
}
_DNS = "check resolvers demo-etcd init-addr last,libc,none"
_EKS = "arn:aws:eks:eu-1:123:cluster-Prod.etcd-etcd-0"
# Name of the list → servers.
HAPROXY: dict[str, list[str]] = {
    "three": [f"k8s-{number}.etcd-etcd-{number - 1} 192.0.2.{number}:2379 check" for number in (1, 2, 3)],
    "no member": [],
    "one not reached": [f"k8s-{number}.etcd-etcd-{number - 1} 192.0.2.{number}:2379 check" for number in (1, 2, 3)],
    "nothing reached": [f"k8s-{number}.etcd-etcd-{number - 1} 192.0.2.{number}:2379 check" for number in (1, 2)],
    "IPv6 too": [
        "k8s-1.etcd-etcd-0 [2001:db8::1]:2379 check",
        "k8s-2.etcd-etcd-1 [2001:db8::2]:2379 check",
        "k8s-3.etcd-etcd-2 192.0.2.3:2379 check",
    ],
    "a DNS name": ["k8s-1.etcd-etcd-0 192.0.2.1:2379 check", f"k8s-2.etcd-etcd-1 b.example.org:2379 {_DNS}"],
    "https": [
        f"k8s-{number}.etcd-etcd-{number - 1} 192.0.2.{number}:2379 check check-ssl verify none" for number in (1, 2)
    ],
    "odd contexts": [f"{_EKS} 192.0.2.1:2379 check", f"{_EKS.replace(':', '-')} 192.0.2.1:2379 check"],
}
Pairs = list[tuple[str, Any]]
# Name of the list → how the cluster finds its endpoints, and these.
ENVOY: dict[str, tuple[str, Pairs]] = {
    "three": ("STATIC", [("192.0.2.1", 2379), ("192.0.2.2", 2379), ("192.0.2.3", 2379)]),
    "no member": ("STATIC", []),
    "one not reached": ("STATIC", [("192.0.2.1", 2379), ("192.0.2.2", 2379), ("192.0.2.3", 2379)]),
    "nothing reached": ("STATIC", [("192.0.2.1", 2379), ("192.0.2.2", 2379)]),
    "IPv6 too": ("STATIC", [("2001:db8::1", 2379), ("2001:db8::2", 2379), ("192.0.2.3", 2379)]),
    "a DNS name": ("STRICT_DNS", [("192.0.2.1", 2379), ("b.example.org", 2379)]),
    "ports": ("STATIC", [("192.0.2.1", 30001), ("192.0.2.2", 30002), ("192.0.2.3", 30001)]),
}
# Name of the list → records behind SOA and NS.
DNS: dict[str, list[str]] = {
    "one member": [
        "etcd-0-k8s-1 IN A 192.0.2.1",
        "etcd IN A 192.0.2.1",
        "_etcd-client._tcp IN SRV 0 1 2379 etcd-0-k8s-1",
    ],
    "no member": [],
    "one not reached": [
        "etcd-0-k8s-1 IN A 192.0.2.1",
        "etcd-2-k8s-3 IN A 192.0.2.3",
        "etcd IN A 192.0.2.1",
        "etcd IN A 192.0.2.3",
        "_etcd-client._tcp IN SRV 0 1 2379 etcd-0-k8s-1",
        "_etcd-client._tcp IN SRV 10 1 2379 etcd-2-k8s-3",
    ],
    "nothing reached": [],
    "IPv6 too": [
        "etcd-0-k8s-1 IN AAAA 2001:db8::1",
        "etcd-2-k8s-3 IN A 192.0.2.3",
        "etcd IN AAAA 2001:db8::1",
        "etcd IN A 192.0.2.3",
        "_etcd-client._tcp IN SRV 0 1 2379 etcd-0-k8s-1",
        "_etcd-client._tcp IN SRV 10 1 2379 etcd-2-k8s-3",
    ],
    "a DNS name": [
        "etcd-0-k8s-1 IN A 192.0.2.1",
        "etcd-1-k8s-2 IN CNAME b.example.org.",
        "etcd IN A 192.0.2.1",
        "_etcd-client._tcp IN SRV 0 1 2379 etcd-0-k8s-1",
        "_etcd-client._tcp IN SRV 10 1 2379 b.example.org.",
    ],
    "DNS names only": [
        "etcd-0-k8s-1 IN CNAME a.example.org.",
        "etcd-1-k8s-2 IN CNAME b.example.org.",
        "etcd IN CNAME a.example.org.",
        "_etcd-client._tcp IN SRV 0 1 2379 a.example.org.",
        "_etcd-client._tcp IN SRV 10 1 2379 b.example.org.",
    ],
    "https": [
        "etcd-0-k8s-1 IN A 192.0.2.1",
        "etcd-1-k8s-2 IN A 192.0.2.2",
        "etcd IN A 192.0.2.1",
        "etcd IN A 192.0.2.2",
        "_etcd-client-ssl._tcp IN SRV 0 1 2379 etcd-0-k8s-1",
        "_etcd-client-ssl._tcp IN SRV 10 1 2379 etcd-1-k8s-2",
    ],
    "one host": [
        "etcd-0-k8s-1 IN A 192.0.2.9",
        "etcd-1-k8s-2 IN A 192.0.2.9",
        "etcd IN A 192.0.2.9",
        "_etcd-client._tcp IN SRV 0 1 30001 etcd-0-k8s-1",
        "_etcd-client._tcp IN SRV 10 1 30002 etcd-1-k8s-2",
    ],
    "odd contexts": [
        "etcd-0-arn-aws-eks-eu-1-123-cluster-prod IN A 192.0.2.1",
        "etcd-0-arn-aws-eks-eu-1-123-cluster-prod-2 IN A 192.0.2.1",
        "etcd IN A 192.0.2.1",
        "_etcd-client._tcp IN SRV 0 1 2379 etcd-0-arn-aws-eks-eu-1-123-cluster-prod",
        "_etcd-client._tcp IN SRV 10 1 2379 etcd-0-arn-aws-eks-eu-1-123-cluster-prod-2",
    ],
}
# Name of the list → slices: their name, address type, port, addresses and whether these are ready.
KUBERNETES: dict[str, list[tuple[str, str, int, Pairs]]] = {
    "three": [
        ("etcd-ipv4-2379", "IPv4", 2379, [("192.0.2.1", True), ("192.0.2.2", True), ("192.0.2.3", True)]),
    ],
    "no member": [],
    "one not reached": [
        ("etcd-ipv4-2379", "IPv4", 2379, [("192.0.2.1", True), ("192.0.2.2", False), ("192.0.2.3", True)]),
    ],
    "nothing reached": [("etcd-ipv4-2379", "IPv4", 2379, [("192.0.2.1", False), ("192.0.2.2", False)])],
    "IPv6 too": [
        ("etcd-ipv6-2379", "IPv6", 2379, [("2001:db8::1", True), ("2001:db8::2", False)]),
        ("etcd-ipv4-2379", "IPv4", 2379, [("192.0.2.3", True)]),
    ],
    "a DNS name": [("etcd-ipv4-2379", "IPv4", 2379, [("192.0.2.1", True)])],
    "DNS names only": [],
    "ports": [
        ("etcd-ipv4-30001", "IPv4", 30001, [("192.0.2.1", True), ("192.0.2.3", True)]),
        ("etcd-ipv4-30002", "IPv4", 30002, [("192.0.2.2", True)]),
    ],
    "on this machine": [("etcd-ipv4-2379", "IPv4", 2379, [("192.0.2.3", True)])],
}


def rendered(kind: str, name: str, names: Names = NAMES) -> list[str]:
    text = FORMATS[kind](LISTS[name], names)
    assert text.endswith("\n")
    return text.splitlines()


@pytest.mark.parametrize("name", ENV)
def test_env(name: str) -> None:
    *_, assigned, exported = rendered("env", name)
    assert shlex.split(assigned) == [f"ETCDCTL_ENDPOINTS={ENV[name]}"]
    assert exported == "export ETCDCTL_ENDPOINTS"


@pytest.mark.parametrize("name", HAPROXY)
def test_haproxy(name: str) -> None:
    lines = rendered("haproxy", name)
    servers = [line.removeprefix("    server ") for line in lines if line.startswith("    server ")]
    assert servers == HAPROXY[name]
    assert ("resolvers demo-etcd" in lines) == any("resolvers" in server for server in servers)
    assert any("only the checks do" in line for line in lines) == any("check-ssl" in server for server in servers)


def test_no_two_servers_of_haproxy_have_one_name() -> None:
    contexts = ("a/b", "a b", "a-b")
    text = FORMATS["haproxy"]([endpoint(1, context=context) for context in contexts], NAMES)
    assert re.findall(r"^    server (\S+)", text, re.M) == [f"a-b.etcd-etcd-0{end}" for end in ("", "-2", "-3")]


@pytest.mark.parametrize("name", ENVOY)
def test_envoy(name: str) -> None:
    found = yaml.safe_load("\n".join(rendered("envoy", name)))["static_resources"]["clusters"][0]
    (group,) = found["load_assignment"]["endpoints"]
    sockets = [entry["endpoint"]["address"]["socket_address"] for entry in group["lb_endpoints"]]
    assert (found["type"], [(socket["address"], socket["port_value"]) for socket in sockets]) == ENVOY[name]


@pytest.mark.parametrize("name", ["three", "https"])
def test_only_the_checks_of_envoy_speak_tls(name: str) -> None:
    cluster = yaml.safe_load("\n".join(rendered("envoy", name)))["static_resources"]["clusters"][0]
    chosen = cluster["health_checks"][0].get("transport_socket_match_criteria")
    matches = [entry["match"] for entry in cluster.get("transport_socket_matches", [])]
    assert "transport_socket" not in cluster
    assert (chosen, matches) == (({"check": "tls"}, [{"check": "tls"}]) if name == "https" else (None, []))


@pytest.mark.parametrize("name", DNS)
def test_dns(name: str) -> None:
    records = [line.partition(" ; ")[0] for line in rendered("dns", name) if not line.startswith(";")]
    assert records[:4] == [
        "$ORIGIN etcd.example.org.",
        "$TTL 30",
        "@ IN SOA localhost. hostmaster 7 300 60 86400 30",
        "@ IN NS localhost.",
    ]
    assert records[4:] == DNS[name]


def test_a_label_of_dns_is_never_too_long() -> None:
    text = FORMATS["dns"]([endpoint(1, context=f"{'x' * 80}{end}", leader=False) for end in "ab"], NAMES)
    assert sorted(map(len, re.findall(r"^(etcd-0\S+)", text, re.M))) == [60, 62]


@pytest.mark.parametrize("name", KUBERNETES)
def test_kubernetes(name: str) -> None:
    service, *slices = yaml.safe_load_all("\n".join(rendered("kubernetes", name)))
    assert (service["kind"], service["metadata"]) == ("Service", {"name": "etcd", "namespace": "demo"})
    assert "selector" not in service["spec"]
    assert [(port["name"], port["port"]) for port in service["spec"]["ports"]] == [("client", 2379)]
    found = []
    for body in slices:
        (port,) = body["ports"]
        entries = [(entry["addresses"], entry["conditions"]) for entry in body["endpoints"]]
        ready: Pairs = [(address, conditions["ready"]) for (address,), conditions in entries]
        found.append((body["metadata"]["name"], body["addressType"], port["port"], ready))
        assert (body["kind"], body["metadata"]["namespace"], port["name"]) == ("EndpointSlice", "demo", "client")
        assert body["metadata"]["labels"] == {
            "kubernetes.io/service-name": "etcd",
            "endpointslice.kubernetes.io/managed-by": "kubeblocks.multicluster",
        }
    assert found == KUBERNETES[name]


def test_what_a_slice_cannot_hold_is_named() -> None:
    lines = [line for line in rendered("kubernetes", "a DNS name") if line.startswith("# Left out")]
    assert lines == ["# Left out, as a slice cannot hold it: k8s-2 etcd-etcd-1, b.example.org:2379"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", LISTS)
def test_comments_say_who_was_not_reached_and_who_led(kind: str, name: str) -> None:
    lines = rendered(kind, name)
    mark = ";" if kind == "dns" else "#"
    notes = {note: [line for line in lines if note in line] for note in (NOT_REACHED, LEADER)}
    assert all(line.lstrip().startswith(mark) for found in notes.values() for line in found)
    assert len(notes[NOT_REACHED]) == sum(not entry["reached"] for entry in LISTS[name])
    led = sum(entry["leader"] for entry in LISTS[name]) if kind in ("haproxy", "envoy") else len(notes[LEADER])
    assert len(notes[LEADER]) == led


# What a proxy is to listen on → the address and port that Envoy is given.
BINDS: dict[str, tuple[str, int]] = {
    "127.0.0.1:2379": ("127.0.0.1", 2379),
    "[::1]:23790": ("::1", 23790),
    "*:2379": ("0.0.0.0", 2379),  # noqa: S104 - what the user asked for
    ":2379": ("0.0.0.0", 2379),  # noqa: S104
}


@pytest.mark.parametrize("bind", BINDS)
def test_where_a_proxy_listens(bind: str) -> None:
    names = Names("etcd", "demo", "etcd.example.org", 7, bind)
    listener = yaml.safe_load("\n".join(rendered("envoy", "three", names)))["static_resources"]["listeners"][0]
    assert tuple(listener["address"]["socket_address"].values()) == BINDS[bind]
    assert f"    bind {bind}" in rendered("haproxy", "three", names)


@pytest.mark.parametrize("kind", ["envoy", "kubernetes"])
def test_names_that_look_like_something_else_stay_texts(kind: str) -> None:
    """And a line break in the name of a context ends no comment."""
    text = FORMATS[kind]([endpoint(1, context="a\nb: {", host="2001:db8::1")], Names("1", "null", "z", 1))
    for body in yaml.safe_load_all(text):
        if kind == "kubernetes":
            assert body["metadata"]["namespace"] == "null"
            assert body["metadata"]["name"].startswith("1")
        else:
            assert body["static_resources"]["clusters"][0]["name"] == "null-1"
