"""For how long clusters are looked at: until what is seen of each has lasted, and for no more than two looks."""

from __future__ import annotations

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._health import is_over
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.verdict import (
    ALIVE,
    DEAD,
    UNKNOWN,
    Verdict,
)


def seen(verdict: str, lasting: float, samples: int = 5) -> Verdict:
    return Verdict(verdict, "", lasting, samples)


@pytest.mark.parametrize(
    ("verdicts", "taken", "at", "over"),
    [
        ([seen(ALIVE, 60), seen(DEAD, 60)], 5, 60, True),
        ([seen(ALIVE, 59), seen(DEAD, 59)], 5, 59, False),
        ([seen(ALIVE, 60, 4), seen(DEAD, 60, 4)], 4, 60, False),
        # It died while somebody looked: the picture has lasted for less than the window, or in too few samples.
        ([seen(ALIVE, 60, 6), seen(UNKNOWN, 45)], 6, 60, False),
        ([seen(ALIVE, 60), seen(UNKNOWN, 60, 4)], 5, 75, False),
        ([seen(ALIVE, 75, 6), seen(DEAD, 60)], 6, 75, True),
        # In the last sample of the first look: a second whole one still finds it.
        ([seen(ALIVE, 120, 9), seen(UNKNOWN, 45, 4)], 9, 120, False),
        ([seen(ALIVE, 135, 10), seen(DEAD, 60)], 10, 135, True),
        # Vantages that disagree all the time will not agree in the next minute.
        ([seen(ALIVE, 60), seen(UNKNOWN, 60)], 5, 60, True),
        # It flaps.
        ([seen(ALIVE, 119, 10), seen(UNKNOWN, 15, 2)], 10, 119, False),
        ([seen(ALIVE, 135, 10), seen(UNKNOWN, 15, 2)], 10, 135, True),
        ([], 5, 60, True),
        ([], 4, 60, False),
    ],
)
def test_how_long_one_looks(verdicts: list[Verdict], taken: int, at: float, over: bool) -> None:
    assert is_over(verdicts, taken, at, 60.0, 5) is over


def test_a_single_look_is_one() -> None:
    assert is_over([seen(UNKNOWN, 0, 1)], 1, 0.0, 0.0, 1)
