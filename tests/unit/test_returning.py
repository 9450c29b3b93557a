"""What is refused when marked contexts are to be given back: every rule, and what it says."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.gate import (
    RISKS,
    Identity,
    Refusal,
    blocking,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.returning import (
    ADOPT,
    ANSWERS,
    DELETE,
    EMPTY,
    LEFTOVERS,
    LISTED,
    REMOVED,
    REPORT,
    SILENT,
    Member,
    Returning,
    refusals_of_unmark,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.verdict import (
    ALIVE,
    API_DOWN,
    DATA_DOWN,
    DEAD,
    OBSERVER_ISOLATED,
    UNKNOWN,
)

B, C = "k8s-2", "k8s-3"
RECORDED = {"uid": "uid of k8s-2", "server": "https://k8s-2:6443", "ca_hash": "CA of k8s-2"}


def members(*states: str, database: str = "etcd/one", first: int = 1) -> list[Member]:
    return [
        Member(f"{database} {database.rpartition('/')[2]}-etcd-{number}", database, state)
        for number, state in enumerate(states, first)
    ]


WELL = Returning(
    Identity(RECORDED, RECORDED),
    ALIVE,
    steady=True,
    seen_from_inside=True,
    members=members(ANSWERS),
    voters={"etcd/one": 3},
    complete=True,
)
CLAIM, OTHER = "PersistentVolumeClaim etcd/data-old-etcd-1", "PersistentVolumeClaim etcd/data-old-etcd-2"
LEFT: dict[str, Any] = {"leftovers": ["Pod etcd/old-etcd-1", CLAIM], "claims": [CLAIM]}
Case = tuple[dict[str, Any], dict[str, Any], list[str]]

# Name → what differs from a context that is well again, what the person chose, what is refused.
CASES: dict[str, Case] = {
    "well again": ({}, {}, []),
    # D4.1
    **{
        f"its verdict is {verdict}": ({"verdict": verdict}, {}, ["D4.1"])
        for verdict in (API_DOWN, DATA_DOWN, DEAD, OBSERVER_ISOLATED, UNKNOWN)
    },
    "for a moment": ({"steady": False}, {}, ["D4.1"]),
    "dead, and not steady": ({"verdict": DEAD, "steady": False}, {}, ["D4.1"]),
    "seen by this host alone": ({"seen_from_inside": False}, {}, ["D4.1"]),
    "dead, and nobody looked from inside": ({"verdict": DEAD, "seen_from_inside": False}, {}, ["D4.1", "D4.1"]),
    # D4.2
    "rebuilt": ({"identity": Identity(RECORDED, {**RECORDED, "uid": "uid of a new one"})}, {}, ["D4.2"]),
    "never recorded": ({"identity": Identity(None, RECORDED)}, {}, ["D4.2"]),
    "recorded without a UID": ({"identity": Identity({**RECORDED, "uid": ""}, RECORDED)}, {}, ["D4.2"]),
    "silent": ({"identity": Identity(RECORDED, {**RECORDED, "uid": ""})}, {}, ["D4.2"]),
    "neither recorded nor seen": (
        {"identity": Identity({**RECORDED, "uid": ""}, {**RECORDED, "uid": ""})},
        {},
        ["D4.2"],
    ),
    "not in the kubeconfig": ({"identity": Identity(RECORDED, None)}, {}, ["D4.2"]),
    "at another address": ({"identity": Identity(RECORDED, {**RECORDED, "server": "https://new"})}, {}, []),
    # D4.3
    "no access": ({"access": "Unauthorized (HTTP 401)."}, {}, ["D4.3"]),
    "another CA": ({"identity": Identity(RECORDED, {**RECORDED, "ca_hash": "new"})}, {}, ["D4.3"]),
    "no access, and another CA": (
        {"access": "Unauthorized", "identity": Identity(RECORDED, {**RECORDED, "ca_hash": "new"})},
        {},
        ["D4.3", "D4.3"],
    ),
    # D4.4
    "leftovers": (LEFT, {"leftovers": REPORT}, ["D4.4"]),
    "leftovers, and another word": (LEFT, {"leftovers": "ignore"}, ["D4.4"]),
    "leftovers to adopt": (LEFT, {"leftovers": ADOPT}, []),
    "leftovers to adopt, and another is silent": (LEFT | {"complete": False}, {"leftovers": ADOPT}, []),
    "leftovers to delete": (LEFT, {"leftovers": DELETE, "delete_claims": ["etcd/data-old-etcd-1"]}, []),
    "leftovers to delete, named with their kind": (LEFT, {"leftovers": DELETE, "delete_claims": [CLAIM]}, []),
    "leftovers to delete, and another is silent": (
        LEFT | {"complete": False},
        {"leftovers": DELETE, "delete_claims": [CLAIM]},
        ["D4.4"],
    ),
    "leftovers to delete, and a claim is not named": (
        LEFT,
        {"leftovers": DELETE, "delete_claims": ["etcd/data-old-etcd-2"]},
        ["D4.4"],
    ),
    "leftovers to delete, and only one of two claims is named": (
        {"leftovers": [CLAIM, OTHER], "claims": [CLAIM, OTHER]},
        {"leftovers": DELETE, "delete_claims": [CLAIM]},
        ["D4.4"],
    ),
    "leftovers to delete, and none is a claim": ({"leftovers": ["Pod etcd/old-etcd-1"]}, {"leftovers": DELETE}, []),
    "leftovers to delete, and both": (LEFT | {"complete": False}, {"leftovers": DELETE}, ["D4.4", "D4.4"]),
    "nothing to delete, and another is silent": ({"complete": False}, {"leftovers": DELETE}, []),
    # D4.5
    "a member was removed": ({"members": members(ANSWERS, REMOVED)}, {}, ["D4.5"]),
    "nobody can say of a member": ({"members": members(SILENT, ANSWERS)}, {}, ["D4.5"]),
    "a member has a disk, and no Pod": ({"members": members(LISTED, ANSWERS)}, {}, ["D4.5"]),
    "a member in a state that nobody thought of": ({"members": members("odd")}, {}, ["D4.5"]),
    "no member": ({"members": []}, {}, []),
    # D4.6
    "an empty disk": ({"members": members(EMPTY)}, {}, ["D4.6"]),
    "two empty disks": ({"members": members(EMPTY, ANSWERS, EMPTY)}, {}, ["D4.6", "D4.6"]),
}


def refusals(name: str) -> list[Refusal]:
    changed, chosen, _expected = CASES[name]
    options: dict[str, Any] = {"leftovers": REPORT, "delete_claims": ()} | chosen
    return refusals_of_unmark({B: replace(WELL, **changed)}, **options)


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused(name: str) -> None:
    found = refusals(name)
    assert [refusal.rule for refusal in found] == CASES[name][2]
    assert {refusal.context for refusal in found} <= {B}
    accepted = [refusal for refusal in found if refusal not in blocking(found, RISKS)]
    assert bool(accepted) is (name == "a member has a disk, and no Pod")


# Case → what it says, all that is refused.
SENTENCES = {
    "its verdict is DATA_DOWN": (
        "k8s-2: its verdict is DATA_DOWN. A mark that is taken away too early restarts the operator into a cluster "
        "that it cannot reach. Wait until it has been ALIVE for a while, and try again. [D4.1]"
    ),
    "for a moment": (
        "k8s-2: it answers, but not for long enough. A mark that is taken away too early restarts the operator into a "
        "cluster that it cannot reach. Wait until it has been ALIVE for a while, and try again. [D4.1]"
    ),
    "rebuilt": (
        "k8s-2: this context was cluster uid of k8s-2, and is uid of a new one: it was rebuilt, or leads elsewhere. "
        "What the operator left there is gone, and another cluster may be there in its place. Let the context lead "
        "where it led; a rebuilt cluster joins as a new one. [D4.2]"
    ),
    "silent": (
        "k8s-2: it does not say which cluster it is. Nobody can tell whether it is the one that was marked. Let the "
        "cluster answer, and see that the record of contexts has it. [D4.2]"
    ),
    "never recorded": (
        "k8s-2: it was never recorded which cluster this is. Nobody can tell whether it is the one that was marked. "
        "Let the cluster answer, and see that the record of contexts has it. [D4.2]"
    ),
    "no access": (
        "k8s-2: the operator's credential does not work there (Unauthorized (HTTP 401)). The operator would start and "
        "find every request refused. Renew the credential, and try again. [D4.3]"
    ),
    "leftovers": (
        "k8s-2: there is what the control plane does not know any more: Pod etcd/old-etcd-1, PersistentVolumeClaim "
        "etcd/data-old-etcd-1. It was deleted or changed while the context was marked, and here nobody was told. Look "
        "at each, then choose what to do with the leftovers: adopt or delete. [D4.4]"
    ),
    "leftovers to delete, and only one of two claims is named": (
        "k8s-2: these PersistentVolumeClaims are to be deleted, and are not named one by one: etcd/data-old-etcd-2. "
        "What is on them is gone for good. Name each that nobody needs in the list of claims to delete, or choose "
        "adopt. [D4.4]"
    ),
    "a member was removed": (
        "k8s-2: member etcd/one one-etcd-2 was removed from its database while it was away. It would start with an "
        "identity that the others do not know. It must be wiped and joined anew as a learner, one disk at a time. "
        "[D4.5]"
    ),
    "nobody can say of a member": (
        "k8s-2: nobody can say whether member etcd/one one-etcd-1 may start. It may have been removed while it was "
        "away, or have lost its disk. It may only be catching up: try again in a while, then see what keeps it from "
        "answering. [D4.5]"
    ),
    "an empty disk": (
        "k8s-2: the disk of member etcd/one one-etcd-1 is empty or gone. Cut off from the others, it would start as a "
        "new and empty cluster. It must be joined anew as a learner, one disk at a time. [D4.6]"
    ),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_what_a_refusal_says(name: str) -> None:
    (only,) = refusals(name)
    assert str(only) == SENTENCES[name]


# Name → members that return in k8s-2, and in k8s-3, voters of etcd/one (None: nobody knows); how many empty disks, of
# how many, are said to be empty at once, for each refusal; empty where they are too few to be a danger together.
DISKS: dict[str, tuple[list[Member], list[Member], int | None, list[str]]] = {
    "one of three": (members(EMPTY), members(ANSWERS), 3, [""]),
    "two of three": (members(EMPTY, EMPTY), [], 3, ["2 of 3", "2 of 3"]),
    "two of three, in two contexts": (members(EMPTY), members(EMPTY), 3, ["2 of 3", "2 of 3"]),
    "two of nine": (members(EMPTY, EMPTY), [], 9, ["2 of 9", "2 of 9"]),
    "one of one": (members(EMPTY), [], 1, ["1 of 1"]),
    "one of two": (members(EMPTY), [], 2, [""]),
    "one of an unknown number": (members(EMPTY), [], None, ["1 of an unknown number of"]),
    "one of each of two databases": (members(EMPTY), members(EMPTY, database="etcd/two"), 3, ["", ""]),
}


@pytest.mark.parametrize("name", DISKS)
def test_disks_that_are_empty_together(name: str) -> None:
    here, there, voters, expected = DISKS[name]
    known = {"etcd/two": 3} | ({} if voters is None else {"etcd/one": voters})
    wanted = {context: replace(WELL, members=of, voters=known) for context, of in ((B, here), (C, there))}
    found = refusals_of_unmark(wanted, leftovers=REPORT, delete_claims=())
    assert {refusal.rule for refusal in found} == {"D4.6"}
    told = [re.search(r", and (.*) disks of etcd/one are empty at once$", refusal.seen) for refusal in found]
    assert [match[1] if match else "" for match in told] == expected
    together = ["could form an empty cluster of the same name" in refusal.why for refusal in found]
    assert together == [bool(numbers) for numbers in expected]


def test_everything_at_once_by_rule_and_then_by_context() -> None:
    ill = Returning(
        Identity(RECORDED, {**RECORDED, "uid": "", "ca_hash": "new"}),
        UNKNOWN,
        steady=False,
        seen_from_inside=False,
        access="Unauthorized",
        members=members(EMPTY, REMOVED, SILENT),
        voters={"etcd/one": 3},
        **LEFT,
    )
    found = refusals_of_unmark({C: ill, B: replace(ill, access="")}, leftovers=DELETE, delete_claims=())
    assert [(refusal.rule, refusal.context) for refusal in found] == [
        *[("D4.1", C), ("D4.1", C), ("D4.1", B), ("D4.1", B)],
        *[("D4.2", C), ("D4.2", B)],
        *[("D4.3", C), ("D4.3", C), ("D4.3", B)],
        *[("D4.4", C), ("D4.4", C), ("D4.4", B), ("D4.4", B)],
        *[("D4.5", C), ("D4.5", C), ("D4.5", B), ("D4.5", B)],
        *[("D4.6", C), ("D4.6", B)],
    ]


@pytest.mark.parametrize("verdict", [ALIVE, API_DOWN, DATA_DOWN, DEAD, UNKNOWN])
def test_a_silent_one_that_is_not_marked_keeps_the_operator_from_being_started(verdict: str) -> None:
    options: dict[str, Any] = {"leftovers": REPORT, "delete_claims": ()}
    found = refusals_of_unmark({B: WELL}, others={C: verdict}, **options)
    expected = [("D3.8", C, "allow_partial")] if verdict in (API_DOWN, DEAD) else []
    assert [(refusal.rule, refusal.context, refusal.risk) for refusal in found] == expected
    assert refusals_of_unmark({}, others={C: verdict}, **options) == []


def test_what_may_be_chosen() -> None:
    assert LEFTOVERS == (REPORT, ADOPT, DELETE) == ("report", "adopt", "delete")


def test_the_document_lists_every_rule() -> None:
    text = (Path(__file__).parents[2] / "docs" / "failover.md").read_text()
    rows = re.findall(r"^\| (D\d[.\d]*) \|.*\| ([^|]+) \|$", text, re.MULTILINE)
    listed = [(rule, how) for rule, how in rows if not rule.startswith("D3")]
    rules = {rule for _changed, _chosen, expected in CASES.values() for rule in expected}
    never = [(rule, "never") for rule in sorted(rules | {"D4.7"})] + [("D8", "never")]
    assert sorted(listed) == sorted([*never, ("D4.5", "`weak_evidence`")])
