"""Each guard of the verdicts and proofs is taken away or bent in turn: the expectation that names it must fail."""

from __future__ import annotations

import pytest

from mutants import Mutation, is_caught, named

RULES = "ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules"
VERDICT, QUORUM, VIEWS = f"{RULES}.verdict", f"{RULES}.quorum", f"{RULES}.views"
TESTS = {VERDICT: "verdict", QUORUM: "verdict", VIEWS: "views"}
SAYS, NEWEST = (
    "test_what_one_member_says_of_the_others",
    "test_the_members_come_from_the_newest_list_and_are_healthy_only_by_their_own_word",
)
CASES, MODEL, CUT_OFF = "test_verdicts", "test_every_picture_against_a_model", "test_who_is_cut_off_himself"
PROOFS, UNPLACED = "test_proofs_against_a_model_of_a_majority", "test_whom_nobody_can_place_counts_as_lost"
NO_WAY = "test_a_vantage_without_a_way_to_any_api_still_sees_members"
WITHOUT = "test_a_context_without_members_is_judged_by_its_api_and_never_dead"

MUTATIONS: list[Mutation] = [
    (VERDICT, "agreeing >= least and", "", CASES, "dead, a sample too few"),
    (VERDICT, "and lasting >= window", "", CASES, "dead, a second too short"),
    (VERDICT, "lasting >= window", "lasting > window", CASES, "dead"),
    (VERDICT, "if unseen and", "if False and", CASES, "silent for this host alone"),
    (VERDICT, " or (found == API_DOWN and not has_members)", "", WITHOUT, None),
    (VERDICT, "(found == API_DOWN and not has_members)", "not has_members", WITHOUT, None),
    (VERDICT, "< _VANTAGES:", "<= _VANTAGES:", CASES, "dead, two looked at its API"),
    (VERDICT, "samples[-agreeing:]) <", "samples[-1:]) <", CASES, "silent for two, but never for the same two"),
    (VERDICT, "set.intersection(*silent)", "set.union(*silent)", CASES, "silent for two, but never for the same two"),
    (VERDICT, "and agreeing == len(seen))", ")", CASES, "back after a while"),
    (VERDICT, "not (found == ALIVE and", "not (found == DEAD and", CASES, "well, and one look is enough"),
    (VERDICT, "if each != seen[-1])", "if each == UNKNOWN)", CASES, "the API alone since a moment"),
    (VERDICT, " and vantage != context]", "]", CASES, "the members see only themselves"),
    (VERDICT, "_MIXED if len(said) == 2 else", "", CASES, "the vantages disagree about the API"),
    (VERDICT, "(_NO, _MIXED): API_DOWN", "(_NO, _MIXED): DEAD", CASES, "dead, one contrary witness"),
    (VERDICT, "(_NO, _YES): API_DOWN", "(_NO, _YES): DEAD", CASES, "the API alone"),
    (VERDICT, "(_YES, _NO): DATA_DOWN", "(_YES, _NO): ALIVE", CASES, "its members alone"),
    (VERDICT, "meant != ALIVE and is_isolated", "is_isolated", CASES, "this host is cut off, and sees it"),
    (VERDICT, "if meant != ALIVE and is_isolated(sample, contexts)", "if False", CASES, "this host is cut off"),
    (VERDICT, "seen + 1 >= _majority(contexts)", "True", CASES, "a blind witness does not count"),
    (
        VERDICT,
        "if vantage == HOST or any(",
        "if True or any(",
        "test_a_vantage_without_a_way_to_any_api_still_sees_members",
        None,
    ),
    (VERDICT, " if has_members else _ALONE.get(api, UNKNOWN)", "", WITHOUT, None),
    (VERDICT, "_ALONE = {_YES: ALIVE, _NO: API_DOWN}", "_ALONE = {_YES: ALIVE, _NO: DEAD}", WITHOUT, None),
    (VERDICT, "// 2 + 1", "// 2", CUT_OFF, (4, 2, True)),
    (VERDICT, "reached < _majority", "reached <= _majority", CUT_OFF, (3, 2, False)),
    (VERDICT, "if answer is not None}", "}", CASES, "dead"),
    (VIEWS, "None if alone else ", "", SAYS, "cut off from all"),
    (VIEWS, 'not view["reads"] and not any', "not any", SAYS, "the only other one is gone"),
    (VIEWS, 'and not any(view["peers"].values())', "", SAYS, "no quorum, but somebody"),
    (VIEWS, 'bool(entry["data"]) or answers', "answers", SAYS, "the last of two in a cluster is silent"),
    (VIEWS, 'if view["reads"]), lists', "), lists", NEWEST, None),
    (VIEWS, 'if name in database.pods else ""', "", NEWEST, None),
    (VIEWS, 'bool(views.get(name, {}).get("reads"))', "name in views", NEWEST, None),
    (QUORUM, "voters // 2 + 1", "(voters + 1) // 2", PROOFS, None),
    (QUORUM, 'if member["voter"]]', "]", PROOFS, None),
    (QUORUM, 'if member["healthy"]]', "]", PROOFS, None),
    (QUORUM, 'member["domain"] and member', "member", UNPLACED, None),
    (QUORUM, 'member["domain"] not in lost', "True", PROOFS, None),
    (QUORUM, "SAFE if spare > 0", "SAFE if spare > -1", PROOFS, None),
    (QUORUM, "NO_SPARE if spare == 0", "NO_SPARE if spare <= 0", PROOFS, None),
    (QUORUM, "spare - count for", "spare for", PROOFS, None),
    (QUORUM, "len(healthy) - needed", "len(outside) - needed", PROOFS, None),
    (QUORUM, "if left < needed:", "if left <= needed:", PROOFS, None),
    (QUORUM, "if spare < 0]", "if spare <= 0]", "test_the_sentence_names_what_would_be_fatal", None),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=named)
def test_an_expectation_fails_without_its_guard(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_caught(mutation, TESTS[mutation[0]], monkeypatch)
