# Private to this collection.
"""Marking contexts as unavailable: evidence, gate, plan, write, watch, record. A killed run is finished by the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _guard, _standins
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._databases import templates_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._engine import HELM, PATCH, Way
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._health import table
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import (
    MARKED,
    MARKING,
    Marks,
    digest_of,
    write_marks,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._restore import or_put_back, put_back
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import gate
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.quorum import SAFE
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._scene import (
    Scene,
    await_operator,
    deciding,
    look,
    not_verified,
    now,
    told_of,
    told_refusals,
    uids_of,
    who,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._situation import facts, reachable
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._watch import Watched

_UNGUARDED = "this API server has no ValidatingAdmissionPolicy, so nothing keeps users from changes that would be lost"


def mark(call: Call) -> dict[str, Any]:
    """Mark what is asked for, or whatever is dead. Raises Failed with every refusal that no accepted risk covers."""
    with deciding(call, look(call)) as scene:
        way, problem = _way(scene)
        refusals = _refusals(scene, problem)
        result = report(scene, refusals, way)
        _require_accepted(scene, refusals, result)
        stand_ins = _stand_ins(scene)
        guarded = _guard.served(scene.client)
        guard = _guard.keep(scene.client, scene.wanted, scene.affected) if scene.wanted and guarded else []
        stale = [name for name in scene.wanted if scene.situation.marks.get(name, {}).get("state") != MARKED]
        told = scene.situation.says(scene.wanted)
        writes = bool(scene.wanted and (stale or stand_ins.steps or guard or not told))
        rehearsed = call.params["hypothetical"]
        result |= {"changed": writes and not rehearsed, "stand_ins": list(stand_ins.listed)}
        result["not_verified"] += [*stand_ins.missing, *([] if guarded else [_UNGUARDED])]
        result["diff"] = {"before": {"marked": scene.situation.marked}, "after": {"marked": list(scene.wanted)}}
        if scene.wanted and not (call.check_mode or rehearsed):
            marks = _entries(scene, way, stand_ins, refusals)
            if writes:
                _write(scene, way, stand_ins, guard, marks)
            result |= _confirm(scene, marks)
        return result


def _require_accepted(scene: Scene, refusals: Sequence[gate.Refusal], result: Mapping[str, Any]) -> None:
    blocking = gate.blocking(refusals, scene.call.params["accept_risks"])
    if blocking:
        lines = "\n".join(f"  {refusal}" for refusal in blocking)
        raise Failed(f"{', '.join(scene.new or scene.wanted)}: not marked, and nothing was written:\n{lines}", **result)


def _way(scene: Scene) -> tuple[Way, str]:
    """How the mark gets written, and why it can't be (D3.9). Where nothing is written, nobody has to know."""
    if scene.situation.says(scene.wanted) or not scene.wanted:
        known = scene.situation.marks.get(scene.wanted[0], {}) if scene.wanted else {}
        return Way(str(known.get("engine", HELM)), str(known.get("behind", "")), {}, {}), ""
    try:
        return scene.operator.choose(scene.call.params["engine"], scene.wanted), ""
    except Failed as problem:
        return Way(HELM, str(problem), {}, {}), str(problem)


def _refusals(scene: Scene, problem: str) -> list[gate.Refusal]:
    params = scene.call.params
    shared = [place["context"] for place in params["contexts"] if place.get("may_be_control_plane")]
    told = facts(scene.situation, scene.evidence, scene.wanted, problem, shared)
    return gate.refusals_of_mark(scene.wanted, told, params["purpose"]) if scene.wanted else []


def _stand_ins(scene: Scene) -> _standins.StandIns:
    there = reachable(scene.clients, [name for name in scene.situation.known if name not in scene.wanted])
    return _standins.plan_all(there, scene.evidence.known, scene.wanted, scene.evidence.members)


def _write(scene: Scene, way: Way, stand_ins: _standins.StandIns, guard: Sequence[Any], marks: Marks) -> None:
    """The intent first, then what protects and what tells the truth, then the operator."""
    with or_put_back(scene):
        write_marks(scene.client, scene.operator.namespace, marks)
        _guard.write(scene.client, guard)
        _standins.write(scene.clients, stand_ins.steps, uids_of(scene.situation))
        if not scene.situation.says(scene.wanted):
            scene.operator.write(way, scene.wanted)


def _confirm(scene: Scene, marks: Marks) -> dict[str, Any]:
    """D3.11: the operator works, or what this run marked is taken back."""
    seen = await_operator(scene, scene.wanted)
    if not seen.well:
        left = put_back(scene) if scene.new else []
        raise Failed("\n".join([_no_progress(scene, seen), *left]), seconds=seen.seconds)
    done = {name: {**entry, "state": MARKED} if name in scene.wanted else entry for name, entry in marks.items()}
    write_marks(scene.client, scene.operator.namespace, done)
    return told_of(scene, seen)


