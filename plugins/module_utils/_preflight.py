# Private to this collection.
"""The preflight report: all evidence in one pass, all findings, one verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _evidence
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import (
    Right,
    all_of,
    chart_rights,
    control_plane_rights,
    data_plane_rights,
    load_balancer_rights,
    mesh_rights,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._charts import Rendered, render
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._facts import Wanted
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._judgement import MARKED, judge, worst_first
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_facts import NAMESPACE
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_findings import (
    found_in,
    joined_in,
    look,
    manages,
    wish_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import findings as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.exposure import (
    CLOUDS,
    INTERNAL,
    MESH,
    PEER_EXPOSURES,
    SCOPES,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, Finding
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.identity import operator_ways
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_values import CERTGEN, MANAGED
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.vantage import of_vantages
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.versions import crds_belong_on_data_planes
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import CONTEXTS_SPEC, Call, access
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._vantage import (
    look_inside,
    pull_secrets_of,
)

SPEC: dict[str, Any] = {
    "contexts": CONTEXTS_SPEC,
    "operator_namespace": {"type": "str", "default": "kb-system"},
    "databases": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"namespace": {"type": "str", "required": True}, "name": {"type": "str", "required": True}},
    },
    "operator_release": {"type": "str", "default": "kubeblocks"},
    "secret": {"type": "str", "default": "kubeblocks-contexts", "no_log": False},
    "kubeblocks_version": {"type": "str", "default": "1.0.2"},
    "experimental": {"type": "bool", "default": False},
    "operator_values": {"type": "dict", "default": {}},
    "manage_access": {"type": "bool", "default": True},
    "service_account": {"type": "str", "default": "kubeblocks-operator"},
    "placement": {"type": "list", "elements": "str", "default": []},
    "replicas": {"type": "int", "default": 3},
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
            "release": {"type": "str"},
            "values": {"type": "dict", "default": {}},
            "plane": {"type": "str", "default": "control", "choices": ["control", "data"]},
        },
    },
    "load_balancer_namespace": {"type": "str", "default": "metallb-system"},
    "peer_exposure": {"type": "str", "default": MESH, "choices": list(PEER_EXPOSURES)},
    "peer_clouds": {"type": "list", "elements": "str", "default": [], "choices": list(CLOUDS)},
    "peer_scope": {"type": "str", "default": INTERNAL, "choices": list(SCOPES)},
    "peer_annotations": {"type": "dict", "default": {}},
    "load_balancer_class": {"type": "str", "default": ""},
    "mesh_certificates": {"type": "str", "default": CERTGEN, "choices": [CERTGEN, MANAGED]},
    "accept": {"type": "list", "elements": "str", "default": []},
    "in_cluster": {"type": "str", "default": "never", "choices": ["always", "when_changed", "never"]},
    "probe_image": {"type": "str", "default": ""},
    "round_trip_image": {"type": "str", "default": ""},
    "request_timeout": {"type": "float", "default": 5.0},
    "deadline": {"type": "float", "default": 30.0},
}
# Of the evidence: what is long, or told by the findings.
_PRIVATE = frozenset({"denied", "kubeconfig", "own_way", "problem", "way"})


def run(call: Call) -> dict[str, Any]:
    """Gather, judge, report. Raises Failed with every unaccepted ``fail`` in its message."""
    params = call.params
    by_name = {place["name"]: place for place in params["contexts"]}
    found = rules.of_inventory(params["contexts"])
    evidence: dict[str, dict[str, Any]] = {}
    vantages: dict[str, dict[str, Any]] = {}
    if not found:
        rendered = _render(params)
        evidence = _without_marked(params["contexts"], _gather(params, rendered))
        found = judge(params, evidence, [problem for plane in rendered.values() for problem in plane.problems])
        found += _of_mesh(params, by_name, evidence)
        vantages = look_inside(params, evidence, found, may_make_pods=not call.check_mode)
        found = worst_first(found + of_vantages(by_name, vantages, operator_ways(by_name, evidence)))
    blocking = rules.blocking(found, params["accept"])
    result: dict[str, Any] = {
        "preflight_report": {
            "verdict": "fail" if blocking else "pass",
            "findings": [
                {**finding.as_dict(), "accepted": finding.severity == FAIL and finding not in blocking}
                for finding in found
            ],
            "contexts": {name: _public(seen) for name, seen in evidence.items()},
            "vantages": {name: _public(seen) for name, seen in vantages.items()},
            "marked": [name for name, seen in evidence.items() if seen["error"] and seen["error"]["kind"] == MARKED],
        },
        "table": table(found, blocking) + not_asked(vantages),
    }
    call.show(result["table"])
    if blocking:
        lines = "\n".join(f"  {finding}" for finding in blocking)
        count = f"{len(blocking)} finding{'s' if len(blocking) > 1 else ''}"
        raise Failed(f"preflight: {count} must be mended before anything is written:\n{lines}", **result)
    return result


def _of_mesh(
    params: Mapping[str, Any], places: Mapping[str, Mapping[str, Any]], evidence: Mapping[str, Mapping[str, Any]]
) -> list[Finding]:
    """What speaks against a mesh of those that shall be in one. Who did not answer is told of elsewhere."""
    joined = joined_in(places)
    if not joined:
        return []
    answering = [name for name in joined if not evidence[name]["error"]]
    seen = look(places, answering, params["request_timeout"], params["deadline"])
    return found_in(places, seen, params["mesh_certificates"])


def _render(params: Mapping[str, Any]) -> dict[str, Rendered]:
    """The charts of each plane; those of the data planes only where one has load balancers of ours."""
    namespaces = {"control": params["operator_namespace"]}
    if any(place.get("pools") for place in params["contexts"]):
        namespaces["data"] = params["load_balancer_namespace"]
    charts = {
        plane: [chart for chart in params["charts"] if chart.get("plane", "control") == plane] for plane in namespaces
    }
    return {plane: render(params["helm_binary"], charts[plane], namespaces[plane]) for plane in namespaces}


def _gather(params: Mapping[str, Any], rendered: Mapping[str, Rendered]) -> dict[str, dict[str, Any]]:
    places = {place["name"]: place for place in params["contexts"]}

    def ask(name: str) -> dict[str, Any]:
        place = places[name]
        return _evidence.of_context(access(place, params["request_timeout"]), _questions(place, params, rendered))

    answers, problems = ask_all(places, ask, params["deadline"])
    silent = {
        name: {"error": {"kind": "record" if isinstance(problem, Failed) else "silent", "message": str(problem)}}
        for name, problem in problems.items()
    }
    return {name: {**answers, **silent}[name] for name in places}


def _without_marked(
    contexts: Sequence[Mapping[str, Any]], evidence: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What is marked as unavailable is passed over, whether it answers or not; but for what may be the control plane's
    own cluster, which must not be marked."""
    marked = {context for seen in evidence.values() for context in seen.get("marked", [])}
    passed = {"error": {"kind": MARKED, "message": "it is marked as unavailable"}}
    ours = {place["name"] for place in contexts if place["plane"] == "data" and not place.get("may_be_control_plane")}
    return {
        place["name"]: passed if place["context"] in marked and place["name"] in ours else evidence[place["name"]]
        for place in contexts
    }


