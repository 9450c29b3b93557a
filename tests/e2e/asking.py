"""A global Service with a backend in every cluster, and a Pod that asks it all the time: who answered, and when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _mesh_test
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_probing import PORT
from balanced import until
from lab.settings import Lab
from meshed import IMAGE, contexts
from support import kubectl

SPACE, NAME = "asking", "everywhere"
_PROGRAM = {"name": "PROGRAM", "value": _mesh_test.program()}
# One request after the other, each on a connection of its own; a line for each: when it began, and who answered.
_ASK = f"""
import os, socket, sys, time
seconds = float(sys.argv[1])
while True:
    began = time.time()
    try:
        with socket.create_connection(("{NAME}.{SPACE}", {PORT}), seconds) as own:
            own.sendall(b"name\\n")
            name = own.makefile().readline().strip()
    except OSError:
        name = ""
    print(f"{{began:.3f}} {{name}}", flush=True)
    time.sleep(max(0, 0.1 - (time.time() - began)))
"""


@dataclass
class Asked:
    """What one Pod got: when each request began, and who answered, nobody if it failed."""

    lab: Lab
    context: str
    answers: list[tuple[float, str]] = field(default_factory=list)

    def look(self) -> list[tuple[float, str]]:
        text = kubectl(self.lab, self.context, "logs", "-n", SPACE, "asks")
        words = [line.split(" ") for line in text.splitlines()]
        self.answers = [(float(when), name) for when, name in words]
        return self.answers

    def share(self, since: float, until: float) -> float:
        """The share of requests of this time that failed."""
        mine = [name for when, name in self.answers if since <= when < until]
        assert mine, "nobody asked in this time"
        return mine.count("") / len(mine)

    def names(self, since: float) -> set[str]:
        return {name for when, name in self.look() if when >= since and name}


def _pod(name: str, *command: str, labels: dict[str, str]) -> dict[str, Any]:
    container = {"name": "python", "image": IMAGE, "command": ["python3", "-c", *command], "env": [_PROGRAM]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    metadata = {"name": name, "namespace": SPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _service() -> dict[str, Any]:
    metadata = {"name": NAME, "namespace": SPACE, "annotations": {"service.cilium.io/global": "true"}}
    spec = {"selector": {"app": NAME}, "ports": [{"port": PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


@contextmanager
def asking(lab: Lab, context: str, seconds: float = 1.0) -> Iterator[Asked]:
    """While the block lasts, a Pod of this cluster asks; it begins when every cluster has answered once. ``seconds``:
    after which a request has failed."""
    asked = Asked(lab, context)
    try:
        for name in contexts(lab):
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
            kubectl(lab, name, "apply", "-f", "-", stdin=json.dumps(space))
        for name in contexts(lab):
            # Without its account a Pod is refused.
            kubectl(lab, name, "wait", "serviceaccount/default", "-n", SPACE, "--for=create", "--timeout=280s")
            answers = _pod("answers", _mesh_test.RUN, "serve", name, labels={"app": NAME})
            bodies = [_service(), answers, *([_pod("asks", _ASK, str(seconds), labels={})] if name == context else [])]
            listed = {"apiVersion": "v1", "kind": "List", "items": bodies}
            kubectl(lab, name, "apply", "-f", "-", stdin=json.dumps(listed))
        kubectl(lab, context, "wait", "pod", "-n", SPACE, "asks", "--for=condition=Ready", "--timeout=280s")
        until(lambda: asked.names(0) == set(contexts(lab)))
        yield asked
    finally:
        for name in contexts(lab):
            kubectl(lab, name, "delete", "namespace", SPACE, "--ignore-not-found", "--wait=false")
