"""What a lab leaves on a machine: counted before and after."""

from __future__ import annotations

from pathlib import Path

from lab.cluster import network
from lab.settings import STATE_ROOT
from lab.system import cgroup_hierarchies, run


def processes(mark: str) -> list[str]:
    """Command lines that name the lab's folder."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if mark in words and "pytest" not in words:
            found.append(words)
    return sorted(found)


def traces(name: str, number: int) -> dict[str, list[str]]:
    """Everything that carries the lab's name or range: empty lists where there is no such lab."""
    mark = f"{STATE_ROOT}/{name}"
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if mark in line]
    groups = [str(path) for folder in cgroup_hierarchies().values() for path in folder.glob(f"kubeblocks-lab/{name}*")]
    rules = run(["iptables-save"], what="list packet rules").stdout.splitlines()
    return {
        "processes": processes(f"{mark}/"),
        "namespaces": sorted(space for space in network.namespaces() if space.startswith(f"kbl-{name}-")),
        "links": sorted(link for link in network.links() if link.split("-")[:2] == ["kbl", str(number)]),
        "mounts": mounts,
        "cgroups": groups,
        "folders": [mark] if Path(mark).exists() else [],
        "rules": [line for line in rules if f"kbl-{number}" in line],
    }


def everything() -> dict[str, set[str]]:
    """All of the whole machine that a lab could leave behind, whatever its name."""
    return {
        "namespaces": network.namespaces(),
        "links": network.links(),
        "mounts": {line.split(" ", 4)[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "cgroups": {str(path) for folder in cgroup_hierarchies().values() for path in folder.rglob("cgroup.procs")},
        "network": _network_namespaces(),
    }


def left_behind(before: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is there now and was not before; empty sets are left out."""
    now = everything()
    return {key: now[key] - before[key] for key in now if now[key] - before[key]}


def _network_namespaces() -> set[str]:
    found = set()
    for folder in Path("/proc").iterdir():
        try:
            found.add(str((folder / "ns" / "net").readlink()))
        except OSError:
            continue
    return found