def _questions(
    place: Mapping[str, Any], params: Mapping[str, Any], rendered: Mapping[str, Rendered]
) -> _evidence.Questions:
    namespace, managed = params["operator_namespace"], params["manage_access"]
    databases = [database["namespace"] for database in params["databases"]]
    own = bool(place.get("may_be_control_plane"))
    wanted = Wanted(
        namespace,
        params["secret"],
        params["databases"],
        release=params["operator_release"],
        pull_secrets=pull_secrets_of(params["operator_values"]),
        crd_content=crds_belong_on_data_planes(params["kubeblocks_version"]),
        load_balancers=bool(place.get("pools")),
    )

    def on_control_plane() -> list[Right]:
        needed = control_plane_rights(namespace, databases) + _mesh_rights(place, params)
        return all_of(needed + chart_rights(rendered["control"].objects(), namespace))

    def on_data_plane() -> list[Right]:
        needed = data_plane_rights(databases, namespace, manage_access=managed, may_be_control_plane=own)
        needed += _mesh_rights(place, params)
        if not place.get("pools"):
            return all_of(needed)
        return all_of(needed + load_balancer_rights(rendered["data"].objects(), params["load_balancer_namespace"]))

    if place["plane"] == "control":
        return _evidence.Questions("control", on_control_plane, wanted)
    account = "" if managed else params["service_account"]
    return _evidence.Questions("data", on_data_plane, wanted, account, place.get("server") or "", own)


def _mesh_rights(place: Mapping[str, Any], params: Mapping[str, Any]) -> list[Right]:
    if not wish_of(place).id:
        return []
    return mesh_rights(NAMESPACE, manage=manages(place), with_job=params["mesh_certificates"] == CERTGEN)


def _public(seen: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in seen.items() if key not in _PRIVATE}


def not_asked(vantages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line for each cluster that was not asked from inside, with the reason."""
    return [
        f"{name}: not asked from inside: {seen['why']}"
        for name, seen in vantages.items()
        if seen["asked"] == "not_asked"
    ]


def table(found: Sequence[Finding], blocking: Sequence[Finding]) -> list[str]:
    """Lines for the eye; one that says so if there is nothing to say."""
    if not found:
        return ["preflight: nothing found"]
    rows = [
        (
            "accepted" if finding.severity == FAIL and finding not in blocking else finding.severity,
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
