"""One row of the matrix: a fault from before it to after its end, with a writer all the while; and false verdicts."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clients import Writer, etcdctl
from fault_matrix import ROOT, scene
from fault_matrix.courses import COURSES, Day
from fault_matrix.kinds import BY_NAME, OBSERVER, SECOND, SHORT, STAYS, VICTIM
from fault_matrix.rows import FAULT, VERDICT, Row, digest
from lab.build.programs import ETCD_VERSION, KUBEBLOCKS_VERSION, KUBERNETES_VERSION

VERSIONS = {
    "KubeBlocks": KUBEBLOCKS_VERSION,
    "Kubernetes": KUBERNETES_VERSION,
    "etcd": ETCD_VERSION,
    "ansible-core": version("ansible-core"),
}
_MEMORY = ("MemTotal:", 1024 * 1024)


def origin(kind: str, fault: str, window: float) -> Row:
    """What every row begins with: when, by which code, where, and what it is of."""
    words = ["git", "rev-parse", "--short=10", "HEAD"]
    commit = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    return {
        "date": str(datetime.date.today()),
        "commit": commit,
        "rules": digest(),
        "versions": VERSIONS,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {_gigabytes():.0f} GB",
        "load": round(os.getloadavg()[0], 1),
        "kind": kind,
        "fault": fault,
        "window": window,
    }


def _gigabytes() -> float:
    name, unit = _MEMORY
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) / unit for line in lines if line.startswith(name))


def fault(name: str, window: float, inventory: Path) -> Row:
    """Break, let the playbooks work, mend, and look whether all is well again."""
    kind, began = BY_NAME[name], time.monotonic()
    day = Day(kind, window, inventory)
    led = scene.lead_from(VICTIM if kind.broken else STAYS)
    day.row = {"led": led, "observed": None, "served": None, "seconds": {}}
    writes = scene.target()
    prefix = f"fault/{time.time_ns()}/"
    with Writer(writes, prefix) as writer:
        scene.until(lambda: len(writer.acknowledged) > 10, 30)
        scene.fail(*kind.breaks)
        try:
            COURSES[kind.course](day)
        finally:
            scene.heal()
        healed = time.monotonic()
        after = _mended(day)
        well = time.monotonic() - healed
        before = len(writer.acknowledged)
        scene.until(lambda: len(writer.acknowledged) > before + 10, 30)
    lost = writer.lost(writes)
    etcdctl(writes, "del", "--prefix", prefix)
    verdicts = day.row.pop("verdicts", {})
    said = [verdicts.get(context, "none") for context in kind.broken] or sorted(set(verdicts.values()))
    return {
        **origin(FAULT, name, window),
        "verdict": ", ".join(dict.fromkeys(said)) or "none",
        "verdicts": verdicts,
        "did": day.did,
        **day.row,
        # While the host is cut off, so is the writer on it: that says nothing of the database.
        "gap": None if kind.name == OBSERVER else round(writer.gap(), 2),
        "acknowledged": len(writer.acknowledged),
        "unanswered": writer.refused,
        "lost": len(lost),
        "well": round(well, 1),
        "after": after,
        "took": round(time.monotonic() - began, 1),
    }


def _mended(day: Day) -> str:
    """Give back what was marked, and wait until all is well: that, or what is not."""
    notes, refused = list[str](), list[str]()
    if scene.recorded() or day.kind.dead:
        told = scene.failback(day.inventory, day.window, refused)
        day.row["not_yet"] = refused
        if told.code:
            notes.append(f"failback failed: {told.said.strip()[:400]}")
    wrong = scene.until_well()
    if not wrong and scene.release_is_behind():
        scene.playbook("site", day.inventory)
        notes.append("site put the release right" if not scene.release_is_behind() else "the release is behind")
    if not wrong and scene.change(120).served is None:
        wrong = ["the canary's change was not served"]
    return "; ".join([*(wrong or [scene.WELL]), *notes])


def verdict(name: str, number: int) -> Row:
    """One outage with nothing but looking: by turns of each context that may be broken."""
    contexts = ("k8s-2", VICTIM, SECOND)
    context = OBSERVER if name == OBSERVER else contexts[number % len(contexts)]
    scene.fail((context, OBSERVER if name == OBSERVER else name, ""))
    try:
        verdicts: dict[str, Any] = scene.health(SHORT)
    finally:
        scene.heal()
    return {**origin(VERDICT, name, SHORT), "context": context, "verdicts": verdicts}
