# Private to this collection.
"""Whether clusters are dead: samples from many vantages over a while, a verdict on each, what it does to each etcd."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._databases import DATABASES_SPEC, Known
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import uid_of, way_to
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._probe import Probe, Silent, standing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._record import read_record
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import verdict as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.quorum import Proof, prove
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.views import members_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import CONTEXTS_SPEC, Call, access
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._samples import (
    SECONDS,
    AskInside,
    Scene,
    clients_of,
    control_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._tables import columns
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._vantage import reach_command, reached_of

# What whoever looks has to be told. Keep in step with plugins/doc_fragments/_evidence.py.
EVIDENCE_SPEC: dict[str, Any] = {
    "contexts": CONTEXTS_SPEC,
    "databases": DATABASES_SPEC,
    "operator_namespace": {"type": "str", "default": "kb-system"},
    "operator_release": {"type": "str", "default": "kubeblocks"},
    "in_cluster": {"type": "str", "default": "always", "choices": ["always", "members"]},
    "probe_image": {"type": "str", "default": ""},
    "pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "window": {"type": "float", "default": rules.WINDOW},
    "samples": {"type": "int", "default": rules.LEAST},
}
SPEC: dict[str, Any] = {**EVIDENCE_SPEC, "request_timeout": {"type": "float", "default": 3.0}}
_PATIENCE = 20.0  # seconds for a Pod to start
_HEADER = ("CONTEXT", "VERDICT", "FOR", "WHY")


@dataclass(frozen=True)
class Evidence:
    """What was seen and what it means: the samples, a verdict on each data plane, the members of each etcd by its key,
    why the control plane was not asked from inside (empty if it was), and when it was complete (monotonic clock)."""

    samples: Sequence[Mapping[str, Any]]
    verdicts: Mapping[str, rules.Verdict]
    members: Mapping[str, Sequence[Mapping[str, Any]]]
    not_asked: str
    taken: float

    @property
    def known(self) -> Known:
        """The databases, as the control plane described them last."""
        found: Known = self.samples[-1]["known"]
        return found

    @property
    def marked(self) -> list[str]:
        found: list[str] = self.samples[-1]["marked"]
        return found

    @property
    def seen_from_inside(self) -> bool:
        return any(sample["inside"] for sample in self.samples)

    @property
    def silent(self) -> list[str]:
        """The contexts whose API did not answer."""
        return [name for name, found in self.verdicts.items() if found.verdict in (rules.API_DOWN, rules.DEAD)]

    def assuming(self, dead: Sequence[str]) -> Evidence:
        """The same if these contexts were dead, for a rehearsal."""
        assumed = rules.Verdict(rules.DEAD, "it is assumed to be dead")
        verdicts = {context: assumed if context in dead else found for context, found in self.verdicts.items()}
        members = {
            key: [{**member, "healthy": member["healthy"] and member["domain"] not in dead} for member in each]
            for key, each in self.members.items()
        }
        return replace(self, verdicts=verdicts, members=members)

    def proof(self, key: str, lost: Sequence[str]) -> Proof | None:
        """What one etcd has left without some contexts; None where no member gave the member list."""
        members = self.members.get(key)
        return prove(members, lost) if members else None


def run(call: Call) -> dict[str, Any]:
    """Look until the window is full, then judge. A line each time the picture changes."""
    evidence = observe(call)
    result = _result(evidence)
    call.show(result["table"] + result["not_asked"])
    return result


def observe(call: Call) -> Evidence:
    """Samples from every vantage until the window is full, for every context."""
    places = {place["context"]: place for place in call.params["contexts"]}
    with _inside_control_plane(call, places) as (ask_inside, why):
        samples, verdicts = _look(call, Scene.of(places, call.params), ask_inside)
    last = samples[-1]
    etcds = {
        database.key: members_of(last["members"].get(database.key, {}), database) for database in last["known"].etcds
    }
    return Evidence(samples, verdicts, etcds, why, time.monotonic())


def _look(
    call: Call, scene: Scene, ask_inside: AskInside | None
) -> tuple[list[dict[str, Any]], dict[str, rules.Verdict]]:
    params, samples, shown = call.params, list[dict[str, Any]](), dict[str, str]()
    known = scene.known_at_first()
    # Not before: a first sample that came late would make every window too short, and the look one sample longer.
    began, pause, at = time.monotonic(), _pause(params), 0.0
    while True:
        samples.append(scene.sample(at, samples[-1]["known"] if samples else known, ask_inside))
        verdicts = _verdicts(scene.places, params, samples)
        picture = {context: found.verdict for context, found in verdicts.items()}
        if picture != shown:
            words = ", ".join(f"{context} {found}" for context, found in picture.items())
            call.say(f"health: {words}, {at:.0f} s")
            shown = picture
        if is_over(verdicts.values(), len(samples), at, params["window"], params["samples"]):
            return samples, verdicts
        time.sleep(max(0.0, began + pause * len(samples) - time.monotonic()))
        at = round(time.monotonic() - began, 1)


def _pause(params: Mapping[str, Any]) -> float:
    """Seconds from the beginning of one sample to that of the next, if it takes no longer."""
    window: float = params["window"]
    gaps: int = max(1, params["samples"] - 1)
    return window / gaps


def has_lasted(found: rules.Verdict, window: float, least: int) -> bool:
    """Whether what was seen last has been seen for a whole look."""
    return found.lasting >= window and found.samples >= least


def is_over(verdicts: Collection[rules.Verdict], taken: int, at: float, window: float, least: int) -> bool:
    """Whether looking has been enough after ``taken`` samples and ``at`` seconds: a picture that changed on the way, as
    right after a death, is looked at until it has lasted for a whole look too, but for no more than two looks in all.
    """
    looks = 1 if all(has_lasted(found, window, least) for found in verdicts) else 2
    return at >= looks * window and taken >= looks * least


@contextmanager
def _inside_control_plane(call: Call, places: Mapping[str, Any]) -> Iterator[tuple[AskInside | None, str]]:
    """How a Pod of the control plane is asked who of the others answers it, or why none is.

    The Pod is made only in the cluster that the record knows as the control plane, and stands for the whole window.
    """
    params = call.params
    control = control_of(places)
    if call.check_mode or params["in_cluster"] != "always":
        yield None, "check mode makes no Pod" if call.check_mode else "none was wanted"
        return
    seconds = 2 * params["samples"] * (_pause(params) + SECONDS) + _PATIENCE
    probe = Probe(
        params["operator_namespace"], params["probe_image"], ["sleep", f"{seconds:.0f}"], {}, params["pull_secrets"]
    )
    with ExitStack() as stack:
        try:
            client = Client(access(dict(places[control]), params["request_timeout"]))
            record = read_record(client, params["operator_namespace"]) or {}
            known = record.get(control, {}).get("uid") == uid_of(client)
            pod = stack.enter_context(standing(client, probe, seconds, _PATIENCE)) if known else ""
        except (ContextError, Silent) as problem:
            yield None, str(getattr(problem, "reason", problem))
            return
        others = {context: place for context, place in places.items() if context != control}
        clients = clients_of(others, 1.0)
        ways = {name: way_to(client, others[name].get("server") or "") for name, client in clients.items()}
        command = reach_command(ways, "2s")

        def ask() -> dict[str, bool]:
            try:
                where = (params["operator_namespace"], pod, "probe")
                said = reached_of(client.execute(*where, command, SECONDS - 1)[1], list(ways))
            except ContextError:
                return {}  # not asked this time
            return {context: not problem for context, problem in said.items()}

        yield (ask, "") if pod else (None, "it may be another cluster than it was")


def _verdicts(
    places: Mapping[str, Any], params: Mapping[str, Any], samples: list[dict[str, Any]]
) -> dict[str, rules.Verdict]:
    known: Known = samples[-1]["known"]
    limits = {"window": params["window"], "least": params["samples"]}
    return {
        context: rules.verdict_of(
            context, samples, list(places), has_members=any(each.members_in(context) for each in known.etcds), **limits
        )
        for context, place in places.items()
        if place["plane"] == "data"
    }


def _result(evidence: Evidence) -> dict[str, Any]:
    suspects = [context for context, found in evidence.verdicts.items() if found.verdict != rules.ALIVE]
    proofs = {key: _proofs(evidence, key) for key, members in evidence.members.items() if members}
    told = [
        f"{key} without {context}: {proofs[key][context]['sentence']}"
        for key in proofs
        for context in suspects
        if any(member["domain"] == context for member in evidence.members[key])
    ]
    kept = ("at", "views", "members", "problems")
    unproven = [database.key for database in evidence.known.others if database.placement]
    why = evidence.not_asked
    return {
        "verdicts": {context: asdict(found) for context, found in evidence.verdicts.items()},
        "proofs": proofs,
        "members": dict(evidence.members),
        "marked": evidence.marked,
        "not_asked": ([f"control plane: no Pod was asked: {why}"] if why else [])
        + [f"{key}: its members cannot be asked, as it is no etcd" for key in unproven],
        "samples": [{key: sample[key] for key in kept} for sample in evidence.samples],
        "table": table(evidence.verdicts) + told,
    }


def _proofs(evidence: Evidence, key: str) -> dict[str, Any]:
    """Without each data plane, and under the empty name with all of them."""
    lost = {"": list[str](), **{context: [context] for context in evidence.verdicts}}
    found = {context: evidence.proof(key, without) for context, without in lost.items()}
    return {context: proof.as_dict() for context, proof in found.items() if proof}


def table(verdicts: Mapping[str, rules.Verdict]) -> list[str]:
    """Lines for the eye: a row for each verdict."""
    rows = [(context, found.verdict, f"{found.lasting:.0f} s", found.sentence) for context, found in verdicts.items()]
    return columns([_HEADER, *rows])
