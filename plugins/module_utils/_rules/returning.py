# Private to this collection.
"""Whether marked contexts may be given back to the operator, and if not, why not. Pure.

Refusals carry the number of their rule. Not decided here: D4.7, that the mark is put back where the operator does not
start without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.gate import (
    ALLOW_PARTIAL,
    WEAK_EVIDENCE,
    Identity,
    Refusal,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.quorum import quorum
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.verdict import ALIVE, API_DOWN, DEAD

REPORT, ADOPT, DELETE = LEFTOVERS = ("report", "adopt", "delete")
# A voter of the current list that reads through the quorum; its ID is not in that list; its disk is empty or gone; it
# is listed and its disk is there, but no Pod reads it; nobody can say.
ANSWERS, REMOVED, EMPTY, LISTED, SILENT = "answers", "removed", "empty", "listed", "silent"


@dataclass(frozen=True)
class Member:
    """``name``: its database and its Pod, namespace/database pod; ``state``: one of the above."""

    name: str
    database: str
    state: str


@dataclass(frozen=True)
class Returning:
    """``steady``: ALIVE for the recovery streak; ``seen_from_inside``: a Pod of the control plane saw it answer;
    ``access``: why the operator's credential does not work there now, empty if it does; ``leftovers``: what lies there
    that the control plane does not know any more, "Kind namespace/name"; ``claims``: those of them that are
    PersistentVolumeClaims; ``voters``: database → number; ``complete``: whether all other contexts answered when the
    leftovers were looked for."""

    identity: Identity
    verdict: str
    steady: bool
    seen_from_inside: bool
    access: str = ""
    leftovers: Sequence[str] = ()
    claims: Sequence[str] = ()
    members: Sequence[Member] = ()
    voters: Mapping[str, int] = field(default_factory=dict)
    complete: bool = False


def refusals_of_unmark(
    wanted: Mapping[str, Returning],
    *,
    leftovers: str,
    delete_claims: Collection[str],
    others: Mapping[str, str] | None = None,
) -> list[Refusal]:
    """All that speaks against it: by rule, then in the order of ``wanted``. ``leftovers``: one of LEFTOVERS;
    ``delete_claims``: namespace/name of the PersistentVolumeClaims that may be deleted; ``others``: verdicts of the
    other contexts that are not marked."""
    found: list[Refusal] = _of_others(others or {}) if wanted else []
    for rule in (_of_verdict, _of_identity, _of_access):
        found += [refusal for context, one in wanted.items() for refusal in rule(context, one)]
    for context, one in wanted.items():
        found += _of_deletion(context, one, delete_claims) if leftovers == DELETE else []
        found += _of_report(context, one) if leftovers not in (DELETE, ADOPT) else []
    for context, one in wanted.items():
        found += _of_members(context, one)
    return found + _of_empty(wanted)


def _of_others(verdicts: Mapping[str, str]) -> list[Refusal]:
    return [
        Refusal(
            "D3.8",
            context,
            f"its verdict is {verdict}, and it is not marked",
            "the operator is started again for this, and does not come up while a silent context is unmarked",
            "Mark it first, or wait until it is back",
            ALLOW_PARTIAL,
        )
        for context, verdict in verdicts.items()
        if verdict in (DEAD, API_DOWN)
    ]


def _of_verdict(context: str, one: Returning) -> list[Refusal]:
    found = []
    if one.verdict != ALIVE or not one.steady:
        why = "a mark that is taken away too early restarts the operator into a cluster that it cannot reach"
        seen = f"its verdict is {one.verdict}" if one.verdict != ALIVE else "it answers, but not for long enough"
        found.append(Refusal("D4.1", context, seen, why, "Wait until it has been ALIVE for a while, and try again"))
    if not one.seen_from_inside:
        found.append(
            Refusal(
                "D4.1",
                context,
                "no Pod of the control plane has seen it answer",
                "the operator lives there, and this host may have a way that the operator has not",
                "Let a Pod of the control plane look, and mend the way from there",
            )
        )
    return found


def _of_identity(context: str, one: Returning) -> list[Refusal]:
    before, now = (entry["uid"] if entry else "" for entry in (one.identity.recorded, one.identity.seen))
    if before and now == before:
        return []
    if before and now:
        return [
            Refusal(
                "D4.2",
                context,
                f"this context was cluster {before}, and is {now}: it was rebuilt, or leads elsewhere",
                "what the operator left there is gone, and another cluster may be there in its place",
                "Let the context lead where it led; a rebuilt cluster joins as a new one",
            )
        ]
    return [
        Refusal(
            "D4.2",
            context,
            "it was never recorded which cluster this is" if not before else "it does not say which cluster it is",
            "nobody can tell whether it is the one that was marked",
            "Let the cluster answer, and see that the record of contexts has it",
        )
    ]


def _of_access(context: str, one: Returning) -> list[Refusal]:
    found = []
    if one.access:
        found.append(
            Refusal(
                "D4.3",
                context,
                f"the operator's credential does not work there ({one.access.rstrip('.')})",
                "the operator would start and find every request refused",
                "Renew the credential, and try again",
            )
        )
    recorded, seen = one.identity.recorded, one.identity.seen
    if recorded and seen and seen["ca_hash"] != recorded["ca_hash"]:
        found.append(
            Refusal(
                "D4.3",
                context,
                "its CA is another than the recorded one",
                "the operator trusts the CA that it was told of, and would not speak to this API server",
                "Make sure that the new CA is meant, and let site tell the operator of it",
            )
        )
    return found


def _of_report(context: str, one: Returning) -> list[Refusal]:
    if not one.leftovers:
        return []
    return [
        Refusal(
            "D4.4",
            context,
            f"there is what the control plane does not know any more: {', '.join(one.leftovers)}",
            "it was deleted or changed while the context was marked, and here nobody was told",
            f"Look at each, then choose what to do with the leftovers: {ADOPT} or {DELETE}",
        )
    ]


def _of_deletion(context: str, one: Returning, allowed: Collection[str]) -> list[Refusal]:
    found = []
    if one.leftovers and not one.complete:
        found.append(
            Refusal(
                "D4.4",
                context,
                "leftovers are to be deleted, and not every other context answered when they were looked for",
                "what is left over here may be the last copy of what another cluster lost",
                f"Wait until every context answers, or choose {ADOPT}",
            )
        )
    names = {_without_kind(claim) for claim in allowed}
    kept = [claim for claim in map(_without_kind, one.claims) if claim not in names]
    if kept:
        found.append(
            Refusal(
                "D4.4",
                context,
                f"these PersistentVolumeClaims are to be deleted, and are not named one by one: {', '.join(kept)}",
                "what is on them is gone for good",
                f"Name each that nobody needs in the list of claims to delete, or choose {ADOPT}",
            )
        )
    return found


def _without_kind(claim: str) -> str:
    return claim.rpartition(" ")[2]


def _of_members(context: str, one: Returning) -> list[Refusal]:
    found = []
    for member in one.members:
        if member.state == REMOVED:
            found.append(
                Refusal(
                    "D4.5",
                    context,
                    f"member {member.name} was removed from its database while it was away",
                    "it would start with an identity that the others do not know",
                    "It must be wiped and joined anew as a learner, one disk at a time",
                )
            )
        elif member.state == LISTED:
            found.append(
                Refusal(
                    "D4.5",
                    context,
                    f"member {member.name} has no Pod, so nobody can read whose disk it is",
                    "the operator makes its Pod anew, and the disk may be another one or an empty one",
                    "See that the volume is the one that it had",
                    WEAK_EVIDENCE,
                )
            )
        elif member.state not in (ANSWERS, EMPTY):
            found.append(
                Refusal(
                    "D4.5",
                    context,
                    f"nobody can say whether member {member.name} may start",
                    "it may have been removed while it was away, or have lost its disk",
                    "It may only be catching up: try again in a while, then see what keeps it from answering",
                )
            )
    return found


def _of_empty(wanted: Mapping[str, Returning]) -> list[Refusal]:
    states = [(context, one, member) for context, one in wanted.items() for member in one.members]
    together = Counter(member.database for _context, _one, member in states if member.state == EMPTY)
    found = []
    for context, one, member in states:
        if member.state != EMPTY:
            continue
        empty, voters = together[member.database], one.voters.get(member.database, 0)
        # Two of one database, or a quorum: where nobody knows how many voters there are, one may be a quorum.
        many = empty >= min(2, quorum(voters))
        number = f", and {empty} of {voters or 'an unknown number of'} disks of {member.database} are empty at once"
        found.append(
            Refusal(
                "D4.6",
                context,
                f"the disk of member {member.name} is empty or gone{number if many else ''}",
                "they could form an empty cluster of the same name"
                if many
                else "cut off from the others, it would start as a new and empty cluster",
                "It must be joined anew as a learner, one disk at a time",
            )
        )
    return found
