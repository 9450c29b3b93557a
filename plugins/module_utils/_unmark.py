# Private to this collection.
"""Taking marks away: proof that the contexts are back, what lies there, unmark, watch, proof that all members vote."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _guard, _leftovers, _standins
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import operator_rules, rights_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._credentials import token_key
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._engine import Way
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._evidence import denied
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._health import has_lasted, table
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import UNMARKING, write_marks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._restore import or_put_back, put_back
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._returned import changed_meanwhile, states_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import gate
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import returning as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.gate import Refusal
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.leftovers import CLAIM, Leftover, leftovers
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.views import members_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._samples import Scene as Vantages
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._scene import (
    Scene,
    affected_by,
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
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._situation import reachable
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._watch import Watched

_PAUSE = 2.0
Lying = Mapping[str, Sequence[Leftover]]


def unmark(call: Call) -> dict[str, Any]:
    """Unmark what is asked for, or whatever is marked. Raises Failed with everything that speaks against it."""
    params = call.params
    with deciding(call, look(call)) as scene:
        there = reachable(scene.clients, list(scene.situation.ways))
        lying = {name: _lying(scene, name) for name in scene.leaving if name in there}
        refusals = _refusals(scene, there, lying)
        result = _report(scene, refusals, lying)
        blocking = gate.blocking(refusals, params["accept_risks"])
        if blocking:
            lines = "\n".join(f"  {refusal}" for refusal in blocking)
            raise Failed(f"{', '.join(scene.leaving)}: not unmarked, and nothing was written:\n{lines}", **result)
        staying = {name: there[name] for name in there if name not in (*scene.wanted, scene.client.context)}
        stand_ins = _standins.plan_all(staying, scene.evidence.known, scene.wanted, scene.evidence.members)
        recorded = {*scene.situation.marks} & {*scene.leaving}
        if recorded or stand_ins.steps or not scene.situation.says(scene.wanted):
            way = scene.operator.choose(params["engine"], scene.wanted)
            result |= {"changed": True, "engine": way.engine, "why_not_helm": way.why}
            result["diff"] = {"before": {"marked": scene.situation.marked}, "after": {"marked": list(scene.wanted)}}
            result |= {} if call.check_mode else _carry_out(scene, way, stand_ins, lying)
    if not call.check_mode:
        _prove(scene)
    return result


def _refusals(scene: Scene, there: Mapping[str, Client], lying: Lying) -> list[Refusal]:
    complete = set(scene.situation.known) - set(scene.wanted) <= set(there)
    verdicts = {
        name: scene.evidence.verdicts[name] for name in scene.evidence.verdicts if name in scene.situation.known
    }
    others = {name: each.verdict for name, each in verdicts.items() if name not in (*scene.wanted, *scene.leaving)}
    return rules.refusals_of_unmark(
        {name: _returning(scene, name, lying.get(name, []), complete=complete) for name in scene.leaving},
        others=others,
        leftovers=scene.call.params["leftovers"],
        delete_claims=scene.call.params["delete_claims"],
    )


def _lying(scene: Scene, context: str) -> list[Leftover]:
    found = _leftovers.gather(scene.clients[context])
    return leftovers(found, _leftovers.known(scene.client), context)


def _returning(scene: Scene, context: str, lying: Sequence[Leftover], *, complete: bool) -> rules.Returning:
    verdict, params = scene.evidence.verdicts[context], scene.call.params
    asked = [sample["views"][scene.client.context] for sample in scene.evidence.samples if sample["inside"]]
    inside = [bool(view.get(context, {}).get("api")) for view in asked]
    states, voters = states_of(scene, context)
    return rules.Returning(
        identity=scene.situation.identity_when_marked(context),
        verdict=verdict.verdict,
        steady=has_lasted(verdict, params["window"], params["samples"]),
        # Check mode makes no Pod to look from; what is not verified then is said.
        seen_from_inside=scene.call.check_mode or (all(inside) and 2 * len(inside) > len(scene.evidence.samples)),
        access=_access_problem(scene, context),
        leftovers=[str(each) for each in lying],
        claims=[each.key for each in lying if each.kind == CLAIM],
        members=states,
        voters=voters,
        complete=complete,
    )


def _access_problem(scene: Scene, context: str) -> str:
    """Why the operator's own credential does not work there now; empty if it does."""
    token = scene.situation.secret.get(token_key(context), "")
    if not token:
        return "its Secret holds no token for this context"
    try:
        missing = denied(scene.clients[context].bearing(token), lambda: rights_of(operator_rules()))
    except ContextError as problem:
        return problem.reason
    return f"it may not {missing[0]}" if missing else ""


