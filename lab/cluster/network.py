"""The lab's cabling: one bridge, one network namespace for each node, plain routes between the pod networks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from lab.settings import ROUTES, STATE_ROOT, Lab, Node, all_labs
from lab.system import run

UPLINK = "uplink"  # the node's own end of the cable
# The first `ip netns add` of a machine mounts this folder on itself, and nothing ever takes that mount away.
_NAMESPACES = Path("/run/netns")
_MOUNTED_BY_US = STATE_ROOT / ".netns-mount"


def ip(*words: str, namespace: str | None = None, check: bool = True) -> str:
    where = ["-n", namespace] if namespace else []
    return run(["ip", *where, *words], what=f"run ip {' '.join(words)}", check=check).stdout


def namespaces() -> set[str]:
    return {line.split()[0] for line in ip("netns", "list").splitlines() if line.strip()}


def links() -> set[str]:
    return {link["ifname"] for link in json.loads(ip("-j", "link", "show") or "[]")}


def create_bridge(lab: Lab) -> None:
    """What is there already stays; killed in between, the next one gives it what it lacks."""
    if lab.bridge not in links():
        ip("link", "add", lab.bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0")
    ip("addr", "replace", f"{lab.host_address}/24", "dev", lab.bridge)
    ip("link", "set", lab.bridge, "up")


def create_namespace(namespace: str, cable: str, bridge: str, address: str) -> None:
    """A network namespace whose ``uplink`` hangs on the bridge. What is there already stays."""
    if not _is_mounted(_NAMESPACES):
        _MOUNTED_BY_US.touch()
    if namespace not in namespaces():
        ip("netns", "add", namespace)
    if cable not in links():
        ip("link", "add", cable, "type", "veth", "peer", "name", UPLINK, "netns", namespace)
    ip("addr", "replace", f"{address}/24", "dev", UPLINK, namespace=namespace)
    ip("link", "set", cable, "master", bridge, "up")
    ip("link", "set", "lo", "up", namespace=namespace)
    ip("link", "set", UPLINK, "up", namespace=namespace)


def connect(node: Node, peers: Iterable[Node], bridge: str, host_address: str) -> None:
    """Cable a node, and tell it where the other nodes' pods live unless Cilium does."""
    create_namespace(node.namespace, node.uplink, bridge, node.address)
    settings = ["net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"]
    command = ["ip", "netns", "exec", node.namespace, "sysctl", "-q", "-w", *settings]
    run(command, what=f"set up routing in {node.namespace}")
    ip("route", "replace", "default", "via", host_address, namespace=node.namespace)
    for peer in peers:
        if peer != node and node.network == ROUTES:
            ip("route", "replace", peer.pod_network, "via", peer.address, namespace=node.namespace)


def disconnect(namespace: str, cable: str) -> None:
    if cable in links():
        ip("link", "del", cable)
    if namespace in namespaces():
        ip("netns", "del", namespace)


def _is_mounted(folder: Path) -> bool:
    """Whether something is mounted there; ``os.path.ismount`` does not see a folder that is mounted on itself."""
    entries = Path("/proc/self/mountinfo").read_text().splitlines()
    return str(folder) in {entry.split()[4] for entry in entries}


def release_mount() -> None:
    """Unmount the folder of namespaces if it was mounted for a lab, and neither a lab nor a namespace is left."""
    if not _MOUNTED_BY_US.exists() or all_labs() or namespaces():
        return
    if _is_mounted(_NAMESPACES):
        run(["umount", str(_NAMESPACES)], what=f"unmount {_NAMESPACES}")
        _NAMESPACES.rmdir()
    _MOUNTED_BY_US.unlink()


def remove_bridge(lab: Lab) -> None:
    if lab.bridge in links():
        ip("link", "del", lab.bridge)
