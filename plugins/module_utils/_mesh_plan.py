# Private to this collection.
"""The plan of a mesh: every cluster's values and peers from one look at all, or all that speaks against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _mesh_facts as facts
from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _signing as signing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import standing_marks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_cut import cut_in
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import mesh, mesh_existing, mesh_values
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import (
    FAIL,
    NEVER_ACCEPTED,
    Finding,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_versions import MINORS, minor_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import CONTEXTS_SPEC, Call, access

SPEC: dict[str, Any] = {
    "contexts": CONTEXTS_SPEC,
    "operator_namespace": {"type": "str", "default": "kb-system"},
    "certificates": {"type": "str", "default": mesh_values.CERTGEN, "choices": ["certgen", "managed"]},
    "cache_ttl": {"type": "str", "default": "60s"},
    "image_registry": {"type": "str", "default": "quay.io"},
    "image_digests": {"type": "bool", "default": True},
    "hubble": {"type": "bool", "default": True},
    "service_annotations": {"type": "dict", "default": {}},
    "accept": {"type": "list", "elements": "str", "default": []},
    "request_timeout": {"type": "float", "default": 5.0},
    "deadline": {"type": "float", "default": 30.0},
}


def run(call: Call) -> dict[str, Any]:
    """Reads only. Raises Failed with everything that must be mended before anything is written."""
    signing.require_cryptography()
    params = call.params
    places = {place["name"]: place for place in params["contexts"]}
    wishes = {name: wish_of(place) for name, place in places.items()}
    found = mesh.of_wishes(wishes.values())
    joined = [wish.context for wish in mesh.members(wishes.values())]
    seen, marked, cut = _ask(call, places, joined)
    found += _silent(joined, seen, marked)
    answered = {name: entry for name, entry in seen.items() if "problem" not in entry}
    found += judged(wishes, places, answered, params["certificates"])
    accepted = set(params["accept"]) - NEVER_ACCEPTED
    blocking = [entry for entry in found if entry.severity == FAIL and entry.id not in accepted]
    result: dict[str, Any] = {"findings": [entry.as_dict() for entry in found], "marked": marked, "cut": cut}
    if blocking:
        lines = "\n".join(f"  {entry}" for entry in blocking)
        raise Failed(f"cluster_mesh: the clusters cannot be joined, and nothing was written:\n{lines}", **result)
    for entry in found:
        call.warn(str(entry))
    settings = mesh_values.Settings(
        params["certificates"],
        params["cache_ttl"],
        params["image_registry"],
        params["image_digests"],
        params["hubble"],
        params["service_annotations"],
    )
    return {**result, "plan": plan_of(wishes, answered, settings, cut)}


def wish_of(place: Mapping[str, Any]) -> mesh.Wish:
    """A context's entry as the rules take it: what the inventory does not say is the rules' own default."""
    given = {key: value for key, value in (place.get("mesh") or {"id": 0}).items() if value is not None}
    known = {field.name for field in fields(mesh.Wish)}
    return mesh.Wish(**{"context": place["name"], **{key: value for key, value in given.items() if key in known}})


def judged(
    wishes: Mapping[str, mesh.Wish],
    places: Mapping[str, Mapping[str, Any]],
    answered: Mapping[str, Mapping[str, Any]],
    certificates: str,
) -> list[Finding]:
    """All findings that need a look at the clusters."""
    seen = {name: {**entry, "pools": places[name].get("pools") or []} for name, entry in answered.items()}
    found = mesh.of_networks(wishes.values(), seen) + mesh.of_nodes(wishes.values(), seen)
    found += mesh_existing.of_existing([wish for name, wish in wishes.items() if manages(places[name])], seen)
    authorities = {name: entry["authority"] for name, entry in seen.items() if wishes[name].id}
    days = None if certificates == mesh_values.CERTGEN else 0
    return found + mesh_existing.of_authorities(wishes.values(), authorities, days)


def manages(place: Mapping[str, Any]) -> bool:
    """Whether Cilium in a cluster is the collection's business."""
    return (place.get("mesh") or {}).get("manage") is not False


def plan_of(
    wishes: Mapping[str, mesh.Wish],
    seen: Mapping[str, Mapping[str, Any]],
    settings: mesh_values.Settings,
    cut: Sequence[str],
) -> dict[str, Any]:
    """Context → ``cluster``, ``version``, ``values``, ``server_names`` and ``wait`` of each member that answered."""
    joined = {wish.context: wish for wish in mesh.members(wishes.values())}
    entries = {}
    for name, wish in joined.items():
        known = told_of(wish.cluster, [seen[other]["cilium"] for other in joined if other != name and other in seen])
        if name in seen:
            ready = seen[name]["ready_addresses"]
            entries[name] = mesh_values.peer(wish, mesh_values.lasting(known, ready, seen[name]["node_addresses"]))
        elif known or wish.endpoints:
            entries[name] = mesh_values.peer(wish, known)
    return {
        name: {
            "cluster": wish.cluster,
            "version": wish.version,
            "values": mesh_values.values(wish, seen[name]["nodes"], mesh_values.peers_of(wish, entries, cut), settings),
            "server_names": mesh_values.server_names(wish),
            "wait": not (settings.certificates == mesh_values.CERTGEN and MINORS[minor_of(wish.version)].job_is_hook),
        }
        for name, wish in joined.items()
        if name in seen
    }


def told_of(cluster: str, ciliums: Sequence[Mapping[str, Any] | None]) -> list[str]:
    """The addresses at which the others' releases look for a cluster now."""
    listed = [
        entry
        for cilium in ciliums
        if cilium
        for entry in facts.peers_listed(cilium["values"])
        if entry.get("name") == cluster
    ]
    return sorted({address for entry in listed for address in entry.get("ips") or []})


def _ask(
    call: Call, places: Mapping[str, Mapping[str, Any]], joined: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], list[str], list[str]]:
    """What each member shows (``problem`` where it does not answer), which contexts are marked, and which are cut off.

    What is marked is not asked: nothing is written there.
    """
    params = call.params
    control = next(place for place in places.values() if place["plane"] == "control")
    keeper = Client(access(dict(control), params["request_timeout"]))
    told = standing_marks(keeper, params["operator_namespace"])
    marked = [name for name, place in places.items() if place["context"] in told]
    cut, _back = cut_in(keeper, params["operator_namespace"], {name: places[name] for name in joined})
    wanted = [name for name in joined if name not in marked]

    def ask(name: str) -> dict[str, Any]:
        return facts.of_cluster(Client(access(dict(places[name]), params["request_timeout"])))

    answers, problems = ask_all(wanted, ask, params["deadline"])
    return {**answers, **{name: {"problem": str(problem)} for name, problem in problems.items()}}, marked, cut


def _silent(joined: Sequence[str], seen: Mapping[str, Mapping[str, Any]], marked: Sequence[str]) -> list[Finding]:
    return [
        Finding(
            "mesh.silent",
            name,
            FAIL,
            f"it cannot be asked: {seen[name]['problem'].rstrip('.')}",
            "the others are told of its nodes",
            "Bring it back, or mark it with the playbook failover if it is dead",
        )
        for name in joined
        if name not in marked and "problem" in seen.get(name, {})
    ]
