# Private to this collection.
"""Which cluster a context leads to: the task that every writing task stands behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import identity_of, uid_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import standing_marks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._record import control_plane_of, read_record
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import identity as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import Finding, of_inventory
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import (
    AUTH_SPEC,
    CONTEXTS_SPEC,
    Call,
    access,
)

SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "expected_uid": {"type": "str", "default": ""},
    "contexts": {**CONTEXTS_SPEC, "required": False, "default": []},
    "operator_namespace": {"type": "str", "default": "kb-system"},
}
_DEADLINE = 10.0
# What makes the list of contexts useless, whichever of them is written to.
_BY_NAME = (
    "inventory.control_plane",
    "inventory.both_planes",
    "inventory.context_doubled",
    "inventory.context_name",
)


def run(call: Call) -> dict[str, Any]:
    """The identity of the task's context. Raises Failed where it is not the cluster that it was."""
    place, client = access(call.params, call.params["request_timeout"]), call.client()
    found = identity_of(client)
    expected = call.params["expected_uid"]
    if expected and expected != found["uid"]:
        raise Failed(
            f"{place.context}: cannot write to this context: it was cluster {expected} when this run began, "
            f"and is {found['uid']}: renamed or rebuilt? Check where {place.kubeconfig} leads and run again."
        )
    result = {"context": place.context, "kubeconfig": place.kubeconfig, **found, "control_plane_uid": ""}
    contexts = call.params["contexts"]
    if contexts:
        _refuse(place.context, [entry for entry in of_inventory(contexts) if entry.id in _BY_NAME])
        control = next(entry for entry in contexts if entry["plane"] == "control")
        result["control_plane_uid"] = _against_the_record(call, client, found["uid"], control)
    return {"identity": result}


def _against_the_record(call: Call, client: Client, uid: str, control: dict[str, Any]) -> str:
    """UID of the control plane. Raises Failed where this or a neighbour is not the cluster that the control plane keeps
    under its name, where two names lead to one cluster, or where a data plane belongs to another control plane."""
    params = call.params
    is_control = control["context"] == params["context"]
    keeper = client if is_control else Client(access(control, params["request_timeout"]))
    control_uid = uid if is_control else uid_of(keeper)
    record = read_record(keeper, params["operator_namespace"])
    data = _data_planes(call, client, uid, is_control=is_control, unrecorded=record is None)
    uids = {control["context"]: control_uid} | {context: entry["uid"] for context, entry in data.items()}
    planes = {place["context"]: place["plane"] for place in params["contexts"]}
    shared = [place["context"] for place in params["contexts"] if place.get("may_be_control_plane")]
    seen = {context: {"context": context, "uid": uid} for context, uid in uids.items()}
    named = {context: entry["named"] for context, entry in data.items()}
    found = rules.of_duplicates(uids, planes, shared)
    found += rules.of_record(seen, record or {}, control["context"], shared)
    found += rules.of_control_plane(control_uid, named, recorded=record is not None)
    _refuse(params["context"], found)
    return control_uid


def _data_planes(
    call: Call, client: Client, uid: str, *, is_control: bool, unrecorded: bool
) -> Mapping[str, Mapping[str, str]]:
    """Context → ``uid`` and the control plane that it has ``named``: of this data plane, or, where this is the control
    plane, of all that answer."""
    path = f"/api/v1/namespaces/{call.params['operator_namespace']}"
    if not is_control:
        return {client.context: {"uid": uid, "named": control_plane_of(client.get(path))}}
    marked = standing_marks(client, call.params["operator_namespace"])  # nobody writes there
    data = [place for place in call.params["contexts"] if place["plane"] == "data"]
    places = {place["context"]: place for place in data if place["context"] not in marked}

    def ask(context: str) -> dict[str, str]:
        neighbour = Client(access(places[context], call.params["request_timeout"]))
        return {"uid": uid_of(neighbour), "named": control_plane_of(neighbour.get(path))}

    answers, problems = ask_all(places, ask, _DEADLINE)
    if unrecorded and problems:
        lines = "\n".join(f"  {context}: {problem}" for context, problem in problems.items())
        raise Failed(
            f"{client.context}: cannot write to this context: it has no record of contexts, and these data planes "
            f"cannot be asked whether they belong to another control plane:\n{lines}"
        )
    return answers


def _refuse(context: str, found: Sequence[Finding]) -> None:
    if found:
        lines = "\n".join(f"  {finding}" for finding in found)
        raise Failed(f"{context}: cannot write to this context, and nothing was written:\n{lines}")
