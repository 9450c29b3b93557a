"""How long a quiet second ``site.yml`` takes: median of five, on the lab of ``make demo``. Run: make bench"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from figures import RUNS, machine, median, warn_if_busy

INVENTORY = Path("/var/lib/kubeblocks-lab/lab/inventory")


def timed() -> tuple[float, bool]:
    """Seconds of one run, and whether it changed nothing."""
    started = time.monotonic()
    done = subprocess.run(
        ["ansible-playbook", "-i", str(INVENTORY), "playbooks/site.yml"], capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(f"bench: site.yml failed:\n{done.stdout}{done.stderr}")
    return seconds, "changed=0" in done.stdout and not any(f"changed={n}" in done.stdout for n in range(1, 10))


def main() -> None:
    if not INVENTORY.exists():
        sys.exit("bench: the lab of make demo is not up: run make demo first")
    warn_if_busy()
    timed()  # fills the caches of a machine that has just come up
    runs = [timed() for _ in range(RUNS)]
    planes = sum(1 for line in (INVENTORY / "hosts.yml").read_text().splitlines() if line.strip().startswith("k8s-"))
    quiet = all(unchanged for _, unchanged in runs)
    print(machine())
    print(median(f"site.yml again, {planes} data planes", [run[0] for run in runs], f", nothing changed: {quiet}"))


if __name__ == "__main__":
    main()
