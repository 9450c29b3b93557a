# Private to this collection.
"""What is seen from inside the clusters: the operator's way to the data planes, and round trips between these. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import (
    FAIL,
    INFO,
    WARN,
    Finding,
    of_access,
)

# Milliseconds, as the etcd addon sets them. etcd's tuning guide: a heartbeat of about one round trip, and an election
# time-out of at least ten.
HEARTBEAT, ELECTION = 100, 1000
_TRIPS_IN_ELECTION = 10


def of_vantages(
    places: Mapping[str, Mapping[str, Any]],
    vantages: Mapping[str, Mapping[str, Any]],
    ways: Mapping[str, Mapping[str, str]],
) -> list[Finding]:
    """All findings from inside. ``places``: name → ``context``; ``vantages``: name → ``reached``, ``round_trips``,
    ``denied`` or ``problem``; ``ways``: data plane's context → ``server`` as the operator is to use it."""
    found = []
    for name, seen in vantages.items():
        found += of_access(name, seen.get("denied", []))
        found += of_problem(name, seen.get("problem"))
        found += of_reach(seen.get("reached", {}), ways)
    trips = {
        (places[name]["context"], other): tries
        for name, seen in vantages.items()
        for other, tries in seen.get("round_trips", {}).items()
    }
    return found + of_round_trips(trips)


def of_reach(reached: Mapping[str, str], ways: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """``reached``: data plane's context → what went wrong on the way from a Pod of the control plane, empty if nothing;
    ``ways``: context → ``server`` that was asked."""
    return [
        Finding(
            "reach.control_plane",
            context,
            FAIL,
            f"a Pod of the control plane does not reach {ways[context]['server']}: {problem}",
            "the operator lives there, and after its cache-sync time-out no database anywhere is looked after",
            "Open the way, or set kubeblocks_server for this host to an address that Pods of the control plane reach",
        )
        for context, problem in reached.items()
        if problem
    ]


def of_problem(name: str, problem: Mapping[str, str] | None) -> list[Finding]:
    """``problem``: why a probe Pod said nothing: ``kind`` (image or silent), ``image``, ``message``; None if it did."""
    if problem is None:
        return []
    if problem["kind"] == "image":
        return [
            Finding(
                "image.cannot_pull",
                name,
                FAIL,
                f"the image {problem['image']} cannot be pulled here ({problem['message']})",
                "Pods of the operator and of databases need images of the same registries",
                "Set kubeblocks_image_registry to a registry that holds them, or name the probe's image: "
                "preflight_probe_image, preflight_round_trip_image",
            )
        ]
    return [
        Finding(
            "vantage.silent",
            name,
            WARN,
            f"a short-lived Pod could not be asked: {problem['message']}",
            "what Pods of this cluster reach is not known",
            "See why the Pod did not run, or switch it off with preflight_in_cluster: never",
        )
    ]


def of_round_trips(trips: Mapping[tuple[str, str], Sequence[float]]) -> list[Finding]:
    """``trips``: (from, to) → milliseconds of several tries, none where it was not reached. One finding for the slowest
    pair that answered, and one for all that did not."""
    found = []
    silent = sorted(f"{one} to {other}" for (one, other), tries in trips.items() if not tries)
    if silent:
        found.append(
            Finding(
                "round_trip.unknown",
                "data planes",
                INFO,
                f"from a Pod, the other cluster's API server is not reached: {', '.join(silent)}",
                "how far these clusters are apart is not known, and etcd's timing depends on it",
                "Nothing to do if only the API servers are closed to each other's Pods",
            )
        )
    answered = {pair: list(tries) for pair, tries in trips.items() if tries}
    return found + ([_slowest(answered)] if answered else [])


def _slowest(trips: Mapping[tuple[str, str], Sequence[float]]) -> Finding:
    usual = {pair: median(tries) for pair, tries in trips.items()}
    pair = max(usual, key=lambda pair: usual[pair])
    worst = max(max(tries) for tries in trips.values())
    context = "data planes"
    seen = f"the slowest round trip is {usual[pair]:.1f} ms, from {pair[0]} to {pair[1]} (longest seen: {worst:.1f} ms)"
    if usual[pair] <= HEARTBEAT:
        why = f"etcd's heartbeat of {HEARTBEAT} ms and election time-out of {ELECTION} ms suit up to {HEARTBEAT} ms"
        return Finding("round_trip.seen", context, INFO, seen, why, "Nothing to do")
    heartbeat = round(usual[pair] / 10 + 0.5) * 10
    election = max(_TRIPS_IN_ELECTION * heartbeat, ELECTION)
    cure = (
        f"Choose data planes that are nearer to each other, or give etcd a heartbeat of {heartbeat} ms and an election "
        f"time-out of {election} ms"
    )
    # A follower that waits for a whole election time-out without an answer calls for an election.
    lost = 2 * usual[pair] >= ELECTION
    why = (
        f"with an election time-out of {ELECTION} ms no leader lasts"
        if lost
        else f"etcd's heartbeat is {HEARTBEAT} ms: leaders change without need, and every write waits"
    )
    return Finding("round_trip.slow", context, FAIL if lost else WARN, seen, why, cure)


def needed(mode: str, wanted: str, held: str) -> bool:
    """Whether to ask from inside. ``mode``: always, when_changed or never; ``wanted`` and ``held``: the kubeconfig that
    the operator is to have, and has in its Secret (empty: there is none)."""
    return mode == "always" or (mode == "when_changed" and wanted != held)
