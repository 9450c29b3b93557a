# Private to this collection.
"""What became of a context while it was marked: its members there, and its databases in the control plane."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._databases import ENGINE, templates_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._etcd import phase_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.returning import (
    ANSWERS,
    EMPTY,
    LISTED,
    REMOVED,
    SILENT,
    Member,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._scene import Scene

# What etcd says before it ends: of a member that was taken out of the list, and of one that lost its disk.
_REMOVED = ("the member has been permanently removed from the cluster",)
_EMPTY = ("has already been bootstrapped",)


def states_of(scene: Scene, context: str) -> tuple[list[Member], dict[str, int]]:
    """Each member of an etcd that belongs into a context, and how many voters each of these etcds has."""
    members, voters = [], {}
    for database in scene.evidence.known.etcds:
        pods = database.members_in(context)
        if not pods:
            continue
        listed = scene.evidence.members.get(database.key, [])
        voters[database.key] = sum(1 for member in listed if member["voter"])
        for pod in pods:
            known = next((member for member in listed if member["name"] == pod), None)
            if known and known["voter"] and known["healthy"]:
                state = ANSWERS
            elif listed and known is None:
                state = REMOVED
            else:
                state = _state_in(scene.clients[context], scene, database, pod) if context in scene.clients else SILENT
            members.append(Member(f"{database.key} {pod}", database.key, state))
    return members, voters


def _state_in(client: Client, scene: Scene, database: Database, pod: str) -> str:
    """Of a member that does not answer: what its Pod said last, or whether its disk is there at all."""
    root = f"/api/v1/namespaces/{database.namespace}"
    try:
        found = client.get(f"{root}/pods/{pod}")
        if found is None:
            claims = _claims(scene, client.context, database, pod)
            missing = [name for name in claims if client.get(f"{root}/persistentvolumeclaims/{name}") is None]
            return EMPTY if missing else LISTED
        # What the container before this one said is old where this one runs.
        ended = (0,) if phase_of(found, ENGINE) == "Running" else (0, 1)
        path = f"{root}/pods/{pod}/log?container={ENGINE}&tailLines=200"
        said = "".join(_log(client, path, last) for last in ended)
    except ContextError:
        return SILENT
    if any(words in said for words in _REMOVED):
        return REMOVED
    return EMPTY if any(words in said for words in _EMPTY) else SILENT


def _log(client: Client, path: str, last: int) -> str:
    try:
        return client.text(path + ("&previous=true" if last else ""))
    except ContextError:
        return ""  # no container of before, or none that started


def _claims(scene: Scene, context: str, database: Database, pod: str) -> list[str]:
    """The volumes of a member, as recorded when its context was marked, or else as its Cluster has them made."""
    kept = scene.situation.marks.get(context, {}).get("databases", {}).get(database.key)
    if kept:
        return [name for name in kept.get("claims", []) if name.endswith(f"-{pod}")]
    return [f"{template}-{pod}" for template in templates_of(scene.evidence.known, database)]


def changed_meanwhile(scene: Scene, context: str) -> list[str]:
    """What the control plane did to the databases of a context since it was marked, a line each."""
    recorded: dict[str, Any] = scene.situation.marks.get(context, {}).get("databases", {})
    clusters = scene.evidence.known.clusters or {}
    found = []
    for key, entry in recorded.items():
        now = (clusters.get(key.partition(" ")[0]) or {}).get("metadata")
        before = entry.get("cluster") or {}
        if now is None:
            found.append(f"{key} was deleted while {context} was marked")
        elif now.get("uid") != before.get("uid"):
            found.append(f"{key} was deleted and made anew while {context} was marked")
        elif now.get("generation") != before.get("generation"):
            found.append(f"{key} was changed while {context} was marked")
    return found
