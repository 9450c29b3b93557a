"""What became of numbered writes: fates, gaps, what is missing, and the sentence; against a model of its own."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.history import (
    ACKNOWLEDGED,
    REFUSED,
    UNKNOWN,
    Attempt,
    Found,
    Gaps,
    by_endpoint,
    fates_of,
    gaps_of,
    judge,
    value_of,
)

A, R, U = ACKNOWLEDGED, REFUSED, UNKNOWN
WHY = {A: "", R: "no", U: "silence"}


def tries(*each: tuple[int, float, float, str]) -> list[Attempt]:
    """Attempts from number, began, ended and outcome, each through an endpoint of its own name."""
    return [
        Attempt(number, f"e{place % 3}", began, ended, outcome, WHY[outcome])
        for place, (number, began, ended, outcome) in enumerate(each)
    ]


def steady(count: int, first: int = 0) -> list[tuple[int, float, float, str]]:
    """So many numbers, one each second, acknowledged after half of it."""
    return [(number, number, number + 0.5, A) for number in range(first, first + count)]


# Fates

# Name → outcomes of the attempts of one number, what became of it.
FATES: dict[str, tuple[str, str]] = {
    "acknowledged": ("A", A),
    "refused": ("R", R),
    "nobody answered": ("U", UNKNOWN),
    "refused, then acknowledged": ("RA", A),
    "nobody answered, then acknowledged": ("UA", A),
    "nobody answered, then refused": ("UR", U),
    "refused, then nobody answered": ("RU", U),
    "refused by all": ("RRR", R),
    "nobody answered in between": ("RUR", U),
}
OUTCOMES = {"A": A, "R": R, "U": U}


@pytest.mark.parametrize("name", FATES)
def test_fates(name: str) -> None:
    letters, expected = FATES[name]
    attempts = tries(*((7, place, place + 1, OUTCOMES[letter]) for place, letter in enumerate(letters)))
    assert fates_of(attempts) == {7: expected}
    history = judge(attempts, 10, {})
    assert history.counts == {A: 0, R: 0, U: 0} | {expected: 1}
    assert (history.attempts, history.retried) == (len(letters), int(len(letters) > 1))


# Gaps

# Name → attempts, when the run ended, the gaps.
GAPS: dict[str, tuple[list[Attempt], float, Gaps]] = {
    "nothing tried": ([], 5, Gaps()),
    "one write": (tries((0, 0, 0.5, A)), 9, Gaps(0.5, 0, False)),
    "two writes": (tries(*steady(2)), 9, Gaps(1, 0.5, False, 1, 1, 1)),
    "nothing acknowledged": (tries((0, 0, 2, U), (1, 3, 4, R)), 6, Gaps(6, 0, True)),
    "one write, and none came back": (tries((0, 0, 1, A), (1, 2, 4, U)), 9, Gaps(8, 1, True)),
    "one write, late": (tries((0, 0, 2, U), (0, 2, 5, A)), 9, Gaps(5, 0, False)),
    "at the begin": (tries((0, 10, 12, U), (1, 13, 14, A), (2, 14, 15, A)), 15, Gaps(4, 0, False, 1, 1, 1)),
    "in the middle": (
        tries(*steady(3), (3, 3, 5, U), (3, 5, 7, A), (4, 7, 8, A)),
        8,
        Gaps(4.5, 2.5, False, 1, 4.5, 4.5),
    ),
    "at the end": (tries(*steady(3), (3, 3, 5, U), (4, 6, 8, R)), 11, Gaps(8.5, 2.5, True, 1, 1, 1)),
    "at the end, but a longer one before": (
        tries((0, 0, 1, A), (1, 1, 9, A), (2, 9, 10, R)),
        11,
        Gaps(8, 1, False, 8, 8, 8),
    ),
    "as long at the end as before": (tries((0, 0, 1, A), (1, 1, 3, A), (2, 3, 4, R)), 5, Gaps(2, 1, False, 2, 2, 2)),
    "the end before the last attempt's": (tries((0, 0, 1, A), (1, 1, 4, R)), 2, Gaps(3, 1, True)),
    "a rest at the end is none": (tries(*steady(2)), 60, Gaps(1, 0.5, False, 1, 1, 1)),
    "the first of two equal ones": (tries((0, 0, 1, A), (1, 1, 4, A), (2, 4, 7, A)), 7, Gaps(3, 1, False, 3, 3, 3)),
    "counted from the first attempt": (tries((0, 100, 101, A), (1, 104, 105, A)), 106, Gaps(4, 1, False, 4, 4, 4)),
    "percentiles": (
        tries(*((number, 0, (number + 1) * number / 2, A) for number in range(21))),
        210,
        Gaps(20, 190, False, 10, 19, 20),
    ),
}


@pytest.mark.parametrize("name", GAPS)
def test_gaps(name: str) -> None:
    attempts, ended, expected = GAPS[name]
    assert gaps_of(attempts, ended) == expected
    assert judge(attempts, ended, None).gaps == expected


# What is there

THREE = tries(*steady(3))
FAILED = tries((0, 0, 1, A), (1, 1, 2, R), (2, 2, 3, U), (3, 3, 4, U), (3, 4, 5, A))


def there(*numbers: int, **others: Found) -> dict[int, Found]:
    """These as they were written; ``n1`` is what is found of number 1."""
    found = {number: Found(value_of(number)) for number in numbers}
    return found | {int(name.removeprefix("n")): entry for name, entry in others.items()}


# Name → attempts, what is there; lost, altered, doubled, appeared.
THERE: dict[str, tuple[list[Attempt], dict[int, Found], tuple[list[int], ...]]] = {
    "all": (THREE, there(0, 1, 2), ([], [], [], [])),
    "none of them": (THREE, {}, ([0, 1, 2], [], [], [])),
    "one is missing": (THREE, there(0, 2), ([1], [], [], [])),
    "one has another value": (THREE, there(0, 2, n1=Found("x", 1)), ([], [1], [], [])),
    "one has another's value": (THREE, there(0, 2, n1=Found("2", 1)), ([], [1], [], [])),
    "one was written twice": (THREE, there(0, 2, n1=Found("1", 2)), ([], [], [1], [])),
    "two were written twice": (THREE, there(1, n0=Found("0", 2), n2=Found("2", 3)), ([], [], [0, 2], [])),
    "one was written over": (THREE, there(0, 2, n1=Found("x", 2)), ([], [1], [1], [])),
    "strangers": (THREE, there(0, 1, 2, 3), ([], [], [], [])),
    "of those that failed, none": (FAILED, there(0, 3), ([], [], [], [])),
    "an unknown one is there": (FAILED, there(0, 2, 3), ([], [], [], [])),
    "a refused one is there": (FAILED, there(0, 1, 3), ([], [], [], [1])),
    "an unknown one has another value": (FAILED, there(0, 3, n2=Found("x")), ([], [2], [], [])),
    "a retried one is missing": (FAILED, there(0), ([3], [], [], [])),
    "a retried one was written twice": (FAILED, there(0, n3=Found("3", 2)), ([], [], [3], [])),
}


@pytest.mark.parametrize("name", THERE)
def test_what_is_there(name: str) -> None:
    attempts, found, expected = THERE[name]
    history = judge(attempts, 9, dict(reversed(found.items())))
    assert (history.lost, history.altered, history.doubled, history.appeared) == expected
    assert history.sound is (not expected[0] and not expected[1])
    counts = dict(zip(("lost", "altered", "doubled", "appeared"), map(len, expected), strict=True))
    assert {key: history.figures[key] for key in counts} == counts


def test_what_nobody_could_read_back_is_neither_lost_nor_sound() -> None:
    history = judge(THREE, 3, None)
    assert not history.sound
    assert [history.figures[key] for key in ("lost", "altered", "doubled", "appeared")] == [None] * 4
    assert history.lost == ()


def test_figures_are_in_milliseconds_at_most() -> None:
    figures = judge(tries((0, 0, 0.12345, A), (1, 1, 1.98765, A)), 2, {}).figures
    assert (figures["longest_gap"], figures["longest_gap_began"]) == (1.864, 0.123)
    assert (figures["gap_p50"], figures["gap_p95"], figures["gap_max"]) == (1.864, 1.864, 1.864)
    assert judge(tries((0, 0, 1, A)), 2, {}).figures["gap_p50"] is None


# Words

LONG = tries(*steady(3), (3, 3, 4.6, U), (3, 4.6, 4.7, A))
# What is said → attempts, when the run ended, what is there.
SENTENCES: dict[str, tuple[list[Attempt], float, dict[int, Found] | None]] = {
    "3 writes acknowledged, none lost, longest gap 1.0 s": (THREE, 3, there(0, 1, 2)),
    "1 write acknowledged, none lost, longest gap 0.5 s": (THREE[:1], 3, there(0)),
    "4 writes acknowledged, none lost, 1 doubled, longest gap 2.2 s": (LONG, 5, there(0, 1, 2, n3=Found("3", 2))),
    "3 writes acknowledged, 2 lost, 1 altered, longest gap 1.0 s": (THREE, 3, there(n1=Found("x"))),
    "3 writes acknowledged, not read back, longest gap 1.0 s": (THREE, 3, None),
    "2 writes acknowledged, 1 refused, 1 unknown, none lost, 1 refused but there, longest gap 4.0 s": (
        FAILED,
        9,
        there(0, 1, 3),
    ),
    "1 write acknowledged, 1 unknown, none lost, longest gap 8.0 s until the end": (
        tries((0, 0, 1, A), (1, 2, 4, U)),
        9,
        there(0),
    ),
    "no write acknowledged, 2 refused, longest gap 60.0 s until the end": (
        tries((0, 0, 1, R), (1, 59, 60, R)),
        60,
        {},
    ),
    "nothing was written": ([], 3, {}),
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_sentence(sentence: str) -> None:
    attempts, ended, found = SENTENCES[sentence]
    assert judge(attempts, ended, found).sentence == sentence


def test_each_endpoint_has_its_own_account() -> None:
    attempts = tries((0, 0, 1, A), (1, 1, 2, R), (2, 2, 3, U), (2, 3, 4, A), (3, 4, 5, A))
    assert by_endpoint(attempts, ["e0", "e1", "e2", "e3"]) == {
        "e0": {A: 2, R: 0, U: 0, "why": ""},
        "e1": {A: 1, R: 1, U: 0, "why": "no"},
        "e2": {A: 0, R: 0, U: 1, "why": "silence"},
        "e3": {A: 0, R: 0, U: 0, "why": ""},
    }


def test_the_last_reason_of_an_endpoint_is_told() -> None:
    attempts = [Attempt(0, "e", 0, 1, R, "first"), Attempt(1, "e", 1, 2, U, "last"), Attempt(2, "e", 2, 3, A)]
    assert by_endpoint(attempts, ["e"])["e"]["why"] == "last"


# A model: every instant and every number is asked on its own


def random_history(chance: random.Random) -> tuple[list[Attempt], float, dict[int, Found]]:
    now, number, attempts = float(chance.randrange(5)), 0, []
    for _ in range(chance.randrange(1, 9)):
        began = now + chance.randrange(3)
        now = began + chance.randrange(1, 4)
        outcome = chance.choice([A, A, R, U])
        attempts.append(Attempt(number, chance.choice("xyz"), began, now, outcome))
        if outcome == A or chance.random() < 0.5:
            number += 1
    values = [chance.choice([str(each), str(each), "x"]) for each in range(number + 2)]
    found = {each: Found(values[each], chance.randrange(1, 4)) for each in range(number + 2) if chance.random() < 0.7}
    return attempts, now + chance.randrange(4), found


def model_of_gaps(attempts: Sequence[Attempt], ended: float) -> Gaps:
    taken = {attempt.ended for attempt in attempts if attempt.outcome == A}
    vain = attempts[-1].outcome != A
    finish = ended if vain else max(taken)
    instants = sorted({attempts[0].began, finish, *taken})
    free = [
        (early, late)
        for early in instants
        for late in instants
        if early < late and not any(early < when < late for when in taken)
    ]
    longest = max(late - early for early, late in free)
    early, late = next(pair for pair in free if pair[1] - pair[0] == longest)
    inner = [late - early for early, late in free if {early, late} <= taken]

    def percentile(percent: int) -> float | None:
        reaching = [one for one in inner if sum(1 for other in inner if other <= one) * 100 >= percent * len(inner)]
        return min(reaching, default=None)

    in_order = (percentile(50), percentile(95), percentile(100))
    return Gaps(longest, early - attempts[0].began, vain and late == finish, *in_order)


def model_of_one(number: int, attempts: Sequence[Attempt], found: dict[int, Found]) -> tuple[str, set[str]]:
    """What became of a number that was tried, and what is wrong with it."""
    outcomes = {attempt.outcome for attempt in attempts if attempt.number == number}
    fate = R if outcomes == {R} else U if A not in outcomes else A
    entry = found.get(number)
    if entry is None:
        return fate, {"lost"} if fate == A else set()
    wrong = {"altered": entry.value != f"{number}", "doubled": entry.version >= 2, "appeared": fate == R}
    return fate, {name for name, is_so in wrong.items() if is_so}


def test_small_histories_against_a_model() -> None:
    chance = random.Random(11)  # noqa: S311 - the same cases each time
    seen: set[Any] = set()
    for _ in range(4000):
        attempts, ended, found = random_history(chance)
        history = judge(attempts, ended, found)
        assert history.gaps == model_of_gaps(attempts, ended), attempts
        numbers = sorted({attempt.number for attempt in attempts})
        model = {number: model_of_one(number, attempts, found) for number in numbers}
        assert history.counts == {fate: sum(1 for one, _ in model.values() if one == fate) for fate in (A, R, U)}
        for kind in ("lost", "altered", "doubled", "appeared"):
            assert getattr(history, kind) == [number for number in numbers if kind in model[number][1]], attempts
        accounts = by_endpoint(attempts, "xyz")
        assert sum(account[fate] for account in accounts.values() for fate in (A, R, U)) == len(attempts)
        seen |= {(fate, tuple(sorted(wrong))) for fate, wrong in model.values()} | {history.gaps.to_the_end}
    assert {(A, ("lost",)), (A, ()), (U, ("altered",)), (U, ()), (R, ("appeared",)), (R, ()), True, False} <= seen


def test_names_of_endpoints_mean_nothing() -> None:
    chance = random.Random(5)  # noqa: S311 - the same cases each time
    for _ in range(200):
        attempts, ended, found = random_history(chance)
        others = [Attempt(one.number, f"other-{one.endpoint}", *times_of(one), one.outcome) for one in attempts]
        assert judge(attempts, ended, found) == judge(others, ended, found)


def times_of(attempt: Attempt) -> tuple[float, float]:
    return attempt.began, attempt.ended
