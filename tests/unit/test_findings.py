"""Every finding of preflight: what makes it, what it says, and what nobody may accept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._preflight import table
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import (
    FAIL,
    INFO,
    NEVER_ACCEPTED,
    WARN,
    Finding,
    blocking,
    of_access,
    of_crds,
    of_inventory,
    of_operator,
    of_reachability,
    of_releases,
    of_server,
    of_storage,
    of_tools,
)
from told import Short, short

A = "k8s-1"


def inventory(*planes: str) -> list[dict[str, str]]:
    return [
        {"name": f"host-{number}", "context": f"host-{number}", "plane": plane} for number, plane in enumerate(planes)
    ]


def release(status: str, *, ours: bool) -> dict[str, Any]:
    return {"name": "kubeblocks", "namespace": "kb-system", "status": status, "ours": ours}


def supplied(*denied: str, exists: bool = True) -> dict[str, Any]:
    """The operator's identity on a data plane, made by the user."""
    return {"account": "kb-system/kubeblocks-operator", "exists": exists, "denied": list(denied)}


NO_CONTROL = ("inventory.control_plane", "inventory", FAIL)
NO_DATA = ("inventory.data_planes", "inventory", FAIL)
LOOPBACK = [("server.loopback", A, FAIL)]
PENDING, OURS = [("release.pending", A, FAIL)], [("release.interrupted", A, INFO)]
NO_CLASS, ONE_CLASS = [("storage.class_missing", A, FAIL)], "storage.default_class"

# Name → the rule asked, what it finds.
CASES: dict[str, tuple[Callable[[], list[Finding]], Short]] = {
    "inventory: one control, one data": (lambda: of_inventory(inventory("control", "data")), []),
    "inventory: two controls": (lambda: of_inventory(inventory("control", "control", "data")), [NO_CONTROL]),
    "inventory: no control": (lambda: of_inventory(inventory("data", "data")), [NO_CONTROL]),
    "inventory: no data": (lambda: of_inventory(inventory("control")), [NO_DATA]),
    "inventory: in both groups": (
        lambda: of_inventory([{"name": A, "context": A, "plane": plane} for plane in ("control", "data")]),
        [("inventory.both_planes", A, FAIL)],
    ),
    "inventory: one name in two kubeconfigs": (
        lambda: of_inventory([*inventory("control"), *({"name": n, "context": "x", "plane": "data"} for n in "ab")]),
        [("inventory.context_doubled", "b", FAIL)],
    ),
    "inventory: the control plane's name again": (
        lambda: of_inventory([*inventory("control"), {"name": "b", "context": "host-0", "plane": "data"}]),
        [("inventory.context_doubled", "b", FAIL)],
    ),
    "inventory: a name that no Secret can hold": (
        lambda: of_inventory([*inventory("control"), {"name": A, "context": "arn:aws:eks:x/y", "plane": "data"}]),
        [("inventory.context_name", A, FAIL)],
    ),
    "inventory: empty": (lambda: of_inventory([]), [NO_CONTROL, NO_DATA]),
    "missing": (
        lambda: [of_reachability(A, {"kind": "missing", "message": "?"})],
        [("context.missing", A, FAIL)],
    ),
    "silent": (lambda: [of_reachability(A, {"kind": "silent", "message": "?"})], [("api.silent", A, FAIL)]),
    "access: all there": (lambda: of_access(A, []), []),
    "access: two lacking": (lambda: of_access(A, ["get pods", "list nodes"]), [("access.missing", A, FAIL)] * 2),
    "operator: ours to make": (lambda: of_operator(A, None), []),
    "operator: all there": (lambda: of_operator(A, supplied()), []),
    "operator: not there": (lambda: of_operator(A, supplied(exists=False)), [("operator.missing", A, FAIL)]),
    "operator: two rights lacking": (
        lambda: of_operator(A, supplied("get pods", "list nodes")),
        [("operator.access_missing", A, FAIL)] * 2,
    ),
    "crds: none": (lambda: of_crds(A, []), []),
    "crds: one": (lambda: of_crds(A, ["a.kubeblocks.io"]), [("crds.present", A, FAIL)]),
    "storage: the default one": (lambda: of_storage(A, ["x"], "", ["x", "y"]), []),
    "storage: no default": (lambda: of_storage(A, [], "", ["x"]), [(ONE_CLASS, A, FAIL)]),
    "storage: two defaults": (lambda: of_storage(A, ["x", "y"], "", ["x", "y"]), [(ONE_CLASS, A, WARN)]),
    "storage: by name": (lambda: of_storage(A, [], "y", ["x", "y"]), []),
    "storage: by name beside two defaults": (lambda: of_storage(A, ["x", "y"], "y", ["x", "y"]), []),
    "storage: unknown name": (lambda: of_storage(A, ["x"], "z", ["x"]), NO_CLASS),
    "storage: unknown name and no class": (lambda: of_storage(A, [], "z", []), NO_CLASS),
    "server: an address": (lambda: of_server(A, "https://172.31.250.11:6443"), []),
    "server: a name": (lambda: of_server(A, "https://localhost.example.org:6443"), []),
    "server: 127.0.0.1": (lambda: of_server(A, "https://127.0.0.1:6443"), LOOPBACK),
    "server: 127.1.2.3": (lambda: of_server(A, "https://127.1.2.3"), LOOPBACK),
    "server: ::1": (lambda: of_server(A, "https://[::1]:6443"), LOOPBACK),
    "server: localhost": (lambda: of_server(A, "https://LocalHost:6443"), LOOPBACK),
    "server: nothing": (lambda: of_server(A, ""), []),
    "releases: none": (lambda: of_releases(A, []), []),
    "releases: deployed": (lambda: of_releases(A, [release("deployed", ours=True)]), []),
    "releases: failed": (lambda: of_releases(A, [release("failed", ours=False)]), []),
    "releases: another's upgrade": (lambda: of_releases(A, [release("pending-upgrade", ours=False)]), PENDING),
    "releases: another's install": (lambda: of_releases(A, [release("pending-install", ours=False)]), PENDING),
    "releases: our own": (lambda: of_releases(A, [release("pending-rollback", ours=True)]), OURS),
    "releases: behind another": (
        lambda: of_releases(A, [release("deployed", ours=False), release("pending-upgrade", ours=False)]),
        PENDING,
    ),
    "releases: both": (
        lambda: of_releases(A, [release("pending-install", ours=True), release("pending-upgrade", ours=False)]),
        OURS + PENDING,
    ),
    "tools: none": (lambda: of_tools([]), []),
    "tools: another helm": (
        lambda: of_tools([{"kind": "helm_version", "what": "helm", "message": "v4.0.1"}]),
        [("helm.version", "ansible host", FAIL)],
    ),
    "tools: helm": (
        lambda: of_tools([{"kind": "helm", "what": "helm", "message": "?"}]),
        [("helm.missing", "ansible host", FAIL)],
    ),
    "tools: chart": (
        lambda: of_tools([{"kind": "chart", "what": "etcd", "message": "?"}]),
        [("chart.missing", "ansible host", FAIL)],
    ),
}

