"""From the decision to mark a dead context: seconds to the new leader and to a change that is observed. Both engines.

On the lab of the fault matrix. For each engine it is also shown that the same operator does nothing without the mark.
Run: make bench-failover
"""

from __future__ import annotations

import argparse
import datetime
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from figures import machine, median, warn_if_busy

from fault_matrix import scene
from fault_matrix.kinds import SHORT, VICTIM

ENGINES = ("helm", "patch")
RUNS = 10
LEADER, OBSERVED = 25, 45  # targets, in seconds
_FROZEN = 60.0
_PATIENCE = 180.0


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how long failover takes from its decision.")
    parser.add_argument("--engine", choices=ENGINES, help="this one alone")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help=f"runs for each engine (default: {RUNS})")
    return parser.parse_args()


@contextmanager
def changes() -> Iterator[list[tuple[float, float]]]:
    """Change the canary again and again; when each change was observed and served, as seconds since the epoch."""
    seen, stop = list[tuple[float, float]](), threading.Event()

    def change() -> None:
        while not stop.is_set():
            began, found = time.time(), scene.change(_PATIENCE)
            if found.observed is not None and found.served is not None:
                seen.append((began + found.observed, began + found.served))

    thread = threading.Thread(target=change, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(_PATIENCE)


def timed(inventory: Path, engine: str) -> tuple[float, float, float]:
    """Seconds from the decision to the new leader, and to the first change that it observed and that it served."""
    scene.fail((VICTIM, "partition", ""))
    with changes() as seen:
        told = scene.playbook("failover", inventory, failover_window=SHORT, failover_engine=engine)
        if told.code or told.result.get("engine") != engine:
            sys.exit(f"bench: failover ended otherwise than expected:\n{told.said}{told.result}")
        seconds = told.result["seconds"]
        decided = datetime.datetime.fromisoformat(told.ended).timestamp() - seconds["total"]
        led = decided + seconds["leader"]
        scene.until(lambda: any(min(moments) >= led for moments in seen), _PATIENCE)
    observed, served = (
        min((each[what] for each in seen if each[what] >= led), default=float("inf")) for what in (0, 1)
    )
    found = float(seconds["leader"]), observed - decided, served - decided
    print(f"  {engine}: {seconds}; a change observed after {found[1]:.1f} s, served after {found[2]:.1f} s", flush=True)
    return found


def frozen(inventory: Path, engine: str) -> str:
    """An operator that is started anew while the dead context is not marked; then with the mark."""
    scene.fail((VICTIM, "partition", ""))
    scene.delete_operator()
    time.sleep(5)  # the old Pods have a second to end
    without = scene.change(_FROZEN)
    told = scene.playbook("failover", inventory, failover_window=SHORT, failover_engine=engine)
    after = scene.change(_PATIENCE)
    return (
        f"{engine}, operator restarted: without the mark a change is {_in_words(without, _FROZEN)}; "
        f"after failover, which ended with {told.code}, {_in_words(after, _PATIENCE)}"
    )


def _in_words(found: scene.Change, patience: float) -> str:
    moments = [
        f"{what} {f'after {seconds:.1f} s' if seconds is not None else f'not within {patience:.0f} s'}"
        for what, seconds in (("observed", found.observed), ("served", found.served))
    ]
    return " and ".join(moments)


def mend(inventory: Path) -> None:
    scene.heal()
    told = scene.failback(inventory, SHORT)
    wrong = scene.until_well()
    if not wrong and scene.release_is_behind():
        scene.playbook("site", inventory)
    if told.code or wrong:
        sys.exit(f"bench: the lab is not well again: {'; '.join(wrong)}\n{told.said}")


def main() -> None:
    chosen = options()
    inventory = scene.ready()
    for engine in [chosen.engine] if chosen.engine else ENGINES:
        warn_if_busy()
        print(machine(), flush=True)
        found = []
        for _ in range(chosen.runs):
            found.append(timed(inventory, engine))
            mend(inventory)
        print(median(f"{engine}, decision to new leader", [each[0] for each in found], f", target {LEADER} s"))
        print(median(f"{engine}, decision to change observed", [each[1] for each in found], f", target {OBSERVED} s"))
        print(median(f"{engine}, decision to change served", [each[2] for each in found]))
        print(frozen(inventory, engine), flush=True)
        mend(inventory)


if __name__ == "__main__":
    main()
