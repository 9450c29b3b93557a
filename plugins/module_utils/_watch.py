# Private to this collection.
"""Whether the operator works again after a mark: told of it, leading, and reconciling past its caches."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._databases import CLUSTERS
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import told_of_contexts
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.progress import Progress, progress_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call

_METRIC = re.compile(
    r'^controller_runtime_reconcile_total\{controller="([a-z]+)",result="[a-z_]+"\} ([0-9.e+]+)$', re.M
)
_PAUSE = 0.5


@dataclass
class Watched:
    """``well``: whether the operator works; ``weak``: only by its leader and its restarts, as nobody counted what it
    does; ``seconds`` from the write to each step; ``missing``: what stood out at the end."""

    well: bool = False
    weak: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    missing: Sequence[str] = ()


def watch(
    call: Call,
    client: Client,
    release: tuple[str, str],
    marked: Sequence[str],
    limits: Mapping[str, float],
    *,
    since: float,
) -> Watched:
    """Look until the operator works, or ``limits['watch']`` seconds are over; a line each time the picture changes.

    ``release``: namespace and name; ``limits['sync']``: seconds after which an operator that could not fill its caches
    would have ended: the weaker proof, where its metrics can't be read or there is no database yet; ``since``: from
    when the seconds of the steps are counted, by the monotonic clock.
    """
    began, found, shown = time.monotonic(), Watched(), tuple[str, ...]()
    undisturbed, restarts = began, -1
    while True:
        try:
            picture = look(client, *release)
            progress = progress_of(picture, marked)
        except ContextError as problem:
            progress = Progress((f"the control plane: {problem.reason}",), frozenset(), counted=True)
        now = time.monotonic()
        for step in progress.reached - found.seconds.keys():
            found.seconds[step] = round(now - since, 1)
        found.missing = progress.missing
        if progress.missing or progress.restarts != restarts:
            undisturbed, restarts = now, progress.restarts
        found.weak = not progress.counted
        found.well = not progress.missing and (progress.counted or now - undisturbed >= limits["sync"])
        if found.well or now - began > limits["watch"]:
            return found
        if progress.missing != shown:
            call.say(f"{client.context}: operator: {'; '.join(progress.missing) or 'leads'}, {now - since:.0f} s")
            shown = progress.missing
        time.sleep(_PAUSE)


def look(client: Client, namespace: str, release: str) -> dict[str, Any]:
    """``deployments``, their ``pods``, the names of those that are ``leaders``, and ``reconciled``: controller → how
    often, in the Pods that lead; None where their metrics can't be read; ``restarts`` of all containers; how many
    ``databases`` there are."""
    pods = client.list(f"/api/v1/namespaces/{namespace}/pods", labels=f"app.kubernetes.io/instance={release}")
    leases = client.list(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases")
    holders = [str(lease["spec"].get("holderIdentity") or "").rpartition("_")[0] for lease in leases]
    leading = [pod for pod in pods if pod["metadata"]["name"] in holders]
    counted = [_reconciled(client, pod) for pod in leading]
    known = [counts for counts in counted if counts is not None]
    return {
        "deployments": told_of_contexts(client, namespace, release),
        "pods": pods,
        "leaders": [pod["metadata"]["name"] for pod in leading],
        "reconciled": {name: count for counts in known for name, count in counts.items()} if known else None,
        "restarts": sum(each["restartCount"] for pod in pods for each in pod["status"].get("containerStatuses") or []),
        "databases": len(client.list(CLUSTERS, metadata_only=True)),
    }


def _reconciled(client: Client, pod: Mapping[str, Any]) -> dict[str, float] | None:
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}:{_metrics_port(pod)}/proxy/metrics"
    try:
        text = client.text(path)
    except ContextError:
        return None
    found: dict[str, float] = {}
    for controller, count in _METRIC.findall(text):
        found[controller] = found.get(controller, 0.0) + float(count)
    return found


def _metrics_port(pod: Mapping[str, Any]) -> str:
    words = [word for container in pod["spec"]["containers"] for word in container.get("args") or []]
    ports = [word.rpartition(":")[2] for word in words if word.startswith("--metrics-bind-address=")]
    return ports[0] if ports else "8080"
