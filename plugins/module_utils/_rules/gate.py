# Private to this collection.
"""Whether contexts may be marked as unavailable, and if not, why not. Pure.

Every refusal carries the number of its rule, and the name of the risk by which a person may accept it (D8); where that
is empty, nobody may. What is marked already is no change (D3.12): D3.1 to D3.3 are verified again, and its verdict
means nothing; where nothing new is asked for, the operator is not restarted, and what a restart needs is not asked.
Not decided here: D3.11, that the operator leads again after the write, or the old value is put back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import some
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.identity import (
    doubt_of,
    of_duplicates,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.quorum import LOST, NO_SPARE
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.verdict import (
    ALIVE,
    API_DOWN,
    DATA_DOWN,
    DEAD,
    UNKNOWN,
)

MAJORITY_MARKED, WEAK_EVIDENCE, NO_SPARE_RISK = "majority_marked", "weak_evidence", "no_spare"
QUORUM_LOST, TWO_VOTERS, MULTIPLE, ALLOW_PARTIAL = "quorum_lost", "two_voters", "multiple", "allow_partial"
RUNNING_OPERATION = "running_operation"
RISKS = (
    MAJORITY_MARKED,
    WEAK_EVIDENCE,
    NO_SPARE_RISK,
    QUORUM_LOST,
    TWO_VOTERS,
    MULTIPLE,
    ALLOW_PARTIAL,
    RUNNING_OPERATION,
)
FAILURE, MAINTENANCE = "failure", "maintenance"
_ENDLESS = ". If it waits for what is silent it never ends: see after failback what it left"
_SILENT = (DEAD, API_DOWN)  # the operator does not come up while such a context is unmarked

# Verdict that nobody may accept → what was seen, why it matters, what to do.
_LIVING = {
    ALIVE: (
        "its verdict is ALIVE: it answers",
        "marking it takes living members out of the operator's care",
        "Leave it unmarked, or say that this is for maintenance",
    ),
    DATA_DOWN: (
        "its verdict is DATA_DOWN: its API answers, but its members do not",
        "the operator is what mends members there, and a mark would stop it",
        "Mend its Pods or its network",
    ),
}


@dataclass(frozen=True)
class Refusal:
    """``rule``: its number; ``context``: the control plane's where the change as a whole is refused; ``risk``: the name
    by which it may be accepted, empty: by nobody."""

    rule: str
    context: str
    seen: str
    why: str
    cure: str
    risk: str = ""

    def __str__(self) -> str:
        why = self.why[0].upper() + self.why[1:]
        accepted = f", accept_risks: {self.risk}" if self.risk else ""
        return f"{self.context}: {self.seen}. {why}. {self.cure}. [{self.rule}{accepted}]"


@dataclass(frozen=True)
class Identity:
    """Which cluster it was and which it is: ``uid``, ``server``, ``ca_hash``. ``recorded`` is None where it never was;
    ``seen`` is None where the kubeconfig has no such context, and its ``uid`` is empty while the context is silent."""

    recorded: Mapping[str, str] | None
    seen: Mapping[str, str] | None


@dataclass(frozen=True)
class Affected:
    """A database: ``name`` is namespace/name; ``contexts``: those that hold members of it; ``proof``: quorum.Proof as a
    dictionary, for all that would be marked, None where nobody could prove anything; ``unread``: whether that is as no
    member of an etcd gave the member list; ``operations``: running
    OpsRequests; ``pending``: whether its Cluster has a change that the operator has not observed yet."""

    name: str
    contexts: Sequence[str]
    proof: Mapping[str, Any] | None = None
    operations: Sequence[str] = ()
    pending: bool = False
    unread: bool = False


@dataclass(frozen=True)
class Facts:
    """``control``: the control plane's context; ``known``: contexts that the operator was told of; ``credentials``:
    contexts of its kubeconfig; ``marked``: now, on both Deployments; ``identities``: of every context, the control
    plane too; ``verdicts``: context → verdict; ``seen_from_inside``: whether a Pod of the control plane looked;
    ``release``: why what would be written is not exactly the list of marked contexts, empty if it is; ``shared``:
    contexts that may be the control plane's own cluster."""

    control: str
    known: Sequence[str]
    credentials: Collection[str]
    marked: Sequence[str]
    identities: Mapping[str, Identity]
    verdicts: Mapping[str, str]
    seen_from_inside: bool
    databases: Sequence[Affected] = ()
    release: str = ""
    shared: Collection[str] = ()


@dataclass(frozen=True)
class _Change:
    """``ours``: contexts asked for that the operator knows; ``new``: those of them that are not marked yet; ``left``:
    data planes that stay unmarked. In the operator's order."""

    ours: Sequence[str]
    new: Sequence[str]
    left: Sequence[str]


