# Private to this collection.
"""One table of what is true: contexts, the operator's view, Pods, members, the leader, addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _etcd
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import version_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import (
    contexts_of_operator,
    marked_of_operator,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.members import problems_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call, access
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._tables import columns

SPEC: dict[str, Any] = {
    **_etcd.MEMBERS_SPEC,
    "operator_namespace": {"type": "str", "default": "kb-system"},
    "operator_release": {"type": "str", "default": "kubeblocks"},
    "request_timeout": {"type": "float", "default": 5.0},
}
_HEADER = ("CONTEXT", "API", "OPERATOR'S VIEW", "POD", "MEMBER", "LEADER", "ADDRESSES")


def run(call: Call) -> dict[str, Any]:
    """Ask every context at once; whatever does not answer is a row that says so."""
    params = call.params
    places = {place["context"]: place for place in params["contexts"]}

    def ask(context: str) -> dict[str, Any]:
        return _of_context(places[context], params)

    answers, problems = ask_all(places, ask, params["request_timeout"] * 6)
    seen = {
        context: answers.get(context)
        or {"error": _reason(problems[context]), "members": [], "plane": places[context]["plane"]}
        for context in places
    }
    samples = [sample for context in places for sample in seen[context]["members"]]
    rows = table(seen)
    call.show(rows)
    return {"status_report": {"contexts": seen, "problems": _problems(seen, samples, params)}, "table": rows}


def _problems(
    seen: Mapping[str, Mapping[str, Any]], samples: Sequence[Mapping[str, Any]], params: Mapping[str, Any]
) -> list[str]:
    silent = [f"{context}: {entry['error']}" for context, entry in seen.items() if entry["error"]]
    return silent + (problems_of(samples, params["replicas"]) if samples else ["no member was found"])


def _reason(problem: Exception) -> str:
    return problem.reason if isinstance(problem, ContextError) else str(problem)


def _of_context(place: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    client = Client(access(dict(place), params["request_timeout"]))
    found: dict[str, Any] = {
        "error": "",
        "plane": place["plane"],
        "version": version_of(client),
        "server": client.server,
        "members": [],
    }
    if place["plane"] == "control":
        return found | _of_operator(client, params)
    return found | {"members": _etcd.members(client, params)}


def _of_operator(client: Client, params: Mapping[str, Any]) -> dict[str, Any]:
    namespace, release = params["operator_namespace"], params["operator_release"]
    deployment = client.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{release}")
    ready = (deployment or {}).get("status", {}).get("readyReplicas", 0)
    return {
        "operator_ready": bool(ready),
        "operator_contexts": contexts_of_operator(deployment),
        "marked_contexts": marked_of_operator(deployment),
        "cluster_phase": _etcd.phase_of_cluster(client, params["namespace"], params["name"]),
    }


def table(seen: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines for the eye: a header, then a row for each context and member."""
    control: Mapping[str, Any] = next((entry for entry in seen.values() if entry["plane"] == "control"), {})
    listed = [known for entry in seen.values() for member in entry["members"] for known in member["members"]]
    urls = {known["id"]: known["peer_urls"] for known in listed}
    rows: list[tuple[str, ...]] = [_HEADER]
    for context, entry in seen.items():
        members = entry["members"] or [None]
        rows += [_row(context, entry, member, control, urls) for member in members]
    return columns(rows)


def _row(
    context: str,
    entry: Mapping[str, Any],
    member: Mapping[str, Any] | None,
    control: Mapping[str, Any],
    urls: Mapping[str, Sequence[str]],
) -> tuple[str, ...]:
    api = entry.get("version") or f"silent: {entry['error']}"
    view = _view(context, entry, control)
    if member is None:
        return (context, api, view, "-", "-", "-", entry.get("server", "-"))
    leads = bool(member["member_id"]) and member["member_id"] == member["leader_id"]
    name = f"{int(member['member_id']):x}" if member["member_id"] else "-"
    addresses = ", ".join([member["address"] or "-", *urls.get(member["member_id"], [])])
    reads = name if member["linearizable"] or name == "-" else f"{name} (no quorum)"
    return (context, api, view, f"{member['pod']} {member['phase']}", reads, "leader" if leads else "-", addresses)


def _view(context: str, entry: Mapping[str, Any], control: Mapping[str, Any]) -> str:
    if entry["plane"] == "control":
        if entry["error"]:
            return "-"
        ready = "operator ready" if entry["operator_ready"] else "operator not ready"
        return f"{ready}, Cluster {entry['cluster_phase']}"
    if not control or control["error"]:
        return "not known: the control plane is silent"
    if context in control.get("marked_contexts", []):
        return "marked"
    return "in use" if context in control.get("operator_contexts", []) else "not known to the operator"
