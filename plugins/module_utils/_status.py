# Private to this collection.
"""One table of what is true: contexts, the operator's view, Pods, members, the leader, addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _etcd
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._cluster import cluster_path
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._databases import described
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import reason_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import version_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import marks_of_operator
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import told_of_contexts
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import INFO, Finding
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.marks import of_marks
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
        or {"error": reason_of(problems[context]), "members": [], "plane": places[context]["plane"]}
        for context in places
    }
    findings = _of_marks(places, seen)
    rows = table(seen) + [str(finding) for finding in findings]
    call.show(rows)
    wrong = [str(finding) for finding in findings if finding.severity != INFO]
    return {"status_report": {"contexts": seen, "problems": wrong + _problems(seen, params)}, "table": rows}


def _of_marks(places: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    names = {context: place["name"] for context, place in places.items()}
    control = [(context, entry) for context, entry in seen.items() if "told" in entry]
    return [each for context, entry in control for each in of_marks(context, entry["marks"], entry["told"], names)]


def _problems(seen: Mapping[str, Mapping[str, Any]], params: Mapping[str, Any]) -> list[str]:
    """What is missing; contexts that are marked are not looked for."""
    marked = [context for entry in seen.values() for context in entry.get("marked_contexts", [])]
    away = [pod for entry in seen.values() for pod in entry.get("away", [])]
    asked = {context: entry for context, entry in seen.items() if context not in marked}
    silent = [f"{context}: {entry['error']}" for context, entry in asked.items() if entry["error"]]
    samples = [sample for entry in asked.values() for sample in entry["members"]]
    return silent + (problems_of(samples, params["replicas"], len(away)) if samples else ["no member was found"])


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
    namespace = params["operator_namespace"]
    deployments = told_of_contexts(client, namespace, params["operator_release"])
    marks = marks_of_operator(client, namespace, deployments)
    marked = marks.pop("marked")
    cluster = client.get(cluster_path(params["namespace"], params["name"]))
    return marks | {
        "operator_ready": bool(deployments) and all(body["status"].get("readyReplicas") for body in deployments),
        "marked_contexts": marked,
        "away": described(cluster, params["component"]).away(marked) if cluster else [],
        "cluster_phase": _etcd.phase_of_cluster(cluster),
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
