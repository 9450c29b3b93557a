# Private to this collection.
"""What a member's Pod said of the rest of the world, read from the lines that ``_asking`` makes it print. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database

_ACTIVE = re.compile(r'^etcd_network_active_peers\{.*Remote="([0-9a-f]+)".*\} ([0-9]+)$')


def view_of(text: str) -> dict[str, Any]:
    """``api``: context → bool; ``peers`` and ``active`` (etcd's own opinion): member → bool; ``reads``: whether a
    linearizable read went through this member; ``voters`` and ``learners``: names of the member list; ``listed``: name
    → ``id`` and ``peer_url``."""
    found: dict[str, Any] = {"api": {}, "peers": {}, "active": {}, "reads": False, "voters": [], "learners": []}
    found["listed"] = {}
    names: dict[str, str] = {}
    active: dict[str, bool] = {}
    for line in text.splitlines():
        words, gauge = line.split(), _ACTIVE.match(line)
        if gauge:
            active[gauge[1]] = int(gauge[2]) > 0
        elif words[:1] == ["api"] and len(words) == 3:
            found["api"][words[1]] = words[2] == "yes"
        elif words[:1] == ["peer"] and len(words) == 3:
            found["peers"][words[1]] = words[2] == "yes"
        elif words[:1] == ["read"]:
            found["reads"] = words[1:] == ["yes"]
        elif words[:1] == ["member"] and len(words) == 5:
            names[words[1]] = words[2]
            found["listed"][words[2]] = {"id": words[1], "peer_url": words[4]}
            found["learners" if words[3] == "true" else "voters"].append(words[2])
    found["active"] = {names[member]: seen for member, seen in active.items() if member in names}
    return found


def seen_from_member(view: Mapping[str, Any], database: Database) -> dict[str, dict[str, bool | None]]:
    """Context → ``api`` and ``data``, as this member's Pod saw them. A context's members are seen if one of them is.

    Who sees no other member and reads through no quorum is cut off from the members: of them it has no opinion.
    """
    alone = not view["reads"] and not any(view["peers"].values())
    found: dict[str, dict[str, bool | None]] = {
        context: {"api": answers, "data": None} for context, answers in view["api"].items()
    }
    placed = {member: answers for member, answers in view["peers"].items() if member in database.pods}
    for member, answers in placed.items():
        context = database.place_of(member)
        entry = found.setdefault(context, {"api": None, "data": None})
        # Not what etcd says of its connections: 3.6.5 still calls one active 20 s after the other side is cut off.
        entry["data"] = None if alone else bool(entry["data"]) or answers
    return found


def members_of(views: Mapping[str, Mapping[str, Any]], database: Database) -> list[dict[str, Any]]:
    """The members for the proof, with ``id`` and ``peer_url``. ``views``: member → its view; who was not asked is not
    healthy."""
    lists = [view for view in views.values() if view["voters"]]
    # The list that a member gives who reads through the quorum is the newest.
    best = next((view for view in lists if view["reads"]), lists[0] if lists else None)
    if best is None:
        return []
    return [
        {
            "name": name,
            "domain": database.place_of(name) if name in database.pods else "",
            "voter": name in best["voters"],
            "healthy": bool(views.get(name, {}).get("reads")),
            **best["listed"][name],
        }
        for name in [*best["voters"], *best["learners"]]
    ]
