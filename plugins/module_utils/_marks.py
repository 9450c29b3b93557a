# Private to this collection.
"""The record of marks, kept in the control plane: who marked which context when and why, and what was known then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import path_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import (
    contexts_of_operator,
    marked_of_operator,
    told_of_contexts,
)

MARKS = "kubeblocks-multicluster-marks"
# A mark that is about to be written, one that the operator follows, one that is about to be taken away.
MARKING, MARKED, UNMARKING = "marking", "marked", "unmarking"
_KEPT = 20  # events that are over

Marks = dict[str, dict[str, Any]]  # context → its entry


def read_marks(client: Client, namespace: str) -> Marks:
    """Context → ``state``, ``by``, ``since``, ``why``, ``verdict``, ``evidence`` (SHA-256 of the samples),
    ``witnesses``, ``previous`` (marked before), ``accepted`` (risks), ``engine``, ``behind`` (why the release does not
    know of it, or nothing), ``databases`` (name → ``members``, ``claims``, ``cluster``) and ``stand_ins``."""
    return _read(client, namespace)[0]


def standing(marks: Marks) -> list[str]:
    """The contexts that shall be marked, whatever the operator says."""
    return [context for context, entry in marks.items() if entry["state"] != UNMARKING]


def taken_for_marked(marks: Marks, deployments: Sequence[Mapping[str, Any]]) -> list[str]:
    """The contexts that are to be taken for unavailable: those that are recorded, and those that one of the operator's
    Deployments was told of by others. What the values of its release say may be older than either."""
    told = [context for body in deployments for context in marked_of_operator(body)]
    return list(dict.fromkeys([*standing(marks), *told]))


def standing_marks(client: Client, namespace: str) -> list[str]:
    """The same, asked now."""
    return taken_for_marked(read_marks(client, namespace), told_of_contexts(client, namespace))


def marks_of_operator(client: Client, namespace: str, deployments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``marked``: contexts that are to be taken for unavailable; ``marks``: the record of those that stand; ``told``:
    Deployment → contexts that it takes for unavailable; ``operator_contexts``: those that it works on."""
    recorded = read_marks(client, namespace)
    return {
        "marked": taken_for_marked(recorded, deployments),
        "marks": {name: recorded[name] for name in standing(recorded)},
        "told": {body["metadata"]["name"]: marked_of_operator(body) for body in deployments},
        "operator_contexts": contexts_of_operator(deployments[0]) if deployments else [],
    }


def write_marks(client: Client, namespace: str, marks: Marks, over: Sequence[Mapping[str, Any]] = ()) -> None:
    """Keep these entries, and what is over among the last ones. Nothing is written where nothing differs."""
    before, history = _read(client, namespace)
    after = [*history, *over][-_KEPT:]
    if (before, history) == (marks, after):
        return
    data = {name: json.dumps(value, indent=1, sort_keys=True) for name, value in (("marks", marks), ("history", after))}
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": MARKS},
        "data": data,
    }
    client.apply(path_of(body), body)


def digest_of(samples: Any) -> str:
    """What ties an entry to the evidence that it was decided on."""
    return hashlib.sha256(json.dumps(samples, sort_keys=True, default=str).encode()).hexdigest()


def _read(client: Client, namespace: str) -> tuple[Marks, list[Any]]:
    found = client.get(f"/api/v1/namespaces/{namespace}/configmaps/{MARKS}")
    data = (found or {}).get("data") or {}
    try:
        marks: Marks = json.loads(data.get("marks", "{}"))
        return {context: {**entry, "state": str(entry["state"])} for context, entry in marks.items()}, json.loads(
            data.get("history", "[]")
        )
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise Failed(
            f"{client.context}: cannot read ConfigMap {namespace}/{MARKS}: it is no record of marks ({problem!r}). Put "
            "it right from a copy, or delete it: then nobody knows which contexts are to stay marked."
        ) from problem
