# Private to this collection.
"""What preflight finds, from evidence alone: no client, no clock. Every finding is made here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

FAIL, WARN, INFO = "fail", "warn", "info"
# Nobody may accept these: what follows would write to the wrong cluster, to none, or what no program can read.
NEVER_ACCEPTED = frozenset(
    {
        "inventory.control_plane",
        "inventory.data_planes",
        "inventory.both_planes",
        "inventory.context_name",
        "inventory.context_doubled",
        "placement.unknown",
        "placement.doubled",
        "placement.marked",
        "placement.changed",
        "placement.replicas",
        "values.multi_cluster",
        "values.multi_cluster_set",
        "identity.duplicate",
        "identity.changed",
        "identity.record",
        "identity.other_control_plane",
        "identity.control_plane_marked",
        "exposure.one_load_balancer",
        "exposure.vke_subnet",
        "context.missing",
        "api.silent",
        "mesh.ca",
        "mesh.ca_differs",
        "mesh.endpoints",
        "mesh.id",
        "mesh.id_doubled",
        "mesh.max_clusters",
        "mesh.name",
        "mesh.name_doubled",
        "mesh.nodes",
        "mesh.pod_cidr",
        "mesh.silent",
        "mesh.version",
    }
)


@dataclass(frozen=True)
class Finding:
    """One finding: ``id`` to accept it by, the context, what was seen, why it matters, what to do."""

    id: str
    context: str
    severity: str
    seen: str
    why: str
    cure: str

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "forcible": self.id not in NEVER_ACCEPTED}

    def __str__(self) -> str:
        why = self.why[0].upper() + self.why[1:]
        seen = self.seen if self.seen.endswith("?") else f"{self.seen}."
        return f"{self.context}: {seen} {why}. {self.cure}. [{self.id}]"


def blocking(found: Iterable[Finding], accept: Iterable[str]) -> list[Finding]:
    """What must be mended: each ``fail`` that nobody accepted, or that nobody may accept."""
    accepted = set(accept) - NEVER_ACCEPTED
    return [finding for finding in found if finding.severity == FAIL and finding.id not in accepted]


def some(names: Sequence[str], shown: int = 3) -> str:
    """The first few of a list, and how many more there are."""
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def of_inventory(contexts: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """``contexts``: dictionaries with ``name``, ``context`` and ``plane`` (control or data)."""
    control = [place["name"] for place in contexts if place["plane"] == "control"]
    found = []
    if len(control) != 1:
        listed = ", ".join(control) or "none"
        found.append(
            Finding(
                "inventory.control_plane",
                "inventory",
                FAIL,
                f"group control_plane has {len(control)} hosts ({listed})",
                "KubeBlocks has exactly one control plane",
                "Leave exactly one host in the group control_plane",
            )
        )
    data = [place["name"] for place in contexts if place["plane"] == "data"]
    found += [
        Finding(
            "inventory.both_planes",
            name,
            FAIL,
            "this host stands in the groups control_plane and data_plane",
            "one host is one context, and it would be prepared as both",
            "Leave it in one group",
        )
        for name in control
        if name in data
    ]
    found += [
        Finding(
            "inventory.context_name",
            place["name"],
            FAIL,
            f"the context is called {place['context']!r}",
            "contexts are separated by commas and each is a Secret's key: only letters, digits, '.', '_' and '-' fit",
            f"Rename it: kubectl config rename-context {place['context']} {place['name']}",
        )
        for place in contexts
        if not re.fullmatch(r"[-._A-Za-z0-9]+", place["context"])
    ]
    names = [place["context"] for place in contexts]
    found += [
        Finding(
            "inventory.context_doubled",
            place["name"],
            FAIL,
            f"another host has a context called {place['context']!r} too",
            "KubeBlocks knows a cluster by this name alone, in whichever kubeconfig it stands",
            "Rename one: kubectl config rename-context, in its own kubeconfig",
        )
        for position, place in enumerate(contexts)
        if place["context"] in names[:position] and place["name"] not in control
    ]
    if not data:
        found.append(
            Finding(
                "inventory.data_planes",
                "inventory",
                FAIL,
                "group data_plane has no hosts",
                "databases run on data planes",
                "Add a host for each data plane to the group data_plane",
            )
        )
    return found


def of_reachability(name: str, error: Mapping[str, str]) -> Finding:
    """``error``: ``kind`` (missing, silent or record) and ``message``, as the evidence holds it."""
    if error["kind"] == "missing":
        return Finding(
            "context.missing",
            name,
            FAIL,
            error["message"],
            "without a context there is no way to this cluster",
            "Add the context to the kubeconfig, or set kubeblocks_context or kubeblocks_kubeconfig for this host",
        )
    if error["kind"] == "record":
        return Finding(
            "identity.record",
            name,
            FAIL,
            error["message"].rstrip("."),
            "without it nobody knows whether a context leads to the cluster that it led to",
            "Put it right from a copy, or from the UIDs of kube-system that each cluster shows",
        )
    return Finding(
        "api.silent",
        name,
        FAIL,
        error["message"],
        "nothing can be prepared on a cluster that does not answer",
        "Check that the cluster runs, that its address can be reached from here and that the credential is valid",
    )


def of_access(name: str, denied: Iterable[str]) -> list[Finding]:
    """``denied``: rights that the credential lacks, in words."""
    return [
        Finding(
            "access.missing",
            name,
            FAIL,
            f"the credential may not {right}",
            "the roles need this right, and would stop half-way without it",
            f"Grant {right} to this kubeconfig's user",
        )
        for right in denied
    ]


def of_operator(name: str, operator: Mapping[str, Any] | None) -> list[Finding]:
    """``operator``: the identity that the user supplies (``account``, ``exists``, ``denied``), None if the roles do."""
    if operator is None:
        return []
    who = f"ServiceAccount {operator['account']}"
    if not operator["exists"]:
        return [
            Finding(
                "operator.missing",
                name,
                FAIL,
                f"there is no {who}",
                "with data_plane_manage_access off, the operator's identity has to be there already",
                "Make it, with the rules of the filter kubeblocks.multicluster.operator_rules, or let the role do it",
            )
        ]
    return [
        Finding(
            "operator.access_missing",
            name,
            FAIL,
            f"the operator's {who} may not {right}",
            "the operator needs this right, and databases would stop half-way without it",
            f"Grant {right} to {who}",
        )
        for right in operator["denied"]
    ]


def of_crds(name: str, crds: Sequence[str]) -> list[Finding]:
    """``crds``: names of KubeBlocks' CRDs on a data plane."""
    if not crds:
        return []
    return [
        Finding(
            "crds.present",
            name,
            FAIL,
            f"this data plane has CRDs of KubeBlocks ({some(crds)})",
            "its garbage collector takes the members' Services, Pods and volumes for orphans and deletes them",
            "Make sure that no database of its own uses them, then remove the CRDs of *.kubeblocks.io here",
        )
    ]


