"""How long the playbook endpoints takes: on the lab of make demo, and with one context cut off.

Run: make bench-endpoints
"""

from __future__ import annotations

import subprocess
import sys
import time

from figures import RUNS, machine, median, warn_if_busy
from second_run import INVENTORY

CUT_OFF = "k8s-2"
LIMIT = 5


def timed(*, cut_off: bool) -> float:
    """Seconds of one run; it has to tell what is true."""
    started = time.monotonic()
    command = ["ansible-playbook", "-i", str(INVENTORY), "playbooks/endpoints.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode or (f"{CUT_OFF}: not asked from there" in done.stdout) is not cut_off:
        sys.exit(f"bench: endpoints ended otherwise than expected:\n{done.stdout}{done.stderr}")
    return seconds


def lab(*words: str) -> None:
    subprocess.run(["lab", *words], check=True, capture_output=True)


def main() -> None:
    print(machine())
    warn_if_busy()
    timed(cut_off=False)  # fills the caches of a machine that has just come up
    print(median("endpoints, 3 data planes", [timed(cut_off=False) for _ in range(RUNS)], f", limit {LIMIT} s"))
    lab("fail", CUT_OFF, "--how", "partition")
    try:
        time.sleep(5)  # a leader is chosen anew where it was this one
        print(
            median("endpoints, one of them cut off", [timed(cut_off=True) for _ in range(RUNS)], f", limit {LIMIT} s")
        )
    finally:
        lab("heal", CUT_OFF)


if __name__ == "__main__":
    main()
