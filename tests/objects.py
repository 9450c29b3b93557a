"""Objects that are there while a test looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.settings import Lab
from support import kubectl


@contextmanager
def present(lab: Lab, context: str, *bodies: dict[str, Any]) -> Iterator[None]:
    """Objects that are there while the test looks."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(bodies)})
    kubectl(lab, context, "apply", "-f", "-", stdin=text)
    try:
        yield
    finally:
        kubectl(lab, context, "delete", "--ignore-not-found", "-f", "-", stdin=text)


@contextmanager
def node(lab: Lab, context: str, *, labels: dict[str, str] | None = None, **status: Any) -> Iterator[None]:
    """A Node as a kubelet would report it."""
    spec = {"podCIDRs": [status["pods"]], "podCIDR": status["pods"]} if "pods" in status else {}
    spec |= {"providerID": status["provider"]} if "provider" in status else {}
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "made", "labels": labels or {}}, "spec": spec}
    info = dict.fromkeys(
        ("architecture", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion"), "x"
    )
    info |= {"operatingSystem": "x", "osImage": "x", "systemUUID": context}
    info |= {"bootID": status.get("boot", f"boot of {context}"), "machineID": status.get("machine", context)}
    reported = {"nodeInfo": info, "addresses": [{"type": "InternalIP", "address": status.get("address", "192.0.2.1")}]}
    reported["conditions"] = [{"type": "Ready", "status": "True"}]
    if "address" not in status:
        reported["addresses"] = []
    with present(lab, context, body):
        patch = json.dumps({"status": reported})
        kubectl(lab, context, "patch", "node", "made", "--subresource=status", "--type=merge", "-p", patch)
        yield
