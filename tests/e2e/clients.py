"""Clients of the etcd that the playbooks made, outside the clusters: etcd's own, and a writer that remembers."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import urllib3

from lab.build.programs import program
from lab.settings import Lab
from support import kubectl

NAMESPACE = "etcd"


def etcdctl(endpoint: str, *words: str) -> str:
    """etcd's own client on this host."""
    command = [str(program("etcd", "etcdctl")), f"--endpoints={endpoint}", "--command-timeout=5s", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def in_member(lab: Lab, context: str, pod: str, *words: str) -> str:
    """etcd's own client in a member's Pod."""
    return kubectl(lab, context, "exec", "-n", NAMESPACE, pod, "-c", "etcd", "--", "etcdctl", *words)


def services(lab: Lab, context: str, namespace: str = NAMESPACE) -> dict[str, dict[str, Any]]:
    items = json.loads(kubectl(lab, context, "get", "services", "-n", namespace, "-o", "json"))["items"]
    return {item["metadata"]["name"]: item for item in items}


def metrics(lab: Lab, endpoint: str) -> dict[str, float]:
    """What a member counts: changes of the leader, and connections to the others that were lost."""
    text = urllib3.request("GET", f"http://{endpoint}/metrics", timeout=5, retries=False).data.decode()
    names = (
        "etcd_server_leader_changes_seen_total",
        "etcd_network_disconnected_peers_total",
        "process_start_time_seconds",
    )
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith(names)]
    return {name: float(value) for name, value in lines}


@dataclass
class Writer:
    """Writes numbered keys through one address for as long as it is let, one after the other, and remembers which were
    acknowledged and when. Every request is a connection of its own, as after a fail-over of the client."""

    endpoint: str
    prefix: str
    pause: float = 0.05
    most: int = 5000
    acknowledged: list[tuple[int, float]] = field(default_factory=list)
    refused: int = 0

    def __enter__(self) -> Writer:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _write(self) -> None:
        pool = urllib3.PoolManager(timeout=urllib3.Timeout(2), retries=False)
        for number in range(self.most):
            if self._stop.is_set():
                return
            if self._put(pool, number):
                self.acknowledged.append((number, time.monotonic()))
            else:
                self.refused += 1
            time.sleep(self.pause)

    def _put(self, pool: urllib3.PoolManager, number: int) -> bool:
        words = {"key": f"{self.prefix}{number:06}", "value": str(number)}
        body = {name: base64.b64encode(text.encode()).decode() for name, text in words.items()}
        try:
            answer = pool.request(
                "POST", f"http://{self.endpoint}/v3/kv/put", json=body, headers={"Connection": "close"}
            )
        except urllib3.exceptions.HTTPError:
            return False
        return answer.status == 200

    def gap(self) -> float:
        """Seconds of the longest time without an acknowledged write."""
        times = [when for _, when in self.acknowledged]
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)

    def lost(self, endpoint: str) -> list[int]:
        """Acknowledged writes that are not there."""
        found = json.loads(etcdctl(endpoint, "get", "--prefix", self.prefix, "--keys-only", "-w", "json"))
        there = {base64.b64decode(entry["key"]).decode() for entry in found.get("kvs", [])}
        return [number for number, _ in self.acknowledged if f"{self.prefix}{number:06}" not in there]
