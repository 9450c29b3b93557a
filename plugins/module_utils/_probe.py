# Private to this collection.
"""A short-lived Pod that says one thing: a Job with a deadline, which the cluster itself clears away if we cannot.

What the Pod has to say comes as its termination message, so that nobody needs the right to read logs.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import Right
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError

LABEL = "kubeblocks.multicluster/probe"
CONTAINER = "probe"
_SECONDS = 40  # the Pod's own deadline; that of whoever waits is shorter
_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")


@dataclass(frozen=True)
class Probe:
    """``command`` with ``environment`` in a container of ``image``, in a namespace that exists."""

    namespace: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    pull_secrets: Sequence[str] = ()


class Silent(Exception):
    """The Pod said nothing. ``kind``: image if the cluster cannot pull it, else silent."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def rights(namespace: str) -> list[Right]:
    """What is needed to run one."""
    return [
        *(Right(verb, "batch", "jobs", namespace=namespace) for verb in ("create", "delete")),
        Right("list", "", "pods", namespace=namespace),
    ]


def ask(client: Client, probe: Probe, seconds: float) -> str:
    """What the Pod says, or raise Silent. The Job is deleted in any case."""
    with _made(client, probe, _SECONDS) as name:
        return _await(client, probe, name, time.monotonic() + seconds)


@contextmanager
def standing(client: Client, probe: Probe, seconds: float, patience: float) -> Iterator[str]:
    """The name of a Pod that stands there for as long as the block, to be asked by exec. Its command has to wait;
    ``seconds``: its own deadline, ``patience``: how long it may take to start. Raises Silent."""
    with _made(client, probe, int(seconds)) as name:
        yield _await_running(client, probe, name, time.monotonic() + patience)


@contextmanager
def _made(client: Client, probe: Probe, seconds: int) -> Iterator[str]:
    name = f"kubeblocks-multicluster-probe-{uuid.uuid4().hex[:8]}"
    jobs = f"/apis/batch/v1/namespaces/{probe.namespace}/jobs"
    client.create(jobs, _job(probe, name, seconds))
    try:
        yield name
    finally:
        with suppress(ContextError):  # a cluster that went silent meanwhile clears it away by itself
            client.delete(f"{jobs}/{name}", propagation="Background")


def _await_running(client: Client, probe: Probe, name: str, deadline: float) -> str:
    seen = "no Pod was made for it"
    while time.monotonic() < deadline:
        for pod in client.list(f"/api/v1/namespaces/{probe.namespace}/pods", labels=f"{LABEL}={name}"):
            state: dict[str, Any] = (pod["status"].get("containerStatuses") or [{}])[0].get("state", {})
            if "running" in state:
                return str(pod["metadata"]["name"])
            seen = f"it is {state.get('waiting', {}).get('reason') or pod['status'].get('phase', 'without phase')}"
        time.sleep(0.25)
    raise Silent("silent", seen)


def _await(client: Client, probe: Probe, name: str, deadline: float) -> str:
    seen = "no Pod was made for it"
    while time.monotonic() < deadline:
        pods = client.list(f"/api/v1/namespaces/{probe.namespace}/pods", labels=f"{LABEL}={name}")
        for status in [pod["status"] for pod in pods]:
            state: dict[str, Any] = (status.get("containerStatuses") or [{}])[0].get("state", {})
            ended = state.get("terminated")
            if ended and ended["exitCode"] == 0:
                return str(ended.get("message", ""))
            if ended:
                raise Silent("silent", _first_line(ended.get("message") or ended.get("reason") or "it failed"))
            waiting = state.get("waiting", {})
            if waiting.get("reason") in _NO_IMAGE:
                raise Silent("image", _first_line(waiting.get("message") or waiting["reason"]))
            seen = f"it is {waiting.get('reason') or status.get('phase', 'without phase')}"
        time.sleep(0.25)
    raise Silent("silent", seen)


def _first_line(text: str) -> str:
    return text.split("\n", maxsplit=1)[0][:200]


def _job(probe: Probe, name: str, seconds: int) -> dict[str, Any]:
    labels = {LABEL: name}
    container = {
        "name": CONTAINER,
        "image": probe.image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(probe.command),
        "env": [{"name": key, "value": value} for key, value in probe.environment.items()],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the container's own
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "imagePullSecrets": [{"name": secret} for secret in probe.pull_secrets],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": probe.namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": _SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
