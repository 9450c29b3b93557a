# Private to this collection.
"""Where KubeBlocks puts the members of a database, and what that placement survives. Pure arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence


def member_contexts(replicas: int, placement: Sequence[str]) -> list[str]:
    """The context of each ordinal: KubeBlocks takes ``placement[ordinal % len(placement)]``."""
    return [placement[ordinal % len(placement)] for ordinal in range(replicas)]


def quorum(voters: int) -> int:
    """How many voters must answer: more than half."""
    return voters // 2 + 1


def tolerated(voters: int) -> int:
    """How many voters may be lost while the others still make a quorum."""
    return voters - quorum(voters)


def voters_by_domain(replicas: int, placement: Sequence[str], domains: Mapping[str, str]) -> Counter[str]:
    """Voters in each failure domain; a context without a declared domain is one of its own."""
    return Counter(domains.get(context, context) for context in member_contexts(replicas, placement))


def survives_any_domain(replicas: int, placement: Sequence[str], domains: Mapping[str, str]) -> bool:
    """Whether a quorum is left whichever single domain is lost."""
    return max(voters_by_domain(replicas, placement, domains).values(), default=0) <= tolerated(replicas)


def spare_after_worst_loss(replicas: int, placement: Sequence[str], domains: Mapping[str, str]) -> int:
    """Live voters above the quorum after the loss of the largest domain; negative means the quorum is lost."""
    largest = max(voters_by_domain(replicas, placement, domains).values(), default=0)
    return replicas - largest - quorum(replicas)