# Name → the one finding, a part of its sentence.
SENTENCES: dict[str, str] = {
    "inventory: two controls": "group control_plane has 2 hosts (host-0, host-1)",
    "inventory: no control": "group control_plane has 0 hosts (none)",
    "storage: no default": "0 StorageClasses are marked as default (none)",
    "storage: two defaults": "2 StorageClasses are marked as default (x, y)",
    "storage: unknown name": "there is no StorageClass 'z' (there are: x)",
    "storage: unknown name and no class": "there is no StorageClass 'z' (there are: none)",
    "server: 127.0.0.1": "reach this cluster at https://127.0.0.1:6443",
    "releases: another's upgrade": "helm rollback kubeblocks -n kb-system",
    "releases: our own": "Helm release kb-system/kubeblocks is pending-rollback, left by an interrupted run",
    "tools: chart": "the chart etcd cannot be found (?)",
    "crds: one": "this data plane has CRDs of KubeBlocks (a.kubeblocks.io)",
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_found(name: str) -> None:
    rule, expected = CASES[name]
    assert short(rule()) == expected


@pytest.mark.parametrize("name", SENTENCES)
def test_what_a_finding_says(name: str) -> None:
    (finding,) = CASES[name][0]()
    assert SENTENCES[name] in str(finding)
    assert str(finding).startswith(f"{finding.context}: ")
    assert str(finding).endswith(f". [{finding.id}]")
    assert ".." not in str(finding)


@pytest.mark.parametrize("server", ["https://0.0.0.0:6443", "https://[::]:6443"])
def test_the_address_of_nobody_leads_to_the_pod_itself_too(server: str) -> None:
    """k3d writes such a server into kubeconfigs."""
    assert short(of_server(A, server)) == LOOPBACK


def test_only_the_first_crds_are_named() -> None:
    found = {count: of_crds(A, [f"{number}.kubeblocks.io" for number in range(count)])[0].seen for count in (3, 4, 9)}
    assert "more" not in found[3]
    assert "(0.kubeblocks.io, 1.kubeblocks.io, 2.kubeblocks.io and 1 more)" in found[4]
    assert "and 6 more" in found[9]


def test_what_nobody_may_accept() -> None:
    of_inventories = {"inventory.control_plane", "inventory.data_planes", "inventory.both_planes"}
    of_inventories |= {"inventory.context_name", "inventory.context_doubled"}
    of_placements = {"placement.unknown", "placement.doubled", "placement.marked"}
    of_placements |= {"placement.changed", "placement.replicas"}
    of_values = {"values.multi_cluster", "values.multi_cluster_set"}
    of_identities = {"identity.duplicate", "identity.changed", "identity.other_control_plane"}
    of_identities |= {"identity.control_plane_marked", "identity.record"}
    of_exposures = {"exposure.one_load_balancer", "exposure.vke_subnet"}
    of_meshes = {"mesh.name", "mesh.name_doubled", "mesh.id", "mesh.id_doubled", "mesh.max_clusters", "mesh.version"}
    of_meshes |= {"mesh.pod_cidr", "mesh.endpoints", "mesh.nodes", "mesh.ca", "mesh.ca_differs", "mesh.silent"}
    of_others = of_exposures | of_placements | of_values | of_identities | of_meshes
    assert of_others | of_inventories | {"context.missing", "api.silent"} == NEVER_ACCEPTED
    everything = [finding for rule, _ in CASES.values() for finding in rule()]
    assert {finding.id for finding in everything} > NEVER_ACCEPTED - of_others
    for finding in everything:
        assert finding.as_dict()["forcible"] is (finding.id not in NEVER_ACCEPTED)


def test_the_table_lines_up_and_says_what_was_accepted() -> None:
    found = [*of_storage(A, [], "", []), *of_storage("a-long-name", ["x", "y"], "", []), *of_crds(A, ["c"])]
    assert table(found, blocking(found, {"storage.default_class"})) == [
        "accepted  k8s-1        storage.default_class  0 StorageClasses are marked as default (none)",
        "warn      a-long-name  storage.default_class  2 StorageClasses are marked as default (x, y)",
        "fail      k8s-1        crds.present           this data plane has CRDs of KubeBlocks (c)",
    ]
    assert table([], []) == ["preflight: nothing found"]
