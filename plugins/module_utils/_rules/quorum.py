# Private to this collection.
"""What an etcd survives, in numbers: voters, quorum, spare, now and after what may come next. Pure.

A member: ``name``, ``domain`` (its context, or the coarser group that the user declared; empty where nobody knows),
``voter`` (a learner is none) and ``healthy`` (a voter: a linearizable read through itself was answered).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SAFE, NO_SPARE, LOST = "SAFE", "NO_SPARE", "LOST"

Member = Mapping[str, Any]


def quorum(voters: int) -> int:
    return voters // 2 + 1


@dataclass(frozen=True)
class Proof:
    """Numbers of one etcd when some domains are lost. ``spare``: healthy voters above the quorum, below zero if there
    are fewer; ``spare_after_next``: domain → spare when that one is lost as well."""

    voters: int
    learners: int
    quorum: int
    voters_by_domain: Mapping[str, int]
    healthy_by_domain: Mapping[str, int]
    healthy_outside: int
    spare_now: int
    spare: int
    spare_after_next: Mapping[str, int]
    verdict: str
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def prove(members: Sequence[Member], lost: Collection[str]) -> Proof:
    """What is left without the domains in ``lost``.

    A voter that nobody can place counts as inside what is lost: the worst case.
    """
    voters = [member for member in members if member["voter"]]
    needed = quorum(len(voters))
    healthy = [member for member in voters if member["healthy"]]
    outside = [member for member in healthy if member["domain"] and member["domain"] not in lost]
    by_domain = Counter(str(member["domain"]) for member in outside)
    spare = len(outside) - needed
    after = {domain: spare - count for domain, count in sorted(by_domain.items())}
    verdict = SAFE if spare > 0 else NO_SPARE if spare == 0 else LOST
    return Proof(
        voters=len(voters),
        learners=len(members) - len(voters),
        quorum=needed,
        voters_by_domain=dict(sorted(Counter(str(member["domain"]) for member in voters).items())),
        healthy_by_domain=dict(sorted(Counter(str(member["domain"]) for member in healthy).items())),
        healthy_outside=len(outside),
        spare_now=len(healthy) - needed,
        spare=spare,
        spare_after_next=after,
        verdict=verdict,
        sentence=_sentence(len(voters), needed, len(outside), after),
    )


def _sentence(voters: int, needed: int, left: int, after: Mapping[str, int]) -> str:
    if left < needed:
        return f"{left} healthy voters are left of {voters}, and {needed} are needed: it takes no writes"
    fatal = [domain for domain, spare in after.items() if spare < 0]
    if not fatal:
        return f"{left} healthy voters are left of {voters}, {needed} are needed: any one more loss is survived"
    return (
        f"{left} healthy voters are left of {voters}, {needed} are needed: losing {' or '.join(fatal)} next would stop "
        "writes"
    )
