"""For how long clusters are looked at: until what is seen of each has lasted, and no more than twice the window."""

from __future__ import annotations

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._health import is_over
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.verdict import (
    ALIVE,
    DEAD,
    UNKNOWN,
    Verdict,
)


def seen(verdict: str, lasting: float) -> Verdict:
    return Verdict(verdict, "", lasting, 5)


@pytest.mark.parametrize(
    ("verdicts", "at", "over"),
    [
        ([seen(ALIVE, 60), seen(DEAD, 60)], 60, True),
        ([seen(ALIVE, 59), seen(DEAD, 59)], 59, False),
        # It died while somebody looked: the picture has lasted for less than the window.
        ([seen(ALIVE, 60), seen(UNKNOWN, 45)], 60, False),
        ([seen(ALIVE, 75), seen(DEAD, 60)], 75, True),
        # Vantages that disagree all the time will not agree in the next minute.
        ([seen(ALIVE, 60), seen(UNKNOWN, 60)], 60, True),
        # It flaps.
        ([seen(ALIVE, 119), seen(UNKNOWN, 15)], 119, False),
        ([seen(ALIVE, 120), seen(UNKNOWN, 15)], 120, True),
        ([], 60, True),
    ],
)
def test_how_long_one_looks(verdicts: list[Verdict], at: float, over: bool) -> None:
    assert is_over(verdicts, at, 60.0) is over


def test_a_single_look_is_one() -> None:
    assert is_over([seen(UNKNOWN, 0)], 0.0, 0.0)
