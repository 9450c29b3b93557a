"""A placement as a finding, as an outlook and as a sentence; the nearest safe request against a search of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, INFO, Finding
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.placement import (
    MAX_REPLICAS,
    outlook,
    sentence,
    smallest_changes,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.spread import (
    of_change,
    of_dropped,
    of_names,
    of_number,
    of_replicas,
    of_spread,
)
from told import Short, short

A, B, C = ABC = ["k8s-1", "k8s-2", "k8s-3"]
D = "k8s-4"
SAFE = [("placement.outlook", "placement", INFO)]
CHANGED = [("placement.changed", "placement", FAIL)]
FRAGILE = [("placement.fragile", "placement", FAIL)]
FEW = [("placement.domains", "placement", FAIL)]
NORTH = {A: "north", B: "north"}

CASES: dict[str, tuple[Callable[[], list[Finding]], Short]] = {
    "names: all known": (lambda: of_names(ABC, ABC), []),
    "names: none": (lambda: of_names([], ABC), []),
    "names: part of the planes": (lambda: of_names([A, B], ABC), []),
    "names: unknown": (lambda: of_names([A, B, "x"], ABC), [("placement.unknown", "x", FAIL)]),
    "names: doubled": (lambda: of_names([A, B, A], ABC), [("placement.doubled", A, FAIL)]),
    "names: doubled once, named thrice": (lambda: of_names([A, A, A], ABC), [("placement.doubled", A, FAIL)]),
    "names: two doubled": (
        lambda: of_names([A, B, C, A, B], ABC),
        [("placement.doubled", A, FAIL), ("placement.doubled", B, FAIL)],
    ),
    "names: marked": (lambda: of_names(ABC, ABC, [B]), [("placement.marked", B, FAIL)]),
    "names: another is marked": (lambda: of_names([A, B], ABC, [C]), []),
    "number: one": (lambda: of_number(1), []),
    "number: nine": (lambda: of_number(9), []),
    "number: none": (lambda: of_number(0), [("placement.replicas", "placement", FAIL)]),
    "number: ten": (lambda: of_number(10), [("placement.replicas", "placement", FAIL)]),
    "change: none yet": (lambda: of_change([], ABC), []),
    "change: the same": (lambda: of_change(ABC, ABC), []),
    "change: another order": (lambda: of_change(ABC, [B, A, C]), CHANGED),
    "change: one less": (lambda: of_change([*ABC, D], ABC), CHANGED),
    "replicas: no component": (lambda: of_replicas(None, 3), []),
    "replicas: the same": (lambda: of_replicas(3, 3), []),
    "replicas: more": (lambda: of_replicas(3, 5), CHANGED),
    "dropped: none": (lambda: of_dropped(ABC, ABC), []),
    "dropped: a new one is none": (lambda: of_dropped([A, B], ABC), []),
    "dropped: one": (lambda: of_dropped(ABC, [A, C]), [("inventory.context_dropped", B, FAIL)]),
    "spread: even": (lambda: of_spread(3, ABC, ABC, {}), SAFE),
    "spread: four over three": (lambda: of_spread(4, ABC, ABC, {}), FRAGILE),
    "spread: one over three": (lambda: of_spread(1, ABC, ABC, {}), FRAGILE),
    "spread: over two": (lambda: of_spread(3, [A, B], ABC, {}), FEW),
    "spread: two share a domain": (lambda: of_spread(3, ABC, ABC, NORTH), FEW),
    "spread: four contexts, three domains": (lambda: of_spread(5, [*ABC, D], [*ABC, D], NORTH), FRAGILE),
}
SENTENCES: dict[str, str] = {
    "names: unknown": "the placement names 'x', which is no data plane (they are: k8s-1, k8s-2, k8s-3)",
    "spread: even": "3 members over 3 failure domains: 1/1/1, any one may be lost, with 0 to spare after it",
    "spread: four over three": (
        "4 members over 3 failure domains: 2/1/1, the loss of k8s-1 stops writes (2 left, 3 needed); "
        "use 3 members, or 5 members."
    ),
    "spread: over two": "2/1, the loss of k8s-1 stops writes (1 left, 2 needed); use k8s-3 as well.",
    "spread: two share a domain": "2/1, the loss of north stops writes (1 left, 2 needed); three failure",
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_found(name: str) -> None:
    rule, expected = CASES[name]
    assert short(rule()) == expected


@pytest.mark.parametrize("name", SENTENCES)
def test_what_a_finding_says(name: str) -> None:
    (finding,) = CASES[name][0]()
    assert SENTENCES[name] in str(finding)


def partitions(count: int) -> list[tuple[int, ...]]:
    """Every way to put contexts into domains, up to the domains' names."""
    found: list[tuple[int, ...]] = [()]
    for _ in range(count):
        found = [(*homes, home) for homes in found for home in range(max(homes, default=-1) + 2)]
    return found


def quorums_left(replicas: int, homes: tuple[int, ...], lost: int) -> int:
    """By brute force: how many sets of surviving members are more than half of all."""
    alive = [number for number in range(replicas) if homes[number % len(homes)] != lost]
    sizes = (size for size in range(len(alive) + 1) if size > replicas - size)
    return sum(1 for size in sizes for _ in itertools.combinations(alive, size))


@pytest.mark.parametrize("contexts", range(1, 7))
def test_every_placement_against_counted_quorums(contexts: int) -> None:
    placement = [f"context-{number}" for number in range(contexts)]
    for homes in partitions(contexts):
        named = {context: f"domain-{home}" for context, home in zip(placement, homes, strict=True)}
        for replicas in range(1, MAX_REPLICAS + 1):
            found = outlook(replicas, placement, named)
            lost = {loss["domain"]: loss for loss in found["losses"]}
            for home in set(homes[:replicas]):
                loss = lost.pop(f"domain-{home}")
                assert loss["survives"] is (quorums_left(replicas, homes, home) > 0), (replicas, homes, home)
                assert loss["left"] == sum(homes[number % contexts] != home for number in range(replicas))
                assert loss["left"] + loss["lost"] == replicas
                assert loss["spare"] == loss["left"] - found["quorum"]
            assert lost == {}
            assert found["safe"] is all(loss["survives"] for loss in found["losses"])
            assert found["spare"] == min(loss["spare"] for loss in found["losses"])
            assert [member["context"] for member in found["members"]] == [
                placement[number % contexts] for number in range(replicas)
            ]


def test_the_nearest_safe_requests() -> None:
    known = [*ABC, D]
    for contexts, replicas in itertools.product(range(1, 5), range(1, 10)):
        placement = known[:contexts]
        found = smallest_changes(replicas, placement, known, {})
        reached = {
            (number, more): abs(number - replicas) + more
            for number in range(3, 10)
            for more in range(5 - contexts)
            if all(quorums_left(number, tuple(range(contexts + more)), lost) for lost in range(contexts + more))
        }
        nearest = min(reached.values())
        assert found, (replicas, contexts)
        for change in found:
            assert reached[change["replicas"], len(change["contexts"])] == nearest, (replicas, contexts, change)
            assert outlook(change["replicas"], placement + change["contexts"], {})["safe"]
        assert {change["replicas"] for change in found} == {
            number for (number, more), cost in reached.items() if cost == nearest
        }


def test_nothing_helps_with_two_domains() -> None:
    assert smallest_changes(3, ABC, ABC, NORTH) == []
    assert sentence(3, ABC, ABC, NORTH).endswith("; three failure domains are needed")
