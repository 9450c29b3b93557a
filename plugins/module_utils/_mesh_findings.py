# Private to this collection.
"""What speaks against a mesh, from one look at all clusters that shall be in it: for preflight, and for its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _mesh_facts as facts
from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _signing as signing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import mesh, mesh_existing, mesh_values
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, Finding
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import access

Places = Mapping[str, Mapping[str, Any]]  # name in the inventory → a context's entry
Seen = dict[str, dict[str, Any]]  # the same name → what it shows, or ``problem``


def joined_in(places: Places) -> list[str]:
    """Who shall be in the mesh."""
    return [wish.context for wish in mesh.members(wish_of(place) for place in places.values())]


def look(places: Places, names: Sequence[str], timeout: float, deadline: float) -> Seen:
    """What each of these clusters shows, as ``_mesh_facts.of_cluster``; ``problem`` where it cannot be asked."""
    if names:
        signing.require_cryptography()

    def ask(name: str) -> dict[str, Any]:
        return facts.of_cluster(Client(access(dict(places[name]), timeout)))

    answers, problems = ask_all(names, ask, deadline)
    return {**answers, **{name: {"problem": str(problem)} for name, problem in problems.items()}}


def found_in(places: Places, seen: Seen, certificates: str) -> list[Finding]:
    """All findings. ``certificates``: who signs them."""
    wishes = {name: wish_of(place) for name, place in places.items()}
    found = mesh.of_wishes(wishes.values()) + _silent(seen)
    return found + _judged(wishes, places, answered_of(seen), certificates)


def answered_of(seen: Seen) -> Seen:
    return {name: entry for name, entry in seen.items() if "problem" not in entry}


def wish_of(place: Mapping[str, Any]) -> mesh.Wish:
    """A context's entry as the rules take it: what the inventory does not say is the rules' own default."""
    given = {key: value for key, value in (place.get("mesh") or {"id": 0}).items() if value is not None}
    known = {field.name for field in fields(mesh.Wish)}
    return mesh.Wish(**{"context": place["name"], **{key: value for key, value in given.items() if key in known}})


def _judged(
    wishes: Mapping[str, mesh.Wish],
    places: Places,
    answered: Seen,
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


def _silent(seen: Seen) -> list[Finding]:
    return [
        Finding(
            "mesh.silent",
            name,
            FAIL,
            f"it cannot be asked: {entry['problem'].rstrip('.')}",
            "the others are told of its nodes",
            "Bring it back, or mark it with the playbook failover if it is dead",
        )
        for name, entry in seen.items()
        if "problem" in entry
    ]
