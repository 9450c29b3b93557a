"""The etcd of the playbooks behind load balancers of real MetalLB: how the tests run them, and what they look at."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lab.settings import Lab
from support import Played, answer, kubectl, places, play

SITE, ENDPOINTS = "playbooks/site.yml", "playbooks/endpoints.yml"
PLANES = ["k8s-1", "k8s-2", "k8s-3"]
PODS = [f"etcd-etcd-{number}" for number in range(3)]
BALANCED = {"etcd_peer_exposure": "load_balancer", "endpoints_client_exposure": "load_balancer"}
ETCD = {"namespace": "etcd", "name": "etcd"}
METALLB = "metallb-system"
Seen = TypeVar("Seen")


def run(lab: Lab, inventory: Path, playbook: str = SITE, **changed: Any) -> Played:
    return play(lab, playbook, "-e", json.dumps(BALANCED | changed), inventory=inventory)


def pool_of(lab: Lab, context: str) -> str:
    """The addresses that a data plane of a lab with Pods has for load balancers."""
    return str(lab.node(context).pool)


def look(lab: Lab, **changed: Any) -> dict[str, Any]:
    """What the module endpoints_info says. Where a cluster is not there, it costs the whole deadline."""
    options = {"contexts": places(lab), **ETCD, "probe_image": "lab.invalid/apecloud/bash-busybox:1.37.0-musl-curl"}
    return answer("endpoints_info", options | {"request_timeout": 10.0, "deadline": 20.0} | changed)


def look_until(lab: Lab, is_so: Callable[[dict[str, Any]], bool], **changed: Any) -> dict[str, Any]:
    """The first look of which something is true: a member may be late in one, or an election be under way."""
    return first(lambda: look(lab, **changed), is_so)


def report_of(
    lab: Lab, played: Played, is_so: Callable[[str], bool], *words: str, inventory: Path | None = None
) -> None:
    """That the report with which ``site`` ended has every member, and that something is true of it, or of one that
    ``status`` gives after it: a member may be late in one, or an election be under way."""
    report = played.output[played.output.index("Look at every context") :]
    assert all(pod in report for pod in PODS), report
    if not is_so(report):
        first(lambda: play(lab, "playbooks/status.yml", *words, inventory=inventory).output, is_so)


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


def until(condition: Callable[[], bool], patience: float = 600, pause: float = 0.5) -> None:
    """``patience``: seconds, for a machine that runs several labs at once; a figure is no matter of a test. ``pause``:
    the shortest, in seconds.

    Who waits leaves most of the time to what is waited for: a look that takes long is taken less often.
    """
    began = time.monotonic()
    looked = began
    while not condition():
        now = time.monotonic()
        assert now - began < patience, "it did not come true in time"
        time.sleep(max(pause, min(10.0, 2 * (now - looked))))
        looked = time.monotonic()


def first(see: Callable[[], Seen], is_so: Callable[[Seen], bool]) -> Seen:
    """The first of several sights of which something is true."""
    seen: list[Seen] = []

    def comes_true() -> bool:
        seen[:] = [see()]
        return is_so(seen[0])

    try:
        until(comes_true)
    except AssertionError as problem:
        raise AssertionError(seen) from problem
    return seen[0]
