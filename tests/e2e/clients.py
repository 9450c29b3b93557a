"""Clients of the etcd that the playbooks made, outside the clusters: etcd's own, and a writer that remembers."""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import replace
from typing import Any

import urllib3

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._gateway import Gateway, endpoint_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.history import ACKNOWLEDGED, Attempt
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._sentinel import Sentinel, own_prefix
from lab.build.programs import program
from lab.settings import Lab
from support import kubectl

NAMESPACE = "etcd"


def etcdctl(endpoint: str, *words: str) -> str:
    """etcd's own client on this host."""
    command = [str(program("etcd", "etcdctl")), f"--endpoints={endpoint}", "--command-timeout=30s", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def in_member(lab: Lab, context: str, pod: str, *words: str) -> str:
    """etcd's own client in a member's Pod."""
    return kubectl(
        lab, context, "exec", "-n", NAMESPACE, pod, "-c", "etcd", "--", "etcdctl", "--command-timeout=30s", *words
    )


def services(lab: Lab, context: str, namespace: str = NAMESPACE) -> dict[str, dict[str, Any]]:
    items = json.loads(kubectl(lab, context, "get", "services", "-n", namespace, "-o", "json"))["items"]
    return {item["metadata"]["name"]: item for item in items}


def metrics(lab: Lab, endpoint: str) -> dict[str, float]:
    """What a member counts: connections to the others that were lost; and when it began. A change of the leader alone
    may be a machine that is busy."""
    text = urllib3.request("GET", f"http://{endpoint}/metrics", timeout=30, retries=False).data.decode()
    names = ("etcd_network_disconnected_peers_total", "process_start_time_seconds")
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith(names)]
    return {name: float(value) for name, value in lines}


class Writer:
    """The module etcd_sentinel at work behind one address, for as long as it is let."""

    def __init__(self, endpoint: str, prefix: str, pause: float = 0.05) -> None:
        self._pause = pause
        self._sentinel = Sentinel(Gateway([endpoint_of(endpoint)], 2.0), own_prefix(prefix))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _write(self) -> None:
        self._sentinel.write(lambda: "stopped" if self._stop.is_set() else "", pause=self._pause)

    @property
    def _attempts(self) -> list[Attempt]:
        return list(self._sentinel.attempts)

    @property
    def acknowledged(self) -> list[tuple[int, float]]:
        """Numbers, and when: seconds since it began."""
        return [(each.number, each.ended) for each in self._attempts if each.outcome == ACKNOWLEDGED]

    @property
    def refused(self) -> int:
        """How many writes were not acknowledged."""
        return sum(1 for each in self._attempts if each.outcome != ACKNOWLEDGED)

    def gap(self) -> float:
        """Seconds of the longest time without an acknowledged write."""
        return self._sentinel.history(None).gaps.longest

    def lost(self, endpoint: str) -> list[int]:
        """Acknowledged writes that are not there, or not as they were written."""
        reader = replace(self._sentinel, gateway=Gateway([endpoint_of(endpoint)], 20.0))
        history = reader.history(reader.read(180))
        return sorted({*history.lost, *history.altered})
