# Private to this collection.
"""The plan of a mesh: every cluster's values and peers from one look at all, or all that speaks against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _mesh_facts as facts
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import standing_marks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_cut import cut_in
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_findings import (
    Places,
    Seen,
    answered_of,
    found_in,
    joined_in,
    look,
    wish_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import mesh, mesh_values
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import blocking
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_versions import MINORS, minor_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import CONTEXTS_SPEC, Call, keeper_of

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
    params = call.params
    places = {place["name"]: place for place in params["contexts"]}
    seen, marked, cut = _ask(params, places)
    # Of one that is marked, another cluster under its name perhaps, nothing keeps the others from being joined.
    found = [entry for entry in found_in(places, seen, params["certificates"]) if entry.context not in marked]
    in_the_way = blocking(found, params["accept"])
    result: dict[str, Any] = {"findings": [entry.as_dict() for entry in found], "marked": marked, "cut": cut}
    if in_the_way:
        lines = "\n".join(f"  {entry}" for entry in in_the_way)
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
    wishes = {name: wish_of(place) for name, place in places.items()}
    return {**result, "plan": plan_of(wishes, answered_of(seen), settings, cut, marked)}


def plan_of(
    wishes: Mapping[str, mesh.Wish],
    seen: Mapping[str, Mapping[str, Any]],
    settings: mesh_values.Settings,
    cut: Sequence[str],
    marked: Sequence[str],
) -> dict[str, Any]:
    """Context → ``cluster``, ``version``, ``values``, ``server_names`` and ``wait`` of each member that answered and is
    not marked."""
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
        if name in seen and name not in marked
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


def _ask(params: Mapping[str, Any], places: Places) -> tuple[Seen, list[str], list[str]]:
    """What each member shows, which contexts are marked, and which are cut off. What is marked is asked only if it is
    back: nothing is written there, but the others are told of its nodes again."""
    keeper, joined = keeper_of(params), joined_in(places)
    told = standing_marks(keeper, params["operator_namespace"])
    marked = [name for name, place in places.items() if place["context"] in told]
    members = {name: places[name] for name in joined}
    cut, back = cut_in(keeper, params["operator_namespace"], members, params["request_timeout"])
    wanted = [name for name in joined if name not in marked or name in back]
    seen = look(places, wanted, params["request_timeout"], params["deadline"])
    return {name: entry for name, entry in seen.items() if name not in back or "problem" not in entry}, marked, cut
