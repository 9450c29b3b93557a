# Private to this collection.
"""What marking and unmarking have in common: what is there, what was seen, and watching the operator after."""

from __future__ import annotations

import datetime
import getpass
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._databases import placement_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._engine import AUTO, HELM, PATCH, Operator
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._health import EVIDENCE_SPEC, Evidence, observe
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import standing_marks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._release import claimed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.gate import (
    FAILURE,
    MAINTENANCE,
    RISKS,
    Refusal,
    blocking,
    unknown_risks,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.returning import LEFTOVERS
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.verdict import DEAD
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._run import this_run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import AUTH_SPEC, Call
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._samples import clients_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._situation import Situation, read
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._watch import Watched, watch

MARKED, UNMARKED = "marked", "unmarked"
_FRESH = 60.0  # seconds for which evidence holds
SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    **EVIDENCE_SPEC,
    "request_timeout": {"type": "float", "default": 3.0},
    "state": {"type": "str", "default": MARKED, "choices": [MARKED, UNMARKED]},
    "names": {"type": "list", "elements": "str", "default": []},
    "hypothetical": {"type": "bool", "default": False},
    "purpose": {"type": "str", "default": FAILURE, "choices": [FAILURE, MAINTENANCE]},
    "reason": {"type": "str", "default": ""},
    "accept_risks": {"type": "list", "elements": "str", "default": []},
    "leftovers": {"type": "str", "default": LEFTOVERS[0], "choices": list(LEFTOVERS)},
    "delete_claims": {"type": "list", "elements": "str", "default": []},
    "engine": {"type": "str", "default": AUTO, "choices": [AUTO, HELM, PATCH]},
    "helm_binary": {"type": "str", "default": "helm"},
    "secret": {"type": "str", "default": "kubeblocks-contexts", "no_log": False},
    "watch_timeout": {"type": "int", "default": 420},
    "sync_timeout": {"type": "int", "default": 345},
    "members_timeout": {"type": "int", "default": 300},
    "run_id": {"type": "str", "default": ""},
}


@dataclass(frozen=True)
class Scene:
    """What is there and what was seen. ``wanted``: all contexts that will be marked afterwards, in the operator's
    order; ``new``: those of them that are not yet; ``leaving``: marked ones that will not be."""

    call: Call
    client: Client
    clients: Mapping[str, Client]
    operator: Operator
    situation: Situation
    evidence: Evidence
    wanted: Sequence[str]
    new: Sequence[str]
    leaving: Sequence[str]

    @property
    def affected(self) -> list[str]:
        """The databases with members in a context that will be marked, as namespace/name."""
        return affected_by(self.evidence, self.wanted)


def look(call: Call) -> Evidence:
    """Evidence, which takes its time. What is marked already needs none, and what is assumed has it."""
    accepted_risks(call)
    params, client = call.params, call.client()
    if params["hypothetical"] and (params["state"] != MARKED or not params["names"]):
        raise Failed("what is to be assumed? hypothetical needs the names of contexts, and state marked.")
    known = standing_marks(client, params["operator_namespace"])
    again = params["state"] == MARKED and params["names"] and set(params["names"]) <= set(known)
    if params["hypothetical"] or again:
        call.params.update(window=0.0, samples=1)
    evidence = observe(call)
    return evidence.assuming(params["names"]) if params["hypothetical"] else evidence


@contextmanager
def deciding(call: Call, evidence: Evidence) -> Iterator[Scene]:
    """The facts of now, and the Lease that keeps other runs from changing them; check mode and rehearsals hold none."""
    params, client = call.params, call.client()
    with ExitStack() as stack:
        if not (call.check_mode or params["hypothetical"]):
            stack.enter_context(claimed(call, client, params["operator_namespace"], [params["operator_release"]]))
            _require_fresh(client, time.monotonic() - evidence.taken)
        yield _scene(call, client, evidence)


def _scene(call: Call, client: Client, evidence: Evidence) -> Scene:
    params = call.params
    places = {place["context"]: place for place in params["contexts"]}
    clients = clients_of(places, params["request_timeout"])
    # Who was silent until now is not asked again: the answer would be waited for, and each second counts.
    situation = read(client, params, clients, [] if params["hypothetical"] else evidence.silent)
    asked = params["names"] or _unnamed(params["state"], situation, evidence)
    if params["state"] == UNMARKED:
        _require_data_planes(client, asked, evidence)
    told = [*situation.known, *(name for name in (*situation.marked, *asked) if name not in situation.known)]
    told = list(dict.fromkeys(told))
    marked = {*situation.marked, *asked} if params["state"] == MARKED else {*situation.marked} - {*asked}
    return Scene(
        call,
        client,
        clients,
        Operator(client, params["operator_namespace"], params["operator_release"], params["helm_binary"]),
        situation,
        evidence,
        wanted=[name for name in told if name in marked],
        new=[name for name in told if name in marked and name not in situation.marked],
        leaving=[name for name in told if name in asked] if params["state"] == UNMARKED else [],
    )


