# Private to this collection.
"""The guard of databases while a context is marked as unavailable, in the control plane: kept as it should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import FIELD_MANAGER, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import (
    KINDS,
    Change,
    Removal,
    path_of,
    plan,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.guard import API, OWN, guard


def served(client: Client) -> bool:
    """Whether this API server knows such policies: Kubernetes does from 1.30 on."""
    found = client.get(f"/apis/{API}") or {}
    known = {resource["name"] for resource in found.get("resources", [])}
    return {KINDS[API, body["kind"]][0] for body in guard((), ())} <= known


def keep(client: Client, marked: Sequence[str], affected: Sequence[str]) -> list[Change | Removal]:
    """The steps that bring the guard to these marked contexts and the Clusters ("namespace/name") that have members
    there; without a marked context, to none. Raises Failed where others made something of its name."""
    wanted = guard(marked, affected)
    found = [client.get(path_of(body)) for body in wanted]
    if not marked:
        # What binds the policy goes first, so that it is never bound to nothing.
        return [Removal(body) for body in reversed(found) if body is not None and _is_ours(body)]
    for body in found:
        if body is not None and not _is_ours(body):
            raise Failed(_foreign(client.context, body))
    return [*plan(found, wanted, FIELD_MANAGER)]


def write(client: Client, steps: Iterable[Change | Removal]) -> None:
    """Carry the steps out. An API server takes a moment until it heeds them."""
    for step in steps:
        if isinstance(step, Change):
            client.apply(path_of(step.wanted), step.wanted)
        else:
            client.delete(path_of(step.found))


def bring(client: Client, marked: Sequence[str], affected: Sequence[str]) -> None:
    """Plan and carry out at once, where the API server knows such policies."""
    if served(client):
        write(client, keep(client, marked, affected))


def _is_ours(body: Mapping[str, Any]) -> bool:
    return OWN.items() <= (body["metadata"].get("labels") or {}).items()


def _foreign(context: str, body: Mapping[str, Any]) -> str:
    label, value = next(iter(OWN.items()))
    return (
        f"{context}: cannot apply {body['kind']} {body['metadata']['name']}: there is one that this collection did not "
        f"make. Rename it, or have it taken over: give it the label {label}={value}."
    )
