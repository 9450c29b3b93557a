"""The verdict over whole evidence: every rule asked, worst first, and what a wrong inventory stops."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._judgement import judge
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._preflight import run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import (
    FAIL,
    INFO,
    NEVER_ACCEPTED,
    WARN,
    of_inventory,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call
from told import Short, short

DAY = 86400

A, B, C = ABC = "k8s-1", "k8s-2", "k8s-3"
PLANES = {"control": "control", A: "data", B: "data", C: "data"}
OUTLOOK = [("placement.outlook", "placement", INFO)]
LOOPBACK = [("server.loopback", A, FAIL)]


def release(status: str, *, ours: bool) -> dict[str, Any]:
    return {"name": "kubeblocks", "namespace": "kb-system", "status": status, "ours": ours}


PARAMS: dict[str, Any] = {
    "contexts": [{"name": name, "context": name, "plane": plane} for name, plane in PLANES.items()],
    "placement": list(ABC),
    "replicas": 3,
    "storage_class": "",
    "peer_exposure": "mesh",
    "peer_clouds": [],
    "peer_scope": "internal",
    "peer_annotations": {},
    "load_balancer_class": "",
    "operator_namespace": "kb-system",
    "operator_values": {},
    "kubeblocks_version": "1.0.2",
    "experimental": False,
    "accept": [],
    "in_cluster": "never",
}


def seen(name: str, **changed: Any) -> dict[str, Any]:
    """What a healthy context answered."""
    found: dict[str, Any] = {"error": None, "uid": f"uid of {name}", "server": f"https://{name}:6443", "denied": []}
    found |= {"version": "v1.34.4", "namespaces": {"kb-system": "Active"}, "pod_role": [{"verbs": ["get"]}]}
    found |= {"clock_offset": 0.2, "authority_left": 300 * DAY, "credential_left": None}
    found |= {"boot_ids": [f"boot of {name}"]}
    if PLANES[name] == "data":
        found |= {"crds": {}, "storage_classes": ["standard"], "default_classes": ["standard"], "leftovers": {}}
        found |= {"provisioners": {"standard": "lab.invalid/local"}, "drivers": []}
    else:
        found |= {"releases": [], "clusters": {"etcd/etcd": None}, "tokens": {}, "missing_secrets": []}
    return {**found, **changed}


def evidence(**changed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {name: {**seen(name), **changed.get(name.replace("-", "_"), {})} for name in PLANES}
    return {name: {"way": {"server": entry["server"], "ca": ""}, **entry} for name, entry in found.items()}


CRDS = {"x.kubeblocks.io": "1"}
SILENT = {"error": {"kind": "silent", "message": "no answer in time"}}
DENIED = {"error": None, "uid": "", "server": "https://unknown:6443", "denied": ["get namespaces"]}  # asked no further

# Name → evidence, changed options, problems of this host's tools, what is found.
JUDGED: dict[str, tuple[dict[str, dict[str, Any]], dict[str, Any], list[dict[str, str]], Short]] = {
    "all is well": (evidence(), {}, [], []),
    "one is silent": ({**evidence(), B: SILENT}, {}, [], [("api.silent", B, FAIL)]),
    "one may not look": ({**evidence(), B: DENIED}, {}, [], [("access.missing", B, FAIL)]),
    "two may not look, and are not one cluster": (
        {**evidence(), A: DENIED, B: DENIED},
        {},
        [],
        [("access.missing", A, FAIL), ("access.missing", B, FAIL)],
    ),
    "one cluster under two names": (
        evidence(k8s_3={"uid": "uid of control"}),
        {},
        [],
        [("identity.duplicate", C, FAIL)],
    ),
    "one cluster as two data planes": (
        evidence(k8s_2={"uid": "uid of k8s-1"}),
        {},
        [],
        [("identity.duplicate", B, FAIL), ("placement.domains", "placement", FAIL)],
    ),
    "CRDs on a data plane": (evidence(k8s_1={"crds": {"x.kubeblocks.io": ""}}), {}, [], [("crds.present", A, FAIL)]),
    "a loopback server": (evidence(k8s_1={"server": "https://127.0.0.1:1"}), {}, [], LOOPBACK),
    "the control plane's own loopback server is all right": (
        evidence(control={"server": "https://127.0.0.1:1"}),
        {},
        [],
        [],
    ),
    "no such class": (
        evidence(),
        {"storage_class": "fast"},
        [],
        [("storage.class_missing", name, FAIL) for name in ABC],
    ),
    "a pending release": (
        evidence(control={"releases": [release("pending-install", ours=False)]}),
        {},
        [],
        [("release.pending", "control", FAIL)],
    ),
    "worst first": (
        evidence(control={"releases": [release("pending-install", ours=True)]}, k8s_3={"denied": ["get pods"]}),
        {"replicas": 4},
        [{"kind": "chart", "what": "etcd", "message": "?"}],
        [
            ("chart.missing", "ansible host", FAIL),
            ("access.missing", C, FAIL),
            ("placement.fragile", "placement", FAIL),
            ("release.interrupted", "control", INFO),
        ],
    ),
    "a rebuilt data plane": (
        evidence(control={"record": {A: {"uid": "uid of k8s-1"}, B: {"uid": "another"}}}),
        {},
        [],
        [("identity.changed", B, FAIL)],
    ),
    "a data plane of another control plane": (
        evidence(k8s_2={"named_control_plane": "another"}),
        {},
        [],
        [("identity.other_control_plane", B, FAIL)],
    ),
    "a data plane of this control plane": (evidence(k8s_2={"named_control_plane": "uid of control"}), {}, [], []),
    "two on one machine": (
        evidence(k8s_1={"boot_ids": ["x"]}, k8s_2={"boot_ids": ["x"]}),
        {},
        [],
        [("placement.domains", "placement", FAIL), ("fate.boot_id", B, WARN)],
    ),
    "two in one subnet": (
        evidence(k8s_1={"server": "https://10.0.0.1:1"}, k8s_2={"server": "https://10.0.0.2:1"}),
        {},
        [],
        [("fate.subnet", B, INFO)],
    ),
    "a clock is behind": (evidence(k8s_2={"clock_offset": -20.0}), {}, [], [("clock.skew", B, WARN)]),
    "a CA ends": (evidence(k8s_2={"authority_left": 9 * DAY}), {}, [], [("certificate.authority", B, WARN)]),
    "a credential ends": (evidence(control={"credential_left": 3600}), {}, [], [("credential.ends", "control", WARN)]),
    "a token has run out": (
        evidence(control={"tokens": {A: {"left": -5.0, "life": 600}, B: {"left": 500.0, "life": 600}}}),
        {},
        [],
        [("token.ends", A, WARN)],
    ),
    "old and far apart": (
        evidence(k8s_3={"version": "v1.24.1"}),
        {},
        [],
        [("version.old", C, FAIL), ("version.skew", "inventory", WARN)],
    ),
    "another line of KubeBlocks": (
        evidence(k8s_1={"crds": {"x.kubeblocks.io": ""}}),
        {"kubeblocks_version": "1.1.0"},
        [],
        [("version.kubeblocks", "inventory", FAIL)],
    ),
    "CRDs of a line that wants them on data planes": (
        evidence(**{name: {"crds": {"x.kubeblocks.io": "1"}} for name in ("control", "k8s_1")}),
        {"kubeblocks_version": "1.1.0", "experimental": True},
        [],
        [("crds.absent", B, FAIL), ("crds.absent", C, FAIL), ("version.experimental", "inventory", WARN)],
    ),
    "a Cluster without the Instance API": (
        evidence(
            control={
                "crds": CRDS,
                "clusters": {"etcd/etcd": {"placement": list(ABC), "instance_api": {"etcd": False}}},
            },
            k8s_1={"crds": CRDS},
            k8s_2={"crds": CRDS},
            k8s_3={"crds": CRDS},
        ),
        {"kubeblocks_version": "1.1.0", "experimental": True},
        [],
        [("version.instance_api", "control plane", FAIL), ("version.experimental", "inventory", WARN)],
    ),
    "pod networks overlap": (
        evidence(k8s_1={"pod_networks": ["10.0.0.0/16"]}, k8s_2={"pod_networks": ["10.0.4.0/24"]}),
        {},
        [],
        [("address.pod_overlap", B, FAIL)],
    ),
    "a namespace ends": (
        evidence(k8s_2={"namespaces": {"etcd": "Terminating"}}),
        {},
        [],
        [("namespace.terminating", B, FAIL)],
    ),
    "a role differs": (evidence(k8s_2={"pod_role": []}), {}, [], [("pod_role.differs", B, INFO)]),
    "leftovers": (
        evidence(k8s_2={"leftovers": {"etcd/etcd": ["claim data-etcd-etcd-1"]}}),
        {},
        [],
        [("leftovers.present", B, FAIL)],
    ),
    "members of a Cluster that is there": (
        evidence(
            k8s_2={"leftovers": {"etcd/etcd": ["claim data-etcd-etcd-1"]}},
            control={"clusters": {"etcd/etcd": {"placement": [A, B, C], "instance_api": {}}}},
        ),
        {},
        [],
        [],
    ),
    "a driver is missing": (
        evidence(k8s_2={"provisioners": {"standard": "ebs.csi.aws.com"}}),
        {},
        [],
        [("storage.cannot_provision", B, FAIL)],
    ),
    "a pull Secret is missing": (
        evidence(control={"missing_secrets": ["registry"]}),
        {},
        [],
        [("image.pull_secret_missing", "control", FAIL)],
    ),
    "values with a blank": (
        evidence(),
        {"operator_values": {"multiCluster": {"contexts": "k8s-1, k8s-2"}}},
        [],
        [("values.multi_cluster", "control plane", FAIL)],
    ),
    "an identity that may do everything": (
        evidence(k8s_2={"operator": {"account": "a/b", "exists": True, "denied": [], "excess": ["do everything"]}}),
        {},
        [],
        [("operator.access_excess", B, WARN)],
    ),
    "no placement, no Cluster: all data planes": (
        evidence(),
        {"placement": [], "replicas": 4},
        [],
        [("placement.fragile", "placement", FAIL)],
    ),
    "no placement, but a Cluster: where it is": (
        evidence(control={"clusters": {"etcd/etcd": {"placement": [A, B], "instance_api": {}}}}),
        {"placement": []},
        [],
        [("placement.domains", "placement", FAIL)],
    ),
    "a Cluster that was placed by nobody: all data planes": (
        evidence(control={"clusters": {"etcd/etcd": {"placement": [], "instance_api": {}}}}),
        {"placement": []},
        [],
        [],
    ),
    "no members": (evidence(), {"replicas": 0}, [], [("placement.replicas", "placement", FAIL)]),
    "a new Cluster on a marked context": (
        evidence(control={"marked": [B]}),
        {},
        [],
        [("placement.marked", B, FAIL)],
    ),
    "a Cluster with a member in a marked context": (
        evidence(control={"marked": [B], "clusters": {"etcd/etcd": {"placement": [A, B, C], "instance_api": {}}}}),
        {},
        [],
        [],
    ),
    "the placement names contexts of data planes": (
        evidence(),
        {"placement": [A, B, "control"]},
        [],
        [("placement.unknown", "control", FAIL)],
    ),
}


@pytest.mark.parametrize("name", JUDGED)
def test_judging_evidence(name: str) -> None:
    given, options, tools, expected = JUDGED[name]
    found = short(judge({**PARAMS, **options}, given, tools))
    assert [finding for finding in found if finding not in OUTLOOK] == expected


THERE = {"placement": [A, B, C], "instance_api": {}, "replicas": {"etcd": 3}}


def test_a_request_is_held_against_the_cluster_that_is_there() -> None:
    given = evidence(control={"clusters": {"etcd/etcd": THERE}, "operator_contexts": list(ABC)})
    assert short(judge(PARAMS, given, [])) == OUTLOOK
    changed = [("placement.changed", "placement", FAIL)]
    for options in ({"placement": [B, A, C]}, {"placement": [A, B]}, {"replicas": 5}):
        assert changed[0] in short(judge({**PARAMS, **options}, given, [])), options
    assert short(judge({**PARAMS, "placement": []}, given, [])) == OUTLOOK
    less = {**PARAMS, "contexts": PARAMS["contexts"][:3], "placement": []}
    seen_by_three = {name: given[name] for name in ("control", A, B)}
    found = short(judge(less, seen_by_three, []))
    assert ("inventory.context_dropped", C, FAIL) in found
    assert ("placement.unknown", C, FAIL) in found


def test_a_cluster_without_nodes_lets_nothing_be_called_safe() -> None:
    assert short(judge(PARAMS, evidence(k8s_2={"boot_ids": []}), [])) == [("nodes.none", B, WARN)]


def test_crds_are_no_finding_where_a_data_plane_may_be_the_silent_control_plane() -> None:
    places = [{**place, "may_be_control_plane": place["name"] == A} for place in PARAMS["contexts"]]
    given = {**in_control_planes_cluster(), "control": SILENT}
    found = short(judge({**PARAMS, "contexts": places}, given, []))
    assert [finding for finding in found if finding[2] == FAIL] == [("api.silent", "control", FAIL)]


def test_what_healthy_clusters_are_told() -> None:
    assert short(judge(PARAMS, evidence(), [])) == OUTLOOK


def test_no_placement_is_called_safe_before_every_data_plane_has_shown_itself() -> None:
    assert short(judge(PARAMS, {**evidence(), B: SILENT}, [])) == [("api.silent", B, FAIL)]
    assert short(judge(PARAMS, {**evidence(), B: DENIED}, [])) == [("access.missing", B, FAIL)]


def test_declared_domains_count_where_nothing_else_does() -> None:
    places = [{**place, "failure_domain": "north"} for place in PARAMS["contexts"][:3]] + PARAMS["contexts"][3:]
    assert short(judge({**PARAMS, "contexts": places}, evidence(), [])) == [("placement.domains", "placement", FAIL)]


def test_a_server_that_the_inventory_names_counts_and_not_the_kubeconfigs() -> None:
    way = {"server": "https://10.0.0.1:6443", "ca": ""}
    given = evidence(k8s_1={"server": "https://127.0.0.1:1", "way": way})
    assert short(judge(PARAMS, given, [])) == OUTLOOK


def in_control_planes_cluster(**changed: Any) -> dict[str, dict[str, Any]]:
    """k8s-1 is the control plane's own cluster: its CRDs, its networks, its nodes."""
    same = {
        "uid": "uid of control",
        "boot_ids": ["one"],
        "pod_networks": ["10.0.0.0/16"],
        "node_addresses": ["10.9.0.1"],
    }
    own = {"server": "https://127.0.0.1:1", "crds": {"x.kubeblocks.io": ""}}
    own |= {"own_way": {"server": "https://10.96.0.1:443", "ca": ""}}
    return evidence(control=same, k8s_1={**same, **own, **changed})


