"""What is refused when contexts are to be marked: every rule, what it says, and by which risk it may be accepted."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.gate import (
    ALLOW_PARTIAL,
    FAILURE,
    MAINTENANCE,
    MAJORITY_MARKED,
    MULTIPLE,
    NO_SPARE_RISK,
    QUORUM_LOST,
    RUNNING_OPERATION,
    WEAK_EVIDENCE,
    Affected,
    Facts,
    Identity,
    Refusal,
    refusals_of_mark,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.quorum import LOST, NO_SPARE, SAFE, prove
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.verdict import (
    ALIVE,
    API_DOWN,
    DATA_DOWN,
    DEAD,
    OBSERVER_ISOLATED,
    UNKNOWN,
)

CONTROL, STRANGER = "control", "k8s-9"
A, B, C, D = PLANES = ("k8s-1", "k8s-2", "k8s-3", "k8s-4")
THREE, TWO = PLANES[:3], PLANES[:2]


def recorded(name: str, **changed: str) -> dict[str, str]:
    return {"uid": f"uid of {name}", "server": f"https://{name}:6443", "ca_hash": f"CA of {name}", **changed}


def silent(name: str, **changed: str) -> Identity:
    return Identity(recorded(name), recorded(name, uid="", **changed))


def now(name: str, uid: str) -> Identity:
    return Identity(recorded(name), recorded(name, uid=uid))


def identities(**changed: Identity) -> dict[str, Identity]:
    """Of all contexts: k8s-2 is silent, the others answer."""
    found = {name: now(name, f"uid of {name}") for name in (CONTROL, *PLANES)} | {B: silent(B)}
    return found | {name.replace("_", "-"): identity for name, identity in changed.items()}


def verdicts(**changed: str) -> dict[str, str]:
    found = {A: ALIVE, B: DEAD, C: ALIVE, D: ALIVE}
    return found | {name.replace("_", "-"): verdict for name, verdict in changed.items()}


def database(verdict: str = SAFE, *contexts: str, **changed: Any) -> list[Affected]:
    proof = {"verdict": verdict, "sentence": f"it is {verdict}"} if verdict else None
    return [Affected("etcd/one", contexts or (A, B, C), proof, **changed)]


BASE: dict[str, Any] = {
    "control": CONTROL,
    "known": THREE,
    "credentials": set(PLANES),
    "marked": (),
    "identities": identities(),
    "verdicts": verdicts(),
    "seen_from_inside": True,
    "databases": database(),
}
Short = list[tuple[str, str, str]]  # rule, context, risk


def refusals(wanted: tuple[str, ...] = (B,), purpose: str = FAILURE, **changed: Any) -> list[Refusal]:
    return refusals_of_mark(wanted, Facts(**BASE | changed), purpose)


SAME = now(A, "uid of k8s-3")
OWN, OWN_AS_RECORDED = now(B, "uid of control"), Identity(recorded(B, uid="uid of control"), recorded(B, uid=""))
CALLED_OWN = {"known": TWO, "identities": identities(k8s_1=now(A, "uid of control"))}
OTHERS_ARE_DEAD = {"known": PLANES, "verdicts": verdicts(k8s_1=DEAD, k8s_4=API_DOWN)}
PENDING: dict[str, Any] = {"pending": True}
RUNNING: dict[str, Any] = {"operations": ["OpsRequest etcd/restart-one"]}
IS_B, WEAK = [("D3.2", B, "")], [("D3.5", B, WEAK_EVIDENCE)]
NEVER_WEAK = [("D3.5", B, "")]
MAJORITY, TOO_MANY = ("D3.4", CONTROL, MAJORITY_MARKED), ("D3.10", CONTROL, MULTIPLE)

# Name → what differs from a dead k8s-2 that is to be marked, what is refused.
CASES: dict[str, tuple[dict[str, Any], Short]] = {
    "a dead context": ({}, []),
    "nothing": ({"wanted": ()}, []),
    # D3.1
    "a stranger": ({"wanted": (STRANGER,)}, [("D3.1", STRANGER, "")]),
    "a stranger beside a dead context": ({"wanted": (STRANGER, B, STRANGER)}, [("D3.1", STRANGER, "")]),
    "the control plane by its name": ({"wanted": (CONTROL,)}, [("D3.1", CONTROL, "")]),
    "no entry": ({"credentials": {A, C}}, [("D3.1", B, "")]),
    "no entry for another": ({"credentials": {A, B}}, [("D3.1", C, "")]),
    "no entry for another, and no restart": ({"credentials": {A, B}, "marked": (B,)}, []),
    "no entry for one that is marked": ({"credentials": {A, C}, "marked": (B,)}, [("D3.1", B, "")]),
    "no entry for two that are marked": (
        {"wanted": (C, B), "credentials": {A}, "marked": (C, B)},
        [("D3.1", B, ""), ("D3.1", C, "")],
    ),
    "an operator that knows nobody": ({"known": ()}, [("D3.1", B, "")]),
    "a stranger is marked": ({"marked": (STRANGER,)}, [("D3.1", STRANGER, "")]),
    # D3.2
    "the control plane's own cluster": ({"identities": identities(k8s_2=OWN)}, [*IS_B, ("D3.3", B, "")]),
    "the control plane's own cluster, as recorded": (
        {"identities": identities(k8s_2=OWN_AS_RECORDED)},
        [*IS_B, ("D3.3", B, "")],
    ),
    "the control plane's own cluster, as it may be": (
        {"identities": identities(k8s_2=OWN_AS_RECORDED), "shared": {B}},
        IS_B,
    ),
    "the control plane's own cluster by its record alone": (
        {"identities": identities(k8s_2=Identity(recorded(B, uid="uid of control"), recorded(B, uid="uid of k8s-2")))},
        IS_B,
    ),
    "rebuilt": ({"identities": identities(k8s_2=now(B, "uid of a new one"))}, IS_B),
    "rebuilt, and marked": ({"identities": identities(k8s_2=now(B, "uid of a new one")), "marked": (B,)}, IS_B),
    "another was marked and rebuilt": (
        {"wanted": (B, C), "marked": (C,), "identities": identities(k8s_3=now(C, "uid of a new one"))},
        [MAJORITY],
    ),
    "rebuilt, another": ({"identities": identities(k8s_3=now(C, "uid of a new one"))}, []),
    "answering": ({"identities": identities(k8s_2=now(B, "uid of k8s-2"))}, []),
    "answering at another address": (
        {"identities": identities(k8s_2=Identity(recorded(B), recorded(B, server="https://new")))},
        [],
    ),
    "never recorded": ({"identities": identities(k8s_2=Identity(None, recorded(B)))}, IS_B),
    "never recorded, and silent": ({"identities": identities(k8s_2=Identity(None, recorded(B, uid="")))}, IS_B),
    "recorded without a UID": (
        {"identities": identities(k8s_2=Identity(recorded(B, uid=""), recorded(B, uid="")))},
        IS_B,
    ),
    "unheard of": ({"identities": {name: one for name, one in identities().items() if name != B}}, IS_B),
    "silent at another address": ({"identities": identities(k8s_2=silent(B, server="https://new"))}, IS_B),
    "silent with another CA": ({"identities": identities(k8s_2=silent(B, ca_hash="new"))}, IS_B),
    "not in the kubeconfig": ({"identities": identities(k8s_2=Identity(recorded(B), None))}, IS_B),
    "another control plane": (
        {"identities": identities(control=now(CONTROL, "uid of a new one"))},
        [("D3.2", CONTROL, "")],
    ),
    "a control plane that nobody knows": (
        {"identities": identities(control=Identity(None, recorded(CONTROL, uid="")))},
        [("D3.2", CONTROL, "")],
    ),
    "a control plane that is not there": (
        {"identities": {name: one for name, one in identities().items() if name != CONTROL}},
        [("D3.2", CONTROL, "")],
    ),
    "a control plane seen for the first time": (
        {"identities": identities(control=Identity(None, recorded(CONTROL)))},
        [],
    ),
    # D3.3
    "two others are one": ({"identities": identities(k8s_1=SAME)}, [("D3.3", C, "")]),
    "two others are one, and it is marked": ({"identities": identities(k8s_1=SAME), "marked": (B,)}, [("D3.3", C, "")]),
    "one of the inventory is another's": (
        {"identities": identities(k8s_4=now(D, "uid of k8s-3"))},
        [("D3.3", D, "")],
    ),
    "it answers under another's name": (
        {"identities": identities(k8s_1=now(A, "uid of k8s-2"))},
        [("D3.3", B, "")],
    ),
    "another is the control plane's": (
        {"identities": identities(k8s_1=now(A, "uid of control"))},
        [("D3.3", A, "")],
    ),
    "another is the control plane's, as it may be": (CALLED_OWN | {"shared": {A}}, []),
    "another is the control plane's, and a third may be": (CALLED_OWN | {"shared": {B}}, [("D3.3", A, "")]),
    "two data planes are never one": ({"identities": identities(k8s_1=SAME), "shared": {A, C}}, [("D3.3", C, "")]),
    "two of which nobody knows anything": (
        {"identities": identities(k8s_1=Identity(None, None), k8s_3=Identity(None, None))},
        [],
    ),
    "two pairs": (
        {
            "known": PLANES,
            "identities": identities(k8s_1=now(A, "uid of k8s-4"), k8s_3=now(C, "uid of k8s-2")),
        },
        [("D3.3", C, ""), ("D3.3", D, "")],
    ),
    "two pairs, told in another order": (
        {
            "known": PLANES,
            "identities": dict([*identities(k8s_1=now(A, "uid of k8s-4"), k8s_3=now(C, "uid of k8s-2")).items()][::-1]),
        },
        [("D3.3", C, ""), ("D3.3", D, "")],
    ),
    # D3.4
    "one of two": ({"known": TWO}, []),
    "the only one": ({"known": (B,)}, [("D3.4", CONTROL, "")]),
    "the last one": ({"marked": (A, C)}, [("D3.4", CONTROL, "")]),
    "half of all": ({"marked": (A,)}, [MAJORITY]),
    "two of four": ({"known": PLANES, "marked": (A,)}, []),
    "half of all, and all marked": ({"wanted": (A, B), "marked": (A, B)}, []),
    "all, and all marked": ({"wanted": THREE, "marked": THREE}, []),
    "two of three, of which one is marked": ({"wanted": (A, B), "marked": (A,)}, [MAJORITY]),
    # D3.5
    "its API alone": ({"verdicts": verdicts(k8s_2=API_DOWN)}, []),
    "alive": ({"verdicts": verdicts(k8s_2=ALIVE)}, NEVER_WEAK),
    "alive, for maintenance": ({"verdicts": verdicts(k8s_2=ALIVE), "purpose": MAINTENANCE}, []),
    "alive, for another purpose": ({"verdicts": verdicts(k8s_2=ALIVE), "purpose": "fun"}, NEVER_WEAK),
    "dead, for maintenance": ({"purpose": MAINTENANCE}, []),
    "its members alone": ({"verdicts": verdicts(k8s_2=DATA_DOWN)}, NEVER_WEAK),
    "its members alone, for maintenance": (
        {"verdicts": verdicts(k8s_2=DATA_DOWN), "purpose": MAINTENANCE},
        NEVER_WEAK,
    ),
    "unknown": ({"verdicts": verdicts(k8s_2=UNKNOWN)}, WEAK),
    "unknown, for maintenance": ({"verdicts": verdicts(k8s_2=UNKNOWN), "purpose": MAINTENANCE}, WEAK),
    "unknown, and nobody looked from inside": (
        {"verdicts": verdicts(k8s_2=UNKNOWN), "seen_from_inside": False},
        NEVER_WEAK,
    ),
    "this host is cut off": ({"verdicts": verdicts(k8s_2=OBSERVER_ISOLATED)}, WEAK),
    "this host is cut off, and nobody looked from inside": (
        {"verdicts": verdicts(k8s_2=OBSERVER_ISOLATED), "seen_from_inside": False},
        NEVER_WEAK,
    ),
    "no verdict": ({"verdicts": {A: ALIVE, C: ALIVE}}, WEAK),
    "alive and marked": ({"verdicts": verdicts(k8s_2=ALIVE), "marked": (B,)}, []),
    # D3.6
    "no quorum": ({"databases": database(LOST)}, [("D3.6", B, QUORUM_LOST)]),
    "no quorum, and a change": ({"databases": database(LOST, **PENDING)}, [("D3.6", B, QUORUM_LOST)]),
    "no quorum elsewhere": ({"databases": database(LOST, A, C)}, []),
    "no quorum where it is marked": ({"databases": database(LOST), "marked": (B,)}, []),
    "no spare": ({"databases": database(NO_SPARE)}, []),
    "no spare, and a change": ({"databases": database(NO_SPARE, **PENDING)}, [("D3.6", B, NO_SPARE_RISK)]),
    "no spare, and a change elsewhere": ({"databases": database(NO_SPARE, A, C, **PENDING)}, []),
    "some spare, and a change": ({"databases": database(SAFE, **PENDING)}, []),
    "no proof": ({"databases": database("", **PENDING)}, []),
    "no member list": ({"databases": database("", unread=True)}, [("D3.6", B, QUORUM_LOST)]),
    "no member list elsewhere": ({"databases": database("", A, C, unread=True)}, []),
    # D3.7
    "an operation": ({"databases": database(SAFE, **RUNNING)}, [("D3.7", B, RUNNING_OPERATION)]),
    "an operation, and its API alone is silent": (
        {"databases": database(SAFE, **RUNNING), "verdicts": verdicts(k8s_2=API_DOWN)},
        [("D3.7", B, RUNNING_OPERATION)],
    ),
    "an operation, for maintenance": (
        {"databases": database(SAFE, **RUNNING), "verdicts": verdicts(k8s_2=ALIVE), "purpose": MAINTENANCE},
        [("D3.7", B, "")],
    ),
    "an operation in a dead and a living context": (
        {"known": PLANES, "wanted": (B, C), "databases": database(SAFE, B, C, **RUNNING), "purpose": MAINTENANCE},
        [("D3.7", B, ""), TOO_MANY],
    ),
    "an operation elsewhere": ({"databases": database(SAFE, A, C, **RUNNING)}, []),
    "an operation where nobody could prove": ({"databases": database("", **RUNNING)}, [("D3.7", B, RUNNING_OPERATION)]),
    # D3.8
    "another is dead": ({"verdicts": verdicts(k8s_3=DEAD)}, [("D3.8", C, ALLOW_PARTIAL)]),
    "another's API is silent": ({"verdicts": verdicts(k8s_3=API_DOWN)}, [("D3.8", C, ALLOW_PARTIAL)]),
    "another is unknown": ({"verdicts": verdicts(k8s_3=UNKNOWN)}, []),
    "another is dead, and marked": (OTHERS_ARE_DEAD | {"marked": (A, D)}, [MAJORITY]),
    "another is dead, and marked with it": (
        OTHERS_ARE_DEAD | {"wanted": (D, B), "verdicts": verdicts(k8s_4=API_DOWN)},
        [TOO_MANY],
    ),
    "two others are dead": (OTHERS_ARE_DEAD, [("D3.8", A, ALLOW_PARTIAL), ("D3.8", D, ALLOW_PARTIAL)]),
    "a stranger is dead": ({"verdicts": verdicts(k8s_4=DEAD)}, []),
    "another is dead, and nothing is new": ({"verdicts": verdicts(k8s_3=DEAD), "marked": (B,)}, []),
    # D3.9
    "more would be written": ({"release": "another image"}, [("D3.9", CONTROL, "")]),
    # D3.10
    "two at once": ({"known": PLANES, "wanted": (C, B), "verdicts": verdicts(k8s_3=DEAD)}, [TOO_MANY]),
    "two, of which one is marked": ({"known": PLANES, "wanted": (C, B), "marked": (C,)}, []),
    # All together, by rule and then by context
    "everything": (
        {
            "known": PLANES,
            "wanted": (STRANGER, C, B),
            "credentials": {A, C, D},
            "identities": identities(k8s_1=Identity(None, now(D, "").seen), k8s_2=OWN, k8s_3=silent(C, server="new")),
            "verdicts": verdicts(k8s_1=DEAD, k8s_2=ALIVE, k8s_3=UNKNOWN, k8s_4=API_DOWN),
            "marked": (D,),
            "databases": [*database(NO_SPARE, C, **PENDING), *database(LOST, B, C, **RUNNING)],
            "release": "another image",
        },
        [
            ("D3.1", B, ""),
            ("D3.1", STRANGER, ""),
            ("D3.2", B, ""),
            ("D3.2", C, ""),
            ("D3.3", B, ""),
            MAJORITY,
            ("D3.5", B, ""),
            ("D3.5", C, WEAK_EVIDENCE),
            ("D3.6", B, QUORUM_LOST),
            ("D3.6", C, NO_SPARE_RISK),
            ("D3.7", B, ""),
            ("D3.8", A, ALLOW_PARTIAL),
            ("D3.9", CONTROL, ""),
            TOO_MANY,
        ],
    ),
}


def short(found: list[Refusal]) -> Short:
    return [(refusal.rule, refusal.context, refusal.risk) for refusal in found]


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused(name: str) -> None:
    changed, expected = CASES[name]
    assert short(refusals(**changed)) == expected


# Case → what it says of the first refusal.
SENTENCES = {
    "a stranger": (
        "k8s-9: the operator was not told of this context (it works on k8s-1, k8s-2, k8s-3). The operator does not "
        "start with a marked context that it was not told of. Correct the name, or add the context to the operator's. "
        "[D3.1]"
    ),
    "an operator that knows nobody": (
        "k8s-2: the operator was not told of this context (it works on none). The operator does not start with a "
        "marked context that it was not told of. Correct the name, or add the context to the operator's. [D3.1]"
    ),
    "silent at another address": (
        "k8s-2: it is silent, and its address changed since it answered. This may be another cluster, and the one that "
        "holds the members may be well. Let the context lead where it led. [D3.2]"
    ),
    "another control plane": (
        "control: this control plane was cluster uid of control, and is uid of a new one. The mark is written here, "
        "and nobody could tell whether a data plane is the control plane itself. Let the control plane's context lead "
        "where it led. [D3.2]"
    ),
    "a control plane that nobody knows": (
        "control: nobody knows which cluster this is. The mark is written here, and nobody could tell whether a data "
        "plane is the control plane itself. Let the control plane's context lead where it led. [D3.2]"
    ),
    "half of all": (
        "control: 1 of 3 data planes would be left: with the control plane 2 of 4 clusters. That is no majority, so "
        "the fault may be on this side. Mark fewer, or see why so many seem to be lost. "
        "[D3.4, accept_risks: majority_marked]"
    ),
    "unknown": (
        "k8s-2: its verdict is UNKNOWN: nobody can say that it is dead. It may be well, and would be kept from the "
        "operator. Look again, for longer and from more vantages. [D3.5, accept_risks: weak_evidence]"
    ),
    "unknown, and nobody looked from inside": (
        "k8s-2: its verdict is UNKNOWN: nobody can say that it is dead, and no Pod of the control plane has looked. "
        "This host may be cut off itself. Let a Pod of the control plane look. [D3.5]"
    ),
    "an operation": (
        "k8s-2: database etcd/one, with members in k8s-2, runs OpsRequest etcd/restart-one. The operator takes every "
        "write to a marked context for done, so half of this would be lost. Wait until it has ended, or cancel it. If "
        "it waits for what is silent it never ends: see after failback what it left. "
        "[D3.7, accept_risks: running_operation]"
    ),
    "another is dead": (
        "k8s-3: its verdict is DEAD, and it would stay unmarked. A mark restarts the operator, and it does not come up "
        "while a silent context is unmarked. Mark it in the same run. [D3.8, accept_risks: allow_partial]"
    ),
    "two at once": (
        "control: 2 contexts would be marked in one run (k8s-2, k8s-3); 2 of 4 data planes would be left. One mistake "
        "would cost several clusters. Mark one at a time; what is silent together has to be marked together. "
        "[D3.10, accept_risks: multiple]"
    ),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_what_a_refusal_says(name: str) -> None:
    assert str(refusals(**CASES[name][0])[0]) == SENTENCES[name]


def test_a_lost_quorum_is_said_in_numbers_and_a_mark_does_not_bring_it_back() -> None:
    members = [{"name": c, "domain": c, "voter": True, "healthy": c != A} for c in THREE]
    affected = Affected("etcd/one", THREE, prove(members, {B}).as_dict())
    assert str(*refusals(databases=[affected])) == (
        "k8s-2: database etcd/one, with members in k8s-2: 1 healthy voters are left of 3, and 2 are needed: it takes "
        "no writes. Marking does not restore service. Bring members back first; if they are gone for good, the "
        "database has to be restored. [D3.6, accept_risks: quorum_lost]"
    )


@pytest.mark.parametrize("case", [(LOST, QUORUM_LOST), (NO_SPARE, NO_SPARE_RISK)])
def test_a_database_in_several_contexts_is_named_once_with_all_of_them(case: tuple[str, str]) -> None:
    verdict, risk = case
    databases = database(verdict, C, A, B, **PENDING)
    found = refusals((C, B), known=PLANES, verdicts=verdicts(k8s_3=DEAD), databases=databases)
    assert short(found) == [("D3.6", B, risk), TOO_MANY]
    assert found[0].seen == f"database etcd/one, with members in k8s-2 and k8s-3: it is {verdict}"
