# Private to this collection.
"""Where clients reach one etcd, written for whoever reads it: a shell, HAProxy, Envoy, a name server, Kubernetes. Pure.

An endpoint is a dictionary: ``member`` (name of the Pod), ``context``, ``host`` (address or DNS name), ``port``,
``scheme`` (http or https), ``leader``, ``reached``. They come in order, the leader first, and without the members of
disabled contexts. One that was not reached is there too; what becomes of it stands at each format.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

Endpoint = Mapping[str, Any]

NOT_REACHED = "not reached when this was written"
LEADER = "the leader when this was written"
OWNER = "kubeblocks.multicluster"
_PORT = 2379
# What makes a member answer 200: a read through the quorum. A full database counts as healthy: all members have that
# alarm at once, and to be cured it has to be reached.
_HEALTH = "/health?exclude=NOSPACE"


@dataclass(frozen=True)
class Names:
    """What etcd is called: KubeBlocks' Cluster, its namespace, the DNS zone (``serial``: of its SOA record), and the
    address on which a proxy listens."""

    name: str
    namespace: str
    zone: str
    serial: int
    bind: str = f"127.0.0.1:{_PORT}"


# env


def env(endpoints: Sequence[Endpoint], names: Names) -> str:
    """Variables for etcdctl. Those that were not reached come last: it tries one endpoint after the other."""
    listed = sorted(endpoints, key=lambda endpoint: not endpoint["reached"])
    lines = [
        f"# Client endpoints of etcd {_title(names)}, the leader first. For a shell (. FILE) and for systemd",
        "# (EnvironmentFile=FILE).",
    ]
    if _secure(endpoints):
        lines.append("# Set ETCDCTL_CACERT too, and ETCDCTL_CERT and ETCDCTL_KEY if clients need a certificate.")
    lines += [
        f"# {_whose(endpoint)} ({_url(endpoint)}): {NOT_REACHED}." for endpoint in listed if not endpoint["reached"]
    ]
    urls = ",".join(_url(endpoint) for endpoint in listed)
    # systemd passes over the line without "=".
    return _text([*lines, f"ETCDCTL_ENDPOINTS={shlex.quote(urls)}", "export ETCDCTL_ENDPOINTS"])


# haproxy


def haproxy(endpoints: Sequence[Endpoint], names: Names) -> str:
    """A section for HAProxy, complete in itself. Those that were not reached are servers too: its checks see when they
    come back, and the file is older than that."""
    title = _token(f"{names.namespace}-{names.name}")
    named = any(not _family(endpoint["host"]) for endpoint in endpoints)
    lines = [
        f"# etcd {_title(names)} for HAProxy 2.6 or newer: alone (haproxy -f FILE), or after a configuration of yours",
        "# (haproxy -f /etc/haproxy/haproxy.cfg -f FILE). It needs no global section and no defaults.",
        *([f"resolvers {title}", _HAPROXY_DNS] if named else []),
        f"listen {title}",
        f"    bind {names.bind}",
        _HAPROXY,
        *([_HAPROXY_TLS] if _secure(endpoints) else []),
    ]
    for endpoint, server in zip(endpoints, _unique(map(_server, endpoints)), strict=True):
        words = ["server", server, _authority(endpoint), "check"]
        words += ["check-ssl", "verify", "none"] if endpoint["scheme"] == "https" else []
        words += [] if _family(endpoint["host"]) else ["resolvers", title, "init-addr", "last,libc,none"]
        lines += [f"    # {note}" for note in _notes(endpoint)]
        lines.append(f"    {' '.join(words)}")
    return _text(lines)


_HAPROXY = f"""\
    mode tcp
    option tcplog
    # Connections last, so they are counted. No server is a backup: leaders change after this was written, and a
    # follower answers as well as the leader, to which it passes writes on.
    balance leastconn
    # 200 after a read through the quorum. A full database is no reason to leave a member: all are full, and to be
    # cured they have to be reached.
    option httpchk
    http-check send meth GET uri {_HEALTH}
    http-check expect status 200
    # A member that is gone is left, with its connections, after two checks. One check may take as long as an election.
    timeout check 2s
    default-server inter 1s fastinter 500ms fall 2 rise 2 on-marked-down shutdown-sessions
    timeout connect 1s
    retries 3
    option redispatch 1
    # A watch may be silent for long; keepalive packets find the peer that is gone.
    timeout client 24h
    timeout server 24h
    timeout tunnel 24h
    option tcpka"""
_HAPROXY_DNS = """\
    parse-resolv-conf
    # While nobody answers for a name, its last address is good enough: the checks judge it.
    hold nx 20d
    hold other 20d
    hold refused 20d
    hold timeout 20d
"""
_HAPROXY_TLS = """\
    # Clients speak TLS with etcd itself; here only the checks do. To verify etcd in these too: verify required ca-file
    # FILE; if etcd asks clients for certificates: crt FILE."""


# envoy


