"""Verdicts and proofs: tables, and every small case against models of their own."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.quorum import (
    LOST,
    NO_SPARE,
    SAFE,
    prove,
    quorum,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.verdict import (
    ALIVE,
    API_DOWN,
    DATA_DOWN,
    DEAD,
    HOST,
    OBSERVER_ISOLATED,
    UNKNOWN,
    is_isolated,
    verdict_of,
)

A, B, C = PLANES = ("k8s-1", "k8s-2", "k8s-3")
ALL = ("control", *PLANES)
Y, N, U = True, False, None
# What a vantage saw: API, data.


def sample(at: float = 0.0, others: bool | None = Y, blind: str = "", **views: Any) -> dict[str, Any]:
    """What each vantage saw of k8s-2; all see the other clusters, but the host if ``others`` says otherwise, and who is
    ``blind``."""
    found = {vantage.replace("_", "-"): {B: {"api": api, "data": data}} for vantage, (api, data) in views.items()}
    found.setdefault(HOST, {})
    for vantage, context in itertools.product(found, ("control", A, C)):
        seen = others if vantage == HOST else vantage != blind
        if vantage != context:
            found[vantage][context] = {"api": seen, "data": U}
    return {"at": at, "views": found}


def lasting(count: int = 5, step: float = 15.0, **views: Any) -> list[dict[str, Any]]:
    return [sample(number * step, **views) for number in range(count)]


SILENT: dict[str, Any] = {"host": (N, U), "control": (N, U), "k8s_1": (N, N), "k8s_3": (N, N)}
WELL: dict[str, Any] = {"host": (Y, U), "control": (Y, U), "k8s_1": (Y, Y), "k8s_3": (Y, Y)}
SEEN: dict[str, Any] = {"host": (N, U), "control": (N, U), "k8s_1": (N, Y), "k8s_3": (N, Y)}
ALONE: dict[str, Any] = {"host": (Y, U), "control": (Y, U), "k8s_1": (Y, N), "k8s_3": (Y, N)}
# Name → samples, the verdict on k8s-2.
CASES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "nobody looked": ([], UNKNOWN),
    "well": (lasting(**WELL), ALIVE),
    "well, and one look is enough": (lasting(1, **WELL), ALIVE),
    "dead": (lasting(**SILENT), DEAD),
    "dead, a sample too few": (lasting(4, 20.0, **SILENT), UNKNOWN),
    "dead, a second too short": (lasting(5, 14.75, **SILENT), UNKNOWN),
    "dead, one contrary witness": (lasting(**SILENT | {"k8s_3": (N, Y)}), API_DOWN),
    "dead, seen a moment ago": ([*lasting(5, **SILENT), sample(75, **SEEN)], UNKNOWN),
    "dead since a moment": ([*lasting(5, **WELL), sample(75, **SILENT)], UNKNOWN),
    "the API alone": (lasting(**SEEN), API_DOWN),
    "the API alone, for a moment": (lasting(2, **SEEN), UNKNOWN),
    "the API alone since a moment": ([*lasting(5, **WELL), sample(75, **SEEN)], UNKNOWN),
    "who is cut off is no witness": (lasting(blind=B, **WELL | {"k8s_2": (Y, Y), "k8s_3": (Y, Y)}), ALIVE),
    "a blind witness does not count": (lasting(blind=A, **WELL | {"k8s_1": (N, N)}), ALIVE),
    "its members alone": (lasting(**ALONE), DATA_DOWN),
    "the members see only themselves": (lasting(**ALONE | {"k8s_2": (Y, Y)}), DATA_DOWN),
    "the vantages disagree about the API": (lasting(**WELL | {"control": (N, U)}), UNKNOWN),
    "the vantages disagree about the members": (lasting(**WELL | {"k8s_1": (Y, N)}), UNKNOWN),
    "silent for this host alone": (lasting(host=(N, U), k8s_1=(U, N), k8s_3=(U, N)), UNKNOWN),
    "silent for two, but never for the same two": (
        [
            sample(15.0 * n, host=(N, U), k8s_3=(U, N), **dict[str, Any]({("k8s_1", "control")[n % 2]: (N, N)}))
            for n in range(5)
        ],
        UNKNOWN,
    ),
    "dead, two looked at its API": (lasting(host=(N, U), control=(N, U), k8s_1=(U, N)), DEAD),
    "nobody looked at the members": (lasting(host=(N, U), control=(N, U)), UNKNOWN),
    "back after a while": ([*lasting(5, **SILENT), *lasting(5, **WELL)[1:]], UNKNOWN),
    "back for long enough": ([*lasting(2, **SILENT), *(sample(30 + at["at"], **WELL) for at in lasting(5))], ALIVE),
    "this host is cut off": ([sample(15.0 * n, others=N, **SILENT) for n in range(5)], OBSERVER_ISOLATED),
    "this host is cut off, and sees it": ([sample(15.0 * n, others=N, **WELL) for n in range(5)], ALIVE),
}


def judged(samples: list[dict[str, Any]], **changed: Any) -> str:
    return verdict_of(B, samples, ALL, **({"has_members": True} | changed)).verdict


@pytest.mark.parametrize("name", CASES)
def test_verdicts(name: str) -> None:
    samples, expected = CASES[name]
    assert judged(samples) == expected


def test_a_context_without_members_is_judged_by_its_api_and_never_dead() -> None:
    assert judged(lasting(host=(Y, U), control=(Y, U)), has_members=False) == ALIVE
    assert judged(lasting(**SILENT), has_members=False) == API_DOWN
    assert judged(lasting(host=(N, U), control=(U, U)), has_members=False) == UNKNOWN
    assert judged(lasting(others=N, host=(N, U)), has_members=False) == OBSERVER_ISOLATED
    assert judged(lasting(host=(N, U), control=(Y, U)), has_members=False) == UNKNOWN


# Clusters in all, how many of them this host reaches, whether it may judge.
@pytest.mark.parametrize("case", [(3, 2, False), (3, 1, True), (4, 3, False), (4, 2, True)])
def test_who_is_cut_off_himself(case: tuple[int, int, bool]) -> None:
    number, reached, isolated = case
    names = ALL[:number]
    view = {name: {"api": place < reached, "data": None} for place, name in enumerate(names)}
    assert is_isolated({"at": 0, "views": {HOST: view}}, names) is isolated


def test_a_vantage_without_a_way_to_any_api_still_sees_members() -> None:
    """Pods that cannot reach addresses of API servers: their silence says nothing, what they see of members does."""
    view = {context: {"api": N, "data": Y} for context in (B, C)}
    samples = [{"at": 15.0 * n, "views": {**sample(**WELL)["views"], A: view}} for n in range(5)]
    assert judged(samples) == ALIVE


def test_every_picture_against_a_model() -> None:
    """All that four vantages can have seen, lasting long enough. No DEAD where anybody saw anything."""
    seen: set[str] = set()
    for answers in itertools.product((Y, N, U), repeat=6):
        host, control, one, one_data, three, three_data = answers
        views: dict[str, Any] = {
            "host": (host, U),
            "control": (control, U),
            "k8s_1": (one, one_data),
            "k8s_3": (three, three_data),
        }
        found = judged(lasting(**views))
        api, data = {host, control, one, three} - {U}, {one_data, three_data} - {U}
        if found == DEAD:
            assert api == {N} and data == {N} and [host, control, one, three].count(N) >= 2, answers
        if found == ALIVE:
            assert api == {Y} and data == {Y}, answers
        if found == API_DOWN:
            assert api == {N} and Y in data, answers
        if found == DATA_DOWN:
            assert api == {Y} and data == {N}, answers
        if api == {N} and data == {N} and [host, control, one, three].count(N) >= 2:
            assert found == DEAD, answers
        seen.add(found)
    assert seen == {DEAD, ALIVE, API_DOWN, DATA_DOWN, UNKNOWN}


# Proofs


def counts(total: int, parts: int, most: int | None = None) -> Iterator[tuple[int, ...]]:
    """How members can lie in domains, up to renaming: numbers that do not grow."""
    most = total if most is None else most
    if parts == 0:
        if total == 0:
            yield ()
        return
    for first in range(min(total, most), -1, -1):
        for rest in counts(total - first, parts - 1, first):
            yield (first, *rest)


def members(spread: tuple[int, ...], healthy: tuple[int, ...], learners: int = 0) -> list[dict[str, Any]]:
    found = [
        {"name": f"m{domain}-{number}", "domain": f"d{domain}", "voter": True, "healthy": number < healthy[domain]}
        for domain, count in enumerate(spread)
        for number in range(count)
    ]
    return found + [{"name": f"l{n}", "domain": "d0", "voter": False, "healthy": True} for n in range(learners)]


def takes_writes(alive: int, voters: int) -> bool:
    """The model: a majority of all voters, counted in halves."""
    return 2 * alive > voters


def test_proofs_against_a_model_of_a_majority() -> None:
    """n ≤ 9 voters, ≤ 2 learners, ≤ 5 domains, every health of each domain, every set of lost domains up to two."""
    cases = 0
    for voters, learners in itertools.product(range(1, 10), range(3)):
        for spread in counts(voters, 5):
            used = [domain for domain, count in enumerate(spread) if count]
            for healthy in itertools.product(*(range(count + 1) for count in spread)):
                for size in range(3) if learners == 0 else (1,):
                    for lost in itertools.combinations(used, size):
                        check(spread, healthy, learners, lost)
                        cases += 1
    assert cases > 50_000


def check(spread: tuple[int, ...], healthy: tuple[int, ...], learners: int, lost: tuple[int, ...]) -> None:
    voters = sum(spread)
    proof = prove(members(spread, healthy, learners), {f"d{domain}" for domain in lost})
    alive = [count for domain, count in enumerate(healthy) if domain not in lost]
    assert (proof.voters, proof.learners, proof.healthy_outside) == (voters, learners, sum(alive))
    assert (proof.verdict != LOST) is takes_writes(sum(alive), voters)
    assert (proof.verdict == SAFE) is takes_writes(sum(alive) - 1, voters)
    assert (proof.spare_now >= 0) is takes_writes(sum(healthy), voters)
    for domain, count in enumerate(healthy):
        if domain not in lost and count:
            assert (proof.spare_after_next[f"d{domain}"] >= 0) is takes_writes(sum(alive) - count, voters)
    assert ("takes no writes" in proof.sentence) is (proof.verdict == LOST)


def test_names_mean_nothing() -> None:
    chance = random.Random(7)  # noqa: S311 - the same cases each time
    for _ in range(300):
        spread = tuple(sorted((chance.randrange(4) for _ in range(5)), reverse=True))
        healthy = tuple(chance.randrange(count + 1) for count in spread)
        if not sum(spread):
            continue
        plain = members(spread, healthy)
        others = dict(zip((f"d{n}" for n in range(5)), chance.sample(["x", "y", "z", "v", "w"], 5), strict=True))
        renamed = [{**one, "name": f"other-{n}", "domain": others[one["domain"]]} for n, one in enumerate(plain)]
        chance.shuffle(renamed)
        one, other = prove(plain, {"d0"}), prove(renamed, {others["d0"]})
        assert (one.verdict, one.spare, one.spare_now) == (other.verdict, other.spare, other.spare_now)
        assert {others[domain]: spare for domain, spare in one.spare_after_next.items()} == dict(other.spare_after_next)


def test_whom_nobody_can_place_counts_as_lost() -> None:
    three = members((1, 1, 1), (1, 1, 1))
    assert prove(three, {"d0"}).verdict == NO_SPARE
    three[2]["domain"] = ""
    assert prove(three, {"d0"}).verdict == LOST


@pytest.mark.parametrize(("voters", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (9, 5)])
def test_quorums(voters: int, needed: int) -> None:
    assert quorum(voters) == needed


def test_the_sentence_names_what_would_be_fatal() -> None:
    proof = prove(members((2, 2, 1), (2, 2, 1)), {"d2"})
    assert proof.sentence == ("4 healthy voters are left of 5, 3 are needed: losing d0 or d1 next would stop writes")
    assert prove(members((1,) * 5, (1,) * 5), {"d4"}).sentence.endswith("any one more loss is survived")