def _no_progress(scene: Scene, seen: Watched) -> str:
    limit, before = scene.call.params["watch_timeout"], ", ".join(scene.situation.marked) or "nothing"
    undone = f"The mark was taken back, and marked is what was before: {before}." if scene.new else "It stays marked."
    return (
        f"{scene.client.context}: the operator does not work with {', '.join(scene.wanted)} marked, after {limit} s: "
        f"{'; '.join(seen.missing) or 'nobody saw it work'}. {undone} See the operator's log: a context that is dead "
        "and not marked keeps it from working."
    )


def _entries(scene: Scene, way: Way, stand_ins: _standins.StandIns, refusals: Sequence[gate.Refusal]) -> Marks:
    """The record with an entry for each context that is to be marked; what was recorded of an earlier one is kept."""
    marks = dict(scene.situation.marks)
    for context in scene.wanted:
        known, fresh = marks.get(context, {}), _entry(scene, context)
        marks[context] = {
            **fresh,
            **known,
            # What was there when it was first marked is what may be left over.
            "databases": {**fresh["databases"], **known.get("databases", {})},
            "state": MARKED if known.get("state") == MARKED else MARKING,
            "engine": way.engine,
            "behind": way.why if way.engine == PATCH else "",
            "accepted": sorted({refusal.risk for refusal in refusals if refusal.risk}) or known.get("accepted", []),
            "stand_ins": [each for each in stand_ins.listed if _stands_for(each, scene, context)],
        }
    return marks


def _stands_for(listed: Mapping[str, str], scene: Scene, context: str) -> bool:
    held = scene.evidence.known.holding(context)
    return listed["service"] in [f"{each.namespace}/{pod}" for each in held for pod in each.members_in(context)]


def _blockers(
    scene: Scene, refusals: Sequence[gate.Refusal], proofs: Mapping[str, Mapping[str, Any]], way: Way
) -> list[str]:
    """What would make the day harder than it has to be, in words."""
    found = [str(refusal) for refusal in refusals]
    found += [f"{key}: {proof['sentence']}" for key, proof in proofs.items() if proof["verdict"] != SAFE]
    found += [f"the mark would go by {way.engine}: {way.why}"] if way.why else []
    return found + not_verified(scene.evidence, scene.wanted)


def _entry(scene: Scene, context: str) -> dict[str, Any]:
    verdict = scene.evidence.verdicts.get(context)
    return {
        "by": who(scene.call),
        "since": now(),
        "why": scene.call.params["reason"],
        "verdict": verdict.verdict if verdict else "",
        "witnesses": list(verdict.witnesses) if verdict else [],
        "evidence": digest_of([sample["views"] for sample in scene.evidence.samples]),
        "previous": scene.situation.marked,
        "identity": scene.situation.record.get(context, {}),
        "databases": {each.key: _inventory(scene, each, context) for each in scene.evidence.known.holding(context)},
    }


def _inventory(scene: Scene, database: Database, context: str) -> dict[str, Any]:
    """What there is of a database in a context, by the rules by which KubeBlocks makes it, and its members of now."""
    cluster = (scene.evidence.known.clusters or {}).get(f"{database.namespace}/{database.name}") or {"metadata": {}}
    templates = templates_of(scene.evidence.known, database)
    pods = database.members_in(context)
    return {
        "pods": pods,
        "claims": [f"{template}-{pod}" for pod in pods for template in templates],
        "members": [dict(member) for member in scene.evidence.members.get(database.key, [])],
        "cluster": {key: cluster["metadata"].get(key) for key in ("uid", "generation")},
        "replicas": database.replicas,
    }


def report(scene: Scene, refusals: Sequence[gate.Refusal], way: Way) -> dict[str, Any]:
    """Verdicts, proofs and what stands against it, for the eye and for a machine."""
    evidence, accepted = scene.evidence, scene.call.params["accept_risks"]
    proofs = {key: proof.as_dict() for key in evidence.members if (proof := evidence.proof(key, scene.wanted))}
    lines = table(evidence.verdicts)
    lines += [f"{key} with {', '.join(scene.wanted) or 'nothing'} marked: {proofs[key]['sentence']}" for key in proofs]
    lines += told_refusals(scene.call, refusals)
    lines += [f"by {way.engine}{f', as {way.why}' if way.why else ''}"] if scene.new else []
    scene.call.show(lines)
    return {
        "changed": False,
        "marked": list(scene.wanted),
        "newly_marked": list(scene.new),
        "verdicts": {context: asdict(found) for context, found in evidence.verdicts.items()},
        "proofs": proofs,
        "refusals": [asdict(refusal) for refusal in refusals],
        "refused": bool(gate.blocking(refusals, accepted)),
        "engine": way.engine,
        "why_not_helm": way.why,
        "blockers": _blockers(scene, refusals, proofs, way),
        "not_verified": not_verified(evidence, scene.wanted),
        "table": lines,
    }
