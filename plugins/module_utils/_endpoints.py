# Private to this collection.
"""The addresses of an etcd's members that are true right now: seen in every cluster, tried from every vantage."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _etcd, _reach
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import uid_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._probe import Probe, Silent
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._record import read_record
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._render import FORMATS, Names
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import endpoints as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call, access
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._services import (
    known_to_operator,
    own_services,
    peer_services,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._tables import columns

SPEC: dict[str, Any] = {
    **_etcd.MEMBERS_SPEC,
    "operator_namespace": {"type": "str", "default": "kb-system"},
    "operator_release": {"type": "str", "default": "kubeblocks"},
    "in_cluster": {"type": "str", "default": "always", "choices": ["always", "members"]},
    "probe_image": {"type": "str", "default": ""},
    "pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "render": {"type": "list", "elements": "str", "default": [], "choices": list(FORMATS)},
    "vantage": {"type": "str", "default": ""},
    "zone": {"type": "str", "default": "etcd.internal"},
    "zone_file": {"type": "path"},
    "bind": {"type": "str", "default": "127.0.0.1:2379"},
    "request_timeout": {"type": "float", "default": 1.5},
    "deadline": {"type": "float", "default": 2.5},
}
_SERIAL = re.compile(r"^@ IN SOA \S+ \S+ (\d+) ", re.MULTILINE)
_MARGIN = 0.3  # seconds of a deadline that are left for what comes after an answer: a Job is deleted
_HEADER = ("CONTEXT", "MEMBER", "LEADER", "ADDRESS", "KIND", "REACHED FROM", "SPEAKS")
Seen = dict[str, dict[str, Any]]


def run(call: Call) -> dict[str, Any]:
    """Look at every cluster, try every address from everywhere, put them in order."""
    params = call.params
    places = {place["context"]: place for place in params["contexts"]}
    seen = _look(places, params)
    control = next((seen[context] for context, place in places.items() if place["plane"] == "control"), {})
    data = {context: seen[context] for context, place in places.items() if place["plane"] == "data"}
    database = control.get("database") or Database(params["namespace"], params["name"], params["component"])
    marked = [context for context in control.get("marked", []) if context in data]
    _complete(places, data, params)
    members = rules.members_of(database, data)
    asked, speaks = _try(call, places, seen, [member for member in members if member["context"] not in marked])
    ordered = rules.in_order(members, marked)
    problems = _problems(seen, places) + rules.problems_of(ordered, marked, database) + rules.moved(data)
    result: dict[str, Any] = {
        "endpoints": [_public(member, speaks) for member in ordered],
        "vantages": asked,
        "left_out": marked,
        "problems": problems,
        "rendered": {},
        "table": table(ordered, speaks, list(asked)),
    }
    call.show(result["table"] + _not_asked(asked) + problems)
    return result | {"rendered": _render(params, rules.to_render(ordered, params["vantage"]), result)}


def _look(places: Mapping[str, Any], params: Mapping[str, Any]) -> Seen:
    def ask(context: str) -> dict[str, Any]:
        client = Client(access(places[context], params["request_timeout"]))
        if places[context]["plane"] == "control":
            return _of_control_plane(client, params)
        return _of_data_plane(client, params)

    answers, problems = ask_all(places, ask, params["deadline"])
    silent = {context: {"error": _reach.reason_of(problem)} for context, problem in problems.items()}
    return {context: {**answers, **silent}[context] for context in places}


def _of_control_plane(client: Client, params: Mapping[str, Any]) -> dict[str, Any]:
    record = read_record(client, params["operator_namespace"]) or {}
    return {"error": "", "uid": uid_of(client), "record": record, **known_to_operator(client, params)}


def _of_data_plane(client: Client, params: Mapping[str, Any]) -> dict[str, Any]:
    database = Database(params["namespace"], params["name"], params["component"])
    return {
        "error": "",
        "uid": uid_of(client),
        "own": list(own_services(client, database).values()),
        "peers": peer_services(client, database),
        "samples": _etcd.members(client, params, seconds=params["deadline"] / 4),
    }


def _complete(places: Mapping[str, Any], data: Mapping[str, dict[str, Any]], params: Mapping[str, Any]) -> None:
    """Where the leader was not asked, nobody gave the member list: the first member that answers is asked for it."""
    answering = [
        (context, sample["pod"])
        for context, entry in data.items()
        for sample in entry.get("samples", [])
        if not sample["error"]
    ]
    if not answering or any(sample["members"] for entry in data.values() for sample in entry.get("samples", [])):
        return
    context, pod = answering[0]
    client = Client(access(places[context], params["request_timeout"]))
    data[context]["member_list"] = _etcd.member_list(client, params, pod, params["deadline"] / 4)


def _problems(seen: Mapping[str, Mapping[str, Any]], places: Mapping[str, Any]) -> list[str]:
    """Only of the control plane: what a silent data plane means is said with its members."""
    silent = [context for context, place in places.items() if place["plane"] == "control" and seen[context]["error"]]
    return [
        f"{context}: {seen[context]['error']}; whether a context is marked as unavailable is not known"
        for context in silent
    ]


def _try(
    call: Call, places: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]], members: Sequence[rules.Member]
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Try all addresses from this host and from inside every cluster that answered, all at once.

    Notes the times in the members' addresses. Returns vantage → ``asked`` and ``why``, and target → what it speaks.
    """
    addresses = [address for member in members for address in member["addresses"]]
    targets = list({rules.target_of(address): address for address in addresses}.values())
    speaks: dict[str, str] = {}
    record: dict[str, dict[str, str]] = next((entry["record"] for entry in seen.values() if entry.get("record")), {})

    def ask(vantage: str) -> tuple[str, str, _reach.Times]:
        if vantage == rules.HOST:
            times, spoken = _reach.from_here(targets, 1.0, call.params["deadline"] - _MARGIN)
            speaks.update(spoken)
            return "host", "", times
        return _from_inside(call, places[vantage], seen[vantage], record, targets)

    vantages = [rules.HOST, *(context for context in places if not seen[context]["error"])]
    answers, problems = ask_all(vantages, ask, call.params["deadline"]) if targets else ({}, {})
    for address in addresses:
        target = rules.target_of(address)
        address["reached"] = {vantage: answer[2].get(target) for vantage, answer in answers.items() if answer[2]}
    asked = {vantage: {"asked": answer[0], "why": answer[1]} for vantage, answer in answers.items()}
    asked |= {vantage: {"asked": "silent", "why": _reach.reason_of(problem)} for vantage, problem in problems.items()}
    silent = {context: entry["error"] for context, entry in seen.items() if entry["error"]}
    return asked | {context: {"asked": "silent", "why": why} for context, why in silent.items()}, speaks


