"""From four clusters without a network to etcd over a Cilium Cluster Mesh by ``site.yml``. Run: make bench-mesh"""

from __future__ import annotations

import sys
import time

from figures import RUNS, machine, median, warn_if_busy

from lab import lifecycle
from lab.settings import CILIUM, Lab
from support import play

LAB = Lab("tbench", range=5, network=CILIUM)
TARGET = 240  # seconds


def timed() -> float:
    """Seconds of the first ``site.yml`` on a fresh lab, whose images are there."""
    lifecycle.up(LAB, lambda _text: None)
    started = time.monotonic()
    played = play(LAB, "playbooks/site.yml", patient=False)
    seconds = time.monotonic() - started
    lifecycle.down(LAB.name, lambda _text: None)
    if played.code:
        sys.exit(f"bench: site.yml failed:\n{played.output}")
    return seconds


def main() -> None:
    warn_if_busy()
    print(machine(), flush=True)
    print(
        median(
            "site.yml, from no network to etcd over a mesh of four",
            [timed() for _ in range(RUNS)],
            f", target {TARGET} s",
        )
    )


if __name__ == "__main__":
    main()
