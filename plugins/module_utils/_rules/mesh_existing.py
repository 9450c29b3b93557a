# Private to this collection.
"""What is there already, where a mesh is wanted: another network, a Cilium of other settings, a CA of its own. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, Finding, some
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh import (
    NODE_PORT,
    TUNNEL,
    Wish,
    members,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_versions import MINORS, minor_of

_DAY = 86400.0
_OLDEST_KERNEL = (5, 10)
_ARCHITECTURES = ("amd64", "arm64")


def of_existing(wishes: Iterable[Wish], seen: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """``seen``: context → ``cni`` (names of other networks), ``cilium`` (None, or ``config`` as its ConfigMap has it
    and ``version``, its Helm release's chart, empty where no such release is), ``node_ports`` (port → Service),
    ``kernels`` and ``architectures`` of its nodes."""
    found = []
    for wish in members(wishes):
        if wish.context in seen:
            found += _of_others(wish, seen[wish.context])
            found += _of_cilium(wish, seen[wish.context].get("cilium"))
            found += _of_machines(wish, seen[wish.context])
    return found


def of_authorities(
    wishes: Iterable[Wish], authorities: Mapping[str, Mapping[str, Any] | None], leaf_days: int | None = None
) -> list[Finding]:
    """``authorities``: context → ``problem``, ``fingerprint`` and ``left`` (seconds) of its CA, None where there is
    none. All have to be the same."""
    there = {where: entry for where, entry in authorities.items() if entry}
    found = [
        _tell(
            "mesh.ca",
            where,
            f"its Secret cilium-ca is of no use: {entry['problem']}",
            "nothing can be signed",
            _PUT_RIGHT,
        )
        for where, entry in there.items()
        if entry["problem"]
    ]
    sound = {where: entry for where, entry in there.items() if not entry["problem"]}
    first = next(iter(sound), "")
    for where, entry in sound.items():
        if entry["fingerprint"] != sound[first]["fingerprint"]:
            seen = f"its CA {entry['fingerprint'][:16]} is not that of {first}, {sound[first]['fingerprint'][:16]}"
            why = "clusters with different CAs refuse each other, and another CA for a living cluster is a rotation"
            cure = (
                "Put the same Secret cilium-ca into every cluster, by a rotation with tls.caBundle where it is in use"
            )
            found.append(_tell("mesh.ca_differs", where, seen, why, cure))
    days = (
        leaf_days if leaf_days is not None else max((MINORS[minor].leaf_days for minor in _minors(wishes)), default=0)
    )
    if sound and sound[first]["left"] < days * _DAY:
        left = max(0, int(sound[first]["left"] // _DAY))
        seen, why = f"the CA ends in {left} days", f"certificates of {days} days would outlive it"
        found.append(_tell("mesh.ca_ends", first, seen, why, "Rotate the CA with tls.caBundle"))
    return found


_PUT_RIGHT = "Put it right from a copy, or delete it before any cluster was joined with it"


def _minors(wishes: Iterable[Wish]) -> set[tuple[int, int]]:
    return {minor_of(wish.version) for wish in members(wishes)} & set(MINORS)


def _tell(name: str, context: str, seen: str, why: str, cure: str) -> Finding:
    return Finding(name, context, FAIL, seen, why, cure)


def _of_others(wish: Wish, seen: Mapping[str, Any]) -> list[Finding]:
    found = []
    if seen.get("cni"):
        what, why = f"another network is installed ({some(seen['cni'])})", "two networks would fight for every Pod"
        cure = "Leave cluster_mesh_id at 0 for this host, or move the cluster to Cilium first"
        found.append(_tell("mesh.other_network", wish.context, what, why, cure))
    holder = (seen.get("node_ports") or {}).get(wish.node_port)
    if wish.service_type == NODE_PORT and holder and holder != "kube-system/clustermesh-apiserver":
        what, why = f"NodePort {wish.node_port} belongs to Service {holder}", "its mesh API would not be made"
        found.append(_tell("mesh.node_port", wish.context, what, why, "Set cluster_mesh_node_port to another"))
    return found


def _of_cilium(wish: Wish, cilium: Mapping[str, Any] | None) -> list[Finding]:
    """What a Cilium that is there has to have in common with the one that is wanted."""
    if cilium is None:
        return []
    if not cilium["version"]:
        what, why = (
            "its Cilium is no Helm release cilium in kube-system",
            "Helm would not take over what is not its own",
        )
        cure = "Set cluster_mesh_manage to false and look after it yourself, or reinstall it with Helm"
        return [_tell("mesh.foreign", wish.context, what, why, cure)]
    apart = differences(wish, cilium["config"])
    found = [
        _tell(
            "mesh.different",
            wish.context,
            f"its Cilium has {key} {there or 'unset'}, and {wanted} is wanted",
            "Pods that run would lose their identities or addresses",
            "Set the variables of this host to what is there, or rebuild the cluster",
        )
        for key, there, wanted in apart
    ]
    return found + _of_step(wish, cilium["version"])


def differences(wish: Wish, config: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(Key, what is there, what is wanted) of what must not change under running Pods. Networks may be appended."""
    wanted = {
        "cluster-name": wish.cluster,
        "cluster-id": str(wish.id),
        "max-connected-clusters": str(wish.max_clusters),
        "ipam": "cluster-pool",
        "cluster-pool-ipv4-mask-size": str(wish.mask_size),
        "routing-mode": wish.routing_mode,
    }
    if wish.routing_mode == TUNNEL:
        wanted["tunnel-protocol"] = wish.tunnel_protocol
    there = {"cluster-name": "default", "cluster-id": "0", "max-connected-clusters": "255"} | dict(config)
    found = [(key, there.get(key, ""), value) for key, value in wanted.items() if there.get(key, "") != value]
    pools = [network for network in re.split(r"[,\s]+", there.get("cluster-pool-ipv4-cidr", "")) if network]
    if list(wish.pod_cidrs[: len(pools)]) != pools:
        found.append(("cluster-pool-ipv4-cidr", " ".join(pools), " ".join(wish.pod_cidrs)))
    return found


def _of_step(wish: Wish, there: str) -> list[Finding]:
    """One minor at a time, and forwards."""
    step = minor_of(wish.version)[1] - minor_of(there)[1]
    if step in (0, 1) and _patch(there) <= _patch(wish.version):
        return []
    what = f"it runs Cilium {there}, and {wish.version} is wanted"
    why = "downgrades are not supported" if step < 1 else "Cilium is upgraded by one minor at a time"
    return [_tell("mesh.version_step", wish.context, what, why, "Set cluster_mesh_version to a release on the way")]


def _patch(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _of_machines(wish: Wish, seen: Mapping[str, Any]) -> list[Finding]:
    found = []
    why = "Cilium does not run there"
    for kernel in sorted(set(seen.get("kernels") or ())):
        number = tuple(int(part) for part in re.findall(r"\d+", kernel)[:2])
        if number < _OLDEST_KERNEL and ".el8" not in kernel:
            what, cure = f"a node has kernel {kernel}", "Bring it to 5.10 or newer"
            found.append(_tell("mesh.kernel", wish.context, what, why, cure))
    for architecture in sorted(set(seen.get("architectures") or ()) - set(_ARCHITECTURES)):
        what, cure = f"a node is of architecture {architecture}", "Take nodes of amd64 or arm64"
        found.append(_tell("mesh.architecture", wish.context, what, why, cure))
    return found