def refusals_of_mark(wanted: Sequence[str], facts: Facts, purpose: str = FAILURE) -> list[Refusal]:
    """All that speaks against it: by rule, then in the order of the operator's contexts."""
    change = _change(wanted, facts)
    return [
        *_of_names(wanted, change, facts),
        *_of_control_plane(facts),
        *_of_identities(change, facts),
        *_of_duplicates(facts),
        *_of_majority(change, facts),
        *_of_verdicts(change, facts, purpose),
        *_of_quorums(change, facts),
        *_of_operations(change, facts),
        *_of_silent(change, facts),
        *_of_release(facts),
        *_of_number(change, facts),
    ]


def blocking(refusals: Iterable[Refusal], accepted: Collection[str]) -> list[Refusal]:
    """D8: those that no accepted risk covers."""
    risks = set(accepted)  # not a text, in which any part of a name would be found
    return [refusal for refusal in refusals if not refusal.risk or refusal.risk not in risks]


def unknown_risks(accepted: Iterable[str]) -> list[str]:
    """D8: names that are no risk, so that accepting them would do nothing, or that mean to force everything."""
    return [risk for risk in accepted if risk not in RISKS]


def _change(wanted: Sequence[str], facts: Facts) -> _Change:
    ours = [context for context in facts.known if context in wanted]
    new = [context for context in ours if context not in facts.marked]
    return _Change(
        ours=ours,
        new=new,
        left=[context for context in facts.known if context not in new and context not in facts.marked],
    )


def _of_names(wanted: Sequence[str], change: _Change, facts: Facts) -> list[Refusal]:
    # A restarted operator looks up every context, marked or not, and has to know every marked one.
    restarted = [*facts.known, *facts.marked] if change.new else []
    names = dict.fromkeys([*restarted, *change.ours, *wanted])
    strangers = [
        Refusal(
            "D3.1",
            context,
            f"the operator was not told of this context (it works on {', '.join(facts.known) or 'none'})",
            "the operator does not start with a marked context that it was not told of",
            "Correct the name, or add the context to the operator's",
        )
        for context in names
        if context not in facts.known
    ]
    without_entry = [
        Refusal(
            "D3.1",
            context,
            "the operator's kubeconfig has no entry for this context",
            "the operator looks up every context when it starts, marked or not, and does not start without the entry",
            "Put the entry back into the Secret of the operator's kubeconfig, and leave it there",
        )
        for context in names
        if context in facts.known and context not in facts.credentials
    ]
    return without_entry + strangers


def _uid(identity: Identity | None) -> str:
    """Of the cluster that stands behind a context: as seen, else as recorded; empty if nobody knows."""
    if identity is None:
        return ""
    return (identity.seen or {}).get("uid") or (identity.recorded or {}).get("uid") or ""


def _of_control_plane(facts: Facts) -> list[Refusal]:
    identity = facts.identities.get(facts.control)
    uid = _uid(identity)
    before = ((identity.recorded if identity else None) or {}).get("uid") or uid
    if uid and uid == before:
        return []
    what = f"this control plane was cluster {before}, and is {uid}" if uid else "nobody knows which cluster this is"
    return [
        Refusal(
            "D3.2",
            facts.control,
            what,
            "the mark is written here, and nobody could tell whether a data plane is the control plane itself",
            "Let the control plane's context lead where it led",
        )
    ]


def _of_identities(change: _Change, facts: Facts) -> list[Refusal]:
    control = _uid(facts.identities.get(facts.control))
    # What is marked already must not keep others from being marked: failback sees what it leads to.
    known = {context: facts.identities.get(context, Identity(None, None)) for context in change.new or change.ours}
    doubts = {context: doubt_of(one.recorded, one.seen, control) for context, one in known.items()}
    return [Refusal("D3.2", context, *doubt) for context, doubt in doubts.items() if doubt]


def _of_duplicates(facts: Facts) -> list[Refusal]:
    """Two contexts with one cluster behind them, whichever is wanted."""
    names = dict.fromkeys([facts.control, *facts.known, *facts.identities])
    uids = {name: _uid(facts.identities.get(name)) for name in names}
    planes = {name: "control" if name == facts.control else "data" for name in names}
    found = of_duplicates({name: uid for name, uid in uids.items() if uid}, planes, facts.shared)
    order = list(names)
    return [
        Refusal("D3.3", one.context, one.seen, one.why, one.cure)
        for one in sorted(found, key=lambda finding: order.index(finding.context))
    ]