def _from_inside(
    call: Call,
    place: Mapping[str, Any],
    seen: Mapping[str, Any],
    record: Mapping[str, Mapping[str, str]],
    targets: Sequence[_reach.Target],
) -> tuple[str, str, _reach.Times]:
    """How it was asked, why not, and the times; nothing where nobody could be asked."""
    params = call.params
    client = Client(access(dict(place), params["deadline"]))
    running = [sample["pod"] for sample in seen.get("samples", []) if not sample["error"]]
    try:
        if running:
            where = (params["namespace"], running[0], params["container"])
            return "member", "", _reach.from_member(client, *where, targets)
        reason = _why_no_probe(call, seen, record.get(place["context"], {}))
        if reason:
            return "not_asked", reason, {}
        probe = Probe(params["operator_namespace"], params["probe_image"], [], {}, params["pull_secrets"])
        return "probe", "", _reach.from_probe(client, probe, targets, params["deadline"] - _MARGIN)
    except (Silent, ContextError) as problem:
        return "silent", _reach.reason_of(problem), {}


def _why_no_probe(call: Call, seen: Mapping[str, Any], recorded: Mapping[str, str]) -> str:
    """A Pod is made only where it is wanted, and only in the cluster that the record knows under this name."""
    if call.params["in_cluster"] != "always":
        return "no member runs there, and no Pod was wanted"
    if call.check_mode:
        return "check mode makes no Pod"
    return "" if recorded.get("uid") == seen["uid"] else "it may be another cluster than it was"