def test_the_control_planes_own_cluster_is_a_data_plane_only_where_that_is_said() -> None:
    places = [{**place, "may_be_control_plane": place["name"] == A} for place in PARAMS["contexts"]]
    assert short(judge({**PARAMS, "contexts": places}, in_control_planes_cluster(), [])) == OUTLOOK
    unsaid = short(judge(PARAMS, in_control_planes_cluster(), []))
    assert {finding[0] for finding in unsaid} > {"identity.duplicate", "crds.present", "server.loopback"}
    other = in_control_planes_cluster(uid="another")
    assert ("crds.present", A, FAIL) in short(judge({**PARAMS, "contexts": places}, other, []))


def test_the_control_planes_own_cluster_cannot_be_marked() -> None:
    places = [{**place, "may_be_control_plane": place["name"] == A} for place in PARAMS["contexts"]]
    given = in_control_planes_cluster()
    given["control"]["marked"] = [A]
    given["control"]["clusters"] = {"etcd/etcd": {"placement": [A, B, C], "instance_api": {}}}
    assert ("identity.control_plane_marked", A, FAIL) in short(judge({**PARAMS, "contexts": places}, given, []))
    given["control"]["marked"] = [B]
    assert short(judge({**PARAMS, "contexts": places}, given, [])) == OUTLOOK


