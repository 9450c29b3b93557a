# Private to this collection.
"""Marks as they are recorded and as the operator was told of them: what differs, and what stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import INFO, WARN, Finding


def of_marks(
    name: str, recorded: Mapping[str, Mapping[str, Any]], told: Mapping[str, Sequence[str]], names: Mapping[str, str]
) -> list[Finding]:
    """``name``: the control plane's; ``recorded``: context → its entry in the record of marks; ``told``: Deployment →
    contexts that it takes for unavailable; ``names``: context → name in the inventory."""
    everywhere = [context for each in told.values() for context in each]
    standing = list(dict.fromkeys([*recorded, *everywhere]))
    found = [_standing(names.get(context, context), recorded.get(context, {})) for context in standing]
    for context in standing:
        known = [deployment for deployment, marked in told.items() if context in marked]
        if context not in recorded:
            found.append(_by_hand(name, context))
        elif told and len(known) < len(told):
            found.append(_dropped(name, context, [deployment for deployment in told if deployment not in known]))
    return found


def _standing(name: str, entry: Mapping[str, Any]) -> Finding:
    words = [f"since {entry['since']}"] if entry.get("since") else []
    words += [f"by {entry['by']}"] if entry.get("by") else []
    words += [f"({entry['why']})"] if entry.get("why") else []
    return Finding(
        "mark.standing",
        name,
        INFO,
        " ".join(["it is marked as unavailable", *words]),
        "the operator passes it over, and so does site",
        "When it is back for good, run failback",
    )


def _dropped(name: str, context: str, deployments: Sequence[str]) -> Finding:
    return Finding(
        "mark.dropped",
        name,
        WARN,
        f"context {context} is recorded as marked, but {' and '.join(deployments)} was not told of it",
        "whoever ran Helm left the mark out, and an operator that is restarted so does not come up while it is dead",
        "Run site or failover, which put the mark back, or failback if it is alive",
    )


def _by_hand(name: str, context: str) -> Finding:
    return Finding(
        "mark.by_hand",
        name,
        WARN,
        f"context {context} is marked, and nobody recorded why",
        "without a record nobody can say what was there, and nothing guards the databases with members there",
        f"Run failover with failover_names: [{context}], which records it, or failback",
    )
