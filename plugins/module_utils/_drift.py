# Private to this collection.
"""Which objects differ from what is wanted: a quiet run asks this and has nothing to apply."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import KINDS, Change, path_of, plan
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import AUTH_SPEC, Call

SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "definitions": {"type": "list", "elements": "dict", "required": True},
}


def run(call: Call) -> dict[str, Any]:
    """Compare every definition with the object that is there."""
    client, wanted = call.client(), call.params["definitions"]
    for body in wanted:
        if (body.get("apiVersion"), body.get("kind")) not in KINDS:
            raise Failed(f"{client.context}: cannot compare {body.get('kind')}: this module does not know the kind.")
    changes = plan([client.get(path_of(body)) for body in wanted], wanted)
    rebound = [change.wanted for change in changes if _binds_another_role(change)]
    if rebound:
        raise Failed("\n".join(_immutable(client.context, body) for body in rebound))
    drifted = [change.wanted for change in changes]
    spaces = {body["metadata"]["namespace"] for body in drifted if "namespace" in body["metadata"]}
    missing = [name for name in spaces if client.get(f"/api/v1/namespaces/{name}") is None]
    return {
        "drifted": drifted,
        "askable": [body for body in drifted if body["metadata"].get("namespace") not in missing],
        "differences": [_sentence(change.found, change.wanted) for change in changes],
    }


def _binds_another_role(change: Change) -> bool:
    return change.found is not None and change.found.get("roleRef") != change.wanted.get("roleRef")


def _immutable(context: str, body: dict[str, Any]) -> str:
    kind, name, role = body["kind"], body["metadata"]["name"], body["roleRef"]["name"]
    return (
        f"{context}: cannot apply {kind} {name}: its roleRef is not {role}, and Kubernetes never changes a roleRef. "
        f"Find out who made it, then remove it: kubectl --context {context} delete {kind.lower()} {name}"
    )


def _sentence(found: dict[str, Any] | None, wanted: dict[str, Any]) -> str:
    name = f"{wanted['kind']} {wanted['metadata']['name']}"
    return f"{name} does not exist" if found is None else f"{name} differs"