def test_findings_of_one_severity_come_in_the_inventorys_order() -> None:
    given = {**evidence(k8s_1={"denied": ["get pods"]}), B: SILENT}
    assert [finding.context for finding in judge(PARAMS, given, []) if finding.severity == FAIL] == [A, B]


def test_a_host_in_both_groups_is_no_control_plane_with_a_data_plane_of_its_own() -> None:
    both = {"name": A, "context": A, "plane": "control"}
    places = [both, *(place for place in PARAMS["contexts"] if place["plane"] == "data")]
    found = of_inventory(places)
    assert [finding for finding in found if finding.severity == FAIL and finding.id in NEVER_ACCEPTED]


def test_a_wrong_inventory_fails_before_anything_is_asked_and_cannot_be_accepted() -> None:
    places = [place for place in PARAMS["contexts"] if place["plane"] == "data"]
    with pytest.raises(
        Failed, match=r"^preflight: 1 finding must be mended(.|\n)*\[inventory\.control_plane\]$"
    ) as end:
        run(Call({**PARAMS, "contexts": places, "accept": ["inventory.control_plane"]}))
    report = end.value.result["preflight_report"]
    assert (report["verdict"], report["contexts"]) == ("fail", {})
    assert [finding["accepted"] for finding in report["findings"]] == [False]
    assert end.value.result["table"][0].startswith("fail ")
