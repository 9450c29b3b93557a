"""The gate and the proofs against a model of their own: every small case up to renaming, and that names mean nothing.

Each test stops at its first counterexample. The model speaks of numbers, where the rules speak of names.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.gate import (
    RISKS,
    Affected,
    Facts,
    Identity,
    Refusal,
    blocking,
    refusals_of_mark,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.quorum import prove

STAYS, NEW, MARKED, AGAIN = "stays", "new", "marked", "marked and asked for again"
NEVER, FREE = "never", "free"

# The model


def takes_writes(alive: int, voters: int) -> bool:
    """A majority of all voters, counted in halves."""
    return 2 * alive > voters


@cache
def spare(alive: int, voters: int) -> int:
    """How many healthy voters may still be lost before writes stop; below zero, how many are lacking."""
    steps = itertools.count()
    if takes_writes(alive, voters):
        return next(more for more in steps if not takes_writes(alive - more - 1, voters))
    return -next(more for more in steps if takes_writes(alive + more, voters))


# Verdict → the price of marking such a context: for a failure, for maintenance; first where no Pod of the control plane
# has looked, then where one has.
_DOUBT = ((NEVER, "weak_evidence"), (NEVER, "weak_evidence"))
PRICES: dict[str | None, tuple[tuple[str, str], tuple[str, str]]] = {
    "ALIVE": ((NEVER, NEVER), (FREE, FREE)),
    "API_DOWN": ((FREE, FREE), (FREE, FREE)),
    "DATA_DOWN": ((NEVER, NEVER), (NEVER, NEVER)),
    "DEAD": ((FREE, FREE), (FREE, FREE)),
    "UNKNOWN": _DOUBT,
    "OBSERVER_ISOLATED": _DOUBT,
    None: _DOUBT,
}
Plane = tuple[str | None, str]  # its verdict, what becomes of it


def prices_of_planes(planes: Sequence[Plane], *, maintenance: bool, inside: bool) -> set[str]:
    """What has to be accepted for D3.4, D3.5, D3.8 and D3.10."""
    verdicts = {fate: [verdict for verdict, one in planes if one == fate] for fate in (STAYS, NEW)}
    if not verdicts[NEW]:
        return set()
    prices = {PRICES[verdict][maintenance][inside] for verdict in verdicts[NEW]}
    with_the_control_plane, gone = len(verdicts[STAYS]) + 1, len(planes) - len(verdicts[STAYS])
    if with_the_control_plane == 1:
        prices.add(NEVER)
    elif with_the_control_plane <= gone:
        prices.add("majority_marked")
    if len(verdicts[NEW]) > 1:
        prices.add("multiple")
    if {"DEAD", "API_DOWN"} & {*verdicts[STAYS]}:
        prices.add("allow_partial")
    return prices - {FREE}


Domain = tuple[int, int, int, str]  # voters, how many of them are healthy, learners, what becomes of it


def price_of_database(domains: Sequence[Domain], *, pending: bool) -> set[str]:
    """What has to be accepted for D3.6."""
    if NEW not in {fate for *_members, fate in domains}:
        return set()
    alive = sum(healthy for _voters, healthy, _learners, fate in domains if fate == STAYS)
    voters = sum(domain[0] for domain in domains)
    if not takes_writes(alive, voters):
        return {"quorum_lost"}
    return {"no_spare"} if pending and not takes_writes(alive - 1, voters) else set()


# Every picture


def pictures(voters: int, learners: int, fates: Collection[str], parts: int = 5) -> Iterator[tuple[Domain, ...]]:
    """Domains with so many voters in all, and up to so many learners, in each health, up to renaming."""
    counts = [(count, more) for count in range(voters + 1) for more in range(learners + 1) if count + more]
    kinds = [(count, well, more, fate) for count, more in counts for well in range(count + 1) for fate in fates]

    def walk(first: int, voters: int, learners: int, parts: int) -> Iterator[tuple[Domain, ...]]:
        if voters == 0:
            yield ()
        if parts == 0:
            return
        for place in range(first, len(kinds)):
            count, _healthy, more, _fate = kinds[place]
            if count > voters:
                return
            if more <= learners:
                for rest in walk(place, voters - count, learners - more, parts - 1):
                    yield (kinds[place], *rest)

    yield from walk(0, voters, learners, parts)


def members(domains: Sequence[Domain]) -> list[dict[str, Any]]:
    """In domains d0, d1 and so on; the first learner of a domain is healthy, the next is not."""
    found = []
    for place, (voters, healthy, learners, _fate) in enumerate(domains):
        found += [{"domain": f"d{place}", "voter": True, "healthy": number < healthy} for number in range(voters)]
        found += [{"domain": f"d{place}", "voter": False, "healthy": number == 0} for number in range(learners)]
    return found


def lost(domains: Sequence[Domain]) -> set[str]:
    return {f"d{place}" for place, domain in enumerate(domains) if domain[3] != STAYS}


@pytest.mark.parametrize("voters", range(10))
def test_proofs(voters: int) -> None:
    """Up to 9 voters and 2 learners in up to 5 domains, every health, every set of lost domains."""
    for domains in pictures(voters, 2, (STAYS, MARKED)):
        proof = prove(members(domains), lost(domains))
        healthy = {f"d{place}": domain[1] for place, domain in enumerate(domains) if domain[1]}
        outside = {domain: count for domain, count in healthy.items() if domain not in lost(domains)}
        left = sum(outside.values())
        after = {domain: spare(left - count, voters) for domain, count in outside.items()}
        assert (proof.voters, proof.learners) == (voters, sum(domain[2] for domain in domains)), domains
        assert proof.quorum == next(alive for alive in range(voters + 2) if takes_writes(alive, voters)), domains
        assert proof.voters_by_domain == {f"d{n}": domain[0] for n, domain in enumerate(domains) if domain[0]}, domains
        assert (proof.healthy_by_domain, proof.healthy_outside) == (healthy, left), domains
        assert (proof.spare_now, proof.spare) == (spare(sum(healthy.values()), voters), spare(left, voters)), domains
        assert proof.spare_after_next == after, domains
        assert (proof.verdict == "LOST") is not takes_writes(left, voters), domains
        assert (proof.verdict == "SAFE") is takes_writes(left - 1, voters), domains
        assert proof.verdict in ("SAFE", "NO_SPARE", "LOST")
        said = "takes no writes" if proof.verdict == "LOST" else "would stop" if min(after.values()) < 0 else "survived"
        assert said in proof.sentence, domains


def cluster(name: str) -> Identity:
    entry = {"uid": f"uid of {name}", "server": f"https://{name}", "ca_hash": f"CA of {name}"}
    return Identity(entry, entry)


IDENTITIES = {name: cluster(name) for name in ("control", *(f"d{place}" for place in range(5)))}


def facts_of(planes: Sequence[Plane], **changed: Any) -> tuple[list[str], Facts]:
    """What is asked for, and what is known."""
    names = [f"d{place}" for place in range(len(planes))]
    fates = dict(zip(names, planes, strict=True))
    base: dict[str, Any] = {
        "control": "control",
        "known": names,
        "credentials": names,
        "marked": [name for name in names if fates[name][1] in (MARKED, AGAIN)],
        "identities": IDENTITIES,
        "verdicts": {name: verdict for name, (verdict, _fate) in fates.items() if verdict is not None},
        "seen_from_inside": True,
    }
    return [name for name in names if fates[name][1] in (NEW, AGAIN)], Facts(**base | changed)


def priced(found: Sequence[Refusal]) -> set[str]:
    return {refusal.risk or NEVER for refusal in found}


@pytest.mark.parametrize("voters", range(1, 10))
def test_databases(voters: int) -> None:
    """D3.6 for up to 9 voters in up to 5 contexts, each of which stays, is to be marked or is marked already."""
    for domains in pictures(voters, 2 if voters < 4 else 0, (STAYS, NEW, MARKED)):
        proof = prove(members(domains), lost(domains)).as_dict()
        contexts = [f"d{place}" for place in range(len(domains))]
        for pending in (False, True):
            affected = Affected("etcd/one", contexts, proof, pending=pending)
            wanted, facts = facts_of([("DEAD", domain[3]) for domain in domains], databases=[affected])
            found = [refusal for refusal in refusals_of_mark(wanted, facts) if refusal.rule == "D3.6"]
            assert priced(found) == price_of_database(domains, pending=pending), (domains, pending)


def accept_sets(prices: set[str], planes: int) -> Iterator[set[str]]:
    """All of them for a few planes; for more, those at which something turns."""
    mine = ("majority_marked", "weak_evidence", "multiple", "allow_partial")
    if planes < 4:
        for size in range(len(mine) + 1):
            yield from map(set, itertools.combinations(mine, size))
        return
    yield prices - {NEVER}
    for one in prices:
        yield {*RISKS} - {one}


def looks(picture: Sequence[Plane]) -> tuple[bool, ...]:
    """Whether a Pod of the control plane has looked: both; for many planes only where there is doubt."""
    doubt = any(fate == NEW and PRICES[verdict] == _DOUBT for verdict, fate in picture)
    return (False, True) if doubt or len(picture) < 5 else (False,)


@pytest.mark.parametrize(
    "case", [(planes, purpose) for planes in range(1, 6) for purpose in ("failure", "maintenance")]
)
def test_planes(case: tuple[int, str]) -> None:
    """D3.4, D3.5, D3.8 and D3.10 for up to 5 data planes: every verdict, marked before or not, every set of risks."""
    planes, purpose = case
    kinds = itertools.product(PRICES, (STAYS, NEW, MARKED, AGAIN))
    for picture in itertools.combinations_with_replacement(kinds, planes):
        for inside in looks(picture):
            wanted, facts = facts_of(picture, seen_from_inside=inside)
            found = refusals_of_mark(wanted, facts, purpose)
            prices = prices_of_planes(picture, maintenance=purpose == "maintenance", inside=inside)
            assert priced(found) == prices, (picture, inside)
            for accepted in accept_sets(prices, planes):
                assert (not blocking(found, accepted)) is (prices <= accepted), (picture, inside, accepted)


def test_every_picture_comes_once() -> None:
    for voters, learners, parts in itertools.product(range(5), range(3), range(4)):
        kinds = itertools.product(range(voters + 1), range(voters + 1), range(learners + 1), (STAYS, NEW))
        possible = [kind for kind in kinds if kind[1] <= kind[0] and kind[0] + kind[2]]
        expected = {
            tuple(sorted(some))
            for size in range(parts + 1)
            for some in itertools.combinations_with_replacement(possible, size)
            if sum(one[0] for one in some) == voters and sum(one[2] for one in some) <= learners
        }
        found = [tuple(sorted(picture)) for picture in pictures(voters, learners, (STAYS, NEW), parts)]
        assert len(found) == len(expected)
        assert {*found} == expected


# Names and order


def chances(chance: random.Random) -> tuple[list[str], dict[str, Any], str, set[str]]:
    """What is asked for and known, for which purpose, and what the model has to be paid."""
    planes = [(chance.choice([*PRICES]), chance.choice((STAYS, STAYS, NEW, MARKED, AGAIN))) for _ in range(5)]
    purpose, inside = chance.choice(("failure", "maintenance")), chance.random() < 0.5
    prices = prices_of_planes(planes, maintenance=purpose == "maintenance", inside=inside)
    databases = []
    for number in range(chance.randrange(3)):
        domains = [(count, chance.randrange(count + 1), 0, fate) for count, fate in spread(chance, planes)]
        pending = chance.random() < 0.5
        databases.append({"name": f"etcd/{number}", "domains": domains, "pending": pending})
        prices |= price_of_database([domain for domain in domains if domain[0]], pending=pending)
    wanted, facts = facts_of(planes, seen_from_inside=inside)
    known = {key: getattr(facts, key) for key in ("known", "marked", "verdicts", "seen_from_inside")}
    twins = chance.sample(sorted(IDENTITIES), 2) if chance.random() < 0.3 else []
    no_entry = chance.sample(facts.known, 1) if chance.random() < 0.3 else []
    return wanted, {**known, "databases": databases, "twins": twins, "no_entry": no_entry}, purpose, prices


def spread(chance: random.Random, planes: Sequence[Plane]) -> list[tuple[int, str]]:
    return [(chance.randrange(3), fate) for _verdict, fate in planes]


def told(names: dict[str, str], known: dict[str, Any], order: list[int]) -> Facts:
    """The same facts under other names and in another order; members too come in another order then."""

    def ordered(contexts: Collection[str]) -> list[str]:
        return [names[f"d{place}"] for place in order if f"d{place}" in contexts]

    databases = []
    for one in known["databases"]:
        where = [{**member, "domain": names[member["domain"]]} for member in members(one["domains"])]
        where.sort(key=lambda member: str(member["domain"]))
        proof = prove(where, {names[domain] for domain in lost(one["domains"])}).as_dict()
        contexts = ordered({f"d{place}" for place, domain in enumerate(one["domains"]) if domain[0]})
        databases.append(Affected(one["name"], contexts, proof, pending=one["pending"]))
    identities = {names[name]: cluster(known["twins"][0] if name in known["twins"] else name) for name in names}
    return Facts(
        control=names["control"],
        known=ordered(known["known"]),
        credentials=ordered({*known["known"]} - {*known["no_entry"]}),
        marked=ordered(known["marked"]),
        identities=identities,
        verdicts={names[name]: verdict for name, verdict in known["verdicts"].items()},
        seen_from_inside=known["seen_from_inside"],
        databases=databases,
    )


def test_names_and_order_mean_nothing() -> None:
    chance = random.Random(11)  # noqa: S311 - the same cases each time
    seen: Counter[str] = Counter()
    for _ in range(1500):
        wanted, known, purpose, prices = chances(chance)
        plain = {name: name for name in IDENTITIES}
        found = refusals_of_mark(wanted, told(plain, known, [*range(5)]), purpose)
        enumerated = [refusal for refusal in found if refusal.rule not in ("D3.1", "D3.2", "D3.3")]
        assert priced(enumerated) == prices, (wanted, known, purpose)
        names = dict(zip(IDENTITIES, chance.sample(["a", "east", "west", "x.y", "d0", "d1", "z-9"], 6), strict=True))
        asked = [names[name] for name in chance.sample(wanted, len(wanted))]
        renamed = refusals_of_mark(asked, told(names, known, [*range(5)]), purpose)
        expected = [(refusal.rule, names[refusal.context], refusal.risk) for refusal in found]
        assert [(refusal.rule, refusal.context, refusal.risk) for refusal in renamed] == expected, (wanted, known)
        # In another order, what concerns several contexts may be said of another one of them.
        shuffled = refusals_of_mark(asked, told(names, known, chance.sample(range(5), 5)), purpose)
        rules = sorted((refusal.rule, refusal.risk) for refusal in shuffled)
        assert rules == sorted((refusal.rule, refusal.risk) for refusal in found), (wanted, known)
        seen.update(refusal.rule for refusal in found)
    assert {*seen} == {f"D3.{number}" for number in (1, 2, 3, 4, 5, 6, 8, 10)}
