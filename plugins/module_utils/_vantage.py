# Private to this collection.
"""Asked from inside the clusters: a Pod of the control plane on its way to every data plane, Pods of the data planes on
their way to each other. Members that run are asked in place of a Pod of our own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _connect as connect
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._credentials import kubeconfig_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._etcd import phase_of, pods_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._evidence import denied
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._probe import Probe, Silent
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._probe import ask as ask_probe
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._probe import rights as probe_rights
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import vantage as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import Finding
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.identity import operator_ways
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import access

_SECONDS = 20.0  # for the probe to start, which may mean an image to be pulled, and to answer
_CONTAINER = "etcd"
# Any answer of the API server counts, also one that wants to know who asks: the probe has no credential of its own.
_ANSWERED = ("(Unauthorized)", "(Forbidden)")
_REACH = r"""
ask() {
  said=$(kubectl --kubeconfig /tmp/kubeconfig --context "$1" --request-timeout="${LIMIT:-5s}" \
    get --raw /version 2>&1 >/dev/null)
  code=$?
  echo "$1 $code $(echo "$said" | tr '\n' ' ' | cut -c 1-200)" > "/tmp/said.$1"
}
printf '%s' "$KUBECONFIG_TEXT" > /tmp/kubeconfig
for context in $CONTEXTS; do ask "$context" & done
wait
cat /tmp/said.*
"""


@dataclass(frozen=True)
class Inside:
    """How to ask from inside one context: the namespace and images of a probe, whether Pods may be made at all, and the
    database whose members are asked where they run (``namespace``, ``name``)."""

    namespace: str
    image: str
    round_trip_image: str
    pull_secrets: Sequence[str]
    may_make_pods: bool
    databases: Sequence[Mapping[str, str]]


def look_inside(
    params: Mapping[str, Any],
    evidence: Mapping[str, Mapping[str, Any]],
    found: Sequence[Finding],
    *,
    may_make_pods: bool,
) -> dict[str, dict[str, Any]]:
    """Ask every context that answered, all at once; nobody where that is not wanted. ``found``: what is known by now.

    Returns name → ``asked`` (probe, member, silent or not_asked) with ``reached`` or ``round_trips``, or with ``why``.
    """
    places = {place["name"]: place for place in params["contexts"]}
    ready = {name: place for name, place in places.items() if evidence[name].get("way")}
    recorded = any("record" in seen for seen in evidence.values())
    held = next((seen["kubeconfig"] for seen in evidence.values() if "kubeconfig" in seen), "")
    ways = operator_ways(places, evidence)
    if not rules.needed(params["in_cluster"], kubeconfig_of(ways), held):
        return {}
    if not recorded or any(finding.id.startswith("identity.") for finding in found):
        return {name: {"asked": "not_asked", "why": "it may be another cluster than it was"} for name in ready}

    def ask(name: str) -> dict[str, Any]:
        place = ready[name]
        if why := _why_not(evidence[name]):
            return {"asked": "not_asked", "why": why}
        client = Client(access(dict(place), params["request_timeout"]))
        inside = _inside(params, evidence[name], may_make_pods=may_make_pods)
        if place["plane"] == "control":
            return _of_control_plane(client, inside, ways)
        others = {
            other["context"]: evidence[key]["way"]["server"]
            for key, other in ready.items()
            if other["plane"] == "data" and key != name
        }
        return _of_data_plane(client, inside, others)

    answers, problems = ask_all(ready, ask, _SECONDS + 2 * params["request_timeout"])
    return {name: answers.get(name) or _silent("", str(problems[name])) for name in ready}


def _why_not(seen: Mapping[str, Any]) -> str:
    """Why no Pod of a cluster can be asked; empty if one can. Without a network no node is Ready yet."""
    if seen["denied"]:
        return "rights are missing"
    if not seen.get("boot_ids"):
        return "it has no node"
    return "" if seen.get("ready_nodes") else "none of its nodes is Ready"


def _inside(params: Mapping[str, Any], seen: Mapping[str, Any], *, may_make_pods: bool) -> Inside:
    own = params["operator_namespace"]
    is_there = seen.get("namespaces", {}).get(own) == "Active"  # before the first run it is not
    return Inside(
        namespace=own if is_there else "default",
        image=params["probe_image"],
        round_trip_image=params["round_trip_image"],
        pull_secrets=pull_secrets_of(params["operator_values"]),
        may_make_pods=may_make_pods,
        databases=params["databases"],
    )


def pull_secrets_of(values: Mapping[str, Any]) -> list[str]:
    """The pull Secrets that the operator's chart is told of."""
    image = values.get("image")
    secrets = image.get("imagePullSecrets") if isinstance(image, Mapping) else None
    return [entry["name"] for entry in secrets or [] if isinstance(entry, Mapping) and "name" in entry]


