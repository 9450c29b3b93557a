# Private to this collection.
"""The record of contexts: which cluster stood behind each name, kept in the control plane."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import identity_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import Change, path_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import identity as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import (
    AUTH_SPEC,
    CONTEXTS_SPEC,
    Call,
    access,
)

SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "contexts": CONTEXTS_SPEC,
    "namespace": {"type": "str", "default": "kb-system"},
    "expected_uids": {"type": "dict", "default": {}},
}
Record = dict[str, dict[str, str]]
_DEADLINE = 30.0
_KEPT = ("uid", "server", "ca_hash")


def read_record(client: Client, namespace: str) -> Record | None:
    """Context → ``uid``, ``server`` and ``ca_hash`` as last seen; None where nothing was ever recorded."""
    found = client.get(f"/api/v1/namespaces/{namespace}/configmaps/{rules.RECORD}")
    text = ((found or {}).get("data") or {}).get("contexts")
    if text is None:
        return None
    try:
        record: Record = json.loads(text)
        return {context: {key: str(entry[key]) for key in _KEPT} for context, entry in record.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise Failed(
            f"{client.context}: cannot read ConfigMap {namespace}/{rules.RECORD}: it is no record ({problem!r})."
        ) from problem


def control_plane_of(space: Mapping[str, Any] | None) -> str:
    """UID of the control plane that a data plane belongs to, as its operator namespace says; empty if it says none."""
    return str((space or {}).get("metadata", {}).get("annotations", {}).get(rules.CONTROL_PLANE, ""))


def run(call: Call) -> dict[str, Any]:
    """Record every context that answers; the others keep their entry. Raises Failed where one leads elsewhere."""
    params, client = call.params, call.client()
    places = {place["name"]: place for place in params["contexts"]}

    def ask(name: str) -> dict[str, str]:
        return identity_of(Client(access(places[name], params["request_timeout"])))

    answers, problems = ask_all(places, ask, _DEADLINE)
    before = read_record(client, params["namespace"]) or {}
    _require_known(before, places, problems)
    seen = {name: {"context": places[name]["context"], "uid": answer["uid"]} for name, answer in answers.items()}
    shared = [name for name, place in places.items() if place.get("may_be_control_plane")]
    uids = {name: answer["uid"] for name, answer in answers.items()}
    wrong: list[object] = list(rules.of_record(seen, before, params["context"], shared))
    wrong += rules.of_duplicates(uids, {name: place["plane"] for name, place in places.items()}, shared)
    wrong += [
        f"{name}: it was cluster {expected} when this run began, and is {uids[name]}: renamed or rebuilt?"
        for name, expected in params["expected_uids"].items()
        if expected and name in uids and uids[name] != expected
    ]
    if wrong:
        raise Failed("nothing was recorded:\n" + "\n".join(f"  {finding}" for finding in wrong))
    after = before | {places[name]["context"]: {key: answers[name][key] for key in _KEPT} for name in answers}
    return _write(call, client, before, after)


def _require_known(before: Record, places: Mapping[str, Any], problems: Mapping[str, Exception]) -> None:
    unknown = [
        problem if isinstance(problem, ContextError) else Failed(f"{name}: {problem}")
        for name, problem in problems.items()
        if places[name]["context"] not in before
    ]
    if unknown:
        raise Failed(
            "cannot record contexts that were never seen:\n" + "\n".join(f"  {problem}" for problem in unknown)
        )


def _write(call: Call, client: Client, before: Record, after: Record) -> dict[str, Any]:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": call.params["namespace"], "name": rules.RECORD},
        "data": {"contexts": json.dumps(after, indent=1, sort_keys=True)},
    }
    if after != before and not call.check_mode:
        client.apply(path_of(body), body)
    old = {**body, "data": {"contexts": json.dumps(before, indent=1, sort_keys=True)}} if before else None
    return {"changed": after != before, "contexts": after, "diff": Change(old, body).difference()}