def _carry_out(scene: Scene, way: Way, stand_ins: _standins.StandIns, lying: Lying) -> dict[str, Any]:
    operator, marks = scene.operator, dict(scene.situation.marks)
    leaving = {name: {**marks.get(name, {}), "state": UNMARKING} for name in scene.leaving}
    with or_put_back(scene):
        write_marks(scene.client, operator.namespace, marks | leaving)
        _clear(scene, lying)
        _standins.write(scene.clients, stand_ins.steps, uids_of(scene.situation))
        if not scene.situation.says(scene.wanted):
            operator.write(way, scene.wanted)
    seen = await_operator(scene, scene.wanted)
    if not seen.well:
        raise Failed("\n".join([_no_progress(scene, seen), *put_back(scene)]), seconds=seen.seconds)
    _guard.bring(scene.client, scene.wanted, affected_by(scene.evidence, scene.wanted))
    over = [{"event": "unmarked", "contexts": list(scene.leaving), "at": now(), "by": who(scene.call)}]
    kept = {name: entry for name, entry in marks.items() if name not in scene.leaving}
    write_marks(scene.client, operator.namespace, kept, over)
    return told_of(scene, seen)


def _prove(scene: Scene) -> None:
    """Every member of the databases there is a voter that reads through the quorum, or Failed says which is not."""
    waiting = _await_members(scene)
    if waiting:
        raise Failed(
            f"{', '.join(scene.leaving)}: unmarked, but after {scene.call.params['members_timeout']} s these are no "
            f"voters that read through the quorum: {', '.join(waiting)}. See the logs of their Pods."
        )


def _clear(scene: Scene, lying: Lying) -> None:
    """What lies there is taken away, or left to its owner, as was asked for."""
    what = scene.call.params["leftovers"]
    for context, found in lying.items():
        if found and what == rules.DELETE:
            _leftovers.delete(scene.clients[context], found, scene.call.params["delete_claims"])
        elif found and what == rules.ADOPT:
            _leftovers.adopt(scene.clients[context], found)


def _no_progress(scene: Scene, seen: Watched) -> str:
    return (
        f"{scene.client.context}: the operator does not work without the mark of {', '.join(scene.leaving)}, after "
        f"{scene.call.params['watch_timeout']} s: {'; '.join(seen.missing) or 'nobody saw it work'}. The mark was put "
        "back. See the operator's log, and whether a Pod of the control plane reaches these clusters."
    )


def _await_members(scene: Scene) -> list[str]:
    """Wait until every member of the databases there reads through its quorum: those that do not in the end."""
    params, shown = scene.call.params, list[str]()
    places = {place["context"]: place for place in params["contexts"]}
    vantages, deadline = Vantages.of(places, params), time.monotonic() + params["members_timeout"]
    databases = [each for each in scene.evidence.known.etcds if any(each.members_in(name) for name in scene.leaving)]
    while True:
        seen = vantages.sample(0.0, scene.evidence.known, None)["members"]
        listed = [(each, members_of(seen.get(each.key, {}), each)) for each in databases]
        waiting = [
            f"{each.key} {pod}"
            for each, members in listed
            for pod in each.pods
            if each.place_of(pod) not in scene.wanted
            and not any(member["name"] == pod and member["voter"] and member["healthy"] for member in members)
        ]
        if not waiting or time.monotonic() > deadline:
            return waiting
        if waiting != shown:
            scene.call.say(f"waiting for {', '.join(waiting)}")
            shown = waiting
        time.sleep(_PAUSE)


def _report(scene: Scene, refusals: Sequence[Refusal], lying: Lying) -> dict[str, Any]:
    meanwhile = [line for name in scene.leaving for line in changed_meanwhile(scene, name)]
    lines = table(scene.evidence.verdicts) + list(meanwhile)
    lines += [f"left over in {context}: {each}: {each.why}" for context, found in lying.items() for each in found]
    lines += told_refusals(scene.call, refusals)
    scene.call.show(lines)
    return {
        "changed": False,
        "marked": list(scene.wanted),
        "unmarked": list(scene.leaving),
        "verdicts": {context: asdict(found) for context, found in scene.evidence.verdicts.items()},
        "refusals": [asdict(refusal) for refusal in refusals],
        "refused": bool(gate.blocking(refusals, scene.call.params["accept_risks"])),
        "leftovers": {context: [asdict(each) for each in found] for context, found in lying.items()},
        "meanwhile": list(meanwhile),
        "not_verified": not_verified(scene.evidence, scene.leaving),
        "table": lines,
    }