def _require_fresh(client: Client, age: float) -> None:
    """What was seen long ago may be over. Raises Failed."""
    if age > _FRESH:
        raise Failed(
            f"{client.context}: cannot decide on what was seen {age:.0f} s ago: another run was at work in between. "
            "Nothing was written; run again."
        )


def _require_data_planes(client: Client, names: Sequence[str], evidence: Evidence) -> None:
    strangers = [name for name in names if name not in evidence.verdicts]
    if strangers:
        raise Failed(
            f"{client.context}: cannot unmark {', '.join(strangers)}: no data plane of the inventory has this context "
            f"(there are {', '.join(evidence.verdicts)}). Correct the name, or put it back into the inventory."
        )


def _unnamed(state: str, situation: Situation, evidence: Evidence) -> list[str]:
    """Who is meant where nobody is named: whoever is dead, or whatever is marked or was about to be unmarked."""
    if state == UNMARKED:
        return list(dict.fromkeys([*situation.marked, *situation.marks]))
    return [name for name, found in evidence.verdicts.items() if found.verdict == DEAD]


def await_operator(scene: Scene, marked: Sequence[str]) -> Watched:
    params, operator = scene.call.params, scene.operator
    limits = {"watch": params["watch_timeout"], "sync": params["sync_timeout"]}
    release = (operator.namespace, operator.release)
    return watch(scene.call, scene.client, release, marked, limits, since=scene.evidence.taken)


def told_of(scene: Scene, seen: Watched) -> dict[str, Any]:
    """What a module returns of its watch, in seconds since the evidence was complete."""
    weak = "the operator leads and has not ended, but nobody counted what its controllers do" if seen.weak else ""
    seconds = {**seen.seconds, "total": round(time.monotonic() - scene.evidence.taken, 1)}
    steps = ", ".join(f"{step} {after:.0f} s" for step, after in seconds.items())
    verb = "works" if seen.well else f"does not work ({'; '.join(seen.missing)})"
    scene.call.show([f"{scene.client.context}: operator {verb}: {steps}", *([weak] if weak else [])])
    return {"seconds": seconds, "weak_proof": weak, "operator_problems": list(seen.missing)}


def not_verified(evidence: Evidence, marked: Sequence[str]) -> list[str]:
    """What nobody could look at, in words."""
    found = [f"the control plane was not asked from inside: {evidence.not_asked}"] if evidence.not_asked else []
    found += [
        f"{database.key}: it is no etcd, so nobody knows what it survives"
        for context in marked
        for database in evidence.known.others
        if database.members_in(context)
    ]
    sharded = [key for key, cluster in (evidence.known.clusters or {}).items() if cluster["spec"].get("shardings")]
    found += [f"{key}: it has shards, whose members are not looked at" for key in sharded]
    found += [f"{key}: no member gave the member list" for key, members in evidence.members.items() if not members]
    return found


def affected_by(evidence: Evidence, marked: Sequence[str]) -> list[str]:
    """The Clusters that lie in one of these contexts too, whatever they consist of, as namespace/name."""
    clusters = (evidence.known.clusters or {}).items()
    return sorted(key for key, cluster in clusters if {*placement_of(cluster)} & {*marked})


def accepted_risks(call: Call) -> list[str]:
    """D8: the risks that are accepted by name. Raises Failed where one is none."""
    accepted: list[str] = call.params["accept_risks"]
    unknown = unknown_risks(accepted)
    if unknown:
        raise Failed(f"no such risk: {', '.join(unknown)}. There are {', '.join(RISKS)}. [D8]")
    return accepted


def told_refusals(call: Call, refusals: Sequence[Refusal]) -> list[str]:
    """A line for each, with whether it was accepted."""
    refused = blocking(refusals, call.params["accept_risks"])
    return [f"{'refused' if refusal in refused else 'accepted'}: {refusal}" for refusal in refusals]


def uids_of(situation: Situation) -> dict[str, str]:
    return {context: entry["uid"] for context, entry in situation.record.items()}


def who(call: Call) -> str:
    run_id = call.params["run_id"] or str(this_run())
    try:
        return f"{getpass.getuser()} ({run_id})"
    except (OSError, KeyError):
        return run_id


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