def _of_majority(change: _Change, facts: Facts) -> list[Refusal]:
    planes, left = len(facts.known), len(change.left)
    if not change.new:
        return []
    if not left:
        return [
            Refusal(
                "D3.4",
                facts.control,
                f"no data plane would be left: {', '.join(facts.known)} would all be marked",
                "databases run on data planes",
                "Leave at least one unmarked",
            )
        ]
    # The control plane counts like a data plane, so that two and a control plane make three.
    if 2 * (left + 1) > planes + 1:
        return []
    return [
        Refusal(
            "D3.4",
            facts.control,
            f"{left} of {planes} data planes would be left: with the control plane {left + 1} of {planes + 1} clusters",
            "that is no majority, so the fault may be on this side",
            "Mark fewer, or see why so many seem to be lost",
            MAJORITY_MARKED,
        )
    ]


def _of_verdicts(change: _Change, facts: Facts, purpose: str) -> list[Refusal]:
    passing = (*_SILENT, ALIVE) if purpose == MAINTENANCE else _SILENT
    verdicts = {context: facts.verdicts.get(context, UNKNOWN) for context in change.new}
    return [
        Refusal("D3.5", context, *_LIVING[verdict])
        if verdict in _LIVING
        else _weak(context, verdict, inside=facts.seen_from_inside)
        for context, verdict in verdicts.items()
        if verdict not in passing
    ]


def _weak(context: str, verdict: str, *, inside: bool) -> Refusal:
    return Refusal(
        "D3.5",
        context,
        f"its verdict is {verdict}: nobody can say that it is dead"
        + ("" if inside else ", and no Pod of the control plane has looked"),
        "it may be well, and would be kept from the operator" if inside else "this host may be cut off itself",
        "Look again, for longer and from more vantages" if inside else "Let a Pod of the control plane look",
        WEAK_EVIDENCE if inside else "",
    )


def _affected(change: _Change, facts: Facts) -> list[tuple[Affected, list[str]]]:
    """Databases with members in what is newly marked, and where."""
    found = [(one, [context for context in change.new if context in one.contexts]) for one in facts.databases]
    return sorted(((one, here) for one, here in found if here), key=lambda pair: change.new.index(pair[1][0]))


def _of_quorums(change: _Change, facts: Facts) -> list[Refusal]:
    found = []
    for database, here in _affected(change, facts):
        proof = database.proof or {}
        sentence = "no member gave the member list" if database.unread else proof.get("sentence", "")
        what = f"database {database.name}, with members in {' and '.join(here)}: {sentence}"
        if database.unread or proof.get("verdict") == LOST:
            found.append(
                Refusal(
                    "D3.6",
                    here[0],
                    what,
                    "marking does not restore service",
                    "Bring members back first; if they are gone for good, the database has to be restored",
                    QUORUM_LOST,
                )
            )
        elif proof.get("verdict") == NO_SPARE and database.pending:
            found.append(
                Refusal(
                    "D3.6",
                    here[0],
                    what,
                    "a change of its Cluster is pending, and one Pod that restarts for it would stop writes",
                    "Wait until the change is done, or take it back",
                    NO_SPARE_RISK,
                )
            )
    return found


def _of_operations(change: _Change, facts: Facts) -> list[Refusal]:
    """An operation that waits for silent contexts alone never ends: there a person may accept it, elsewhere nobody."""

    def refusal(database: Affected, here: Sequence[str]) -> Refusal:
        endless = all(facts.verdicts.get(context) in _SILENT for context in here)
        return Refusal(
            "D3.7",
            here[0],
            f"database {database.name}, with members in {' and '.join(here)}, runs {some(database.operations)}",
            "the operator takes every write to a marked context for done, so half of this would be lost",
            f"Wait until it has ended, or cancel it{_ENDLESS if endless else ''}",
            RUNNING_OPERATION if endless else "",
        )

    return [refusal(database, here) for database, here in _affected(change, facts) if database.operations]


def _of_silent(change: _Change, facts: Facts) -> list[Refusal]:
    return [
        Refusal(
            "D3.8",
            context,
            f"its verdict is {facts.verdicts[context]}, and it would stay unmarked",
            "a mark restarts the operator, and it does not come up while a silent context is unmarked",
            "Mark it in the same run",
            ALLOW_PARTIAL,
        )
        for context in change.left
        if change.new and facts.verdicts.get(context) in _SILENT
    ]


def _of_release(facts: Facts) -> list[Refusal]:
    if not facts.release:
        return []
    return [
        Refusal(
            "D3.9",
            facts.control,
            f"more would be written than the list of marked contexts ({facts.release.rstrip('.')})",
            "a failover must never become an upgrade",
            "Bring the operator's release and its record together first",
        )
    ]


def _of_number(change: _Change, facts: Facts) -> list[Refusal]:
    if len(change.new) < 2:
        return []
    left = f"{len(change.left)} of {len(facts.known)} data planes would be left"
    return [
        Refusal(
            "D3.10",
            facts.control,
            f"{len(change.new)} contexts would be marked in one run ({', '.join(change.new)}); {left}",
            "one mistake would cost several clusters",
            "Mark one at a time; what is silent together has to be marked together",
            MULTIPLE,
        )
    ]
