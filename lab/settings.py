"""Names, addresses and folders of a lab: plain data, computed from its name and its range number."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

CONTROL = "control"
API_PORT = 6443
# Profile → how many data planes it can have; each Pod and Service network of a lab has its place in the lab's range.
MAX_DATA_PLANES = {"pods": 14, "api": 14, "servers": 20}
MAX_RANGE = 7
# What joins the clusters: plain routes with a stand-in for global Services, or real Cilium, which site.yml installs.
ROUTES, CILIUM = "routes", "cilium"
STATE_ROOT = Path("/var/lib/kubeblocks-lab")


class LabError(Exception):
    """Something that a person has to know: what, why, and what to do. Printed without a traceback."""


def cache_root() -> Path:
    """The folder of everything that is built: ``KUBEBLOCKS_LAB_CACHE`` or ``~/.cache/kubeblocks-lab``."""
    chosen = os.environ.get("KUBEBLOCKS_LAB_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "kubeblocks-lab"


@dataclass(frozen=True)
class Node:
    """One cluster of the lab, which is one node: a network namespace, its processes and its folders.

    ``index`` 0 is the control plane; data planes count from 1. Addresses come from the lab's range. ``profile``: pods
    (with a kubelet and all that Pods need), api (API server, store and controllers) or servers (an API server each, one
    store for all).
    """

    lab: str
    range: int
    index: int
    profile: str
    own_identity: bool
    network: str = ROUTES

    @property
    def name(self) -> str:
        return CONTROL if self.index == 0 else f"k8s-{self.index}"

    @property
    def address(self) -> str:
        return str(host_network(self.range)[10 + self.index])

    @property
    def pod_network(self) -> str:
        return f"10.{32 * self.range + self.index}.0.0/16"

    @property
    def service_network(self) -> str:
        return f"10.{32 * self.range + 16 + self.index}.0.0/16"

    @property
    def api_service(self) -> str:
        return str(ipaddress.ip_network(self.service_network)[1])

    @property
    def pool(self) -> str | None:
        """Eight addresses of the lab's network for load balancers; API servers alone have nobody to answer on them."""
        if self.profile == "servers":
            return None
        network, first = host_network(self.range), 100 + 8 * self.index
        return f"{network[first]}-{network[first + 7]}"

    @property
    def server(self) -> str:
        return f"https://{self.address}:{API_PORT}"

    @property
    def has_store(self) -> bool:
        return self.profile != "servers" or self.index == 0

    @property
    def store(self) -> str:
        """Where the API server keeps its objects."""
        return f"http://{host_network(self.range)[10] if self.profile == 'servers' else '127.0.0.1'}:2379"

    @property
    def namespace(self) -> str:
        return f"kbl-{self.lab}-{self.name}"

    @property
    def uplink(self) -> str:
        """Name of the bridge's end of the node's cable (15 characters at most)."""
        return f"kbl-{self.range}-{self.index}"

    @property
    def folder(self) -> Path:
        return STATE_ROOT / self.lab / self.name

    @property
    def data(self) -> Path:
        """All that a cluster remembers; moving this folder away makes it a new cluster."""
        return self.folder / "data"

    @property
    def volumes(self) -> Path:
        return self.data / "volumes"

    @property
    def cni_programs(self) -> Path:
        """Where the node's containerd finds CNI plugins: Cilium puts its own there."""
        return self.folder / "cni" if self.network == CILIUM else Path("/usr/lib/cni")

    @property
    def cni_configuration(self) -> Path:
        return self.folder / "etc" / "cni"

    @property
    def cgroup(self) -> str:
        return f"kubeblocks-lab/{self.lab}/{self.name}"

    @property
    def zone(self) -> str:
        return f"zone-{self.index}" if self.own_identity else "zone-0"


@dataclass(frozen=True)
class Lab:
    """A lab as it was asked for. ``own_identity`` off makes the nodes share machine ID, boot ID and zone."""

    name: str = "lab"
    range: int = 0
    data_planes: int = 3
    profile: str = "pods"
    own_identity: bool = True
    network: str = ROUTES

    def __post_init__(self) -> None:
        problems = []
        if not re.fullmatch(r"[a-z][a-z0-9]{0,7}", self.name):
            problems.append(f"name {self.name!r}: use 1 to 8 lower-case letters and digits, a letter first")
        if not 0 <= self.range <= MAX_RANGE:
            problems.append(f"range {self.range}: use 0 to {MAX_RANGE}, one for each lab that runs at the same time")
        most = MAX_DATA_PLANES.get(self.profile, max(MAX_DATA_PLANES.values()))
        if not 1 <= self.data_planes <= most:
            problems.append(f"{self.data_planes} data planes: use 1 to {most}")
        if self.profile not in MAX_DATA_PLANES:
            problems.append(f"profile {self.profile!r}: use {' or '.join(MAX_DATA_PLANES)}")
        if self.network not in (ROUTES, CILIUM):
            problems.append(f"network {self.network!r}: use {ROUTES} or {CILIUM}")
        if self.network == CILIUM and self.profile != "pods":
            problems.append(f"network {CILIUM} joins Pods: use the profile pods")
        if problems:
            raise LabError("cannot describe the lab: " + "; ".join(problems))

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(
            Node(self.name, self.range, index, self.profile, self.own_identity, self.network)
            for index in range(self.data_planes + 1)
        )

    def node(self, context: str) -> Node:
        for node in self.nodes:
            if node.name == context:
                return node
        known = ", ".join(node.name for node in self.nodes)
        raise LabError(f"there is no context {context!r} in lab {self.name!r}: it has {known}")

    @property
    def folder(self) -> Path:
        return STATE_ROOT / self.name

    @property
    def bridge(self) -> str:
        return f"kbl-{self.range}"

    @property
    def host_address(self) -> str:
        """The Ansible host's own address on the lab's bridge."""
        return str(host_network(self.range)[1])

    @property
    def mesh_address(self) -> str:
        """Where the stand-in for global Services looks from."""
        return str(host_network(self.range)[2])

    @property
    def mesh_namespace(self) -> str:
        return f"kbl-{self.name}-mesh"

    @property
    def mesh_cgroup(self) -> str:
        return f"kubeblocks-lab/{self.name}/mesh"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory"

    def save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / "lab.json", json.dumps(asdict(self), indent=2) + "\n")


def host_network(number: int) -> ipaddress.IPv4Network:
    """The network of the nodes' own addresses: 172.31.250.0/24 for range 0, .249 for range 1, …"""
    return ipaddress.IPv4Network(f"172.31.{250 - number}.0/24")


def load(name: str) -> Lab | None:
    """The lab of this name as it was saved, or None if there is none on this machine."""
    try:
        return Lab(**json.loads((STATE_ROOT / name / "lab.json").read_text()))
    except FileNotFoundError:
        return None


def all_labs() -> list[Lab]:
    """Every lab that has left a description on this machine."""
    names = sorted(path.parent.name for path in STATE_ROOT.glob("*/lab.json"))
    return [lab for name in names if (lab := load(name)) is not None]


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a whole file or nothing: a reader never sees half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.touch(mode=mode)
    temporary.write_text(text)
    temporary.replace(path)
