"""Each guard of a sentinel's history is taken away or bent in turn: the expectation that names it must fail."""

from __future__ import annotations

import pytest

from mutants import Mutation, is_caught, named

HISTORY = "ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.history"
FATES, GAPS, THERE, SAYS = "test_fates", "test_gaps", "test_what_is_there", "test_the_sentence"
NOT_READ = "test_what_nobody_could_read_back_is_neither_lost_nor_sound"
FIGURES, ACCOUNT = "test_figures_are_in_milliseconds_at_most", "test_each_endpoint_has_its_own_account"
LAST_REASON, MODEL = "test_the_last_reason_of_an_endpoint_is_told", "test_small_histories_against_a_model"
THREE_WRITES = "3 writes acknowledged, none lost, longest gap 1.0 s"
ONE_WRITE = "1 write acknowledged, none lost, longest gap 0.5 s"
NO_WRITE = "no write acknowledged, 2 refused, longest gap 60.0 s until the end"
NOT_THERE = "3 writes acknowledged, not read back, longest gap 1.0 s"
MIXED = "2 writes acknowledged, 1 refused, 1 unknown, none lost, 1 refused but there, longest gap 4.0 s"
TO_THE_END = "1 write acknowledged, 1 unknown, none lost, longest gap 8.0 s until the end"
LOST = "3 writes acknowledged, 2 lost, 1 altered, longest gap 1.0 s"
DOUBLED = "4 writes acknowledged, none lost, 1 doubled, longest gap 2.2 s"

