# Private to this collection.
"""Whether the operator works, from one look at its Deployments, Pods, leaders and what its controllers did. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.release import DISABLED, args_of, flag

TOLD, ROLLED_OUT, LEADER, RECONCILES = "told", "rolled_out", "leader", "reconciles"
# They watch the data planes: while the caches of one cannot be filled, they do nothing at all. Seen with 1.0.2.
CONTROLLERS = ("component", "instanceset")


@dataclass(frozen=True)
class Progress:
    """What is not there yet, in words; the steps that are; whether anybody counted what the controllers did; how often
    containers of the operator were started again."""

    missing: tuple[str, ...]
    reached: frozenset[str]
    counted: bool
    restarts: int = 0


def progress_of(picture: Mapping[str, Any], marked: Sequence[str]) -> Progress:
    """D3.11: both Deployments are told, their new Pods are ready and lead, and the controllers work."""
    deployments, missing = picture["deployments"], []
    reached = set()
    untold = [_name(body) for body in deployments if flag(args_of(body), DISABLED) != list(marked)]
    if untold or not deployments:
        missing.append(f"{', '.join(untold) or 'no Deployment'} is not told of the mark")
    else:
        reached.add(TOLD)
    rolling = [_name(body) for body in deployments if not is_rolled_out(body)]
    if rolling:
        missing.append(f"{', '.join(rolling)}: new Pods are not ready")
    elif deployments:
        reached.add(ROLLED_OUT)
    leaderless = [_name(body) for body in deployments if not _leads(body, picture)]
    if leaderless:
        missing.append(f"{', '.join(leaderless)}: no new Pod leads")
    elif deployments:
        reached.add(LEADER)
    # Without any database they have nothing to do.
    counts = picture["reconciled"] if picture["databases"] else None
    idle = [name for name in CONTROLLERS if counts is not None and not counts.get(name)]
    # Old Pods may have worked: what counts is what those do that were told.
    if idle or missing:
        missing += [f"the controllers {', '.join(idle)} have done nothing"] if idle else []
    elif counts is not None:
        reached.add(RECONCILES)
    return Progress(tuple(missing), frozenset(reached), counts is not None, picture["restarts"])


def is_rolled_out(deployment: Mapping[str, Any]) -> bool:
    """Whether all Pods of a Deployment are new and ready, and no old one is left."""
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    return bool(
        status.get("observedGeneration") == deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == status.get("replicas", 0) == wanted
        and status.get("readyReplicas", 0) == wanted
    )


def _leads(deployment: Mapping[str, Any], picture: Mapping[str, Any]) -> bool:
    """Whether a Pod leads whose arguments are those of the Deployment now."""
    new = [
        pod["metadata"]["name"]
        for pod in picture["pods"]
        if args_of({"spec": {"template": pod}}) == args_of(deployment) and not pod["metadata"].get("deletionTimestamp")
    ]
    owned = [name for name in new if name.rpartition("-")[0].rpartition("-")[0] == _name(deployment)]
    return any(name in picture["leaders"] for name in owned)


def _name(body: Mapping[str, Any]) -> str:
    return str(body["metadata"]["name"])
