# Private to this collection.
"""Which run of a playbook this is, whether another one still lives, and the Lease that only one of them holds."""

from __future__ import annotations

import datetime
import os
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client, cluster_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed

LEASE = "kubeblocks-multicluster"
LEASE_SECONDS = 1200  # longer than any single step of a run holds it without renewing
_PROGRAMS = ("ansible-playbook", "ansible", "ansible-console")
RELEASES = "kubeblocks.multicluster/releases"  # annotation: Helm releases that the holder is working on


@dataclass(frozen=True)
class RunId:
    """A run is a process: host, boot, process number and start. Written as ``host/boot/pid/start``."""

    host: str
    boot: str
    pid: int
    start: str

    def __str__(self) -> str:
        return f"{self.host}/{self.boot}/{self.pid}/{self.start}"

    @classmethod
    def parse(cls, text: str) -> RunId | None:
        parts = text.split("/")
        if len(parts) != 4 or not parts[2].isdigit():
            return None
        return cls(parts[0], parts[1], int(parts[2]), parts[3])


def this_run() -> RunId:
    """The ansible-playbook (or ansible) above this process; on a remote host, where there is none, a run of its own."""
    pid = os.getpid()
    while pid > 1 and not any(Path(word).name in _PROGRAMS for word in _words(pid)[:3]):
        pid = _parent(pid)
    # A worker is a fork with its parent's command line: the run is the topmost of them.
    while pid > 1 and _words(_parent(pid)) == _words(pid):
        pid = _parent(pid)
    if pid > 1:
        return RunId(socket.gethostname(), _boot(), pid, _start(pid))
    return RunId(socket.gethostname(), _boot(), 0, uuid.uuid4().hex[:8])


def is_alive(run: RunId) -> bool | None:
    """Whether that run's process lives; None where this host cannot know."""
    if run.pid == 0 or (run.host, run.boot) != (socket.gethostname(), _boot()):
        return None
    return bool(run.start) and _start(run.pid) == run.start


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat behind the name, which may hold spaces; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _start(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields and fields[0] != "Z" else ""


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return "unknown"


def read_lease(client: Client, namespace: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = client.get(f"{_leases(namespace)}/{LEASE}")
    return found


def holder(lease: dict[str, Any] | None, now: datetime.datetime) -> str:
    """Who holds the Lease, empty if nobody does: released, run out, or its process is known to be dead."""
    spec = (lease or {}).get("spec", {})
    name: str = spec.get("holderIdentity") or ""
    if not name:
        return ""
    run = RunId.parse(name)
    alive = is_alive(run) if run else None
    if alive is not None:
        return name if alive else ""
    if not spec.get("renewTime"):
        return name  # nobody can say when it ends
    renewed = datetime.datetime.fromisoformat(spec["renewTime"].replace("Z", "+00:00"))
    limit = datetime.timedelta(seconds=spec.get("leaseDurationSeconds", LEASE_SECONDS))
    return name if now < renewed + limit else ""


def interrupted_releases(lease: dict[str, Any] | None, now: datetime.datetime, mine: str) -> set[str]:
    """Helm releases that a run had begun which no longer holds the Lease, or that this run (``mine``) had."""
    if lease is None or holder(lease, now) not in ("", mine):
        return set()
    text = lease["metadata"].get("annotations", {}).get(RELEASES, "")
    return {name for name in text.split(",") if name}


def take_lease(client: Client, namespace: str, releases: list[str], mine: str) -> None:
    """Hold the Lease and note the releases that come next. Raises Failed while another run lives."""
    now = datetime.datetime.now(datetime.UTC)
    lease = read_lease(client, namespace)
    other = holder(lease, now)
    if other not in ("", mine):
        raise Failed(
            f"{client.context}: another run holds Lease {namespace}/{LEASE}: {other}. "
            f"Wait for it to end; if it is dead, the Lease runs out by itself within {LEASE_SECONDS // 60} minutes."
        )
    body = _lease(namespace, mine, now, releases)
    if lease is None:
        client.create(_leases(namespace), body)
        return
    body["metadata"]["resourceVersion"] = lease["metadata"]["resourceVersion"]  # two at once: one gets a conflict
    client.replace(f"{_leases(namespace)}/{LEASE}", body)


def release_lease(client: Client, namespace: str, mine: str, releases: Sequence[str] = ()) -> None:
    """Give the Lease back, if this run holds it. ``releases``: what it may have left half done."""
    lease = read_lease(client, namespace)
    if lease is None or lease.get("spec", {}).get("holderIdentity") != mine:
        return
    now = datetime.datetime.now(datetime.UTC)
    body = _lease(namespace, "", now, list(releases))
    body["metadata"]["resourceVersion"] = lease["metadata"]["resourceVersion"]
    client.replace(f"{_leases(namespace)}/{LEASE}", body)


def _leases(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def _lease(namespace: str, name: str, now: datetime.datetime, releases: list[str]) -> dict[str, Any]:
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "namespace": namespace,
            "name": LEASE,
            "annotations": {RELEASES: ",".join(sorted(releases))},
        },
        "spec": {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": stamp},
    }


def living_helm(client: Client, release: str) -> list[int]:
    """Processes of helm on this host that still work on a release: a killed playbook does not take them along.

    Another cluster may have a context of the same name in another kubeconfig. It is taken for another one where server
    and CA differ; what cannot be told counts.
    """
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        words = _words(int(folder.name))
        if words and Path(words[0]).name.startswith("helm") and release in words and _works_on(folder, client):
            found.append(int(folder.name))
    return found


def _works_on(folder: Path, client: Client) -> bool:
    """Whether a helm process was given this cluster in its environment, as kubernetes.core does it."""
    try:
        entries = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return False
    given = dict(entry.partition("=")[::2] for entry in entries)
    if given.get("HELM_KUBECONTEXT") != client.context:
        return False
    kubeconfig = given.get("KUBECONFIG", "")
    if not Path(kubeconfig).is_file():
        return True
    server, authority = cluster_of(kubeconfig, client.context)
    our_server, our_authority = cluster_of(client.access.kubeconfig, client.context)
    return server in ("", our_server) or (authority != "" and authority == our_authority)
