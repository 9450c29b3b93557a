# Private to this collection.
"""Where KubeBlocks puts the members of a database, and what that placement survives. Pure arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

MAX_REPLICAS = 9  # more voters make every write slower and tolerate nothing that matters


def member_contexts(replicas: int, placement: Sequence[str]) -> list[str]:
    """The context of each ordinal: KubeBlocks takes ``placement[ordinal % len(placement)]``."""
    return [placement[ordinal % len(placement)] for ordinal in range(replicas)]


def quorum(voters: int) -> int:
    """How many voters must answer: more than half."""
    return voters // 2 + 1


def tolerated(voters: int) -> int:
    """How many voters may be lost while the others still make a quorum."""
    return voters - quorum(voters)


def _domain_of(context: str, domains: Mapping[str, str]) -> str:
    return domains.get(context, context)


def voters_by_domain(replicas: int, placement: Sequence[str], domains: Mapping[str, str]) -> Counter[str]:
    """Voters in each failure domain; a context without a declared domain is one of its own."""
    return Counter(_domain_of(context, domains) for context in member_contexts(replicas, placement))


def survives_any_domain(replicas: int, placement: Sequence[str], domains: Mapping[str, str]) -> bool:
    """Whether a quorum is left whichever single domain is lost."""
    return max(voters_by_domain(replicas, placement, domains).values(), default=0) <= tolerated(replicas)


def spare_after_worst_loss(replicas: int, placement: Sequence[str], domains: Mapping[str, str]) -> int:
    """Live voters above the quorum after the loss of the largest domain; negative means the quorum is lost."""
    largest = max(voters_by_domain(replicas, placement, domains).values(), default=0)
    return replicas - largest - quorum(replicas)


def outlook(replicas: int, placement: Sequence[str], domains: Mapping[str, str]) -> dict[str, Any]:
    """Everything that a placement means: ``members`` (ordinal, context, domain), and for each domain what its loss
    leaves (``lost``, ``left``, ``spare``, ``survives``), the worst first."""
    where = member_contexts(replicas, placement)
    spread = voters_by_domain(replicas, placement, domains)
    losses = [
        {
            "domain": domain,
            "contexts": sorted({context for context in where if _domain_of(context, domains) == domain}),
            "lost": count,
            "left": replicas - count,
            "spare": replicas - count - quorum(replicas),
            "survives": replicas - count >= quorum(replicas),
        }
        for domain, count in sorted(spread.items(), key=lambda item: (-item[1], item[0]))
    ]
    return {
        "replicas": replicas,
        "quorum": quorum(replicas),
        "tolerated": tolerated(replicas),
        "members": [
            {"ordinal": ordinal, "context": context, "domain": _domain_of(context, domains)}
            for ordinal, context in enumerate(where)
        ],
        "losses": losses,
        "safe": survives_any_domain(replicas, placement, domains),
        "spare": spare_after_worst_loss(replicas, placement, domains),
    }


def smallest_changes(
    replicas: int, placement: Sequence[str], known: Sequence[str], domains: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The nearest safe requests, each as ``replicas`` and further ``contexts`` (of ``known``): a member more or less
    counts as much as a context more. Empty where nothing helps, as with fewer than three domains."""
    if len({_domain_of(context, domains) for context in known}) < 3:
        return []
    others = [context for context in known if context not in placement]
    safe: dict[int, list[dict[str, Any]]] = {}
    for number in range(3, MAX_REPLICAS + 1):
        for count in range(len(others) + 1):
            fitting = [
                list(more)
                for more in combinations(others, count)
                if survives_any_domain(number, [*placement, *more], domains)
            ]
            if fitting:
                cost = abs(number - replicas) + count
                safe.setdefault(cost, []).append({"replicas": number, "contexts": fitting[0]})
                break
    return safe[min(safe)] if safe else []


def sentence(replicas: int, placement: Sequence[str], known: Sequence[str], domains: Mapping[str, str]) -> str:
    """The placement in one sentence: how it is spread, what the worst loss does, and what would make it safe."""
    found = outlook(replicas, placement, domains)
    spread = "/".join(str(loss["lost"]) for loss in found["losses"])
    over = f"{len(found['losses'])} failure domain{'s' if len(found['losses']) != 1 else ''}"
    text = f"{replicas} member{'s' if replicas != 1 else ''} over {over}: {spread}"
    worst = found["losses"][0]
    if found["safe"]:
        return f"{text}, any one may be lost, with {found['spare']} to spare after it"
    text += f", the loss of {worst['domain']} stops writes ({worst['left']} left, {found['quorum']} needed)"
    changes = [_in_words(change, replicas) for change in smallest_changes(replicas, placement, known, domains)]
    return f"{text}; use {', or '.join(changes)}" if changes else f"{text}; three failure domains are needed"


def _in_words(change: Mapping[str, Any], replicas: int) -> str:
    number = [f"{change['replicas']} members"] if change["replicas"] != replicas else []
    more = [f"{', '.join(change['contexts'])} as well"] if change["contexts"] else []
    return " with ".join(number + more)
