"""Requests to a global Service while a peer of the mesh is dead: which share of them fails, and for how long.

Three times: backends that never expire, that expire after 60 s, and a peer that is marked. Run: make bench-mesh-dead
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

from figures import machine, warn_if_busy

from asking import Asked, asking
from lab import faults, lifecycle
from lab.settings import CILIUM, Lab
from support import play

LAB = Lab("tbench", range=5, network=CILIUM)
DEAD, OURS = "k8s-3", "k8s-1"
NEVER, USUAL = "0s", "60s"
SECONDS, STEP = 240, 20  # how long each is looked at, and in what steps
WINDOW = {"failover_window": 10, "failover_samples": 5}


def _say(_text: str) -> None:
    """The lab's words are not needed here."""


def playbook(name: str, **variables: object) -> None:
    played = play(LAB, f"playbooks/{name}.yml", "-e", json.dumps(variables), patient=False)
    if played.code:
        sys.exit(f"bench: {name} failed:\n{played.output}")


def looked_at(ttl: str, *, mark: bool) -> tuple[list[float], float]:
    """The share of failed requests in each step from the death on, and seconds from it to the end of failover."""
    playbook("site", cluster_mesh_cache_ttl=ttl)
    marked = 0.0
    with asking(LAB, OURS) as asked:
        faults.fail(LAB, faults.Fault(DEAD, "partition"), _say)
        died = time.time()
        try:
            if mark:
                playbook("failover", **WINDOW)
                marked = time.time() - died
            time.sleep(max(0.0, died + SECONDS - time.time()))
            shares = over_time(asked, died)
        finally:
            faults.heal(LAB, None, _say)
    return shares, marked


def over_time(asked: Asked, since: float) -> list[float]:
    asked.look()
    return [asked.share(since + second, since + second + STEP) for second in range(0, SECONDS, STEP)]


def line(name: str, shares: Sequence[float]) -> str:
    return f"{name:<22}" + "".join(f"{100 * share:>5.0f}" for share in shares)


def main() -> None:
    warn_if_busy()
    print(machine(), flush=True)
    lifecycle.up(LAB, _say)
    print(f"{'% failed, from second':<22}" + "".join(f"{second:>5}" for second in range(0, SECONDS, STEP)))
    try:
        for ttl in (NEVER, USUAL):
            print(line(f"cacheTTL {ttl}", looked_at(ttl, mark=False)[0]), flush=True)
        shares, marked = looked_at(USUAL, mark=True)
        print(line(f"marked after {marked:.0f} s", shares))
    finally:
        lifecycle.down(LAB.name, _say)


if __name__ == "__main__":
    main()
