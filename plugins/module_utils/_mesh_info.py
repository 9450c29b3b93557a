# Private to this collection.
"""What is true of the mesh: every cluster's agents and kvstoremesh are asked, and every pair is judged."""

from __future__ import annotations

import datetime
import json
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _signing as signing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._facts import addresses_of, is_ready
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import (
    ContextError,
    Failed,
    reason_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import standing_marks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_certificates import AUTHORITY, held
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_findings import wish_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import mesh, mesh_samples, mesh_truth
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import (
    CONTEXTS_SPEC,
    Call,
    access,
    keeper_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._tables import columns

SPEC: dict[str, Any] = {
    "contexts": CONTEXTS_SPEC,
    "operator_namespace": {"type": "str", "default": "kb-system"},
    "namespace": {"type": "str", "default": "kube-system"},
    "wait": {"type": "bool", "default": False},
    "wait_for_probes": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
    "wait_sleep": {"type": "float", "default": 2.0},
    "request_timeout": {"type": "float", "default": 10.0},
    "deadline": {"type": "float", "default": 30.0},
}
_MARGIN = 5.0  # seconds of the deadline that are not for Pods
_AGENT, _KVSTOREMESH = ("cilium", "cilium-agent"), ("clustermesh-apiserver", "kvstoremesh")
PROGRAMS = (_AGENT[0], _KVSTOREMESH[0])  # the label k8s-app of those that have a list of peers
LISTS = ("cilium-clustermesh", "cilium-kvstoremesh")  # Secrets with these lists
_PROGRAM = "/usr/bin/clustermesh-apiserver"
_COMMANDS = {
    "status": ("cilium-dbg", "status", "-o", "json"),
    "nodes": ("cilium-dbg", "node", "list", "-o", "json"),
    "ipcache": ("cilium-dbg", "bpf", "ipcache", "list", "-o", "json"),
    "health": ("cilium-health", "status", "-o", "json"),
}
_BREAK = "\f"  # between their answers; JSON has none of it


def run(call: Call) -> dict[str, Any]:
    """Reads only. With ``wait``, raises Failed with what is still missing when the time is over."""
    params = call.params
    deadline, shown = time.monotonic() + params["wait_timeout"], list[str]()
    while True:
        began = time.monotonic()
        found, result = look(params)
        took = time.monotonic() - began
        missing = [f"{pair.source} -> {pair.target}: {why}" for pair in found for why in _awaited(pair, params)]
        if not missing or not params["wait"]:
            call.show(result["table"])
            return result
        if time.monotonic() > deadline:
            lines = "\n".join(f"  {line}" for line in missing)
            raise Failed(
                f"cluster_mesh: the clusters are not joined after {params['wait_timeout']} s:\n{lines}", **result
            )
        if missing != shown:
            call.show(missing)
            shown = missing
        time.sleep(max(params["wait_sleep"], took))


def _awaited(pair: mesh_truth.Pair, params: Mapping[str, Any]) -> list[str]:
    return [*pair.why, *(pair.unprobed if params["wait_for_probes"] else ())]


def look(params: Mapping[str, Any]) -> tuple[list[mesh_truth.Pair], dict[str, Any]]:
    """Every member of the mesh that is not marked, asked once and at the same time."""
    members, places, marked = members_of(params, keeper_of(params))

    def ask(name: str) -> dict[str, Any]:
        client = Client(access(dict(places[name]), params["request_timeout"]))
        return of_cluster(client, params["namespace"], params["request_timeout"], params["deadline"] - _MARGIN)

    answers, problems = ask_all([member.context for member in members], ask, params["deadline"])
    seen = {**answers, **{name: {"problem": reason_of(problem)} for name, problem in problems.items()}}
    found = mesh_truth.pairs(members, seen)
    clusters = {name: _public(entry) for name, entry in seen.items()}
    return found, {
        "pairs": [{**asdict(pair), "whole": pair.whole} for pair in found],
        "clusters": clusters,
        "marked": marked,
        "whole": all(pair.whole for pair in found),
        "table": table(members, found),
    }


def members_of(
    params: Mapping[str, Any], keeper: Client
) -> tuple[list[mesh_truth.Member], dict[str, Mapping[str, Any]], list[str]]:
    """The mesh's members that are not marked, each name's entry in the inventory, and the members that are marked."""
    places = {place["name"]: place for place in params["contexts"]}
    joined = mesh.members(wish_of(place) for place in places.values())
    told = standing_marks(keeper, params["operator_namespace"])
    marked = [wish.context for wish in joined if places[wish.context]["context"] in told]
    left = [wish for wish in joined if wish.context not in marked]
    return [mesh_truth.Member(wish.context, wish.cluster, wish.id) for wish in left], places, marked


def of_cluster(client: Client, namespace: str, timeout: float, patience: float) -> dict[str, Any]:
    """What one cluster shows of the mesh, as ``mesh_truth.pairs`` takes it, and of its certificates. ``patience``:
    seconds for all its Pods, which are asked at the same time; one that is late is that Pod's problem."""
    pods = f"/api/v1/namespaces/{namespace}/pods"
    daemons = client.get(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/cilium") or {}
    config = (client.get(f"/api/v1/namespaces/{namespace}/configmaps/cilium-config") or {}).get("data") or {}
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=client.clock_offset or 0)
    agents = client.list(pods, labels=f"k8s-app={_AGENT[0]}")
    meshes = client.list(pods, labels=f"k8s-app={_KVSTOREMESH[0]}")
    return {
        "problem": "",
        "name": config.get("cluster-name", ""),
        "id": int(config.get("cluster-id", 0)),
        "nodes": _nodes(client),
        "desired_agents": (daemons.get("status") or {}).get("desiredNumberScheduled", 0),
        "agents": _each(agents, lambda pod: _agent(client, pod, now, timeout), patience),
        "kvstoremesh": _each(meshes, lambda pod: _kvstoremesh(client, pod, timeout), patience),
        "expected": _expected(client, namespace),
        "authority": signing.fingerprint(held(client, namespace, AUTHORITY).get("ca.crt", b"")),
        "certificates": _certificates(client, namespace),
    }


def _each(
    pods: Sequence[Mapping[str, Any]], ask: Callable[[Mapping[str, Any]], dict[str, Any]], patience: float
) -> list[dict[str, Any]]:
    answers, problems = ask_all(range(len(pods)), lambda number: ask(pods[number]), patience)
    late = {number: {**_silent(pods[number]), "problem": reason_of(problem)} for number, problem in problems.items()}
    return [{**answers, **late}[number] for number in range(len(pods))]


def _nodes(client: Client) -> dict[str, str]:
    """Node → its InternalIP."""
    nodes = client.list("/api/v1/nodes")
    return {node["metadata"]["name"]: next(iter(addresses_of([node])), "") for node in nodes}


def _expected(client: Client, namespace: str) -> list[str]:
    """The peers that both programs are told of."""
    told = [set(held(client, namespace, name)) for name in LISTS]
    return sorted(set.intersection(*told))


def _certificates(client: Client, namespace: str) -> dict[str, float | None]:
    """Secret → days that its certificate has left."""
    names = [f"clustermesh-apiserver-{name}-cert" for name in ("admin", "local", "remote", "server")]
    found = {name: held(client, namespace, name) for name in names}
    return {name: signing.days_left(files.get("tls.crt", b"")) for name, files in found.items()}


def _agent(client: Client, pod: Mapping[str, Any], now: datetime.datetime, timeout: float) -> dict[str, Any]:
    found = _silent(pod)
    if found["problem"]:
        return found
    try:
        told = dict(zip(_COMMANDS, _all_said(client, pod, timeout), strict=True))
    except ContextError as problem:
        return {**found, "problem": problem.reason}
    return {
        **found,
        "clusters": mesh_samples.clusters_of(told["status"]),
        "known": mesh_samples.addresses_of(told["nodes"]),
        "tunnels": mesh_samples.tunnels_of(told["status"], told["nodes"], told["ipcache"]),
        "probes": mesh_samples.probes_of(told["health"], now),
    }


def _kvstoremesh(client: Client, pod: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    found = _silent(pod)
    if found["problem"]:
        return found
    command = (_PROGRAM, "kvstoremesh-dbg", "status", "-o", "json")
    try:
        found["clusters"] = mesh_samples.clusters_of(said(client, pod, _KVSTOREMESH[1], command, timeout))
        for name, state in found["clusters"].items():
            if not state.get("ready", False):
                state["status"] = _diagnosed(client, pod, name, timeout) or state.get("status", "")
    except ContextError as problem:
        return {**found, "problem": problem.reason}
    return found


def _diagnosed(client: Client, pod: Mapping[str, Any], peer: str, timeout: float) -> str:
    """What stands in kvstoremesh's way to a peer: the lines of its own diagnosis that are marked as faults."""
    command = (_PROGRAM, "kvstoremesh-dbg", "troubleshoot", peer)
    metadata = pod["metadata"]
    _code, text = client.execute(metadata["namespace"], metadata["name"], _KVSTOREMESH[1], command, timeout)
    return "; ".join(re.sub(r"\s+", " ", line.partition("❌")[2]).strip() for line in text.splitlines() if "❌" in line)


def _silent(pod: Mapping[str, Any]) -> dict[str, Any]:
    """A Pod of which nothing is known but whether it runs."""
    return {**_of_pod(pod), "clusters": {}, "known": {}, "tunnels": None, "probes": {}}


def _of_pod(pod: Mapping[str, Any]) -> dict[str, Any]:
    phase = pod["status"].get("phase", "unknown")
    return {"pod": pod["metadata"]["name"], "problem": "" if is_ready(pod) else f"it is {phase}, and not Ready"}


def _all_said(client: Client, pod: Mapping[str, Any], timeout: float) -> list[Any]:
    """What each of ``_COMMANDS`` prints. One call for all: each makes half a dozen processes on the node."""
    script = f"; printf '{_BREAK}'; ".join(shlex.join(command) for command in _COMMANDS.values())
    metadata, limit = pod["metadata"], timeout * len(_COMMANDS)
    code, text = client.execute(metadata["namespace"], metadata["name"], _AGENT[1], ("sh", "-c", script), limit)
    parts = [*text.split(_BREAK), *[""] * len(_COMMANDS)]  # whoever could not end said nothing
    ending = _last_line(text) or f"exit code {code}"
    return [
        _read(client, pod, _AGENT[1], command, part, ending)
        for command, part in zip(_COMMANDS.values(), parts, strict=False)
    ]


def said(client: Client, pod: Mapping[str, Any], container: str, command: Sequence[str], timeout: float) -> Any:
    """What a program in a container prints as JSON. Raises ContextError with its last line where that is no JSON."""
    metadata = pod["metadata"]
    code, text = client.execute(metadata["namespace"], metadata["name"], container, command, timeout)
    return _read(client, pod, container, command, text, _last_line(text) or f"exit code {code}")


def _read(
    client: Client, pod: Mapping[str, Any], container: str, command: Sequence[str], text: str, ending: str
) -> Any:
    """The JSON that a text begins with; warnings may come after it. ``ending``: what is told where there is none."""
    try:
        return json.JSONDecoder().raw_decode(text.lstrip())[0]
    except ValueError as problem:
        what = f"Pod {pod['metadata']['namespace']}/{pod['metadata']['name']} container {container}"
        raise ContextError(client.context, "ask", what, f"{' '.join(command[:2])}: {ending}") from problem


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


def _public(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Of what a cluster showed: what is no pair's."""
    kept = ("problem", "name", "id", "nodes", "desired_agents", "expected", "authority", "certificates")
    return {key: entry[key] for key in kept if key in entry}


def table(members: Sequence[mesh_truth.Member], found: Sequence[mesh_truth.Pair]) -> list[str]:
    """A matrix for the eye: who sees whom, and a line for each pair that is not whole."""
    names = [member.context for member in members]
    by_ends = {(pair.source, pair.target): pair for pair in found}
    rows = [("MESH", *names)]
    for source in names:
        cells = ["-" if source == target else _cell(by_ends[source, target]) for target in names]
        rows.append((source, *cells))
    lines = [f"{pair.source} -> {pair.target}: {why}" for pair in found for why in (*pair.why, *pair.unprobed)]
    return columns(rows) + lines


def _cell(pair: mesh_truth.Pair) -> str:
    if not pair.why:
        return "ok" if pair.whole else "not probed yet"
    return "broken, agents say ok" if pair.agents_say else "broken"
