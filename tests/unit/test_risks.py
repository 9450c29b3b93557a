"""Accepting what is refused: by name, never all at once."""

from __future__ import annotations

import itertools

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.gate import (
    RISKS,
    WEAK_EVIDENCE,
    Refusal,
    blocking,
    unknown_risks,
)


def refusal(risk: str) -> Refusal:
    return Refusal("D3.5", "k8s-1", "", "", "", risk)


def test_every_set_of_refusals_and_of_accepted_risks() -> None:
    """A refusal without a risk blocks whatever is accepted; the others block unless just their risk is."""
    each = [refusal(risk) for risk in ("", *RISKS)]
    subsets = [some for size in range(len(RISKS) + 1) for some in itertools.combinations(RISKS, size)]
    for accepted in [*subsets, ("",), ("force", "all", "*"), ("", *RISKS)]:
        left = blocking(each, accepted)
        assert left == [one for one in each if one.risk == "" or accepted.count(one.risk) == 0], accepted
        assert all(blocking([one], accepted) == [one] * left.count(one) for one in each), accepted


def test_a_text_is_no_list_of_risks() -> None:
    assert blocking([refusal(WEAK_EVIDENCE)], "no_spare,weak_evidence") == [refusal(WEAK_EVIDENCE)]


def test_names_that_are_no_risk() -> None:
    assert unknown_risks(RISKS) == []
    assert unknown_risks(["force", "multiple", "two_voters", "", "single_vantage"]) == ["force", "", "single_vantage"]
    assert len(RISKS) == len(set(RISKS)) == 8
