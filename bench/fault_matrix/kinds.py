"""The faults of the matrix: what breaks, what the verdict has to be, and how many rows are wanted of each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

VICTIM, SECOND, STAYS = "k8s-3", "k8s-4", "k8s-1"
OBSERVER = "observer"
ALIVE, API_DOWN, DATA_DOWN, DEAD, ISOLATED = "ALIVE", "API_DOWN", "DATA_DOWN", "DEAD", "OBSERVER_ISOLATED"
SHORT, DEFAULT = 10.0, 60.0  # seconds for which what is seen has to agree
WANTED = {SHORT: 5, DEFAULT: 2}
OUTAGES = 30


@dataclass(frozen=True)
class Kind:
    """One fault. ``breaks``: context, how, direction. ``course``: what is done besides, a function of ``courses``;
    ``steps``: how many kinds share the wanted rows, as each is a step of the same fault."""

    name: str
    words: str
    verdict: str
    breaks: tuple[tuple[str, str, str], ...] = ((VICTIM, "partition", ""),)
    course: str = "plain"
    steps: int = 1

    @property
    def dead(self) -> bool:
        return self.verdict == DEAD

    @property
    def broken(self) -> list[str]:
        return [context for context, _, _ in self.breaks if context != OBSERVER]


# Step of marking → what is seen from outside when the run is killed.
STEPS = {
    "record": "the mark is recorded",
    "stand-ins": "the guard and the stand-ins are there",
    "told": "both Deployments are told",
    "leads": "an operator that was told leads",
    "marked": "the record says that it is done",
}
KINDS = (
    Kind("api", "its API is silent", API_DOWN, ((VICTIM, "api", ""),)),
    Kind("data", "its members are silent", DATA_DOWN, ((VICTIM, "data", ""),)),
    Kind("partition", "both are silent", DEAD),
    Kind("asymmetric in", "packets pass towards it only", DEAD, ((VICTIM, "asymmetric", "in"),)),
    Kind("asymmetric out", "packets pass from it only", DEAD, ((VICTIM, "asymmetric", "out"),)),
    Kind("slow", "every packet waits 75 ms ± 50", ALIVE, ((VICTIM, "slow", ""),)),
    Kind("frozen", "all its processes are stopped", DEAD, ((VICTIM, "freeze", ""),)),
    Kind("observer", "the Ansible host is cut off from all", ISOLATED, ((OBSERVER, OBSERVER, ""),)),
    Kind("two dead", "two contexts are partitioned", DEAD, ((VICTIM, "partition", ""), (SECOND, "partition", ""))),
    Kind("operator restarted", "its Pods are deleted while a dead context is unmarked", DEAD, course="restarted"),
    Kind("sources gone", "no chart, no registry, no probe image", DEAD, course="sources_gone"),
    Kind("image gone", "besides, the operator's own node lost its tools image", DEAD, course="image_gone"),
    Kind("rebuilt", "another cluster returns under its name", DEAD, course="rebuilt"),
    Kind("wiped", "it returns with empty disks", DEAD, course="wiped"),
    *(
        Kind(f"killed: {step}", f"the run is killed when {words}", DEAD, course="killed", steps=len(STEPS))
        for step, words in STEPS.items()
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}
# False verdicts: fault → what may never be said of a context while it is in force.
NEVER = {"api": (DEAD,), OBSERVER: (DEAD, DATA_DOWN)}


def wanted(window: float, rows: int) -> Mapping[tuple[str, float], int]:
    """(Fault, window) → how many rows; the steps of one fault share them."""
    return {(kind.name, window): -(-rows // kind.steps) for kind in KINDS}
