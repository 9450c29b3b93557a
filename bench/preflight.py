"""How long preflight takes on the lab of make demo: all well, and one context cut off. Run: make bench-preflight"""

from __future__ import annotations

import subprocess
import sys
import time

from figures import RUNS, machine, median, warn_if_busy
from second_run import INVENTORY

CUT_OFF = "k8s-2"
DEADLINE = 30  # preflight_deadline


def timed(*, silent: bool) -> float:
    """Seconds of one run; it has to end as expected."""
    started = time.monotonic()
    words = ["ansible-playbook", "-i", str(INVENTORY), "playbooks/preflight.yml"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if ("[api.silent]" in done.stdout + done.stderr) is not silent or bool(done.returncode) is not silent:
        sys.exit(f"bench: preflight ended otherwise than expected:\n{done.stdout}{done.stderr}")
    return seconds


def lab(*words: str) -> None:
    subprocess.run(["lab", *words], check=True, capture_output=True)


def main() -> None:
    if not INVENTORY.exists():
        sys.exit("bench: the lab of make demo is not up: run make demo first")
    warn_if_busy()
    timed(silent=False)  # fills the caches of a machine that has just come up
    print(machine())
    print(median("preflight, 3 data planes", [timed(silent=False) for _ in range(RUNS)]))
    lab("fail", CUT_OFF, "--how", "api")
    try:
        cut = [timed(silent=True) for _ in range(RUNS)]
    finally:
        lab("heal", CUT_OFF)
    print(median("preflight, one of 3 data planes cut off", cut, f", deadline {DEADLINE} s"))


if __name__ == "__main__":
    main()