# What stands there, what comes instead, the expectation that fails: test and case.
BENT: list[tuple[str, str, str, str | None]] = [
    # Fates
    ("T = (REFUSED, UNKNOWN,", "T = (UNKNOWN, REFUSED,", FATES, "nobody answered, then refused"),
    (
        "T = (REFUSED, UNKNOWN, ACKNOWLEDGED)",
        "T = (REFUSED, ACKNOWLEDGED, UNKNOWN)",
        FATES,
        "nobody answered, then acknowledged",
    ),
    ("max(known, attempt.outcome, key", "min(known, attempt.outcome, key", FATES, "acknowledged"),
    ("= max(known, attempt.outcome, key=_BY_WEIGHT.index)", "= attempt.outcome", FATES, "nobody answered in between"),
    ("fates.get(attempt.number, REFUSED)", "fates.get(attempt.number, UNKNOWN)", FATES, "refused by all"),
    ("if count > 1)", "if count > 2)", FATES, "refused, then acknowledged"),
    ("if count > 1)", "if count)", FATES, "acknowledged"),
    ("attempts=len(attempts)", "attempts=len(fates)", FATES, "refused by all"),
    # Gaps
    ("return Gaps()", "return Gaps(1.0)", GAPS, "nothing tried"),
    ("begin, last = attempts[0].began", "begin, last = 0.0", GAPS, "at the begin"),
    ("edges = [begin, *times", "edges = [*times[:1], *times", GAPS, "at the begin"),
    ("[max(ended, last.ended)] if in_vain", "[max(ended, last.ended)] if True", GAPS, "a rest at the end is none"),
    ("[max(ended, last.ended)] if in_vain", "[ended] if in_vain", GAPS, "the end before the last attempt's"),
    ("[max(ended, last.ended)] if in_vain", "[last.ended] if in_vain", GAPS, "at the end"),
    ("*([max(ended, last.ended)] if in_vain else [])", "", GAPS, "one write, and none came back"),
    ("= last.outcome != ACKNOWLEDGED", "= last.outcome == UNKNOWN", GAPS, "at the end"),
    ("= last.outcome != ACKNOWLEDGED", "= last.outcome == REFUSED", GAPS, "one write, and none came back"),
    ("times = [attempt.ended", "times = [attempt.began", GAPS, "one write"),
    ("for attempt in attempts if attempt.outcome == ACKNOWLEDGED]", "for attempt in attempts]", GAPS, "in the middle"),
    ("max(spans, key=lambda span: span[0])", "max(spans)", GAPS, "the first of two equal ones"),
    ("began=began - begin", "began=began", GAPS, "counted from the first attempt"),
    ("in_vain and (longest, began) == spans[-1]", "in_vain", GAPS, "at the end, but a longer one before"),
    ("(longest, began) == spans[-1]", "longest == spans[-1][0]", GAPS, "as long at the end as before"),
    ("to_the_end=in_vain and ", "to_the_end=", GAPS, "two writes"),
    ("_percentile(between, 50)", "_percentile(between, 55)", GAPS, "percentiles"),
    ("_percentile(between, 50)", "_percentile(between, 45)", GAPS, "percentiles"),
    ("_percentile(between, 95)", "_percentile(between, 99)", GAPS, "percentiles"),
    ("_percentile(between, 95)", "_percentile(between, 90)", GAPS, "percentiles"),
    ("between[-1] if between", "between[0] if between", GAPS, "in the middle"),
    ("sorted(later - earlier for", "list(later - earlier for", MODEL, None),
    ("percent / 100) - 1]", "percent / 100)]", GAPS, "percentiles"),
    ("math.ceil(", "math.floor(", MODEL, None),
    ("/ 100) - 1] if ascending else None", "/ 100) - 1] if ascending else 0.0", GAPS, "one write"),
    # What is there
    ("if fate == ACKNOWLEDGED and number", "if number", THERE, "of those that failed, none"),
    ("if fate == ACKNOWLEDGED and", "if fate != REFUSED and", THERE, "of those that failed, none"),
    ("for number in sorted(fates) if", "for number in found if number in fates if", THERE, "two were written twice"),
    ("if entry.value != value_of(number)]", "if False]", THERE, "one has another value"),
    ("if entry.value != value_of(number)]", "if not entry.value.isdigit()]", THERE, "one has another's value"),
    (
        "!= value_of(number)]",
        "!= value_of(number) and fates[number] == ACKNOWLEDGED]",
        THERE,
        "an unknown one has another value",
    ),
    ("if entry.version > 1]", "if entry.version > 2]", THERE, "one was written twice"),
    ("if entry.version > 1]", "if entry.version > 0]", THERE, "all"),
    ("if fates[number] == REFUSED]", "if fates[number] != ACKNOWLEDGED]", THERE, "an unknown one is there"),
    ("in there if fates[number]", "in fates if fates[number]", THERE, "of those that failed, none"),
    ("not self.lost and not self.altered", "not self.altered", THERE, "one is missing"),
    ("not self.lost and not self.altered", "not self.lost", THERE, "one has another value"),
    ("return self.read and not", "return not", NOT_READ, None),
    ("read=found is not None", "read=bool(found)", THERE, "none of them"),
    ("len(numbers) if self.read else None", "len(numbers)", NOT_READ, None),
    ("round(seconds, 3)", "round(seconds, 2)", FIGURES, None),
    ("round(self.gaps.longest, 3)", "self.gaps.longest", FIGURES, None),
    ("round(self.gaps.began, 3)", "self.gaps.began", FIGURES, None),
    ("None if seconds is None else", "0.0 if seconds is None else", FIGURES, None),
    # Words
    ("        if not self.attempts:\n", "        if not self.counts[ACKNOWLEDGED]:\n", SAYS, NO_WRITE),
    ("        if not self.attempts:\n", "        if False:\n", SAYS, "nothing was written"),
    ("if count < 2 else", "if count < 1 else", SAYS, ONE_WRITE),
    ("count or 'no'", "count", SAYS, NO_WRITE),
    ("(REFUSED, UNKNOWN) if self.counts[fate]]", "(REFUSED, UNKNOWN)]", SAYS, THREE_WRITES),
    ("(REFUSED, UNKNOWN) if self.counts[fate]]", "(UNKNOWN,) if self.counts[fate]]", SAYS, MIXED),
    ('if self.read else ["not read back"]', "", SAYS, NOT_THERE),
    ('" until the end" if self.gaps.to_the_end else ""', '""', SAYS, TO_THE_END),
    ("if self.counts[ACKNOWLEDGED] and not self.lost", "if not self.lost", SAYS, NO_WRITE),
    ("if self.counts[ACKNOWLEDGED] and not self.lost", "if self.counts[ACKNOWLEDGED]", SAYS, LOST),
    ('            "altered": self.altered,\n            "doubled"', '            "doubled"', SAYS, LOST),
    ('            "doubled": self.doubled,\n            "refused', '            "refused', SAYS, DOUBLED),
    # Accounts
    ("entry[attempt.outcome] += 1", "entry[attempt.outcome] = 1", ACCOUNT, None),
    ('attempt.why or entry["why"]', "attempt.why", LAST_REASON, None),
    ('attempt.why or entry["why"]', 'entry["why"] or attempt.why', LAST_REASON, None),
]
MUTATIONS: list[Mutation] = [(HISTORY, *mutation) for mutation in BENT]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=named)
def test_an_expectation_fails_without_its_guard(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_caught(mutation, "history", monkeypatch)
