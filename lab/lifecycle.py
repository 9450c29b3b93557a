"""``lab up`` and ``lab down``: from nothing to running clusters and back, safe to repeat and to interrupt."""

from __future__ import annotations

import fcntl
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from lab import faults, outputs
from lab.build.everything import build_everything
from lab.build.store import Say
from lab.cluster import cgroups, machine, network, pki
from lab.cluster.processes import Process
from lab.cluster.supervisor import Supervisor
from lab.settings import ROUTES, STATE_ROOT, Lab, LabError, all_labs, load
from lab.system import raise_limits, require_root


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One command at a time changes a lab; a second one waits for the first."""
    require_root()
    STATE_ROOT.mkdir(parents=True, exist_ok=True)
    with (STATE_ROOT / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(lab: Lab, say: Say) -> bool:
    """Bring the lab up; whether anything had to be started. Returns when every cluster is ready."""
    require_root()
    build_everything(say, lab.network)
    for setting in raise_limits():
        say(f"kernel limit raised: {setting}")
    with locked(lab.name):
        _require_room(lab)
        lab.save()
        for node in lab.nodes:
            pki.create(node)
        network.create_bridge(lab)
        for node in lab.nodes:
            network.connect(node, lab.nodes, lab.bridge, lab.host_address)
        started = [machine.start(node) for node in lab.nodes]
        if lab.profile == "pods" and lab.network == ROUTES:
            started.append(_start_mesh(lab))
        faults.enforce(lab)
        outputs.write(lab)
        say("processes started" if any(started) else "everything runs already")
        _wait_until_ready(lab, say)
    return any(started)


def _require_room(lab: Lab) -> None:
    """Refuse what would silently turn one lab into another."""
    existing = load(lab.name)
    if existing is not None and replace(existing, data_planes=lab.data_planes) != lab:
        raise LabError(
            f"lab {lab.name!r} exists with range {existing.range}, profile {existing.profile!r}, "
            f"network {existing.network!r} and own identities {existing.own_identity}: "
            f"run lab --name {lab.name} down first"
        )
    if existing is not None and existing.data_planes > lab.data_planes:
        raise LabError(
            f"lab {lab.name!r} has {existing.data_planes} data planes, and {lab.data_planes} were asked for: "
            f"run lab --name {lab.name} down first"
        )
    for other in all_labs():
        if other.name != lab.name and other.range == lab.range:
            raise LabError(
                f"lab {other.name!r} uses address range {lab.range}: give this one another with --range, "
                f"or run lab --name {other.name} down"
            )


def mesh_supervisor(lab: Lab) -> Supervisor:
    return Supervisor(lab.folder / "mesh", lab.mesh_namespace, lab.mesh_cgroup)


def _start_mesh(lab: Lab) -> bool:
    cable = f"{lab.bridge}-mesh"
    network.create_namespace(lab.mesh_namespace, cable, lab.bridge, lab.mesh_address)
    watcher = mesh_supervisor(lab)
    if watcher.alive():
        states = watcher.states() or {}
        if set(states) == {"mesh"}:
            return False
    cgroups.end(lab.mesh_cgroup)
    command = (sys.executable, "-m", "lab.mesh", lab.name)
    watcher.start([Process("mesh", command)], {}, {"HOME": "/root"})
    return True


def _wait_until_ready(lab: Lab, say: Say) -> None:
    started = time.monotonic()
    awaited = [node for node in lab.nodes if not faults.silences_api(lab, node)]
    with ThreadPoolExecutor(len(lab.nodes)) as pool:
        list(pool.map(machine.settle, awaited))
        say(f"{len(awaited)} clusters ready after {time.monotonic() - started:.0f} s")
        list(pool.map(machine.import_images, awaited))


def down(name: str, say: Say) -> bool:
    """Take a lab away with all that it made; whether there was one."""
    with locked(name):
        lab = load(name)
        if lab is None:
            say(f"there is no lab {name!r}")
            return False
        faults.release_host(lab)
        cgroups.end(lab.mesh_cgroup)
        for node in lab.nodes:
            machine.stop(node)
        cgroups.remove(f"kubeblocks-lab/{lab.name}")
        network.disconnect(lab.mesh_namespace, f"{lab.bridge}-mesh")
        for node in lab.nodes:
            network.disconnect(node.namespace, node.uplink)
        network.remove_bridge(lab)
        # The description goes last: killed before this line, the next down finds what is left.
        for path in lab.folder.iterdir():
            if path.name != "lab.json":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(lab.folder)
        network.release_mount()
    say(f"lab {name!r} is down")
    return True
