# Private to this collection.
"""The members of one etcd, asked one by one through the API of the cluster that each of them runs in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._cluster import cluster_path
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._databases import described
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import standing_marks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.members import problems_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import CONTEXTS_SPEC, Call, access
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._services import (
    missing_addresses,
    peer_services,
)

# Which etcd is meant. Keep in step with plugins/doc_fragments/_members.py.
MEMBERS_SPEC: dict[str, Any] = {
    "contexts": CONTEXTS_SPEC,
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "component": {"type": "str", "default": "etcd"},
    "container": {"type": "str", "default": "etcd"},
    "replicas": {"type": "int", "default": 3},
}
SPEC: dict[str, Any] = {
    **MEMBERS_SPEC,
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 300},
    "wait_phase": {"type": "bool", "default": False},
    "wait_sleep": {"type": "float", "default": 2.0},
    "operator_namespace": {"type": "str", "default": "kb-system"},
    "request_timeout": {"type": "float", "default": 10.0},
}
_EXEC_SECONDS = 8.0


def members(client: Client, params: Mapping[str, Any], seconds: float = 4.0) -> list[dict[str, Any]]:
    """Samples of the members in one context; see ``_rules.members`` for their shape. ``seconds``: for one question."""
    pods = pods_of(client, params["namespace"], params["name"], params["component"])
    return [_sample(client, pod, params["container"], seconds) for pod in pods]


def member_list(client: Client, params: Mapping[str, Any], pod: str, seconds: float) -> list[dict[str, Any]]:
    """etcd's own list as this member knows it, which may be behind the others'; empty if it gives none."""
    metadata = {"namespace": params["namespace"], "name": pod}
    ask = _asker(client, {"metadata": metadata}, params["container"], seconds)
    try:
        return [_listed(member) for member in ask("member", "list", "--consistency=s")["members"]]
    except (ContextError, ValueError, LookupError):
        return []


def pods_of(client: Client, namespace: str, name: str, component: str) -> list[dict[str, Any]]:
    """The Pods of one component of a Cluster that are in this context."""
    labels = Database(namespace, name, component).labels
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    return client.list(f"/api/v1/namespaces/{namespace}/pods", labels=selector)


def _sample(client: Client, pod: Mapping[str, Any], container: str, seconds: float) -> dict[str, Any]:
    found: dict[str, Any] = {
        "context": client.context,
        "pod": pod["metadata"]["name"],
        "phase": phase_of(pod, container),
        "address": pod["status"].get("podIP", ""),
        "node_address": pod["status"].get("hostIP", ""),
        "cluster_id": "",
        "member_id": "",
        "leader_id": "0",
        "version": "",
        "linearizable": False,
        "members": [],
        "error": "",
    }
    if found["phase"] != "Running":
        return {**found, "error": found["phase"]}
    ask = _asker(client, pod, container, seconds)
    try:
        status = ask("endpoint", "status")[0]["Status"]
    except (ContextError, ValueError, LookupError) as problem:
        reason = problem.reason if isinstance(problem, ContextError) else "etcd does not answer yet"
        return {**found, "phase": reason, "error": reason}
    header = status["header"]
    found |= {
        "cluster_id": str(header["cluster_id"]),
        "member_id": str(header["member_id"]),
        "leader_id": str(status.get("leader", 0)),
        "version": status["version"],
    }
    try:
        ask("get", "kubeblocks.multicluster/nothing", "--consistency=l")
        found["linearizable"] = True
        if found["leader_id"] == found["member_id"]:  # one list is enough, and the leader's is never behind
            found["members"] = [_listed(member) for member in ask("member", "list")["members"]]
    except (ContextError, ValueError, LookupError):
        pass  # not linearizable: the sample says so
    return found


def _listed(member: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": str(member["ID"]),
        "name": member.get("name", ""),
        "learner": bool(member.get("isLearner")),
        "peer_urls": member.get("peerURLs", []),
        "client_urls": member.get("clientURLs", []),
    }


def _asker(client: Client, pod: Mapping[str, Any], container: str, seconds: float) -> Callable[..., Any]:
    """A function that runs etcdctl in the member's container and returns what it answered."""
    metadata = pod["metadata"]

    def ask(*words: str) -> Any:
        command = ["etcdctl", f"--command-timeout={seconds:g}s", *words, "-w", "json"]
        code, printed = client.execute(metadata["namespace"], metadata["name"], container, command, 2 * seconds)
        if code != 0:
            raise ValueError(printed.strip())
        return json.loads(printed)

    return ask