def envoy(endpoints: Sequence[Endpoint], names: Names) -> str:
    """Static resources for Envoy. Those that were not reached are endpoints too, as its checks see when they return."""
    title = f"{names.namespace}-{names.name}"
    host, port = names.bind.rsplit(":", 1)
    host = "0.0.0.0" if host in ("", "*") else host.strip("[]")  # noqa: S104 - what the user wrote
    kind = "STATIC" if all(_family(endpoint["host"]) for endpoint in endpoints) else "STRICT_DNS"
    values = {"title": _title(names), "name": _quoted(title), "host": _quoted(host), "port": int(port), "kind": kind}
    lines = [_ENVOY.substitute(values, health=_HEALTH), *([_ENVOY_TLS] if _secure(endpoints) else [])]
    lines += ["    load_assignment:", f"      cluster_name: {_quoted(title)}", "      endpoints:"]
    lines.append(f"      - lb_endpoints:{'' if endpoints else ' []'}")
    for endpoint in endpoints:
        socket = f"{{address: {_quoted(endpoint['host'])}, port_value: {endpoint['port']}}}"
        lines += [f"        # {_whose(endpoint)}", *(f"        # {note}" for note in _notes(endpoint))]
        lines.append(f"        - endpoint: {{address: {{socket_address: {socket}}}}}")
    return _text(lines)


_ENVOY = Template("""\
# etcd $title for Envoy: whole (envoy -c FILE), or as a part of your own static_resources.
static_resources:
  listeners:
  - name: $name
    address: {socket_address: {address: $host, port_value: $port}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: $name
          cluster: $name
          max_connect_attempts: 3
          # A watch may be silent for long; keepalive packets find the member that is gone.
          idle_timeout: 0s
  clusters:
  - name: $name
    type: $kind
    connect_timeout: 1s
    upstream_connection_options: {tcp_keepalive: {keepalive_time: 30, keepalive_interval: 10}}
    # Followers answer as well as the leader, to which they pass writes on.
    lb_policy: LEAST_REQUEST
    # Never a member that is known to be gone, however few are left.
    common_lb_config: {healthy_panic_threshold: {value: 0}}
    close_connections_on_host_health_failure: true
    health_checks:
    # A member that is gone is left after two checks. One check may take as long as an election, during which etcd
    # answers 503.
    - timeout: 2s
      interval: 1s
      no_traffic_interval: 1s
      unhealthy_threshold: 2
      healthy_threshold: 2
      http_health_check:
        path: $health
        retriable_statuses: [{start: 503, end: 504}]""")
# Clients speak TLS with etcd itself: the cluster's own transport is plain, and the checks choose this one.
_ENVOY_TLS = """\
      transport_socket_match_criteria: {check: tls}
    transport_socket_matches:
    # Only for the checks; to verify etcd in these too, give a validation_context with trusted_ca.
    - name: check
      match: {check: tls}
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"""


# dns


def dns(endpoints: Sequence[Endpoint], names: Names) -> str:
    """A zone. Those that were not reached are left out: nothing would take them out of an answer."""
    reached = [endpoint for endpoint in endpoints if endpoint["reached"]]
    labels = _unique(_label(names, endpoint) for endpoint in reached)
    lines = [
        f"; Client endpoints of etcd {_title(names)}. The name etcd means any of them and says no port: SRV does.",
        "; localhost. is a stand-in: where this zone is delegated, put the name of your name server there.",
        *(
            f"; Left out: {_whose(endpoint)} ({_authority(endpoint)}), {NOT_REACHED}."
            for endpoint in endpoints
            if not endpoint["reached"]
        ),
        f"$ORIGIN {names.zone.rstrip('.')}.",
        "$TTL 30",
        f"@ IN SOA localhost. hostmaster {names.serial} 300 60 86400 30",
        "@ IN NS localhost.",
    ]
    for label, endpoint in zip(labels, reached, strict=True):
        lines.append(f"{label} IN {_record(endpoint)} ; {_whose(endpoint)}, port {endpoint['port']}")
    lines += _common_name(reached)
    lines += [_service(label, endpoint) for label, endpoint in zip(labels, reached, strict=True)]
    return _text(lines)


def _common_name(reached: Sequence[Endpoint]) -> list[str]:
    """Records of the name for all: every address. A name cannot stand beside addresses, nor beside another name."""
    records = dict.fromkeys(_record(endpoint) for endpoint in reached)
    addresses = [record for record in records if not record.startswith("CNAME")]
    used = addresses or list(records)[:1]
    unused = [record for record in records if record not in used]
    return [f"; Not under the name etcd, which cannot have it too: {record}" for record in unused] + [
        f"etcd IN {record}" for record in used
    ]


def _record(endpoint: Endpoint) -> str:
    return {4: "A {}", 6: "AAAA {}", 0: "CNAME {}."}[_family(endpoint["host"])].format(endpoint["host"].rstrip("."))


def _service(label: str, endpoint: Endpoint) -> str:
    """The SRV record of one endpoint; its target must not be an alias."""
    service = "_etcd-client-ssl" if endpoint["scheme"] == "https" else "_etcd-client"
    priority = 0 if endpoint["leader"] else 10
    target = label if _family(endpoint["host"]) else f"{endpoint['host'].rstrip('.')}."
    return f"{service}._tcp IN SRV {priority} 1 {endpoint['port']} {target}"


