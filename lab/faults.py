"""Breaking clusters on purpose and mending them: what is in force is written down before it is done."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lab import packets
from lab.build.store import Say
from lab.cluster import cgroups, machine
from lab.settings import Lab, LabError, Node, write_atomically

OBSERVER = "observer"
KINDS = ("api", "data", "partition", "asymmetric", "slow", "freeze", "wipe", "rebuild")
_EXCLUSIVE = {"freeze", "wipe", "rebuild"}
_SILENT = {"api", "partition", "asymmetric", "freeze"}


@dataclass(frozen=True)
class Fault:
    """One fault in force. ``direction`` is the way in which an asymmetric line still passes packets."""

    context: str
    how: str
    direction: str = ""
    since: float = 0.0
    done: bool = False

    def __str__(self) -> str:
        what = self.how if not self.direction else f"{self.how} ({self.direction} passes)"
        return what if self.done else f"{what}, unfinished: run lab heal {self.context}"


def in_force(lab: Lab) -> list[Fault]:
    try:
        return [Fault(**record) for record in json.loads(_record(lab).read_text())]
    except FileNotFoundError:
        return []


def of(lab: Lab, context: str) -> list[Fault]:
    return [fault for fault in in_force(lab) if fault.context == context]


def silences_api(lab: Lab, node: Node) -> bool:
    """Whether the Ansible host gets no answer from this node's API server, by intent."""
    return bool(of(lab, OBSERVER)) or any(fault.how in _SILENT for fault in of(lab, node.name))


def fail(lab: Lab, fault: Fault, say: Say) -> bool:
    """Put a fault in force; False if it is in force already."""
    node = None if fault.context == OBSERVER else lab.node(fault.context)
    existing = of(lab, fault.context)
    if any((known.how, known.direction) == (fault.how, fault.direction) and known.done for known in existing):
        return False
    if node is not None:
        _require_possible(node, fault, existing)
    others = [known for known in in_force(lab) if (known.context, known.how) != (fault.context, fault.how)]
    fault = replace(fault, since=time.time())
    _save(lab, [*others, fault])
    if node is not None and fault.how == "wipe":
        _wipe(node)
    if node is not None and fault.how == "rebuild":
        _rebuild(node)
    _save(lab, [*others, replace(fault, done=True)])
    enforce(lab)
    say(f"{fault.context}: {replace(fault, done=True)}")
    return True


def _require_possible(node: Node, fault: Fault, existing: list[Fault]) -> None:
    if fault.how in ("wipe",) and node.profile != "pods":
        raise LabError(f"{node.name} has no Pods and so no disks to wipe: this lab's profile is {node.profile!r}")
    if fault.how == "asymmetric" and fault.direction not in ("in", "out"):
        raise LabError("an asymmetric line needs --direction in or --direction out: the way that still passes packets")
    blocking = [known for known in existing if known.how in _EXCLUSIVE and known.how != fault.how]
    if blocking and fault.how in _EXCLUSIVE:
        raise LabError(f"{node.name} has the fault {blocking[0]}: run lab heal {node.name} first")


def heal(lab: Lab, context: str | None, say: Say) -> list[Fault]:
    """Undo the faults of one context, or of all; what was healed. Killed in the middle, the next heal finishes."""
    if context not in (None, OBSERVER):
        lab.node(context)
    healing = [fault for fault in in_force(lab) if context in (None, fault.context)]
    kept = [fault for fault in in_force(lab) if fault not in healing]
    _apply(lab, kept)
    for fault in healing:
        if fault.how == "wipe":
            _unwipe(lab.node(fault.context))
        if fault.how == "rebuild":
            _return_old(lab.node(fault.context))
    _save(lab, kept)
    enforce(lab)  # a node that was started anew has no rules yet
    for fault in healing:
        say(f"{fault.context}: {fault.how} healed")
    return healing


def enforce(lab: Lab) -> None:
    """Make the lab be as the record says: packet rules, delay programs, frozen cgroups."""
    _apply(lab, in_force(lab))


def _apply(lab: Lab, faults: list[Fault]) -> None:
    for node in lab.nodes:
        mine = [fault for fault in faults if fault.context == node.name]
        kinds = {fault.how for fault in mine}
        if "freeze" not in kinds:
            cgroups.thaw(node.cgroup)
            watcher = machine.supervisor(node)
            if watcher.alive():
                watcher.set_running("delay", "slow" in kinds)
        packets.set_node_rules(node, packets.node_rules([(fault.how, fault.direction) for fault in mine]))
        if "freeze" in kinds:
            cgroups.freeze(node.cgroup)
    packets.set_host_cut(lab, any(fault.context == OBSERVER for fault in faults))


def release_host(lab: Lab) -> None:
    """Take the lab's rules out of the host's own network namespace."""
    packets.remove_host_rules(lab)


def _record(lab: Lab) -> Path:
    return lab.folder / "faults.json"


def _save(lab: Lab, faults: list[Fault]) -> None:
    write_atomically(_record(lab), json.dumps([asdict(fault) for fault in faults], indent=1))


# The members' disks


def _wipe(node: Node) -> None:
    """Empty every volume; what was there is kept aside until the fault is healed."""
    cgroups.freeze(f"{node.cgroup}/kubepods")
    for volume in _volumes(node):
        aside = node.data / "wiped" / volume.name
        if aside.exists():
            continue  # a killed wipe had come this far
        partial = aside.with_name(f".{aside.name}")
        partial.mkdir(parents=True, exist_ok=True)
        for entry in volume.iterdir():
            entry.rename(partial / entry.name)
        partial.rename(aside)
    _restart_users_of_volumes(node)


def _unwipe(node: Node) -> None:
    aside = node.data / "wiped"
    cgroups.freeze(f"{node.cgroup}/kubepods")
    for kept in aside.iterdir() if aside.is_dir() else ():
        volume = node.volumes / kept.name.removeprefix(".")
        if not volume.is_dir():
            shutil.rmtree(kept)  # the database is gone: nobody wants its data back
            continue
        for entry in volume.iterdir():
            if not kept.name.startswith("."):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        for entry in kept.iterdir():
            entry.rename(volume / entry.name)
        kept.rmdir()
    _restart_users_of_volumes(node)


def _volumes(node: Node) -> list[Path]:
    return [path for path in node.volumes.iterdir() if path.is_dir()] if node.volumes.is_dir() else []


def _restart_users_of_volumes(node: Node) -> None:
    """Kill what has a volume mounted, so that it starts again and sees what the disk holds now."""
    pattern = re.compile(re.escape(str(node.volumes)) + r"/")
    for pid in cgroups.processes(f"{node.cgroup}/kubepods"):
        with suppress(OSError):
            if pattern.search(Path(f"/proc/{pid}/mountinfo").read_text()):
                os.kill(pid, signal.SIGKILL)
    cgroups.thaw(f"{node.cgroup}/kubepods")


# A new cluster under the old name and address


def _old_data(node: Node) -> Path:
    return node.data.with_name("data-before-rebuild")


def _rebuild(node: Node) -> None:
    machine.stop(node)
    if not _old_data(node).exists():
        node.data.rename(_old_data(node))
    machine.start(node)
    machine.settle(node)
    machine.import_images(node)


def _return_old(node: Node) -> None:
    if _old_data(node).exists():
        machine.stop(node)
        if node.data.exists():
            shutil.rmtree(node.data)
        _old_data(node).rename(node.data)
    machine.start(node)
    machine.settle(node)
    machine.import_images(node)
