# Private to this collection.
"""Whether a cluster is dead, judged from what several vantages saw of it over a while. Pure.

A sample: ``at`` (seconds) and ``views``: vantage → context → ``api`` and ``data``: True (it answered), False (it did
not), None (not asked). A vantage is this host, or a context whose Pods were asked; one that could not be asked is not
there, and one that is cut off itself does not count. ``data`` is what a vantage saw of the members there; what
a context sees of its own is no evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ALIVE, API_DOWN, DATA_DOWN, DEAD = "ALIVE", "API_DOWN", "DATA_DOWN", "DEAD"
OBSERVER_ISOLATED, UNKNOWN = "OBSERVER_ISOLATED", "UNKNOWN"
HOST = "host"
WINDOW, LEAST = 60.0, 5  # seconds and samples that a verdict has to last for
_VANTAGES = 2  # that must agree that a cluster is dead
_YES, _NO, _MIXED, _NOTHING = "yes", "no", "mixed", "nothing"

# What all vantages saw of the API and of the members → what it means.
_MEANINGS = {
    (_YES, _YES): ALIVE,
    (_NO, _YES): API_DOWN,
    (_NO, _MIXED): API_DOWN,
    (_YES, _NO): DATA_DOWN,
    (_NO, _NO): DEAD,
}
# The same of a cluster that holds no member.
_ALONE = {_YES: ALIVE, _NO: API_DOWN}
_SENTENCES = {
    ALIVE: "it answers",
    API_DOWN: "its API is silent, but its members are seen by others: they still vote",
    DATA_DOWN: "its API answers, but nobody sees its members",
    DEAD: "its API and its members are silent for every vantage that looked",
    OBSERVER_ISOLATED: "this host reaches fewer than a majority of all clusters, so it may be cut off itself",
    UNKNOWN: "the vantages disagree, or not everything was looked at",
}

Sample = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """``lasting``: seconds for which the last samples have agreed; ``samples``: how many they are."""

    verdict: str
    sentence: str
    lasting: float = 0.0
    samples: int = 0
    witnesses: Sequence[str] = field(default_factory=tuple)


def verdict_of(
    context: str,
    samples: Sequence[Sample],
    contexts: Collection[str],
    *,
    has_members: bool,
    window: float = WINDOW,
    least: int = LEAST,
) -> Verdict:
    """The verdict on one context. ``contexts``: all of them, the control plane too, which counts like a vantage."""
    if not samples:
        return Verdict(UNKNOWN, "nobody has looked yet")
    samples = [_trusted(sample, contexts) for sample in samples]
    seen = [_meaning(context, sample, contexts, has_members=has_members) for sample in samples]
    agreeing = next((back for back, each in enumerate(reversed(seen)) if each != seen[-1]), len(seen))
    lasting = samples[-1]["at"] - samples[-agreeing]["at"]
    found, sentence = seen[-1], _SENTENCES[seen[-1]]
    if found == API_DOWN and not has_members:
        sentence = "its API is silent, and it holds no member that others could see"
    unseen = found == DEAD or (found == API_DOWN and not has_members)
    if unseen and _vantages(context, samples[-agreeing:]) < _VANTAGES:
        found, sentence = UNKNOWN, "it is silent, but too few vantages looked to tell a dead cluster from a lost way"
    steady = agreeing >= least and lasting >= window
    # What was always well needs no streak; nor does doubt.
    if not steady and not (found == ALIVE and agreeing == len(seen)) and found not in (UNKNOWN, OBSERVER_ISOLATED):
        found, sentence = UNKNOWN, f"{sentence}, but only for {lasting:.0f} s and {agreeing} samples"
    return Verdict(found, sentence, lasting, agreeing, tuple(_witnesses(context, samples[-1])))


def is_isolated(sample: Sample, contexts: Collection[str]) -> bool:
    """Whether this host reaches fewer than a majority of all clusters: then the trouble may be its own."""
    view = sample["views"].get(HOST, {})
    reached = sum(1 for context in contexts if view.get(context, {}).get("api"))
    return reached < _majority(contexts)


def _meaning(context: str, sample: Sample, contexts: Collection[str], *, has_members: bool) -> str:
    """What one sample says of a context, if it goes on like that."""
    views = sample["views"]
    api = _agreed([view[context]["api"] for view in views.values() if context in view])
    data = _agreed([view[context]["data"] for vantage, view in views.items() if context in view and vantage != context])
    meant = _MEANINGS.get((api, data), UNKNOWN) if has_members else _ALONE.get(api, UNKNOWN)
    return OBSERVER_ISOLATED if meant != ALIVE and is_isolated(sample, contexts) else meant


def _trusted(sample: Sample, contexts: Collection[str]) -> Sample:
    """Without the vantages that are cut off themselves: who sees fewer than a majority, their own cluster counted.

    One that reaches no API at all may have no way to any, so it has no opinion on them.
    """
    views = {}
    for vantage, view in sample["views"].items():
        seen = sum(1 for entry in view.values() if entry["api"] or entry["data"])
        if vantage == HOST or any(entry["api"] for entry in view.values()):
            found = view
        else:
            found = {context: {**entry, "api": None} for context, entry in view.items()}
        if vantage == HOST or seen + 1 >= _majority(contexts):
            views[vantage] = found
    return {**sample, "views": views}


def _majority(contexts: Collection[str]) -> int:
    return len(contexts) // 2 + 1


def _agreed(answers: Sequence[bool | None]) -> str:
    said = {answer for answer in answers if answer is not None}
    return _NOTHING if not said else _MIXED if len(said) == 2 else _YES if True in said else _NO


def _vantages(context: str, samples: Sequence[Sample]) -> int:
    """How many vantages found the API silent in every one of these samples."""
    silent = [
        {vantage for vantage, view in sample["views"].items() if view.get(context, {}).get("api") is False}
        for sample in samples
    ]
    return len(set.intersection(*silent))


def _witnesses(context: str, sample: Sample) -> list[str]:
    """What each vantage said last, in words."""
    words = {True: "answers", False: "silent", None: "not asked"}
    return [
        f"{vantage}: API {words[view[context]['api']]}, members {words[view[context]['data']]}"
        for vantage, view in sample["views"].items()
        if context in view
    ]
