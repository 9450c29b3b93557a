# Private to this collection.
"""Which versions fit: KubeBlocks' line, Kubernetes, and how far clusters are apart. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import (
    FAIL,
    INFO,
    WARN,
    Finding,
    some,
)

# Oldest Kubernetes whose APIs this collection and KubeBlocks 1.0 use; clusters further apart than this are said.
OLDEST_MINOR = 25
_FAR_APART = 2


def line_of(version: str) -> tuple[int, int]:
    """Major and minor number; (0, 0) where it is no version."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def is_release(version: str) -> bool:
    """Whether it is written as KubeBlocks' charts and files are named: ``1.0.2``, without a ``v``."""
    return re.match(r"\d+\.\d+\.\d+", version) is not None


def crds_belong_on_data_planes(version: str) -> bool:
    """From 1.1 on, each data plane runs an operator and needs the CRDs; before, they must not be there."""
    return line_of(version) >= (1, 1)


def needs_instance_api(version: str) -> bool:
    """From 1.1 on, every component of a Cluster over several contexts needs ``enableInstanceAPI``."""
    return line_of(version) >= (1, 1)


def passes_addresses_on(version: str) -> bool:
    """Whether a Service can tell nodes to leave packets for its load balancer's address alone (``ipMode``)."""
    return line_of(version) >= (1, 30)


def of_kubeblocks(version: str, *, experimental: bool) -> list[Finding]:
    """Whether this collection knows the line of KubeBlocks that is asked for."""
    line = line_of(version)
    if line == (1, 0) and is_release(version):
        return []
    if line == (1, 0):
        why, cure = "charts and CRDs are named by the whole version, without a v", "Write kubeblocks_version like 1.0.2"
    elif line < (0, 9):
        why, cure = "it has no multi-cluster support", "Set kubeblocks_version to a release of the 1.0 line"
    elif line < (1, 0):
        why = "its agent needs a copy of the Cluster on each data plane, which this collection does not make"
        cure = "Set kubeblocks_version to a release of the 1.0 line"
    elif experimental:
        return [
            Finding(
                "version.experimental",
                "inventory",
                WARN,
                f"KubeBlocks {version} is experimental here",
                "from 1.1 on each data plane runs an operator of its own, and etcd was not seen to work there",
                "Try it on clusters that may be lost, with data_plane_manage_access: false and an identity of your own",
            )
        ]
    else:
        why = "from 1.1 on the architecture is another one, which was not run with this collection"
        cure = "Set kubeblocks_version to a release of the 1.0 line, or kubeblocks_experimental to try it"
    return [
        Finding("version.kubeblocks", "inventory", FAIL, f"KubeBlocks {version} is not one that this runs", why, cure)
    ]


def of_kubernetes(versions: Mapping[str, str]) -> list[Finding]:
    """``versions``: name → version of the API server."""
    minors = {name: line_of(version)[1] for name, version in versions.items() if line_of(version) != (0, 0)}
    found = [
        Finding(
            "version.old",
            name,
            FAIL,
            f"Kubernetes {versions[name]} is older than 1.{OLDEST_MINOR}",
            "what KubeBlocks and this collection ask of the API is not there",
            f"Bring the cluster to 1.{OLDEST_MINOR} or newer",
        )
        for name, minor in minors.items()
        if minor < OLDEST_MINOR
    ]
    apart = max(minors.values(), default=0) - min(minors.values(), default=0)
    if apart:
        found.append(
            Finding(
                "version.skew",
                "inventory",
                WARN if apart > _FAR_APART else INFO,
                "the clusters are {} minor version{} apart ({})".format(
                    apart, "" if apart == 1 else "s", ", ".join(f"{name} {versions[name]}" for name in minors)
                ),
                "the operator speaks to all of them with one client",
                "Bring the older ones nearer when you can",
            )
        )
    return found


def of_instance_api(version: str, components: Mapping[str, bool]) -> list[Finding]:
    """``components``: name of a component → whether it enables the Instance API."""
    if not needs_instance_api(version):
        return []
    return [
        Finding(
            "version.instance_api",
            "control plane",
            FAIL,
            f"component {name} does not enable the Instance API",
            f"KubeBlocks {version} lets no Cluster without it lie across contexts",
            "Set enableInstanceAPI on the component",
        )
        for name, enabled in components.items()
        if not enabled
    ]


def of_crds(name: str, here: Mapping[str, str], control: Mapping[str, str]) -> list[Finding]:
    """From 1.1 on. ``here`` and ``control``: name of a CRD → digest of what it defines, on a data plane and on the
    control plane."""
    absent = sorted(set(control) - set(here)) if control else [] if here else ["any"]
    differing = sorted(crd for crd in set(control) & set(here) if control[crd] != here[crd])
    told = []
    if absent:
        told.append(("crds.absent", f"this data plane lacks CRDs of KubeBlocks ({some(absent)})"))
    if differing:
        told.append(("crds.differ", f"CRDs of KubeBlocks are not the control plane's ({some(differing)})"))
    return [
        Finding(
            finding,
            name,
            FAIL,
            seen,
            "from 1.1 on each data plane runs an operator that reads the same objects as the control plane's",
            "Apply the CRDs of the same release of KubeBlocks to every cluster",
        )
        for finding, seen in told
    ]
