"""Which cluster is which, and which die together: one UID is one cluster, and what is shared is one domain."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.fate import (
    Tie,
    domains,
    of_subnets,
    of_ties,
    ties,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, INFO, WARN, Finding
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.identity import (
    doubt_of,
    of_control_plane,
    of_duplicates,
    of_marked,
    of_record,
)
from told import Short, short

A, B, C = "k8s-1", "k8s-2", "k8s-3"
PLANES = {"control": "control", A: "data", B: "data", C: "data"}


def now(**uids: str) -> dict[str, dict[str, str]]:
    """What contexts show: name → context and UID."""
    return {name.replace("_", "-"): {"context": name.replace("_", "-"), "uid": uid} for name, uid in uids.items()}


RECORD = {A: {"uid": "1"}, B: {"uid": "2"}}
WITH_CONTROL = {"control": {"uid": "0"}, B: {"uid": "2"}}

# Name → the rule asked, what it finds.
CASES: dict[str, tuple[Callable[[], list[Finding]], Short]] = {
    "all differ": (lambda: of_duplicates({"control": "1", A: "2", B: "3"}, PLANES), []),
    "nobody answered": (lambda: of_duplicates({}, PLANES), []),
    "two data planes": (
        lambda: of_duplicates({"control": "1", A: "2", B: "2"}, PLANES),
        [("identity.duplicate", B, FAIL)],
    ),
    "control and data": (
        lambda: of_duplicates({"control": "1", A: "1", B: "2"}, PLANES),
        [("identity.duplicate", A, FAIL)],
    ),
    "control and data, which may be": (lambda: of_duplicates({"control": "1", A: "1", B: "2"}, PLANES, [A]), []),
    "control and data, of which another may be": (
        lambda: of_duplicates({"control": "1", A: "1", B: "2"}, PLANES, [B]),
        [("identity.duplicate", A, FAIL)],
    ),
    "two data planes are never one": (
        lambda: of_duplicates({"control": "1", A: "2", B: "2"}, PLANES, [A, B]),
        [("identity.duplicate", B, FAIL)],
    ),
    "control and two data planes are never one": (
        lambda: of_duplicates({"control": "1", A: "1", B: "1"}, PLANES, [A, B]),
        [("identity.duplicate", B, FAIL)],
    ),
    "new, and may be the control plane": (lambda: of_record(now(k8s_1="0"), WITH_CONTROL, "control", [A]), []),
    "new, and may not": (
        lambda: of_record(now(k8s_1="0"), WITH_CONTROL, "control", [B]),
        [("identity.changed", A, FAIL)],
    ),
    "new, may be the control plane, and is another": (
        lambda: of_record(now(k8s_1="2"), WITH_CONTROL, "control", [A]),
        [("identity.changed", A, FAIL)],
    ),
    "recorded as another, and now the control plane": (
        lambda: of_record(now(k8s_2="0"), WITH_CONTROL, "control", [B]),
        [("identity.changed", B, FAIL)],
    ),
    "own cluster is marked": (
        lambda: of_marked(A, "ka", ["kb", "ka"]),
        [("identity.control_plane_marked", A, FAIL)],
    ),
    "own cluster, another is marked": (lambda: of_marked(A, "ka", ["kb"]), []),
    "no own cluster": (lambda: of_marked("", "", [""]), []),
    "one cluster is said elsewhere": (lambda: of_ties([Tie("uids", "x", (A, B), True)], {}), []),
    "as recorded": (lambda: of_record(now(k8s_1="1", k8s_2="2"), RECORD, "control"), []),
    "never recorded": (lambda: of_record(now(k8s_3="3"), RECORD, "control"), []),
    "rebuilt": (lambda: of_record(now(k8s_1="1", k8s_2="9"), RECORD, "control"), [("identity.changed", B, FAIL)]),
    "recorded under another name": (
        lambda: of_record(now(k8s_3="1"), RECORD, "control"),
        [("identity.changed", C, FAIL)],
    ),
    "silent": (lambda: of_record(now(k8s_2=""), RECORD, "control"), []),
    "swapped": (
        lambda: of_record(now(k8s_1="2", k8s_2="1"), RECORD, "control"),
        [("identity.changed", A, FAIL), ("identity.changed", B, FAIL)],
    ),
    "host of another name": (
        lambda: of_record({"north": {"context": A, "uid": "9"}}, RECORD, "control"),
        [("identity.changed", "north", FAIL)],
    ),
    "ours": (lambda: of_control_plane("1", {A: "1", B: ""}, recorded=True), []),
    "another's": (
        lambda: of_control_plane("1", {A: "1", B: "7"}, recorded=True),
        [("identity.other_control_plane", B, FAIL)],
    ),
    "a new control plane": (
        lambda: of_control_plane("9", {A: "1"}, recorded=False),
        [("identity.other_control_plane", A, FAIL)],
    ),
    "a silent control plane": (lambda: of_control_plane("", {A: "1"}, recorded=False), []),
    "no tie": (lambda: of_ties([], {}), []),
    "one machine": (lambda: of_ties([Tie("boot_ids", "x", (A, B), True)], {}), [("fate.boot_id", B, WARN)]),
    "one machine, declared apart": (
        lambda: of_ties([Tie("boot_ids", "x", (A, B), True)], {A: "n", B: "s"}),
        [("fate.boot_id", B, WARN)],
    ),
    "one zone": (lambda: of_ties([Tie("zones", "x", (A, B), False)], {}), [("fate.zone", B, WARN)]),
    "one zone, declared apart": (lambda: of_ties([Tie("zones", "x", (A, B), False)], {A: "n", B: "s"}), []),
    "one zone, declared for one": (
        lambda: of_ties([Tie("zones", "x", (A, B), False)], {A: "n"}),
        [("fate.zone", B, WARN)],
    ),
    "one zone for three, two declared": (
        lambda: of_ties([Tie("zones", "x", (A, B, C), False)], {A: "n", B: "s"}),
        [("fate.zone", C, WARN)],
    ),
    "one zone for three, the last two together": (
        lambda: of_ties([Tie("zones", "x", (A, B, C), False)], {A: "n", B: "s", C: "s"}),
        [],
    ),
    "one subnet": (
        lambda: of_subnets({A: "https://10.0.0.1:6443", B: "https://10.0.0.9:6443", C: "https://10.0.1.1:6443"}),
        [("fate.subnet", B, INFO)],
    ),
    "no subnet": (lambda: of_subnets({A: "https://10.0.0.1", B: "https://10.0.1.1", C: "https://k8s.example"}), []),
    "one IPv6 subnet": (
        lambda: of_subnets({A: "https://[fd00::1]:6443", B: "https://[fd00::2]:6443"}),
        [("fate.subnet", B, INFO)],
    ),
}

# Name → a part of the one finding's sentence.
SENTENCES = {
    "two data planes": "k8s-1 and k8s-2 are the same cluster (kube-system has UID 2). Two data planes",
    "control and data": "control and k8s-1 are the same cluster (kube-system has UID 1)",
    "rebuilt": "k8s-2: context k8s-2 was 2, is 9: renamed or rebuilt? What is right",
    "another's": "belongs to control plane 7, and this one is 1. Two operators would work",
    "a new control plane": "This control plane has no record of contexts",
    "one zone": "k8s-1, k8s-2 share the zone 'x', and count as one failure domain",
    "one subnet": "the API servers of k8s-1, k8s-2 are in one subnet (10.0.0.0/24)",
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_found(name: str) -> None:
    rule, expected = CASES[name]
    assert short(rule()) == expected


@pytest.mark.parametrize("name", SENTENCES)
def test_what_a_finding_says(name: str) -> None:
    (finding,) = CASES[name][0]()
    assert SENTENCES[name] in str(finding)


def test_a_cluster_that_took_anothers_name_is_named() -> None:
    first, second = of_record(now(k8s_1="2", k8s_2="1"), RECORD, "control")
    assert first.seen == "context k8s-1 was 1, is 2, which was k8s-2"
    assert second.seen == "context k8s-2 was 2, is 1, which was k8s-1"


def test_every_way_in_which_four_names_share_clusters() -> None:
    for uids in itertools.product("123", repeat=4):
        given = dict(zip(PLANES, uids, strict=True))
        groups = [[name for name in given if given[name] == uid] for uid in dict.fromkeys(uids)]
        shared = [group for group in groups if len(group) > 1]
        found = of_duplicates(given, PLANES)
        assert [finding.context for finding in found] == [group[-1] for group in shared]
        for finding, group in zip(found, shared, strict=True):
            assert finding.seen.startswith(" and ".join(group) + " are the same")
            assert ("a control plane and a data plane" in finding.why) is ("control" in group and len(group) == 2)


def seen(**changed: list[str]) -> dict[str, Any]:
    return {"boot_ids": [], "machine_ids": [], "zones": [], "backends": [], **changed}


def test_what_is_shared() -> None:
    given = {A: seen(boot_ids=["b"], zones=["z", "y"]), B: seen(boot_ids=["b"], zones=["z"]), C: seen(zones=["", "x"])}
    assert ties(given) == [Tie("boot_ids", "b", (A, B), True), Tie("zones", "z", (A, B), False)]
    assert ties({A: seen(zones=[""]), B: seen(zones=[""])}) == []
    assert ties({A: {"error": "silent"}, B: seen(zones=["z"])}) == []


def entry(uid: str, **changed: str) -> dict[str, str]:
    return {"uid": uid, "server": "https://a", "ca_hash": "a", **changed}


# Name → what was recorded, what is seen (the control plane is c), how what speaks against it begins.
DOUBTS: dict[str, tuple[dict[str, str] | None, dict[str, str] | None, str]] = {
    "as recorded": (entry("1"), entry("1"), ""),
    "as recorded, at another address and with another CA": (entry("1"), entry("1", server="b", ca_hash="b"), ""),
    "silent": (entry("1"), entry(""), ""),
    "silent, at another address": (entry("1"), entry("", server="b"), "it is silent, and its address changed"),
    "silent, with another CA": (entry("1"), entry("", ca_hash="b"), "it is silent, and its CA changed"),
    "silent, both": (entry("1"), entry("", server="b", ca_hash="b"), "it is silent, and its address and its CA"),
    "another one": (entry("1"), entry("2"), "this context was cluster 1, and is 2"),
    "not in the kubeconfig": (entry("1"), None, "the kubeconfig has no such context"),
    "never recorded": (None, entry("1"), "it was never recorded"),
    "recorded without a UID": (entry(""), entry("1"), "it was never recorded"),
    "neither recorded nor seen": (entry(""), entry(""), "it was never recorded"),
    "seen as the control plane": (None, entry("c"), "this is the control plane's own cluster"),
    "recorded as the control plane": (entry("c"), entry(""), "this is the control plane's own cluster"),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_what_speaks_against_an_identity(name: str) -> None:
    recorded, shown, beginning = DOUBTS[name]
    doubt = doubt_of(recorded, shown, "c")
    assert (doubt is None) is (beginning == "")
    assert (doubt or ("", "", ""))[0].startswith(beginning)
    # Where nobody knows the control plane, nothing is taken for it.
    assert "control plane's own cluster" not in str(doubt_of(recorded, shown, ""))


# Ties, declared domains → domain of each of three contexts.
DOMAINS: dict[str, tuple[list[Tie], dict[str, str], list[str]]] = {
    "nothing shared": ([], {}, [A, B, C]),
    "one cluster, declared apart": ([Tie("uids", "x", (A, B), True)], {A: "n", B: "s"}, ["n+s", "n+s", C]),
    "one machine": ([Tie("boot_ids", "x", (A, B), True)], {}, [f"{A}+{B}", f"{A}+{B}", C]),
    "one machine, declared apart": (
        [Tie("boot_ids", "x", (A, B), True)],
        {A: "n", B: "s"},
        ["n+s", "n+s", C],
    ),
    "one zone": ([Tie("zones", "x", (B, C), False)], {}, [A, f"{B}+{C}", f"{B}+{C}"]),
    "one zone, declared apart": ([Tie("zones", "x", (B, C), False)], {B: "n", C: "s"}, [A, "n", "s"]),
    "one zone, declared for one": ([Tie("zones", "x", (B, C), False)], {B: "n"}, [A, "n", "n"]),
    "declared together": ([], {A: "n", C: "n"}, ["n", B, "n"]),
    "declared together, and one tied to another": (
        [Tie("boot_ids", "x", (B, C), True)],
        {A: "n", B: "s", C: "n"},
        ["n+s"] * 3,
    ),
    "a chain": (
        [Tie("zones", "x", (A, B), False), Tie("machine_ids", "m", (B, C), False)],
        {},
        [f"{A}+{B}+{C}"] * 3,
    ),
    "a chain across what is declared apart": (
        [Tie("zones", "x", (A, B, C), False)],
        {A: "n", C: "s"},
        ["n+s"] * 3,  # B is tied to both, and nobody said to which it belongs
    ),
    "a context that is not asked for": ([Tie("zones", "x", (A, "other"), False)], {}, [A, B, C]),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_failure_domains(name: str) -> None:
    shared, declared, expected = DOMAINS[name]
    assert [domains([A, B, C], shared, declared)[context] for context in (A, B, C)] == expected


def test_domains_are_what_connects_contexts() -> None:
    """A model of its own: contexts reach each other over ties."""
    names = ["a", "b", "c", "d"]
    pairs = list(itertools.combinations(names, 2))
    for chosen in itertools.product([False, True], repeat=len(pairs)):
        shared = [Tie("zones", str(number), pair, False) for number, pair in enumerate(pairs) if chosen[number]]
        found = domains(names, shared, {})
        for one, other in pairs:
            reached, before = {one}, set[str]()
            while reached != before:
                before = set(reached)
                reached |= {name for tie in shared if reached & set(tie.contexts) for name in tie.contexts}
            assert (found[one] == found[other]) is (other in reached)
