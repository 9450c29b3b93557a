"""Starting, stopping and watching one node of the lab."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from lab.build import unpacked
from lab.build.crds import snapshot_crds
from lab.build.images import archives
from lab.cluster import cgroups, pki
from lab.cluster.api import Api
from lab.cluster.processes import STORAGE_CLASS, containerd_socket, files, processes
from lab.cluster.supervisor import Supervisor
from lab.settings import CILIUM, LabError, Node, write_atomically
from lab.system import cgroup_hierarchies, run

_PATIENCE = 180.0
# Processors are scarce where several labs run. Go's programs collect half as often, and wake no second processor for
# what one does: four API servers start with a fifth less of processor time, and idle with a quarter less.
_ENVIRONMENT = {"HOME": "/root", "GOGC": "200", "GOMAXPROCS": "1"}
_HOST_FOLDERS = ("/var/lib/kubelet", "/var/log/pods", "/var/log/containers", "/run/netns")


def supervisor(node: Node) -> Supervisor:
    return Supervisor(node.folder, node.namespace, node.cgroup)


def start(node: Node) -> bool:
    """Start the node unless it runs; whether it was started."""
    watcher = supervisor(node)
    if watcher.alive():
        return False
    cgroups.end(node.cgroup)  # what a killed supervisor left behind
    watcher.socket.unlink(missing_ok=True)
    containerd_socket(node).unlink(missing_ok=True)
    pki.create(node)
    for folder in (node.data / "kubelet", node.volumes, node.folder / "run", node.folder / "logs" / "containers"):
        folder.mkdir(parents=True, exist_ok=True)
    (node.data / "store").mkdir(mode=0o700, exist_ok=True)
    if node.profile == "pods":
        unpacked.give(node.network, node.data)
    for path, text in files(node).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    cgroups.create(node.cgroup)
    watcher.start(processes(node), _mounts(node), _ENVIRONMENT, _prepare(node))
    return True


def _prepare(node: Node) -> list[str]:
    """What Cilium's agent expects of a node: its run folder, a BPF file system and cgroup2, each the node's own."""
    if node.network != CILIUM:
        return []
    for folder in (node.cni_programs, node.cni_configuration):
        folder.mkdir(parents=True, exist_ok=True)
    loopback = node.cni_programs / "loopback"
    if not loopback.exists():
        loopback.symlink_to("/usr/lib/cni/loopback")
    Path("/run/cilium").mkdir(exist_ok=True)
    unified = cgroup_hierarchies()["unified"] / node.cgroup
    return [
        "mount -t tmpfs -o mode=0755 cilium /run/cilium",
        "mkdir /run/cilium/cgroupv2",
        f"mount --bind {unified} /run/cilium/cgroupv2",
        "mount -t bpf bpf /sys/fs/bpf",
    ]


def _mounts(node: Node) -> dict[Path, Path]:
    """Host path → what the node sees there."""
    found: dict[Path, Path] = {}
    for path in _HOST_FOLDERS:
        Path(path).mkdir(parents=True, exist_ok=True)
    if node.profile == "pods":
        found[Path("/var/lib/kubelet")] = node.data / "kubelet"
        found[Path("/var/log/pods")] = node.folder / "logs" / "containers"
        found[Path("/var/log/containers")] = node.folder / "logs" / "containers"
    if node.own_identity:
        for target, text in (
            ("/etc/machine-id", _identity(node, "machine").hex),
            ("/proc/sys/kernel/random/boot_id", str(_identity(node, "boot"))),
        ):
            source = node.folder / "etc" / Path(target).name
            source.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(source, text + "\n")
            found[Path(target)] = source
    return found


def _identity(node: Node, what: str) -> uuid.UUID:
    """An ID that is the node's own and stays the same for as long as its keys do."""
    seed = (node.folder / "pki" / "ca.crt").read_bytes()
    return uuid.UUID(bytes=hashlib.sha256(seed + what.encode()).digest()[:16], version=4)


def stop(node: Node) -> None:
    """End every process of the node; its mounts and the pods' network namespaces end with them."""
    cgroups.end(node.cgroup)


def furnish(node: Node, api: Api) -> None:
    """What a fresh cluster needs before Pods can run: StorageClass, the provisioner's scripts, CRDs of snapshots."""
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "rancher.io/local-path",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
    }
    scripts = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "local-path-config", "namespace": "kube-system"},
        "data": {
            "setup": '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
            "teardown": '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
        },
    }
    for crd in snapshot_crds():
        api.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}", crd)
    api.apply(f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE_CLASS}", storage)
    api.apply("/api/v1/namespaces/kube-system/configmaps/local-path-config", scripts)


def node_is_ready(node: Node, api: Api) -> bool:
    """The API server answers and, in the ``pods`` profile, its one node is Ready; without a network, it is there."""
    if not api.ready():
        return False
    if node.profile != "pods":
        return True
    try:
        found = api.get(f"/api/v1/nodes/{node.name}")
    except LabError:
        return False
    if node.network == CILIUM:
        return found is not None  # it gets Ready when site.yml has installed Cilium
    conditions = found["status"].get("conditions", []) if found else []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def settle(node: Node) -> None:
    """Furnish a started node and wait until it is ready. Raises LabError with what is missing."""
    deadline = time.monotonic() + _PATIENCE
    api = Api(node)
    _until(api.ready, deadline, f"{node.name}: its API server is not ready", node)
    if node.profile == "pods":
        furnish(node, Api(node, timeout=_PATIENCE))  # a machine that starts several labs answers slowly
    _until(lambda: node_is_ready(node, api), deadline, f"{node.name}: its node is not Ready", node)
    _until(lambda: all_run(node), deadline, f"{node.name}: not every process runs", node)


def all_run(node: Node) -> bool:
    """Whether every process that belongs up is up."""
    states = supervisor(node).states() or {}
    wanted = {process.name for process in processes(node) if process.always}
    return {name for name, record in states.items() if record["statename"] == "RUNNING"} >= wanted


def _until(condition: Callable[[], bool], deadline: float, complaint: str, node: Node) -> None:
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{complaint} after {_PATIENCE:.0f} s. The logs are in {node.folder}/logs")
        time.sleep(0.1)


def import_images(node: Node) -> None:
    """Load the images that the node's containerd does not hold yet, as those that were built since it began.

    They are unpacked where and when a container first needs them: no node runs all of them.
    """
    if node.profile != "pods":
        return
    marks = node.data / unpacked.MARKS
    marks.mkdir(exist_ok=True)
    for archive in archives(node.network):
        mark = marks / archive.parent.name
        if mark.exists():
            continue
        command = [*unpacked.images(containerd_socket(node)), "import", "--no-unpack", str(archive)]
        run(command, what=f"import image {archive.parent.name} on {node.name}")
        mark.touch()