def of_storage(name: str, defaults: Sequence[str], wanted: str, known: Sequence[str]) -> list[Finding]:
    """``wanted``: the StorageClass asked for, empty for the default one."""
    if wanted and wanted not in known:
        return [
            Finding(
                "storage.class_missing",
                name,
                FAIL,
                f"there is no StorageClass {wanted!r} (there are: {', '.join(known) or 'none'})",
                "a member's volume would stay Pending",
                "Create the class on this cluster, or name one that every data plane has in etcd_storage_class",
            )
        ]
    if not wanted and len(defaults) != 1:
        listed = ", ".join(defaults) or "none"
        return [
            Finding(
                "storage.default_class",
                name,
                FAIL if not defaults else WARN,
                f"{len(defaults)} StorageClasses are marked as default ({listed})",
                "a member's volume needs exactly one default class, or a class by name",
                "Mark one StorageClass as default, or set etcd_storage_class",
            )
        ]
    return []


def of_server(name: str, server: str) -> list[Finding]:
    """``server``: the address that the operator will use for a data plane."""
    if not _leads_to_itself(server):
        return []
    return [
        Finding(
            "server.loopback",
            name,
            FAIL,
            f"the operator would be told to reach this cluster at {server}",
            "a loopback address leads from a Pod to the Pod itself",
            "Set kubeblocks_server for this host to an address that Pods of the control plane can reach",
        )
    ]


def _leads_to_itself(server: str) -> bool:
    """Whether an address is loopback or unspecified: some tools write 0.0.0.0 into a kubeconfig."""
    host = urlsplit(server).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified


def of_releases(name: str, releases: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """``releases``: Helm releases with ``name``, ``namespace``, ``status`` and ``ours`` (an interrupted run's own)."""
    found = []
    for release in releases:
        if not release["status"].startswith("pending-"):
            continue
        where = f"Helm release {release['namespace']}/{release['name']} is {release['status']}"
        if release["ours"]:
            found.append(
                Finding(
                    "release.interrupted",
                    name,
                    INFO,
                    f"{where}, left by an interrupted run of this collection",
                    "Helm refuses to touch a release that seems to be in work",
                    "Nothing to do: this run clears it and finishes the job",
                )
            )
        else:
            found.append(
                Finding(
                    "release.pending",
                    name,
                    FAIL,
                    f"{where}, and not by an interrupted run of this collection",
                    "Helm refuses to touch it, and whoever started it may still be at work",
                    f"Wait for the other Helm, or clear it: helm rollback {release['name']} -n {release['namespace']}, "
                    "or helm uninstall if it was never deployed",
                )
            )
    return found


def of_tools(problems: Iterable[Mapping[str, str]]) -> list[Finding]:
    """``problems``: what the Ansible host lacks: ``kind`` (helm or chart), ``what`` and ``message``."""
    found = []
    for problem in problems:
        if problem["kind"] == "helm":
            found.append(
                Finding(
                    "helm.missing",
                    "ansible host",
                    FAIL,
                    f"the program helm cannot be run ({problem['message']})",
                    "the operator is installed by Helm",
                    "Install helm 3.17 or newer, below 4, on this host, or set kubeblocks_helm_binary to its path",
                )
            )
        elif problem["kind"] == "helm_version":
            found.append(
                Finding(
                    "helm.version",
                    "ansible host",
                    FAIL,
                    f"{problem['what']} is {problem['message']}",
                    "kubernetes.core calls it in the way of helm 3, from 3.17 on",
                    "Install helm 3.17 or newer, below 4, or set kubeblocks_helm_binary to the path of one",
                )
            )
        else:
            found.append(
                Finding(
                    "chart.missing",
                    "ansible host",
                    FAIL,
                    f"the chart {problem['what']} cannot be found ({problem['message']})",
                    "nothing can be installed without it",
                    "Check the chart's reference, version and repository, and that the repository can be reached",
                )
            )
    return found
