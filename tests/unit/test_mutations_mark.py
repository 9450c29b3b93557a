"""Each guard of what is written for a mark is taken away or bent in turn: the expectation that names it must fail."""

from __future__ import annotations

import pytest

from mutants import Mutation, is_caught, named

RULES = "ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules"
RELEASE, PROGRESS, MARKS, STANDINS = (f"{RULES}.{name}" for name in ("release", "progress", "marks", "standins"))
TESTS = {RELEASE: "release", PROGRESS: "release", MARKS: "marks", STANDINS: "marks"}
ONLY, BACK, WORDS = (
    "test_what_would_be_written_is_the_list_and_nothing_else",
    "test_a_mark_that_is_taken_away_is_a_difference_too",
    "test_the_argument_goes_where_the_chart_puts_it",
)
WORKS, UNCOUNTED, GOING = (
    "test_when_the_operator_works",
    "test_where_nobody_counts_the_proof_is_another",
    "test_a_pod_that_is_going_does_not_lead",
)
DIFFER, NEEDS, LIKE = (
    "test_marks_that_differ",
    "test_who_needs_them",
    "test_a_stand_in_is_like_its_sibling_but_for_what_only_a_living_one_has",
)
FIRST = "test_stand_ins_go_to_the_first_context_that_is_left"

MUTATIONS: list[Mutation] = [
    (RELEASE, "if old.keys() != new.keys():", "if False:", ONLY, "an object comes"),
    (RELEASE, "old.keys() ^ new.keys()", "new.keys() - old.keys()", ONLY, "an object goes"),
    (RELEASE, "if len(told) < _DEPLOYMENTS:", "if False:", ONLY, "only one Deployment"),
    (RELEASE, "if strip(body) != strip(old[name]):", "if False:", ONLY, "another image too"),
    (RELEASE, "_unmarked if name in told else dict", "_unmarked", ONLY, "another object too"),
    (RELEASE, "!= list(marked)]", "== []]", ONLY, "in another order"),
    (RELEASE, "_unmarked if name in told else dict", "dict", BACK, None),
    (RELEASE, "kept = [word for word in words if not word.startswith(DISABLED)]", "kept = list(words)", WORDS, None),
    (RELEASE, "if marked else []), *kept", "), *kept", WORDS, None),
    (RELEASE, "if word.startswith(CONTEXTS)) + 1", "if word.startswith(CONTEXTS))", WORDS, None),
    (RELEASE, "if name]", "]", "test_what_is_marked", "commas too many"),
    (PROGRESS, "!= list(marked)]", "== ['never']]", WORKS, "not told"),
    (PROGRESS, "if untold or not deployments:", "if untold:", WORKS, "nothing there"),
    (PROGRESS, 'status.get("observedGeneration") == ', "True or ", WORKS, "not observed"),
    (PROGRESS, '== status.get("replicas", 0) == wanted', "== wanted", WORKS, "the old Pod is there"),
    (PROGRESS, 'and status.get("updatedReplicas", 0) == ', "and ", WORKS, "not updated"),
    (PROGRESS, 'and status.get("readyReplicas", 0) == wanted', "", WORKS, "not ready"),
    (PROGRESS, "if leaderless:", "if False:", WORKS, "nobody leads"),
    (PROGRESS, 'args_of({"spec": {"template": pod}}) == args_of(deployment) and ', "", WORKS, "an old Pod leads"),
    (PROGRESS, 'and not pod["metadata"].get("deletionTimestamp")', "", GOING, None),
    (PROGRESS, "== _name(deployment)]", "]", WORKS, "data protection has no leader"),
    (PROGRESS, "and not counts.get(name)]", "and False]", WORKS, "it does nothing"),
    (PROGRESS, "not counts.get(name)]", "name not in counts]", WORKS, "one controller does nothing"),
    (PROGRESS, "elif counts is not None:", "else:", UNCOUNTED, None),
    (PROGRESS, "frozenset(reached), counts is not None,", "frozenset(reached), True,", UNCOUNTED, None),
    (PROGRESS, ' if picture["databases"] else None', "", UNCOUNTED, None),
    (
        RELEASE,
        "and read(body) != read(known[name])",
        "",
        "test_what_helm_would_set_back_is_left_to_the_patch",
        "nothing",
    ),
    (MARKS, "if context not in recorded:", "if False:", DIFFER, "by hand"),
    (MARKS, "elif told and len(known) < len(told):", "elif told and not known:", DIFFER, "dropped from one"),
    (MARKS, "if context in marked]", "]", DIFFER, "dropped"),
    (MARKS, "[*recorded, *everywhere]", "recorded", DIFFER, "by hand"),
    (STANDINS, 'service.get("serviceType") == "LoadBalancer"', "True", NEEDS, "ClusterIP"),
    (STANDINS, 'and service.get("podService")', "", NEEDS, "not for each Pod"),
    (STANDINS, "== UNIQUE", "!= 'x'", NEEDS, "mirrored"),
    (STANDINS, 'if each["name"] == component]', "]", NEEDS, "of another component"),
    (STANDINS, "if context not in marked), ", "), ", FIRST, ("k8s-1",)),
    (STANDINS, 'if entry["port"] == PEER_PORT]', "]", LIKE, None),
    (STANDINS, '"loadBalancerClass": ABSENT,', "", LIKE, None),
    (STANDINS, "STANDS_IN: context", "STANDS_IN: pod", LIKE, None),
    (STANDINS, "not in wanted]", "in wanted]", "test_what_nobody_wants_any_more", None),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=named)
def test_an_expectation_fails_without_its_guard(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_caught(mutation, TESTS[mutation[0]], monkeypatch)
