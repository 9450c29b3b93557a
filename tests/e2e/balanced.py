"""The etcd of the playbooks behind load balancers of real MetalLB: how the tests run them, and what they look at."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.settings import Lab
from support import Played, answer, kubectl, places, play

SITE, ENDPOINTS = "playbooks/site.yml", "playbooks/endpoints.yml"
PLANES = ["k8s-1", "k8s-2", "k8s-3"]
PODS = [f"etcd-etcd-{number}" for number in range(3)]
BALANCED = {"etcd_peer_exposure": "load_balancer", "endpoints_client_exposure": "load_balancer"}
ETCD = {"namespace": "etcd", "name": "etcd"}
METALLB = "metallb-system"


def run(lab: Lab, inventory: Path, playbook: str = SITE, **changed: Any) -> Played:
    return play(lab, playbook, "-e", json.dumps(BALANCED | changed), inventory=inventory)


def pool_of(lab: Lab, context: str) -> str:
    """The addresses that a data plane of a lab with Pods has for load balancers."""
    return str(lab.node(context).pool)


def look(lab: Lab, **changed: Any) -> dict[str, Any]:
    """What the module endpoints_info says."""
    options = {"contexts": places(lab), **ETCD, "probe_image": "lab.invalid/apecloud/bash-busybox:1.37.0-musl-curl"}
    return answer("endpoints_info", options | changed)


def client_targets(found: dict[str, Any], kind: str = "load_balancer") -> dict[str, str]:
    """Member → target of its client address."""
    return {
        endpoint["member"]: f"{address['host']}:{address['port']}"
        for endpoint in found["endpoints"]
        for address in endpoint["addresses"]
        if address["kind"] == kind
    }


def in_pool(lab: Lab, context: str, address: str) -> bool:
    first, last = (socket.inet_aton(text) for text in pool_of(lab, context).split("-"))
    return first <= socket.inet_aton(address) <= last


def zombies(lab: Lab) -> set[str]:
    """Processes in the containers of the members that have ended and were not reaped: member, name, number."""
    ended = """awk '/^Name:/ { name = $2 } /^State:/ { state = $2 } /^Pid:/ && state == "Z" { print name, $2 }' \
      /proc/[0-9]*/status 2>/dev/null; true"""
    inside = ("-n", ETCD["namespace"], "-c", "etcd", "--", "bash", "-c", ended)
    said = {pod: kubectl(lab, context, "exec", pod, *inside) for pod, context in zip(PODS, PLANES, strict=True)}
    return {f"{pod}: {line}" for pod, text in said.items() for line in text.splitlines()}


def until(condition: Callable[[], bool], patience: float = 180) -> None:
    """``patience``: seconds, for a machine that runs several labs at once; a figure is no matter of a test.

    Who waits leaves most of the time to what is waited for: a look that takes long is taken less often.
    """
    began = time.monotonic()
    looked = began
    while not condition():
        now = time.monotonic()
        assert now - began < patience, "it did not come true in time"
        time.sleep(max(0.5, 2 * (now - looked)))
        looked = time.monotonic()
