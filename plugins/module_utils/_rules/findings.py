# Private to this collection.
"""What preflight finds, from evidence alone: no client, no clock. Every finding is made here."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.placement import (
    quorum,
    survives_any_domain,
    tolerated,
    voters_by_domain,
)

FAIL, WARN, INFO = "fail", "warn", "info"
# Nobody may accept these: what follows would write to the wrong cluster, or to none.
NEVER_ACCEPTED = frozenset(
    {
        "inventory.control_plane",
        "inventory.data_planes",
        "inventory.both_planes",
        "identity.duplicate",
        "context.missing",
        "api.silent",
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
        return f"{self.context}: {self.seen}. {why}. {self.cure}. [{self.id}]"


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
    """``error``: ``kind`` (missing or silent) and ``message``, as the evidence holds it."""
    if error["kind"] == "missing":
        return Finding(
            "context.missing",
            name,
            FAIL,
            error["message"],
            "without a context there is no way to this cluster",
            "Add the context to the kubeconfig, or set kubeblocks_context or kubeblocks_kubeconfig for this host",
        )
    return Finding(
        "api.silent",
        name,
        FAIL,
        error["message"],
        "nothing can be prepared on a cluster that does not answer",
        "Check that the cluster runs, that its address can be reached from here and that the credential is valid",
    )


def of_identity(uids: Mapping[str, str], planes: Mapping[str, str]) -> list[Finding]:
    """``uids``: context → UID of namespace kube-system. Two names of one cluster are one cluster."""
    groups: dict[str, list[str]] = {}
    for name, uid in uids.items():
        groups.setdefault(uid, []).append(name)
    found = []
    for uid, names in groups.items():
        if len(names) > 1:
            both = " and ".join(names)
            kinds = sorted({planes[name] for name in names})
            what = "data planes" if kinds == ["data"] else "control plane and data plane"
            found.append(
                Finding(
                    "identity.duplicate",
                    names[-1],
                    FAIL,
                    f"{both} are the same cluster (kube-system has UID {uid})",
                    f"two {what} with one cluster behind them die together, and the operator would treat it as two",
                    "Let each host's context lead to a cluster of its own",
                )
            )
    return found


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


def of_crds(name: str, crds: Sequence[str]) -> list[Finding]:
    """``crds``: names of KubeBlocks' CRDs on a data plane."""
    if not crds:
        return []
    shown = ", ".join(crds[:3]) + (f" and {len(crds) - 3} more" if len(crds) > 3 else "")
    return [
        Finding(
            "crds.present",
            name,
            FAIL,
            f"this data plane has CRDs of KubeBlocks ({shown})",
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
                    "Install helm 3.17 or newer on the Ansible host, or set kubeblocks_helm_binary to its path",
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


def of_placement(
    placement: Sequence[str], known: Sequence[str], replicas: int, domains: Mapping[str, str]
) -> list[Finding]:
    """``placement``: contexts in member order; ``known``: the data planes' contexts."""
    unknown = [context for context in placement if context not in known]
    doubled = sorted({context for context in placement if placement.count(context) > 1})
    found = [
        Finding(
            "placement.unknown",
            context,
            FAIL,
            f"the placement names {context!r}, which is no data plane (they are: {', '.join(known)})",
            "KubeBlocks drops unknown names silently, and the member would never exist",
            "Correct etcd_placement, or add the context to the group data_plane",
        )
        for context in unknown
    ]
    found += [
        Finding(
            "placement.doubled",
            context,
            FAIL,
            f"the placement names {context!r} more than once",
            "members would share a cluster that the placement pretends to be two",
            "Name every context once in etcd_placement",
        )
        for context in doubled
    ]
    if not placement or unknown or doubled or survives_any_domain(replicas, placement, domains):
        return found
    spread = voters_by_domain(replicas, placement, domains)
    listed = ", ".join(f"{domain} {count}" for domain, count in sorted(spread.items()))
    found.append(
        Finding(
            "placement.fragile",
            "placement",
            WARN,
            f"{replicas} voters need {quorum(replicas)}, may lose {tolerated(replicas)}, and lie like this: {listed}",
            "the loss of the largest failure domain stops all writes",
            "Use three or more failure domains and an odd number of members that spreads evenly",
        )
    )
    return found
