# Private to this collection.
"""Which cluster a context leads to: the task that every writing task stands behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import identity_of, uid_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
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
_BY_NAME = ("inventory.context_doubled", "inventory.context_name")


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
    control = next((entry for entry in call.params["contexts"] if entry["plane"] == "control"), None)
    _refuse(place.context, [entry for entry in of_inventory(call.params["contexts"]) if entry.id in _BY_NAME])
    if control:
        result["control_plane_uid"] = _against_the_record(call, client, found["uid"], control)
    return {"identity": result}


def _against_the_record(call: Call, client: Client, uid: str, control: dict[str, Any]) -> str:
    """UID of the control plane. Raises Failed where it keeps another cluster under this name, or is another itself."""
    params = call.params
    is_control = control["context"] == params["context"]
    keeper = client if is_control else Client(access(control, params["request_timeout"]))
    control_uid = uid if is_control else uid_of(keeper)
    record = read_record(keeper, params["operator_namespace"])
    seen = {params["context"]: {"context": params["context"], "uid": uid}}
    if not is_control:
        seen[control["context"]] = {"context": control["context"], "uid": control_uid}
    shared = [place["context"] for place in params["contexts"] if place.get("may_be_control_plane")]
    found = rules.of_record(seen, record or {}, control["context"], shared)
    found += rules.of_control_plane(
        control_uid, _named(call, client, is_control, record is None), recorded=record is not None
    )
    _refuse(params["context"], found)
    return control_uid


def _named(call: Call, client: Client, is_control: bool, unrecorded: bool) -> Mapping[str, str]:
    """Which control plane the data planes name: this one, or all that answer where this is a control plane."""
    path = f"/api/v1/namespaces/{call.params['operator_namespace']}"
    if not is_control:
        return {client.context: control_plane_of(client.get(path))}
    places = {place["context"]: place for place in call.params["contexts"] if place["plane"] == "data"}

    def ask(context: str) -> str:
        return control_plane_of(Client(access(places[context], call.params["request_timeout"])).get(path))

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