def _silent(image: str, message: str, kind: str = "silent") -> dict[str, Any]:
    return {"asked": "silent", "why": message, "problem": {"kind": kind, "image": image, "message": message}}


def _of_control_plane(client: Client, inside: Inside, ways: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """``reached``: data plane's context → what went wrong on the way there. ``ways``: context → ``server``, ``ca``."""
    command = ["sh", "-c", f"{{ {_REACH} }} > /dev/termination-log"]
    probe = Probe(inside.namespace, inside.image, command, _reach_environment(ways), inside.pull_secrets)
    said = _by_probe(client, inside, probe)
    return said if "text" not in said else {"asked": "probe", "reached": reached_of(said["text"], list(ways))}


def reach_command(ways: Mapping[str, Mapping[str, str]], limit: str) -> list[str]:
    """The same question for a Pod that stands there: what to execute; ``reached_of`` reads what it prints."""
    settings = {**_reach_environment(ways), "LIMIT": limit}
    return ["env", *(f"{key}={value}" for key, value in settings.items()), "sh", "-c", _REACH]


def _reach_environment(ways: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    # Without any credential kubectl would ask for a user's name.
    nobody = {"token": "of-nobody"}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": _cluster(way)} for context, way in ways.items()],
        "users": [{"name": "nobody", "user": nobody}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "nobody"}} for name in ways],
    }
    return {"KUBECONFIG_TEXT": json.dumps(kubeconfig), "CONTEXTS": " ".join(ways)}


def _cluster(way: Mapping[str, str]) -> dict[str, Any]:
    return {"server": way["server"], **({"certificate-authority-data": way["ca"]} if way["ca"] else {})}


def _of_data_plane(client: Client, inside: Inside, servers: Mapping[str, str]) -> dict[str, Any]:
    """``round_trips``: data plane's context → milliseconds of each try. ``servers``: the others' addresses."""
    environment = connect.environment({context: _host_and_port(server) for context, server in servers.items()})
    member = _member(client, inside.databases)
    if member:
        namespace, pod = member
        words = ["env", *(f"{key}={value}" for key, value in environment.items()), "bash", "-c", connect.SCRIPT]
        code, text = client.execute(namespace, pod, _CONTAINER, words, _SECONDS)
        said = {"asked": "member", "text": text if code == 0 else ""}
    else:
        command = ["bash", "-c", connect.TO_TERMINATION_LOG]
        probe = Probe(inside.namespace, inside.round_trip_image, command, environment, inside.pull_secrets)
        said = _by_probe(client, inside, probe)
    if "text" not in said:
        return said
    return {"asked": said["asked"], "round_trips": connect.times_of(said["text"], list(servers))}


def _by_probe(client: Client, inside: Inside, probe: Probe) -> dict[str, Any]:
    if not inside.may_make_pods:
        return {"asked": "not_asked", "why": "check mode makes no Pod"}
    missing = denied(client, lambda: probe_rights(inside.namespace))
    if missing:
        return {"asked": "not_asked", "why": "rights are missing", "denied": [str(right) for right in missing]}
    try:
        return {"asked": "probe", "text": ask_probe(client, probe, _SECONDS)}
    except Silent as problem:
        return _silent(probe.image, str(problem), problem.kind)


def _member(client: Client, databases: Sequence[Mapping[str, str]]) -> tuple[str, str] | None:
    """Namespace and name of a member's Pod that runs here."""
    for database in databases:
        for pod in pods_of(client, database["namespace"], database["name"], _CONTAINER):
            if phase_of(pod, _CONTAINER) == "Running":
                return database["namespace"], pod["metadata"]["name"]
    return None


def _host_and_port(server: str) -> tuple[str, str]:
    parts = urlsplit(server)
    return parts.hostname or "", str(parts.port or 443)


def reached_of(text: str, contexts: Sequence[str]) -> dict[str, str]:
    """Lines ``context code words`` → what went wrong on the way to each context, empty if nothing did."""
    lines = {line.split(" ", 1)[0]: line.split(" ", 2)[1:] for line in text.splitlines() if line.count(" ") >= 1}
    return {context: _problem(*lines.get(context, ["1", "nothing was said of it"])) for context in contexts}


def _problem(code: str, words: str = "") -> str:
    answered = code == "0" or any(word in words for word in _ANSWERED)
    return "" if answered else words.strip() or f"kubectl ended with {code}"
