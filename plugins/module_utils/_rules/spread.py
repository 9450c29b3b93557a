# Private to this collection.
"""Findings about a placement: names that cannot be, and a spread that does not survive. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, INFO, Finding
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.placement import (
    MAX_REPLICAS,
    sentence,
    survives_any_domain,
)


def of_names(placement: Sequence[str], known: Sequence[str], marked: Sequence[str] = ()) -> list[Finding]:
    """``placement``: contexts in member order; ``known``: the data planes' contexts; ``marked``: those of them that are
    marked as unavailable, where the members are still to be made."""
    found = [
        Finding(
            "placement.unknown",
            context,
            FAIL,
            f"the placement names {context!r}, which is no data plane (they are: {', '.join(known)})",
            "KubeBlocks drops unknown names silently, and the member would never exist",
            "Correct etcd_placement, or add the context to the group data_plane",
        )
        for context in placement
        if context not in known
    ]
    found += [
        Finding(
            "placement.doubled",
            context,
            FAIL,
            f"the placement names {context!r} more than once",
            "members would share a cluster that the placement pretends to be two",
            "Name every context once in etcd_placement",
        )
        for context in sorted({context for context in placement if placement.count(context) > 1})
    ]
    found += [
        Finding(
            "placement.marked",
            context,
            FAIL,
            f"the placement names {context!r}, which is marked as unavailable",
            "KubeBlocks takes every write to it for done, and the member would never exist",
            "Unmark the context first, or leave it out of etcd_placement",
        )
        for context in placement
        if context in marked
    ]
    return found


def of_change(existing: Sequence[str], asked: Sequence[str]) -> list[Finding]:
    """A placement that is not the one that the Cluster has, both in member order."""
    if not existing or list(existing) == list(asked):
        return []
    return [
        Finding(
            "placement.changed",
            "placement",
            FAIL,
            f"the members are placed on {','.join(existing)}, and {','.join(asked)} is asked for",
            "a changed placement would start second members beside the living ones",
            "Set etcd_placement to what it is",
        )
    ]


def of_replicas(existing: int | None, asked: int) -> list[Finding]:
    """A number of members that is not the one that the Cluster has; None where it has none."""
    if existing is None or existing == asked:
        return []
    return [
        Finding(
            "placement.changed",
            "placement",
            FAIL,
            f"the Cluster has {existing} members, and {asked} are asked for",
            "raising or lowering the number alone does not make members of one etcd across clusters",
            "Set etcd_replicas to what it is",
        )
    ]


def of_dropped(operators: Sequence[str], known: Sequence[str]) -> list[Finding]:
    """``operators``: contexts that the running operator was told of; ``known``: the data planes' contexts."""
    return [
        Finding(
            "inventory.context_dropped",
            context,
            FAIL,
            "the operator works on this context, and it is not in the inventory any more",
            "site would take it away from the operator, and a database with a member there is looked after no longer",
            "Put it back into the group data_plane; accept this finding only if no database has a member there",
        )
        for context in operators
        if context not in known
    ]


def of_number(replicas: int) -> list[Finding]:
    """A number of members that etcd or this arithmetic does not know."""
    if 1 <= replicas <= MAX_REPLICAS:
        return []
    return [
        Finding(
            "placement.replicas",
            "placement",
            FAIL,
            f"{replicas} members are asked for",
            f"an etcd has from 1 to {MAX_REPLICAS} voters",
            "Set etcd_replicas to 3 or 5",
        )
    ]


def of_spread(
    replicas: int, placement: Sequence[str], known: Sequence[str], domains: Mapping[str, str]
) -> list[Finding]:
    """What the loss of a failure domain does. ``placement`` holds names that can be, at least one."""
    text = sentence(replicas, placement, known, domains)
    if survives_any_domain(replicas, placement, domains):
        return [
            Finding(
                "placement.outlook",
                "placement",
                INFO,
                text,
                "with 0 to spare, one more Pod that restarts after a loss stops all writes",
                "Nothing to do",
            )
        ]
    few = len({domains.get(context, context) for context in placement}) < 3
    why = (
        "no number of members over fewer than three failure domains survives the loss of any one"
        if few
        else "the loss of the largest failure domain stops all writes"
    )
    return [
        Finding(
            "placement.domains" if few else "placement.fragile",
            "placement",
            FAIL,
            text,
            why,
            "Change etcd_placement, etcd_replicas or the data planes, or accept this finding by its id",
        )
    ]