def phase_of(pod: Mapping[str, Any], container: str) -> str:
    """What a Pod is waiting for, in one word, or Running when the container runs."""
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = pod["status"]
    for entry in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        waiting = entry.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in (None, "PodInitializing"):
            return str(waiting["reason"])
    states = {entry["name"]: entry.get("state", {}) for entry in status.get("containerStatuses", [])}
    if "running" in states.get(container, {}):
        return "Running"
    ended = states.get(container, {}).get("terminated")
    if ended:
        return str(ended.get("reason") or "Terminated")
    return "PodInitializing" if states else str(status.get("phase", "Unknown"))


@dataclass(frozen=True)
class Look:
    """One look at all contexts: ``samples`` in their order, what stands between them and one etcd, KubeBlocks' phase of
    the Cluster, and the members that are in contexts marked as unavailable."""

    samples: Sequence[dict[str, Any]]
    problems: Sequence[str]
    phase: str
    away: Sequence[str]

    @property
    def settled(self) -> bool:
        """Whether KubeBlocks has come to the end of its work: with members away it never says Running."""
        return self.phase == "Running" or bool(self.away and self.phase == "Updating")


def look(params: Mapping[str, Any]) -> Look:
    """Ask every context at once. Members in marked contexts are not looked for."""
    places = {place["context"]: place for place in params["contexts"]}
    database = Database(params["namespace"], params["name"], params["component"])
    cluster, marked, silent = _of_control_plane(places, params)
    away = described(cluster, params["component"]).away(marked) if cluster else []

    def ask(context: str) -> Any:
        client = Client(access(places[context], params["request_timeout"]))
        samples = members(client, params)
        # KubeBlocks starts no Pod before every peer has its address.
        return samples, [] if samples else missing_addresses(client, peer_services(client, database))

    data = [context for context, place in places.items() if place["plane"] == "data" and context not in marked]
    answers, failures = ask_all(data, ask, params["request_timeout"] + 4 * _EXEC_SECONDS)
    seen = list(answers.values())
    samples = [sample for found, _missing in seen for sample in found]
    missing = [line for _found, lines in seen for line in lines]
    problems = silent + [str(problem) for problem in failures.values()] + missing
    problems += problems_of(samples, params["replicas"], len(away))
    return Look(samples, problems, "" if silent else phase_of_cluster(cluster), away)


def _of_control_plane(places: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[Any, list[str], list[str]]:
    """The Cluster, the contexts that are marked, and why the control plane does not answer, if it does not."""
    for place in places.values():
        if place["plane"] == "control":
            try:
                client = Client(access(place, params["request_timeout"]))
                cluster = client.get(cluster_path(params["namespace"], params["name"]))
                return cluster, standing_marks(client, params["operator_namespace"]), []
            except ContextError as problem:
                return None, [], [str(problem)]
    return None, [], []


def phase_of_cluster(cluster: Mapping[str, Any] | None) -> str:
    """What KubeBlocks says of a Cluster: its phase, ``without phase``, or ``absent``."""
    return str((cluster or {}).get("status", {}).get("phase", "")) or ("without phase" if cluster else "absent")


def run(call: Call) -> dict[str, Any]:
    """Look once, or until the members are one etcd; a line each time the picture changes."""
    params = call.params
    started = time.monotonic()
    shown: Sequence[str] = ()
    while True:
        seen = look(params)
        awaited = list(seen.problems)
        if params["wait_phase"] and not seen.settled:
            awaited.append(f"KubeBlocks says {seen.phase or 'nothing'}")
        seconds = time.monotonic() - started
        waiting = params["wait"] and not call.check_mode and awaited and seconds < params["wait_timeout"]
        if waiting and list(shown) != awaited:
            call.say(f"etcd {params['namespace']}/{params['name']}: {'; '.join(awaited)}, {seconds:.0f} s")
            shown = awaited
        if not waiting:
            break
        time.sleep(params["wait_sleep"])
    if params["wait"] and not call.check_mode and awaited and not seen.problems:
        call.warn(
            f"the members of {params['namespace']}/{params['name']} are one etcd, but after {seconds:.0f} s "
            f"{awaited[0]}: see the operator's log and the status of the Cluster."
        )
    return {
        "etcd_members": list(seen.samples),
        "problems": list(seen.problems),
        "phase": seen.phase,
        "away": list(seen.away),
        "healthy": not seen.problems,
        "waited": round(seconds, 1),
    }
