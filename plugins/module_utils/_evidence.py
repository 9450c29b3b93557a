# Private to this collection.
"""What one context answers to preflight: plain data, read only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import (
    DANGEROUS,
    EVERYTHING,
    Right,
    operator_rules,
    rights_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._facts import (
    Wanted,
    of_control_plane,
    of_data_plane,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import (
    identity_of,
    version_of,
    way_in_cluster,
    way_to,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.tokens import account_path, mint
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._lives import of_client

_OPERATOR_TOKEN_SECONDS = 600  # the shortest that an API server grants


@dataclass(frozen=True)
class Questions:
    """What to ask one context: its ``plane``, the rights that this credential needs there (asked for only if it may
    not do everything anyway), what to look for, the operator's ServiceAccount where the user supplies it, the address
    that the operator is to use if not the kubeconfig's, and whether this may be the control plane's own cluster."""

    plane: str
    rights: Callable[[], Sequence[Right]]
    wanted: Wanted
    supplied_account: str = ""
    server: str = ""
    may_be_control_plane: bool = False


def of_context(access: Access, questions: Questions) -> dict[str, Any]:
    """Everything that preflight asks one context. A context that cannot be asked has ``error`` and nothing else."""
    try:
        client = Client(access)
    except ContextError as problem:
        return {"error": {"kind": "missing", "message": f"{problem.verb} {problem.what}: {problem.reason}"}}
    lacking: list[str] = []
    found: dict[str, Any] = {"error": None, "uid": "", "server": client.server, "version": ""}
    try:
        found |= _unless_forbidden(lambda: identity_of(client), lacking)
        found |= _unless_forbidden(lambda: {"version": version_of(client)}, lacking)
    except ContextError as problem:
        return {"error": {"kind": "silent", "message": problem.reason}}
    missing = denied(client, questions.rights)
    found["denied"] = [str(right) for right in missing] or lacking
    if found["uid"]:
        look = of_control_plane if questions.plane == "control" else of_data_plane
        found |= look(client, questions.wanted)
        found["way"] = way_to(client, questions.server)
    if questions.may_be_control_plane and not missing:
        found["own_way"] = way_in_cluster(client)
    if questions.supplied_account and not any(right.resource == "serviceaccounts" for right in missing):
        found["operator"] = _of_operator(client, questions.wanted.namespace, questions.supplied_account)
    return {**found, **of_client(client), "clock_offset": client.clock_offset}


def _unless_forbidden(look: Callable[[], dict[str, Any]], lacking: list[str]) -> dict[str, Any]:
    """What a look shows; nothing, and the right that is lacking, where the credential may not look."""
    try:
        return look()
    except ContextError as problem:
        if problem.status != 403:
            raise
        lacking.append(f"{problem.verb} {problem.what}")
        return {}


def _of_operator(client: Client, namespace: str, account: str) -> dict[str, Any]:
    """What an identity that the user supplies may not do: asked with a short-lived token of its own, kept nowhere."""
    found: dict[str, Any] = {"account": f"{namespace}/{account}", "exists": True, "denied": [], "excess": []}
    if client.get(account_path(namespace, account)) is None:
        return {**found, "exists": False}
    operator = client.bearing(mint(client, namespace, account, _OPERATOR_TOKEN_SECONDS))
    if _allowed(operator, EVERYTHING):
        return {**found, "excess": ["do everything"]}
    missing = denied(operator, lambda: rights_of(operator_rules()))
    excess = [str(right) for right in DANGEROUS if _allowed(operator, right)]
    return {**found, "denied": [str(right) for right in missing], "excess": excess}


def denied(client: Client, rights: Callable[[], Sequence[Right]]) -> list[Right]:
    """The rights that this credential lacks. One question if it may do everything, else one for each right."""
    if _allowed(client, EVERYTHING):
        return []
    wanted = rights()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda right: _allowed(client, right), wanted))
    return [right for right, allowed in zip(wanted, answers, strict=True) if not allowed]


def _allowed(client: Client, right: Right) -> bool:
    answer = client.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", right.review())
    return bool(answer["status"].get("allowed"))
