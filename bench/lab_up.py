"""How long a lab takes from nothing to ready: API server and Ready node of four clusters, each profile five times.

The images that Pods need come after that; both moments are printed. Run: make bench-lab
"""

from __future__ import annotations

import re
import sys
import time

from figures import RUNS, machine, median, warn_if_busy

from lab import lifecycle
from lab.settings import Lab


def timed(lab: Lab) -> tuple[float, float]:
    """Seconds to readiness, and to the end of ``lab up``."""
    said: list[tuple[float, str]] = []
    started = time.monotonic()
    lifecycle.up(lab, lambda text: said.append((time.monotonic() - started, text)))
    whole = time.monotonic() - started
    lifecycle.down(lab.name, lambda _text: None)
    ready = [moment for moment, text in said if re.search(r"\d+ clusters ready", text)]
    if not ready:
        sys.exit("bench: lab up did not say that its clusters are ready")
    return ready[0], whole


def main() -> None:
    warn_if_busy()
    print(machine())
    for profile in ("api", "pods"):
        runs = [timed(Lab("tbench", range=5, profile=profile)) for _ in range(RUNS)]
        print(median(f"lab up, four {profile} clusters, until ready", [run[0] for run in runs]))
        print(median(f"lab up, four {profile} clusters, whole", [run[1] for run in runs]), flush=True)


if __name__ == "__main__":
    main()
