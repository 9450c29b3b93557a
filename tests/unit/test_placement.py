"""Placement arithmetic against a model of its own: lose each domain, count who is left."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.placement import (
    member_contexts,
    quorum,
    spare_after_worst_loss,
    survives_any_domain,
    tolerated,
    voters_by_domain,
)

# Rules D1, literally: (members, contexts) → members in each context, spare after the loss of the largest; None: lost.
TABLE: dict[tuple[int, int], tuple[tuple[int, ...], int | None]] = {
    (3, 2): ((2, 1), None),
    (3, 3): ((1, 1, 1), 0),
    (4, 2): ((2, 2), None),
    (4, 3): ((2, 1, 1), None),
    (4, 4): ((1, 1, 1, 1), 0),
    (5, 2): ((3, 2), None),
    (5, 3): ((2, 2, 1), 0),
    (5, 4): ((2, 1, 1, 1), 0),
    (5, 5): ((1, 1, 1, 1, 1), 1),
    (6, 2): ((3, 3), None),
    (6, 3): ((2, 2, 2), 0),
    (6, 4): ((2, 2, 1, 1), 0),
    (6, 5): ((2, 1, 1, 1, 1), 0),
    (7, 2): ((4, 3), None),
    (7, 3): ((3, 2, 2), 0),
    (7, 4): ((2, 2, 2, 1), 1),
    (7, 5): ((2, 2, 1, 1, 1), 1),
    (9, 2): ((5, 4), None),
    (9, 3): ((3, 3, 3), 1),
    (9, 4): ((3, 2, 2, 2), 1),
    (9, 5): ((2, 2, 2, 2, 1), 2),
}
# Members → how many must answer, how many may be lost.
QUORUMS = {1: (1, 0), 2: (2, 0), 3: (2, 1), 4: (3, 1), 5: (3, 2), 6: (4, 2), 7: (4, 3), 8: (5, 3), 9: (5, 4)}
# Placement, declared domains → domain of each of five members. An undeclared context is a domain of its own.
DECLARED: dict[str, tuple[list[str], dict[str, str], dict[str, int]]] = {
    "nothing declared": (["a", "b", "c"], {}, {"a": 2, "b": 2, "c": 1}),
    "one declared alone": (["a", "b", "c"], {"a": "north"}, {"north": 2, "b": 2, "c": 1}),
    "two share one": (["a", "b", "c"], {"a": "north", "b": "north"}, {"north": 4, "c": 1}),
    "others do not count": (["a", "b", "c"], {"z": "north"}, {"a": 2, "b": 2, "c": 1}),
    "all in one": (["a", "b"], {"a": "north", "b": "north"}, {"north": 5}),
    "more contexts than members": (list("abcdefg"), {"g": "a"}, {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}),
}


def names(count: int) -> list[str]:
    return [f"context-{number}" for number in range(count)]


def majority(voters: int) -> int:
    """The model's own: the first number that is more than the others together."""
    return next(some for some in itertools.count() if some > voters - some)


def survivors(replicas: int, homes: list[int]) -> list[int]:
    """The model: deal the members out one by one; for each domain that may be lost, who is left."""
    dealt = list(itertools.islice(itertools.cycle(homes), replicas))
    return [sum(1 for home in dealt if home != lost) for lost in set(homes)]


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case[0]} over {case[1]}")
def test_table_of_the_rules(case: tuple[int, int]) -> None:
    replicas, contexts = case
    spread, spare = TABLE[case]
    placement = names(contexts)
    assert tuple(voters_by_domain(replicas, placement, {})[name] for name in placement) == spread
    assert survives_any_domain(replicas, placement, {}) is (spare is not None)
    if spare is None:
        assert spare_after_worst_loss(replicas, placement, {}) < 0
    else:
        assert spare_after_worst_loss(replicas, placement, {}) == spare


@pytest.mark.parametrize("voters", QUORUMS)
def test_quorum_and_tolerance(voters: int) -> None:
    assert (quorum(voters), tolerated(voters)) == QUORUMS[voters]
    assert quorum(voters) == majority(voters)


@pytest.mark.parametrize("name", DECLARED)
def test_declared_domains(name: str) -> None:
    placement, domains, expected = DECLARED[name]
    assert voters_by_domain(5, placement, domains) == expected


def test_members_go_round_the_placement_in_its_order() -> None:
    assert member_contexts(5, ["b", "a", "c"]) == ["b", "a", "c", "b", "a"]
    assert member_contexts(1, ["b", "a", "c"]) == ["b"]
    assert member_contexts(0, ["b", "a", "c"]) == []


def test_no_members_have_no_quorum() -> None:
    assert not survives_any_domain(0, ["a"], {})
    assert spare_after_worst_loss(0, ["a"], {}) == -1


@pytest.mark.parametrize("contexts", range(1, 6))
def test_every_assignment_of_contexts_to_domains(contexts: int) -> None:
    placement = names(contexts)
    for homes in itertools.product(range(contexts), repeat=contexts):
        domains = {name: f"domain-{home}" for name, home in zip(placement, homes, strict=True)}
        for replicas in range(1, 10):
            left = min(survivors(replicas, list(homes)))
            found = survives_any_domain(replicas, placement, domains)
            assert found is (left > replicas - left), (replicas, homes)
            spare = spare_after_worst_loss(replicas, placement, domains)
            assert spare == left - majority(replicas), (replicas, homes)
            assert (spare >= 0) is found, (replicas, homes)


def test_fewer_than_three_domains_never_survive() -> None:
    for contexts in range(1, 6):
        placement = names(contexts)
        for homes in itertools.product(range(2), repeat=contexts):
            domains = {name: f"domain-{home}" for name, home in zip(placement, homes, strict=True)}
            for replicas in range(1, 10):
                assert not survives_any_domain(replicas, placement, domains), (replicas, homes)


def test_an_even_number_buys_no_tolerance() -> None:
    for half in range(1, 5):
        assert tolerated(2 * half) == tolerated(2 * half - 1)


def test_names_mean_nothing() -> None:
    dice = random.Random(20)  # noqa: S311 - a seed, no secret
    for _ in range(300):
        replicas, placement = dice.randint(1, 9), names(dice.randint(1, 5))
        declared = [name for name in placement if dice.random() < 0.7]
        domains = {name: f"domain-{dice.randint(0, 4)}" for name in declared}
        old = [*placement, *sorted(set(domains.values()))]
        new = dict(zip(old, dice.sample([f"other-{number}" for number in range(50)], len(old)), strict=True))
        renamed = [new[name] for name in placement]
        renamed_domains = {new[name]: new[domain] for name, domain in domains.items()}
        before, after = (
            (survives_any_domain(replicas, *given), spare_after_worst_loss(replicas, *given))
            for given in ((placement, domains), (renamed, renamed_domains))
        )
        assert before == after, (replicas, placement, domains)
        counts = voters_by_domain(replicas, placement, domains)
        assert Counter({new[name]: count for name, count in counts.items()}) == voters_by_domain(
            replicas, renamed, renamed_domains
        )
