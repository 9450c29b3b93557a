# Private to this collection.
"""Whether clusters are dead: samples from many vantages over a while, a verdict on each, what it does to an etcd."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _etcd
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import (
    uid_of,
    version_of,
    way_to,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._probe import Probe, Silent, standing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._record import read_record
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import verdict as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.quorum import prove
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.views import (
    SCRIPT,
    members_of,
    seen_from_member,
    view_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call, access
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._services import known_to_operator
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._tables import columns
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._vantage import reach_command, reached_of

SPEC: dict[str, Any] = {
    **_etcd.MEMBERS_SPEC,
    "operator_namespace": {"type": "str", "default": "kb-system"},
    "operator_release": {"type": "str", "default": "kubeblocks"},
    "in_cluster": {"type": "str", "default": "always", "choices": ["always", "members"]},
    "probe_image": {"type": "str", "default": ""},
    "pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "window": {"type": "float", "default": rules.WINDOW},
    "samples": {"type": "int", "default": rules.LEAST},
    "request_timeout": {"type": "float", "default": 3.0},
}
AskInside = Callable[[], dict[str, bool]]  # context → whether its API answers
_PATIENCE = 20.0  # seconds for a Pod to start
_SECONDS = 6.0  # for one sample: a request, and a script whose parts have two seconds each
_HEADER = ("CONTEXT", "VERDICT", "FOR", "WHY")


def run(call: Call) -> dict[str, Any]:
    """Look until the window is full, then judge. A line each time the picture changes."""
    places = {place["context"]: place for place in call.params["contexts"]}
    with _inside_control_plane(call, places) as (ask_inside, why):
        samples, verdicts = _look(call, places, ask_inside)
    result = _result(samples, verdicts)
    result["not_asked"] = [f"control plane: no Pod was asked: {why}"] if why else []
    call.show(result["table"] + result["not_asked"])
    return result


def _look(
    call: Call, places: Mapping[str, Any], ask_inside: AskInside | None
) -> tuple[list[dict[str, Any]], dict[str, rules.Verdict]]:
    params, samples, shown = call.params, list[dict[str, Any]](), dict[str, str]()
    began, pause = time.monotonic(), params["window"] / max(1, params["samples"] - 1)
    while True:
        database = samples[-1]["database"] if samples else None
        at = round(time.monotonic() - began, 1)
        samples.append(_sample(places, params, at, database, ask_inside))
        verdicts = _verdicts(places, params, samples)
        picture = {context: found.verdict for context, found in verdicts.items()}
        if picture != shown:
            words = ", ".join(f"{context} {found}" for context, found in picture.items())
            call.say(f"health: {words}, {samples[-1]['at']:.0f} s")
            shown = picture
        if len(samples) >= params["samples"] and samples[-1]["at"] >= params["window"]:
            return samples, verdicts
        time.sleep(max(0.0, began + pause * len(samples) - time.monotonic()))


@contextmanager
def _inside_control_plane(call: Call, places: Mapping[str, Any]) -> Iterator[tuple[AskInside | None, str]]:
    """How a Pod of the control plane is asked who of the others answers it, or why none is.

    The Pod is made only in the cluster that the record knows as the control plane, and stands for the whole window.
    """
    params = call.params
    control = _control_of(places)
    if call.check_mode or params["in_cluster"] != "always":
        yield None, "check mode makes no Pod" if call.check_mode else "none was wanted"
        return
    seconds = 2 * params["window"] + _PATIENCE + params["samples"] * _SECONDS
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
        ways = {
            name: way_to(Client(access(dict(place), 1.0)), place.get("server") or "") for name, place in others.items()
        }
        command = reach_command(ways, "2s")

        def ask() -> dict[str, bool]:
            try:
                where = (params["operator_namespace"], pod, "probe")
                said = reached_of(client.execute(*where, command, _SECONDS - 1)[1], list(ways))
            except ContextError:
                return {}  # not asked this time
            return {context: not problem for context, problem in said.items()}

        yield (ask, "") if pod else (None, "it may be another cluster than it was")


def _sample(
    places: Mapping[str, Any],
    params: Mapping[str, Any],
    at: float,
    before: Database | None,
    ask_inside: AskInside | None,
) -> dict[str, Any]:
    """One look from everywhere at once. ``members``: member → its view. ``before``: the etcd as last described."""
    clients = {context: Client(access(dict(place), params["request_timeout"])) for context, place in places.items()}
    control = _control_of(places)
    servers = {context: places[context].get("server") or client.server for context, client in clients.items()}

    def ask(context: str) -> Any:
        client = clients[context]
        version_of(client)
        if context == control:
            return known_to_operator(client, params) | {"reached": ask_inside() if ask_inside else {}}
        return _of_members(client, params, {name: server for name, server in servers.items() if name != context})

    answers, problems = ask_all(places, ask, _SECONDS)
    known = answers.get(control, {})
    database = known.get("database") or before or Database(params["namespace"], params["name"], params["component"])
    views: dict[str, Any] = {
        rules.HOST: {context: {"api": context in answers, "data": None} for context in places},
    }
    if known.get("reached"):
        views[control] = {context: {"api": seen, "data": None} for context, seen in known["reached"].items()}
    members = {name: view for context in answers if context != control for name, view in answers[context].items()}
    for context in answers:
        if context != control and answers[context]:
            views[context] = _joined([seen_from_member(view, database) for view in answers[context].values()])
    return {
        "at": at,
        "views": views,
        "members": members,
        "database": database,
        "marked": known.get("marked", []),
        "problems": {context: str(getattr(problem, "reason", problem)) for context, problem in problems.items()},
    }


def _control_of(places: Mapping[str, Any]) -> str:
    return next(context for context, place in places.items() if place["plane"] == "control")


def _of_members(client: Client, params: Mapping[str, Any], servers: Mapping[str, str]) -> dict[str, Any]:
    """Member → what its Pod sees. A member that cannot be asked is not there."""
    found = {}
    apis = " ".join(f"{context},{server}" for context, server in servers.items())
    for pod in _etcd.pods_of(client, params["namespace"], params["name"], params["component"]):
        if _etcd.phase_of(pod, params["container"]) != "Running":
            continue
        name = pod["metadata"]["name"]
        words = ["env", f"APIS={apis}", f"HOSTNAME={name}", "bash", "-c", SCRIPT]
        try:
            text = client.execute(params["namespace"], name, params["container"], words, _SECONDS - 1)[1]
        except ContextError:
            continue
        found[name] = view_of(text)
    return found


def _joined(seen: list[dict[str, dict[str, bool | None]]]) -> dict[str, dict[str, bool | None]]:
    """Several members in one cluster are one vantage: what one of them sees, is seen."""
    found: dict[str, dict[str, bool | None]] = {}
    for view in seen:
        for context, entry in view.items():
            known = found.setdefault(context, {"api": None, "data": None})
            for kind, answer in entry.items():
                known[kind] = answer if known[kind] is None else bool(known[kind] or answer)
    return found


def _verdicts(
    places: Mapping[str, Any], params: Mapping[str, Any], samples: list[dict[str, Any]]
) -> dict[str, rules.Verdict]:
    database = next((sample["database"] for sample in reversed(samples) if sample["database"].placement), None)
    held = set(database.placement) if database else set()
    limits = {"window": params["window"], "least": params["samples"]}
    return {
        context: rules.verdict_of(context, samples, list(places), has_members=context in held, **limits)
        for context, place in places.items()
        if place["plane"] == "data"
    }


def _result(samples: list[dict[str, Any]], verdicts: Mapping[str, rules.Verdict]) -> dict[str, Any]:
    last = samples[-1]
    members = members_of(last["members"], last["database"])
    suspects = [context for context, found in verdicts.items() if found.verdict != rules.ALIVE]
    proofs = {"": prove(members, [])} | {context: prove(members, [context]) for context in verdicts}
    return {
        "verdicts": {context: asdict(found) for context, found in verdicts.items()},
        "proofs": {context: proof.as_dict() for context, proof in proofs.items() if members},
        "members": members,
        "marked": last["marked"],
        "samples": [{key: sample[key] for key in ("at", "views", "members", "problems")} for sample in samples],
        "table": _table(verdicts) + [f"without {name}: {proofs[name].sentence}" for name in suspects if members],
    }


def _table(verdicts: Mapping[str, rules.Verdict]) -> list[str]:
    rows = [(context, found.verdict, f"{found.lasting:.0f} s", found.sentence) for context, found in verdicts.items()]
    return columns([_HEADER, *rows])