def _render(
    params: Mapping[str, Any], endpoints: Sequence[Mapping[str, Any]], result: Mapping[str, Any]
) -> dict[str, str]:
    """Texts for clients. Raises Failed where these would lead nowhere: what clients have now is better than nothing."""
    if not params["render"]:
        return {}
    problem = _unfit(params, endpoints)
    if problem:
        raise Failed(
            f"cannot render the endpoints of {params['namespace']}/{params['name']}: {problem} What was rendered "
            "before stays as it is.",
            **result,
        )
    names = Names(params["name"], params["namespace"], params["zone"], int(time.time()), params["bind"])
    rendered = {kind: FORMATS[kind](endpoints, names) for kind in params["render"]}
    if "dns" in rendered:
        earlier = Path(params["zone_file"]) if params["zone_file"] else None
        rendered["dns"] = zone_after(earlier.read_text() if earlier and earlier.exists() else "", endpoints, names)
    return rendered


def _unfit(params: Mapping[str, Any], endpoints: Sequence[Mapping[str, Any]]) -> str:
    """Why nothing should be rendered, and what to do; empty if all is well."""
    known = [rules.HOST, *(place["context"] for place in params["contexts"])]
    if params["vantage"] and params["vantage"] not in known:
        return f"there is no vantage {params['vantage']!r}. Use one of {', '.join(known)}."
    if not params["bind"].rpartition(":")[2].isdigit():
        return f"a proxy that listens on {params['bind']!r} has no port. Write host:port."
    if not endpoints:
        return "no member has an address. See problems, and run again when a member can be reached."
    if not any(endpoint["reached"] for endpoint in endpoints):
        return f"none is reached from {params['vantage'] or 'anywhere'}. See vantages and problems."
    return ""


def zone_after(earlier: str, endpoints: Sequence[Mapping[str, Any]], names: Names) -> str:
    """The zone, with the serial of an earlier one where nothing else differs, and a higher one where something does."""
    found = _SERIAL.search(earlier)
    if found is None:
        return FORMATS["dns"](endpoints, names)
    same = FORMATS["dns"](endpoints, replace(names, serial=int(found[1])))
    return (
        same
        if same == earlier
        else FORMATS["dns"](endpoints, replace(names, serial=max(names.serial, int(found[1]) + 1)))
    )


def _public(member: rules.Member, speaks: Mapping[str, str]) -> dict[str, Any]:
    addresses = [
        {**address, "speaks": _reach.spoken_by(speaks, rules.target_of(address), address["scheme"])}
        for address in member["addresses"]
    ]
    return {**member, "addresses": addresses, "reached": rules.is_reached(member)}


def _not_asked(asked: Mapping[str, Mapping[str, str]]) -> list[str]:
    return [f"{vantage}: not asked from there: {entry['why']}" for vantage, entry in asked.items() if entry["why"]]


def table(members: Sequence[rules.Member], speaks: Mapping[str, str], vantages: Sequence[str]) -> list[str]:
    """Lines for the eye: a row for each address, the leader's first."""
    rows = [_HEADER]
    for member in members:
        leads = "leader" if member["leader"] else "learner" if member["learner"] else "-"
        who = (member["context"], member["member"], leads)
        rows += [(*who, *_of_address(address, speaks, vantages)) for address in member["addresses"]]
        if not member["addresses"]:
            rows.append((*who, "-", "-", "-", "-"))
    return columns(rows)


def _of_address(
    address: Mapping[str, Any], speaks: Mapping[str, str], vantages: Sequence[str]
) -> tuple[str, str, str, str]:
    target = rules.target_of(address)
    reached = address["reached"]
    times = [f"{vantage} {reached[vantage]:.1f} ms" for vantage in vantages if reached.get(vantage) is not None]
    spoken = _reach.spoken_by(speaks, target, address["scheme"])
    return target, str(address["kind"]), ", ".join(times) or "nowhere", spoken
