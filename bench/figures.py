"""What every figure is printed with: the day, the machine, how many runs, and that nothing else was at work."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import sys
from collections.abc import Sequence

RUNS = 5
_BUSY = 1.0  # processes waiting for a processor, on average over a minute


def machine() -> str:
    """The day and the machine, with the load of the last minute."""
    return f"{datetime.date.today()}  {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def median(what: str, seconds: Sequence[float], note: str = "") -> str:
    """One line: the median, the shortest and the longest of the runs."""
    middle, low, high = statistics.median(seconds), min(seconds), max(seconds)
    return f"{what}, {len(seconds)} runs: median {middle:.1f} s (min {low:.1f}, max {high:.1f}){note}"


def warn_if_busy() -> None:
    """Say so if the machine does something else: then the figure is no figure."""
    if os.getloadavg()[0] > _BUSY * (os.cpu_count() or 1):
        sys.stderr.write("bench: this machine is busy; run it again when it is idle\n")
