# Private to this collection.
"""The preflight report: all evidence in one pass, all findings, one verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _evidence
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import (
    Right,
    control_plane_rights,
    data_plane_rights,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import findings as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, Finding
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import CONTEXTS_SPEC, Call, access

SPEC: dict[str, Any] = {
    "contexts": CONTEXTS_SPEC,
    "operator_namespace": {"type": "str", "default": "kb-system"},
    "cluster_namespaces": {"type": "list", "elements": "str", "default": []},
    "manage_access": {"type": "bool", "default": True},
    "placement": {"type": "list", "elements": "str", "default": []},
    "replicas": {"type": "int", "default": 3},
    "failure_domains": {"type": "dict", "default": {}},
    "storage_class": {"type": "str", "default": ""},
    "helm_binary": {"type": "str", "default": "helm"},
    "charts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "ref": {"type": "str", "required": True},
            "version": {"type": "str"},
            "repo": {"type": "str"},
        },
    },
    "accept": {"type": "list", "elements": "str", "default": []},
    "request_timeout": {"type": "float", "default": 5.0},
    "deadline": {"type": "float", "default": 30.0},
}


def run(call: Call) -> dict[str, Any]:
    """Gather, judge, report. Raises Failed with every unaccepted ``fail`` in its message."""
    params = call.params
    places = params["contexts"]
    found = rules.of_inventory(places)
    evidence = {} if found else _gather(params)
    if not found:
        found = judge(params, evidence, _evidence.of_tools(params["helm_binary"], params["charts"]))
    accepted = set(params["accept"]) - rules.NEVER_ACCEPTED
    blocking = [finding for finding in found if finding.severity == FAIL and finding.id not in accepted]
    result: dict[str, Any] = {
        "preflight_report": {
            "verdict": "fail" if blocking else "pass",
            "findings": [
                {**finding.as_dict(), "accepted": finding.severity == FAIL and finding not in blocking}
                for finding in found
            ],
            "contexts": {name: _public(seen) for name, seen in evidence.items()},
        },
        "table": table(found, accepted),
    }
    if blocking:
        lines = "\n".join(f"  {finding}" for finding in blocking)
        count = f"{len(blocking)} finding{'s' if len(blocking) > 1 else ''}"
        raise Failed(f"preflight: {count} must be mended before anything is written:\n{lines}", **result)
    return result


def _gather(params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    places = {place["name"]: place for place in params["contexts"]}

    def ask(name: str) -> dict[str, Any]:
        place = places[name]
        target = access(place, params["request_timeout"])
        return _evidence.of_context(target, place["plane"], _rights(place, params), params["operator_namespace"])

    answers, problems = ask_all(places, ask, params["deadline"])
    silent = {name: {"error": {"kind": "silent", "message": str(problem)}} for name, problem in problems.items()}
    return {name: {**answers, **silent}[name] for name in places}


def _rights(place: Mapping[str, Any], params: Mapping[str, Any]) -> list[Right]:
    if place["plane"] == "control":
        return control_plane_rights(params["operator_namespace"], params["cluster_namespaces"])
    return data_plane_rights(
        params["cluster_namespaces"], params["operator_namespace"], manage_access=params["manage_access"]
    )


def judge(
    params: Mapping[str, Any], evidence: Mapping[str, Mapping[str, Any]], tool_problems: Sequence[Mapping[str, str]]
) -> list[Finding]:
    """All findings from plain data: worst first, then in the inventory's order."""
    places = {place["name"]: place for place in params["contexts"]}
    found = rules.of_tools(tool_problems)
    uids = {name: seen["uid"] for name, seen in evidence.items() if not seen["error"] and seen["uid"]}
    found += rules.of_identity(uids, {name: place["plane"] for name, place in places.items()})
    for name, seen in evidence.items():
        if seen["error"]:
            found.append(rules.of_reachability(name, seen["error"]))
            continue
        found += rules.of_access(name, seen["denied"])
        if places[name]["plane"] == "data":
            found += rules.of_crds(name, seen.get("crds", []))
            found += rules.of_server(name, places[name].get("server") or seen["server"])
            if "default_classes" in seen:
                found += rules.of_storage(
                    name, seen["default_classes"], params["storage_class"], seen["storage_classes"]
                )
        found += rules.of_releases(name, seen.get("releases", []))
    planes = [place["context"] for place in places.values() if place["plane"] == "data"]
    found += rules.of_placement(params["placement"], planes, params["replicas"], params["failure_domains"])
    order = {rules.FAIL: 0, rules.WARN: 1, rules.INFO: 2}
    return sorted(found, key=lambda finding: order[finding.severity])


def _public(seen: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in seen.items() if key != "denied"}


def table(found: Sequence[Finding], accepted: set[str]) -> list[str]:
    """Lines for the eye; one that says so if there is nothing to say."""
    if not found:
        return ["preflight: nothing found"]
    rows = [
        (
            "accepted" if finding.severity == FAIL and finding.id in accepted else finding.severity,
            finding.context,
            finding.id,
            finding.seen,
        )
        for finding in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]]).rstrip()
        for row in rows
    ]
