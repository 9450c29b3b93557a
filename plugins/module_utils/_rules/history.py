# Private to this collection.
"""What became of numbered writes: which of them are there, and for how long none was acknowledged. Pure.

Attempts come in their order, one after the other. A number may take several, through several endpoints, and all of them
write the same value. Times are seconds since any one moment.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Of an attempt, and of a number: it is there; it is certainly not there; it may be there.
ACKNOWLEDGED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"
_BY_WEIGHT = (REFUSED, UNKNOWN, ACKNOWLEDGED)


@dataclass(frozen=True)
class Attempt:
    """One try to write one number. ``why``: what kept it from being acknowledged."""

    number: int
    endpoint: str
    began: float
    ended: float
    outcome: str
    why: str = ""


@dataclass(frozen=True)
class Found:
    """What is there of a number. ``version``: how often it was written."""

    value: str
    version: int = 1


@dataclass(frozen=True)
class Gaps:
    """Seconds without an acknowledged write. The longest may also lie before the first one, or reach ``to_the_end``
    of the run; it ``began`` so many seconds after the first attempt. The others lie between two acknowledged writes."""

    longest: float = 0.0
    began: float = 0.0
    to_the_end: bool = False
    p50: float | None = None
    p95: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class History:
    """Numbers by what became of them. ``lost``: acknowledged, but not there; ``altered``: there with another value;
    ``doubled``: written more than once; ``appeared``: refused, yet there. None of these if nobody ``read`` it back."""

    attempts: int
    retried: int
    counts: Mapping[str, int]
    gaps: Gaps
    read: bool
    lost: Sequence[int] = ()
    altered: Sequence[int] = ()
    doubled: Sequence[int] = ()
    appeared: Sequence[int] = ()

    @property
    def sound(self) -> bool:
        """Whether everything that was acknowledged is there as it was written."""
        return self.read and not self.lost and not self.altered

    @property
    def figures(self) -> dict[str, Any]:
        differences = {"lost": self.lost, "altered": self.altered, "doubled": self.doubled, "appeared": self.appeared}
        return {
            "attempts": self.attempts,
            "retried": self.retried,
            **self.counts,
            **{name: len(numbers) if self.read else None for name, numbers in differences.items()},
            "longest_gap": round(self.gaps.longest, 3),
            "longest_gap_began": round(self.gaps.began, 3),
            "longest_gap_to_the_end": self.gaps.to_the_end,
            "gap_p50": _rounded(self.gaps.p50),
            "gap_p95": _rounded(self.gaps.p95),
            "gap_max": _rounded(self.gaps.most),
        }

    @property
    def sentence(self) -> str:
        if not self.attempts:
            return "nothing was written"
        count = self.counts[ACKNOWLEDGED]
        words = [f"{count or 'no'} {'write' if count < 2 else 'writes'} acknowledged"]
        words += [f"{self.counts[fate]} {fate}" for fate in (REFUSED, UNKNOWN) if self.counts[fate]]
        words += self._read_back() if self.read else ["not read back"]
        end = " until the end" if self.gaps.to_the_end else ""
        return ", ".join([*words, f"longest gap {self.gaps.longest:.1f} s{end}"])

    def _read_back(self) -> list[str]:
        words = ["none lost"] if self.counts[ACKNOWLEDGED] and not self.lost else []
        differences = {
            "lost": self.lost,
            "altered": self.altered,
            "doubled": self.doubled,
            "refused but there": self.appeared,
        }
        return words + [f"{len(numbers)} {word}" for word, numbers in differences.items() if numbers]


def value_of(number: int) -> str:
    """What is written under a number, by every attempt."""
    return str(number)


def judge(attempts: Sequence[Attempt], ended: float, found: Mapping[int, Found] | None) -> History:
    """The history of a run that ``ended`` then. ``found``: number → what is there; None if nobody could read it."""
    tries = Counter(attempt.number for attempt in attempts)
    fates = fates_of(attempts)
    return History(
        attempts=len(attempts),
        retried=sum(1 for count in tries.values() if count > 1),
        counts={fate: list(fates.values()).count(fate) for fate in (ACKNOWLEDGED, REFUSED, UNKNOWN)},
        gaps=gaps_of(attempts, ended),
        read=found is not None,
        **({} if found is None else _differences(fates, found)),
    )


def fates_of(attempts: Iterable[Attempt]) -> dict[int, str]:
    """Number → what became of it.

    It is acknowledged if one attempt was. It is refused only if all of them were: one that nobody answered may have
    written it, or may still do so, whatever was said to the next.
    """
    fates: dict[int, str] = {}
    for attempt in attempts:
        known = fates.get(attempt.number, REFUSED)
        fates[attempt.number] = max(known, attempt.outcome, key=_BY_WEIGHT.index)
    return fates


def _differences(fates: Mapping[int, str], found: Mapping[int, Found]) -> dict[str, Sequence[int]]:
    there = {number: found[number] for number in sorted(fates) if number in found}
    return {
        "lost": [number for number, fate in sorted(fates.items()) if fate == ACKNOWLEDGED and number not in found],
        "altered": [number for number, entry in there.items() if entry.value != value_of(number)],
        "doubled": [number for number, entry in there.items() if entry.version > 1],
        "appeared": [number for number in there if fates[number] == REFUSED],
    }


def gaps_of(attempts: Sequence[Attempt], ended: float) -> Gaps:
    if not attempts:
        return Gaps()
    begin, last = attempts[0].began, attempts[-1]
    times = [attempt.ended for attempt in attempts if attempt.outcome == ACKNOWLEDGED]
    between = sorted(later - earlier for earlier, later in itertools.pairwise(times))
    # After an acknowledged write the writer rests, and nobody knows what would have been: that is no gap.
    in_vain = last.outcome != ACKNOWLEDGED
    edges = [begin, *times, *([max(ended, last.ended)] if in_vain else [])]
    spans = [(later - earlier, earlier) for earlier, later in itertools.pairwise(edges)]
    longest, began = max(spans, key=lambda span: span[0])
    return Gaps(
        longest=longest,
        began=began - begin,
        to_the_end=in_vain and (longest, began) == spans[-1],
        p50=_percentile(between, 50),
        p95=_percentile(between, 95),
        most=between[-1] if between else None,
    )


def by_endpoint(attempts: Iterable[Attempt], endpoints: Collection[str]) -> dict[str, dict[str, Any]]:
    """Endpoint → how many attempts went how, and why the last one failed that did."""
    found: dict[str, dict[str, Any]] = {
        endpoint: {ACKNOWLEDGED: 0, REFUSED: 0, UNKNOWN: 0, "why": ""} for endpoint in endpoints
    }
    for attempt in attempts:
        entry = found[attempt.endpoint]
        entry[attempt.outcome] += 1
        entry["why"] = attempt.why or entry["why"]
    return found


def _percentile(ascending: Sequence[float], percent: int) -> float | None:
    """The smallest of them that so many percent do not exceed."""
    return ascending[math.ceil(len(ascending) * percent / 100) - 1] if ascending else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
