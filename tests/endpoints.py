"""Lists of client endpoints, as the formats are tried with."""

from __future__ import annotations

from typing import Any

Endpoint = dict[str, Any]


def endpoint(number: int, **changed: Any) -> Endpoint:
    """The endpoint of a member; the first one leads."""
    usual = {
        "member": f"etcd-etcd-{number - 1}",
        "context": f"k8s-{number}",
        "host": f"192.0.2.{number}",
        "port": 2379,
        "scheme": "http",
        "leader": number == 1,
        "reached": True,
    }
    return {**usual, **changed}


AWS = "arn:aws:eks:eu-1:123:cluster/Prod"
LISTS: dict[str, list[Endpoint]] = {
    "three": [endpoint(1), endpoint(2), endpoint(3)],
    "one member": [endpoint(1)],
    "no member": [],
    "one not reached": [endpoint(1), endpoint(2, reached=False), endpoint(3)],
    "nothing reached": [endpoint(1, leader=False, reached=False), endpoint(2, reached=False)],
    "IPv6 too": [endpoint(1, host="2001:db8::1"), endpoint(2, host="2001:db8::2", reached=False), endpoint(3)],
    "a DNS name": [endpoint(1), endpoint(2, host="b.example.org")],
    "a DNS name not reached": [endpoint(1), endpoint(2, host="b.example.org", reached=False)],
    "DNS names only": [endpoint(1, host="a.example.org"), endpoint(2, host="b.example.org.")],
    "https": [endpoint(1, scheme="https"), endpoint(2, scheme="https")],
    "ports": [endpoint(1, port=30001), endpoint(2, port=30002), endpoint(3, port=30001)],
    "one host": [endpoint(1, host="192.0.2.9", port=30001), endpoint(2, host="192.0.2.9", port=30002)],
    "odd contexts": [endpoint(1, context=AWS), endpoint(1, context=AWS.replace(":", "@"), leader=False)],
    "on this machine": [endpoint(1, host="127.0.0.1"), endpoint(2, host="fe80::2"), endpoint(3)],
}