def _label(names: Names, endpoint: Endpoint) -> str:
    text = f"{endpoint['member'].removeprefix(f'{names.name}-')}-{endpoint['context']}".lower()
    return re.sub(r"[^a-z0-9]+", "-", text)[:60].strip("-")


# kubernetes


def kubernetes(endpoints: Sequence[Endpoint], names: Names) -> str:
    """A Service and its EndpointSlices. Those that were not reached are not ready: nothing checks them later, and who
    looks at the slices sees that there are more."""
    fit = [endpoint for endpoint in endpoints if _fits_slice(endpoint["host"])]
    left = [
        ", ".join([_whose(endpoint), _authority(endpoint), *_notes(endpoint)])
        for endpoint in endpoints
        if endpoint not in fit
    ]
    lines = [
        f"# etcd {_title(names)} as a Service of another cluster: a slice for each port and address family. Slices",
        "# from an earlier file that are not in this one have to be deleted.",
        *(f"# Left out, as a slice cannot hold it: {told}" for told in left),
        _SERVICE.substitute(name=_quoted(names.name), namespace=_quoted(names.namespace), port=_PORT),
    ]
    groups: dict[tuple[int, int], list[Endpoint]] = {}
    for endpoint in fit:
        groups.setdefault((_family(endpoint["host"]), endpoint["port"]), []).append(endpoint)
    for (family, port), members in groups.items():
        lines += _slice(names, family, port, members)
    return _text(lines)


_SERVICE = Template("""\
apiVersion: v1
kind: Service
metadata:
  name: $name
  namespace: $namespace
spec:
  # No selector: the slices are written here, not by Kubernetes.
  ipFamilyPolicy: PreferDualStack
  ports:
  - {name: client, port: $port, protocol: TCP}""")
_SLICE = Template("""\
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: $slice
  namespace: $namespace
  labels:
    kubernetes.io/service-name: $name
    endpointslice.kubernetes.io/managed-by: $owner
addressType: IPv$family
ports:
- {name: client, port: $port, protocol: TCP}
endpoints:""")


def _slice(names: Names, family: int, port: int, members: Sequence[Endpoint]) -> list[str]:
    values = {"name": _quoted(names.name), "namespace": _quoted(names.namespace), "owner": OWNER}
    title = _quoted(f"{names.name}-ipv{family}-{port}")
    lines = [_SLICE.substitute(values, slice=title, family=family, port=port)]
    for endpoint in members:
        ready = "true" if endpoint["reached"] else "false"
        lines += [f"# {_whose(endpoint)}", *(f"# {note}" for note in _notes(endpoint))]
        lines.append(f"- {{addresses: [{_quoted(endpoint['host'])}], conditions: {{ready: {ready}}}}}")
    return lines


def _fits_slice(host: str) -> bool:
    """Whether the API server takes it: an address, and one that means the same machine everywhere."""
    if not _family(host):
        return False
    address = ipaddress.ip_address(host)
    return not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified)


# All


def _family(host: str) -> int:
    """4 or 6, and 0 for a DNS name."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


def _authority(endpoint: Endpoint) -> str:
    host = endpoint["host"]
    return f"[{host}]:{endpoint['port']}" if _family(host) == 6 else f"{host}:{endpoint['port']}"


def _url(endpoint: Endpoint) -> str:
    return f"{endpoint['scheme']}://{_authority(endpoint)}"


def _secure(endpoints: Sequence[Endpoint]) -> bool:
    return any(endpoint["scheme"] == "https" for endpoint in endpoints)


def _title(names: Names) -> str:
    return f"{names.namespace}/{names.name}"


def _whose(endpoint: Endpoint) -> str:
    return " ".join(f"{endpoint['context']} {endpoint['member']}".split())


def _notes(endpoint: Endpoint) -> list[str]:
    return ([LEADER] if endpoint["leader"] else []) + ([] if endpoint["reached"] else [NOT_REACHED])


def _server(endpoint: Endpoint) -> str:
    return _token(f"{endpoint['context']}.{endpoint['member']}")


def _token(text: str) -> str:
    """A name as HAProxy takes it: names of contexts may have any sign."""
    return re.sub(r"[^\w.:-]", "-", text, flags=re.ASCII)


def _quoted(text: str) -> str:
    """A text for YAML, whatever it looks like."""
    return json.dumps(text)


def _unique(texts: Iterable[str]) -> list[str]:
    """The texts in their order, with a number behind one that was there already."""
    found: list[str] = []
    for text in texts:
        numbered = (f"{text}-{number}" for number in itertools.count(2))
        found.append(text if text not in found else next(one for one in numbered if one not in found))
    return found


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


FORMATS: dict[str, Callable[[Sequence[Endpoint], Names], str]] = {
    "env": env,
    "haproxy": haproxy,
    "envoy": envoy,
    "dns": dns,
    "kubernetes": kubernetes,
}
