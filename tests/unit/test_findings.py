"""Every finding of preflight: what makes it, what it says, and what nobody may accept."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._preflight import judge, run, table
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import (
    FAIL,
    INFO,
    NEVER_ACCEPTED,
    WARN,
    Finding,
    of_access,
    of_crds,
    of_identity,
    of_inventory,
    of_placement,
    of_reachability,
    of_releases,
    of_server,
    of_storage,
    of_tools,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call

Short = list[tuple[str, str, str]]  # id, context, severity

A, B, C = "k8s-1", "k8s-2", "k8s-3"
PLANES = {"control": "control", A: "data", B: "data", C: "data"}


def inventory(*planes: str) -> list[dict[str, str]]:
    return [
        {"name": f"host-{number}", "context": f"host-{number}", "plane": plane} for number, plane in enumerate(planes)
    ]


def release(status: str, *, ours: bool) -> dict[str, Any]:
    return {"name": "kubeblocks", "namespace": "kb-system", "status": status, "ours": ours}


NO_CONTROL = ("inventory.control_plane", "inventory", FAIL)
NO_DATA = ("inventory.data_planes", "inventory", FAIL)
LOOPBACK = [("server.loopback", A, FAIL)]
FRAGILE = [("placement.fragile", "placement", WARN)]
PENDING, OURS = [("release.pending", A, FAIL)], [("release.interrupted", A, INFO)]
NO_CLASS, ONE_CLASS = [("storage.class_missing", A, FAIL)], "storage.default_class"
ABC = [A, B, C]

# Name → the rule asked, what it finds.
CASES: dict[str, tuple[Callable[[], list[Finding]], Short]] = {
    "inventory: one control, one data": (lambda: of_inventory(inventory("control", "data")), []),
    "inventory: two controls": (lambda: of_inventory(inventory("control", "control", "data")), [NO_CONTROL]),
    "inventory: no control": (lambda: of_inventory(inventory("data", "data")), [NO_CONTROL]),
    "inventory: no data": (lambda: of_inventory(inventory("control")), [NO_DATA]),
    "inventory: in both groups": (
        lambda: of_inventory([{"name": A, "plane": "control"}, {"name": A, "plane": "data"}]),
        [("inventory.both_planes", A, FAIL)],
    ),
    "inventory: empty": (lambda: of_inventory([]), [NO_CONTROL, NO_DATA]),
    "missing": (
        lambda: [of_reachability(A, {"kind": "missing", "message": "?"})],
        [("context.missing", A, FAIL)],
    ),
    "silent": (lambda: [of_reachability(A, {"kind": "silent", "message": "?"})], [("api.silent", A, FAIL)]),
    "identity: all differ": (lambda: of_identity({"control": "1", A: "2", B: "3"}, PLANES), []),
    "identity: nobody answered": (lambda: of_identity({}, PLANES), []),
    "identity: two data planes": (
        lambda: of_identity({"control": "1", A: "2", B: "2"}, PLANES),
        [("identity.duplicate", B, FAIL)],
    ),
    "identity: control and data": (
        lambda: of_identity({"control": "1", A: "1", B: "2"}, PLANES),
        [("identity.duplicate", A, FAIL)],
    ),
    "access: all there": (lambda: of_access(A, []), []),
    "access: two lacking": (lambda: of_access(A, ["get pods", "list nodes"]), [("access.missing", A, FAIL)] * 2),
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
    "tools: helm": (
        lambda: of_tools([{"kind": "helm", "what": "helm", "message": "?"}]),
        [("helm.missing", "ansible host", FAIL)],
    ),
    "tools: chart": (
        lambda: of_tools([{"kind": "chart", "what": "etcd", "message": "?"}]),
        [("chart.missing", "ansible host", FAIL)],
    ),
    "placement: even": (lambda: of_placement(ABC, ABC, 3, {}), []),
    "placement: not given": (lambda: of_placement([], ABC, 3, {}), []),
    "placement: part of the planes": (lambda: of_placement([A, B], ABC, 3, {}), FRAGILE),
    "placement: four over three": (lambda: of_placement(ABC, ABC, 4, {}), FRAGILE),
    "placement: two share a domain": (lambda: of_placement(ABC, ABC, 3, {A: "north", B: "north"}), FRAGILE),
    "placement: unknown": (lambda: of_placement([A, B, "x"], ABC, 3, {}), [("placement.unknown", "x", FAIL)]),
    "placement: unknown, and fragile": (lambda: of_placement([A, "x"], ABC, 3, {}), [("placement.unknown", "x", FAIL)]),
    "placement: doubled, and fragile": (lambda: of_placement([A, A], ABC, 3, {}), [("placement.doubled", A, FAIL)]),
    "placement: doubled": (lambda: of_placement([A, B, A], ABC, 3, {}), [("placement.doubled", A, FAIL)]),
    "placement: doubled once, named thrice": (
        lambda: of_placement([A, A, A], ABC, 3, {}),
        [("placement.doubled", A, FAIL)],
    ),
    "placement: doubled, and would survive": (
        lambda: of_placement([A, B, C, A, B], ABC, 5, {}),
        [("placement.doubled", A, FAIL), ("placement.doubled", B, FAIL)],
    ),
}

# Name → the one finding, a part of its sentence.
SENTENCES: dict[str, str] = {
    "inventory: two controls": "group control_plane has 2 hosts (host-0, host-1)",
    "inventory: no control": "group control_plane has 0 hosts (none)",
    "identity: two data planes": "k8s-1 and k8s-2 are the same cluster (kube-system has UID 2). Two data planes",
    "identity: control and data": "control and k8s-1 are the same cluster (kube-system has UID 1).",
    "storage: no default": "0 StorageClasses are marked as default (none)",
    "storage: two defaults": "2 StorageClasses are marked as default (x, y)",
    "storage: unknown name": "there is no StorageClass 'z' (there are: x)",
    "storage: unknown name and no class": "there is no StorageClass 'z' (there are: none)",
    "server: 127.0.0.1": "reach this cluster at https://127.0.0.1:6443",
    "releases: another's upgrade": "helm rollback kubeblocks -n kb-system",
    "releases: our own": "Helm release kb-system/kubeblocks is pending-rollback, left by an interrupted run",
    "tools: chart": "the chart etcd cannot be found (?)",
    "placement: unknown": "the placement names 'x', which is no data plane (they are: k8s-1, k8s-2, k8s-3)",
    "placement: four over three": "4 voters need 3, may lose 1, and lie like this: k8s-1 2, k8s-2 1, k8s-3 1",
    "placement: two share a domain": "lie like this: k8s-3 1, north 2",
    "crds: one": "this data plane has CRDs of KubeBlocks (a.kubeblocks.io)",
}


def short(found: list[Finding]) -> Short:
    return [(finding.id, finding.context, finding.severity) for finding in found]


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


def test_every_way_in_which_four_names_share_clusters() -> None:
    for uids in itertools.product("123", repeat=4):
        given = dict(zip(PLANES, uids, strict=True))
        groups = [[name for name in given if given[name] == uid] for uid in dict.fromkeys(uids)]
        shared = [group for group in groups if len(group) > 1]
        found = of_identity(given, PLANES)
        assert [finding.context for finding in found] == [group[-1] for group in shared]
        for finding, group in zip(found, shared, strict=True):
            assert finding.seen.startswith(" and ".join(group) + " are the same")
            assert ("control plane and data plane" in finding.why) is ("control" in group)


def test_every_placement_of_one_to_seven_members() -> None:
    """The model loses each context in turn and counts."""
    for length, replicas in itertools.product(range(1, 4), range(1, 8)):
        for placement in itertools.product([*ABC, "x"], repeat=length):
            homes = [placement[number % length] for number in range(replicas)]
            left = min(sum(1 for home in homes if home != lost) for lost in placement)
            wrong = {name for name in placement if name == "x" or placement.count(name) > 1}
            found = of_placement(placement, ABC, replicas, {})
            assert {finding.context for finding in found if finding.severity == FAIL} == wrong
            fragile = not wrong and 2 * left <= replicas
            assert [finding.id for finding in found if finding.severity == WARN] == ["placement.fragile"] * fragile


def test_what_nobody_may_accept() -> None:
    literally = {"inventory.control_plane", "inventory.data_planes", "identity.duplicate", "context.missing"}
    assert literally | {"api.silent", "inventory.both_planes"} == NEVER_ACCEPTED
    everything = [finding for rule, _ in CASES.values() for finding in rule()]
    assert {finding.id for finding in everything} > NEVER_ACCEPTED
    for finding in everything:
        assert finding.as_dict()["forcible"] is (finding.id not in NEVER_ACCEPTED)


# Judging whole evidence

PARAMS: dict[str, Any] = {
    "contexts": [{"name": name, "context": name, "plane": plane} for name, plane in PLANES.items()],
    "placement": ABC,
    "replicas": 3,
    "failure_domains": {},
    "storage_class": "",
    "accept": [],
}


def seen(name: str, **changed: Any) -> dict[str, Any]:
    """What a healthy context answered."""
    found: dict[str, Any] = {"error": None, "uid": f"uid of {name}", "server": f"https://{name}:6443", "denied": []}
    if PLANES[name] == "data":
        found |= {"crds": [], "storage_classes": ["standard"], "default_classes": ["standard"]}
    else:
        found |= {"crds": ["clusters.apps.kubeblocks.io"], "releases": []}
    return {**found, **changed}


def evidence(**changed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: {**seen(name), **changed.get(name.replace("-", "_"), {})} for name in PLANES}


SILENT = {"error": {"kind": "silent", "message": "no answer in time"}}
DENIED = {"error": None, "uid": "", "server": "https://10.0.0.1:6443", "denied": ["get namespaces"]}  # asked no further

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
    "CRDs on a data plane": (evidence(k8s_1={"crds": ["x.kubeblocks.io"]}), {}, [], [("crds.present", A, FAIL)]),
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
            *FRAGILE,
            ("release.interrupted", "control", INFO),
        ],
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
    assert short(judge({**PARAMS, **options}, given, tools)) == expected


def test_a_server_that_the_inventory_names_counts_and_not_the_kubeconfigs() -> None:
    places = [{**place, "server": "https://10.0.0.1:6443"} for place in PARAMS["contexts"]]
    given = evidence(k8s_1={"server": "https://127.0.0.1:1"})
    assert judge({**PARAMS, "contexts": places}, given, []) == []


def test_findings_of_one_severity_come_in_the_inventorys_order() -> None:
    given = {**evidence(k8s_1={"denied": ["get pods"]}), B: SILENT}
    assert [finding.context for finding in judge(PARAMS, given, [])] == [A, B]


def test_a_host_in_both_groups_is_no_control_plane_with_a_data_plane_of_its_own() -> None:
    both = {"name": A, "context": A, "plane": "control"}
    places = [both, *(place for place in PARAMS["contexts"] if place["plane"] == "data")]
    answered = {name: seen(name) for name in ABC}
    found = of_inventory(places) + judge({**PARAMS, "contexts": places}, answered, [])
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


def test_the_table_lines_up_and_says_what_was_accepted() -> None:
    found = [*of_storage(A, [], "", []), *of_storage("a-long-name", ["x", "y"], "", []), *of_crds(A, ["c"])]
    assert table(found, {"storage.default_class"}) == [
        "accepted  k8s-1        storage.default_class  0 StorageClasses are marked as default (none)",
        "warn      a-long-name  storage.default_class  2 StorageClasses are marked as default (x, y)",
        "fail      k8s-1        crds.present           this data plane has CRDs of KubeBlocks (c)",
    ]
    assert table([], set()) == ["preflight: nothing found"]
