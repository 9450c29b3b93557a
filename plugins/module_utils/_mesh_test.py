# Private to this collection.
"""The mesh's test: in every cluster a short-lived Pod that answers the others' and asks them in turn.

Pods are those of Jobs with a deadline, and Services belong to their Job, so that a cluster clears all away by itself
where a run was killed.
"""

from __future__ import annotations

import inspect
import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _mesh_probing as probing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import require_uid
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import path_of_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_info import members_of, said
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._probe import (
    CONTAINER,
    LABEL,
    Probe,
    Silent,
    standing,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._record import read_record
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import mesh_checks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.exposure import GLOBAL
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import (
    AUTH_SPEC,
    CONTEXTS_SPEC,
    Call,
    access,
)

SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "contexts": CONTEXTS_SPEC,
    "operator_namespace": {"type": "str", "default": "kb-system"},
    "image": {"type": "str", "default": "docker.io/library/python:3.13-alpine"},
    "pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "start_timeout": {"type": "float", "default": 60.0},
}
RUN = "import os; exec(os.environ['PROGRAM'])"
_LEAST = 2
_REQUESTS = 4  # at most, besides the Pod's start
_SECONDS = 180  # the Pods' own deadline
_LIMIT = 120.0  # seconds for all questions of one cluster


@dataclass(frozen=True)
class Site:
    """A member of the mesh: its client, its name there, and the UID that is recorded under its context's name."""

    client: Client
    cluster: str
    uid: str


def run(call: Call) -> dict[str, Any]:
    """Leaves nothing behind. Raises Failed with every way that is not open, and why."""
    params, keeper = call.params, call.client()
    members, places, marked = members_of(params, keeper)
    if len(members) < _LEAST:
        raise Failed(
            f"mesh_test: nothing can be tested: {len(members)} clusters are in the mesh and not marked. Give hosts a "
            "cluster_mesh_id, or take marks away."
        )
    if call.check_mode:
        call.warn("the mesh was not tested: check mode makes no Pod")
        return {"whole": False, "results": [], "marked": marked, "table": [], "junit": ""}
    record = read_record(keeper, params["operator_namespace"]) or {}
    sites = {}
    for member in members:
        place = dict(places[member.context])
        client = Client(access(place, params["request_timeout"]))
        sites[member.name] = Site(client, member.name, record.get(place["context"], {}).get("uid", ""))
    return _result(call, _tested(params, sites), marked)


def _tested(params: Mapping[str, Any], sites: Mapping[str, Site]) -> list[mesh_checks.Result]:
    stem = f"mesh-test-{uuid.uuid4().hex[:8]}-{{}}"
    with ExitStack() as stack:

        def begin(name: str) -> dict[str, Any]:
            return _begun(params, sites[name], stem, list(sites), stack)

        # Longer than a Pod may take, so that it is said what kept it from starting, and its Job is deleted.
        pods, problems = ask_all(sites, begin, params["start_timeout"] + _REQUESTS * params["request_timeout"])
        addresses = {name: pods[name]["status"]["podIP"] if name in pods else "" for name in sites}
        told: dict[str, Any] = {"peers": addresses, "service": f"{stem}.{params['operator_namespace']}"}

        def ask(name: str) -> Any:
            words = ("python3", "-c", RUN, "ask", json.dumps({"source": name, **told}))
            return said(sites[name].client, pods[name], CONTAINER, words, _LIMIT)

        answers, silent = ask_all(pods, ask, _LIMIT)
    reasons = {name: str(problem) for name, problem in (problems | silent).items()}
    return mesh_checks.results({name: probing.questions(name, **told) for name in sites}, answers | reasons)


def _begun(
    params: Mapping[str, Any], site: Site, stem: str, clusters: Sequence[str], stack: ExitStack
) -> dict[str, Any]:
    """The Pod of one cluster, and the Services that are the same in all; they end with ``stack``."""
    client, namespace = site.client, params["operator_namespace"]
    require_uid(client, site.uid, "put up a Pod that tests the mesh")
    command = ("python3", "-c", RUN, "serve", site.cluster)
    probe = Probe(namespace, params["image"], command, {"PROGRAM": program()}, params["pull_secrets"])
    try:
        name = stack.enter_context(standing(client, probe, _SECONDS, params["start_timeout"]))
    except Silent as problem:
        raise Failed(f"the Pod that tests the mesh did not start: {problem}") from problem
    pod: dict[str, Any] = client.get(f"/api/v1/namespaces/{namespace}/pods/{name}", missing_ok=False)
    for who in (probing.ALL, *(f"{probing.OF}{cluster}" for cluster in clusters)):
        selects = who in (probing.ALL, f"{probing.OF}{site.cluster}")
        body = _service(namespace, stem.format(who), pod, selects=selects)
        client.create(path_of_all("v1", "Service", namespace), body)
    return pod


def program() -> str:
    """The text of what the Pods run."""
    return inspect.getsource(probing)


def _service(namespace: str, name: str, pod: Mapping[str, Any], *, selects: bool) -> dict[str, Any]:
    """As KubeBlocks has them over a mesh: in every cluster, and with the Pod behind it in one."""
    job, label = pod["metadata"]["ownerReferences"][0], pod["metadata"]["labels"][LABEL]
    owner = {key: job[key] for key in ("apiVersion", "kind", "name", "uid")}
    metadata = {"namespace": namespace, "name": name, "labels": {LABEL: label}, "annotations": dict(GLOBAL)}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**metadata, "ownerReferences": [owner]},
        "spec": {"selector": {LABEL: label if selects else "elsewhere"}, "ports": [{"port": probing.PORT}]},
    }


def _result(call: Call, found: Sequence[mesh_checks.Result], marked: Sequence[str]) -> dict[str, Any]:
    lines, failures = mesh_checks.table(found), mesh_checks.failures(found)
    call.show(lines)
    result = {
        "whole": not failures,
        "results": [asdict(each) for each in found],
        "marked": list(marked),
        "table": lines,
        "junit": mesh_checks.junit(found),
    }
    if failures:
        raise Failed("mesh_test: not every way is open:\n" + "\n".join(f"  {line}" for line in failures), **result)
    return result
