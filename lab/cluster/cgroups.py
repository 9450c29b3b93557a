"""cgroups: which processes belong to a node, stopping them all, ending them all."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lab.settings import LabError
from lab.system import cgroup_hierarchies

# What all labs together weigh, beside 1024 of every other process: else a busy playbook would have as much of the
# machine as they all, and their stores would be late.
_WEIGHT = 8 * 1024


def create(name: str) -> None:
    """Make the cgroup in every hierarchy, with the parent's processors and memory nodes where it must have some."""
    for hierarchy in cgroup_hierarchies().values():
        folder = hierarchy
        for part in Path(name).parts:
            parent, folder = folder, folder / part
            folder.mkdir(exist_ok=True)
            for attribute in ("cpuset.cpus", "cpuset.mems"):
                setting = folder / attribute
                if setting.exists() and not setting.read_text().strip():
                    setting.write_text((parent / attribute).read_text())
        weight = hierarchy / Path(name).parts[0] / "cpu.shares"
        if weight.exists():
            weight.write_text(str(_WEIGHT))


def folders(name: str) -> list[Path]:
    return [hierarchy / name for hierarchy in cgroup_hierarchies().values() if (hierarchy / name).is_dir()]


def processes(name: str) -> set[int]:
    """Every process in the cgroup and below it, in any hierarchy."""
    return {pid for folder in folders(name) for pid in _processes_below(folder)}


def _processes_below(folder: Path) -> Iterator[int]:
    for path in _tree(folder):
        with suppress(OSError):
            yield from map(int, (path / "cgroup.procs").read_text().split())


def _tree(folder: Path) -> list[Path]:
    """The folder and all below it, parents first. cgroups come and go meanwhile: what is gone is left out."""
    return [Path(path) for path, _, _ in os.walk(folder)]


def freeze(name: str) -> None:
    _set_frozen(name, "FROZEN")


def thaw(name: str) -> None:
    _set_frozen(name, "THAWED")


def frozen(name: str) -> bool:
    state = _freezer(name) / "freezer.state"
    return state.exists() and state.read_text().strip() != "THAWED"


def _freezer(name: str) -> Path:
    return cgroup_hierarchies()["freezer"] / name


def _set_frozen(name: str, wanted: str, patience: float = 60.0) -> None:
    state = _freezer(name) / "freezer.state"
    if not state.exists():
        return
    deadline = time.monotonic() + patience
    while True:
        state.write_text(wanted)
        if state.read_text().strip() == wanted:
            return
        if time.monotonic() > deadline:
            raise LabError(f"cannot bring cgroup {name} to {wanted}: it stays {state.read_text().strip()}")
        time.sleep(0.02)


def end(name: str, patience: float = 120.0) -> None:
    """Kill every process of the cgroup and remove it. Safe to call when there is nothing."""
    if not folders(name):
        return
    thaw(name)
    deadline = time.monotonic() + patience
    while left := processes(name):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise LabError(f"cannot end the processes {sorted(left)} of cgroup {name}: they survive SIGKILL")
        time.sleep(0.02)
    remove(name)


def remove(name: str) -> None:
    """Remove the empty cgroup with all below it, and the parents that are empty then."""
    for folder in folders(name):
        for path in reversed(_tree(folder)):
            _remove_one(path)
        with suppress(OSError):
            folder.parent.rmdir()
            folder.parent.parent.rmdir()


def _remove_one(path: Path, tries: int = 1500) -> None:
    for _ in range(tries):
        try:
            path.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)  # a killed process is still being taken out
        else:
            return
