"""How long preflight takes: on the lab of make demo (without and with Pods, one context cut off), and with 20 clusters.

The 20 are API servers on one common store, without controllers, and are measured against 3 of the same kind.
Run: make bench-preflight
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from figures import RUNS, machine, median, warn_if_busy
from second_run import INVENTORY

from lab import lifecycle
from lab.settings import Lab

CUT_OFF = "k8s-2"
DEADLINE = 30  # preflight_deadline
FEW, MANY = 3, 20


def timed(inventory: Path, *words: str, silent: bool = False) -> float:
    """Seconds of one run; it has to end as expected."""
    started = time.monotonic()
    command = ["ansible-playbook", "-i", str(inventory), "playbooks/preflight.yml", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if ("[api.silent]" in done.stdout + done.stderr) is not silent or bool(done.returncode) is not silent:
        sys.exit(f"bench: preflight ended otherwise than expected:\n{done.stdout}{done.stderr}")
    return seconds


def several(what: str, inventory: Path, *words: str, silent: bool = False, note: str = "") -> float:
    """Print the median of several runs and return it."""
    seconds = [timed(inventory, *words, silent=silent) for _ in range(RUNS)]
    print(median(f"preflight, {what}", seconds, note), flush=True)
    return statistics.median(seconds)


def lab(*words: str) -> None:
    subprocess.run(["lab", *words], check=True, capture_output=True)


def on_the_demo() -> None:
    alone = "-e", "preflight_in_cluster=never"
    timed(INVENTORY, *alone)  # fills the caches of a machine that has just come up
    several("3 data planes, no Pod", INVENTORY, *alone)
    several("3 data planes, a Pod in each cluster", INVENTORY, "-e", "etcd_name=another")
    lab("fail", CUT_OFF, "--how", "api")
    try:
        several("one of 3 data planes cut off", INVENTORY, *alone, silent=True, note=f", deadline {DEADLINE} s")
    finally:
        lab("heal", CUT_OFF)


def on_many() -> None:
    servers = Lab("tbench", range=5, data_planes=MANY, profile="servers")
    lifecycle.up(servers, lambda _text: None)
    accepted = "-e", '{"preflight_accept": ["storage.default_class"]}'
    try:
        with tempfile.TemporaryDirectory() as folder:
            few = Path(shutil.copytree(servers.inventory, Path(folder) / "few"))
            hosts = yaml.safe_load((few / "hosts.yml").read_text())
            hosts["data_plane"]["hosts"] = {node.name: None for node in servers.nodes[1 : FEW + 1]}
            (few / "hosts.yml").write_text(yaml.safe_dump(hosts))
            time.sleep(60)  # what so many API servers do when they have just started is not what is measured
            timed(few, *accepted)
            one = several(f"{FEW} bare API servers", few, *accepted)
            other = several(f"{MANY} bare API servers", servers.inventory, *accepted)
            print(f"preflight, {MANY} against {FEW}: {other / one:.2f} times as long")
    finally:
        lifecycle.down(servers.name, lambda _text: None)


def main() -> None:
    if not INVENTORY.exists():
        sys.exit("bench: the lab of make demo is not up: run make demo first")
    warn_if_busy()
    print(machine())
    on_the_demo()
    on_many()


if __name__ == "__main__":
    main()
