"""Asked from inside the clusters: by short-lived Pods and by members that run, and what check mode leaves out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._probe import Probe, _job
from balanced import first, until, zombies
from lab import faults
from lab.build.oci import REGISTRY
from lab.settings import Lab
from support import Audit, kubectl, module, places, play, preflight_options

SITE = "playbooks/site.yml"
DATABASE = [{"namespace": "etcd", "name": "etcd"}]
ANOTHER = [{"namespace": "etcd", "name": "another"}]  # no member of it runs: Pods of our own are asked
PLANES = ["k8s-1", "k8s-2", "k8s-3"]
INSIDE = {
    "in_cluster": "always",
    "probe_image": f"{REGISTRY}/apecloud/kubeblocks-tools:1.0.2",
    "round_trip_image": f"{REGISTRY}/apecloud/bash-busybox:1.37.0-musl-curl",
}


@pytest.fixture(scope="module")
def lab(pods_lab: Lab) -> Lab:
    """Clusters on which ``site.yml`` has run."""
    played = play(pods_lab, SITE)
    assert played.code == 0, played.output
    return pods_lab


def report(lab: Lab, *, check: bool = False, **changed: Any) -> dict[str, Any]:
    """The report of preflight, asked from inside as well."""
    options = preflight_options(places(lab, servers=changed.pop("servers", None)), databases=DATABASE, **INSIDE)
    result = module(lab, "preflight_report", options | changed, body="action", check=check)
    found: dict[str, Any] = result["preflight_report"]
    return found


def told(found: dict[str, Any], *, infos: bool = False) -> set[tuple[str, str, str]]:
    findings = found["findings"]
    return {(each["id"], each["context"], each["severity"]) for each in findings if infos or each["severity"] != "info"}


def asked(found: dict[str, Any]) -> dict[str, str]:
    return {name: seen["asked"] for name, seen in found["vantages"].items()}


@contextmanager
def failing(lab: Lab, context: str, how: str) -> Iterator[None]:
    faults.fail(lab, faults.Fault(context, how), lambda _text: None)
    try:
        yield
    finally:
        faults.heal(lab, context, lambda _text: None)


def report_until(lab: Lab, is_so: Callable[[dict[str, Any]], bool], **changed: Any) -> dict[str, Any]:
    """The first report of which something is true: whoever asks from inside may be late on a busy machine."""
    return first(lambda: report(lab, **changed), is_so)


def until_none_is_left(lab: Lab) -> None:
    """No probe; what is being deleted has a moment to go."""
    there = ("get", "jobs,pods", "-A", "--selector=kubeblocks.multicluster/probe", "-o", "name")
    until(lambda: all(kubectl(lab, node.name, *there) == "" for node in lab.nodes))


def test_pods_of_our_own_are_asked_and_removed(lab: Lab) -> None:
    def is_whole(found: dict[str, Any]) -> bool:
        trips = {context: found["vantages"][context].get("round_trips", {}) for context in PLANES}
        every = all(set(trips[context]) == set(PLANES) - {context} for context in PLANES)
        return every and all(len(tries) == 5 for each in trips.values() for tries in each.values()) and not told(found)

    found = report_until(lab, is_whole, databases=ANOTHER)
    assert asked(found) == dict.fromkeys(["control", *PLANES], "probe")
    assert found["vantages"]["control"]["reached"] == dict.fromkeys(PLANES, "")
    assert ("round_trip.seen", "data planes", "info") in told(found, infos=True)
    until_none_is_left(lab)


def test_members_that_run_are_asked_in_place_of_pods(lab: Lab) -> None:
    before, audits = zombies(lab), list[Audit]()

    def audited() -> bool:
        audits[:] = [Audit(lab)]
        found = report(lab)
        assert asked(found) == {"control": "probe", **dict.fromkeys(PLANES, "member")}
        return told(found) == set()

    until(audited)
    writes = audits[0].writes()
    assert {context: writes[context] for context in PLANES} == {context: [] for context in PLANES}
    assert [line.split("?")[0].rsplit("/", 1)[0] for line in writes["control"]] == [
        "create /apis/batch/v1/namespaces/kb-system",
        "delete /apis/batch/v1/namespaces/kb-system/jobs",
    ]
    until(lambda: zombies(lab) <= before)


def test_check_mode_gives_the_same_report_but_for_what_is_not_asked(lab: Lab) -> None:
    for databases, members in ((DATABASE, True), (ANOTHER, False)):
        audit = Audit(lab)
        checked = report_until(lab, passes, check=True, databases=databases)
        assert audit.writes() == {node.name: [] for node in lab.nodes}
        real = report_until(lab, passes, databases=databases)
        assert asked(checked) == {
            "control": "not_asked",
            **dict.fromkeys(PLANES, "member" if members else "not_asked"),
        }
        trips = {"round_trip.seen"}
        same = {finding for finding in told(real, infos=True) if members or finding[0] not in trips}
        assert told(checked, infos=True) == same
        assert checked["verdict"] == real["verdict"] == "pass"
        # Seconds left and clocks go on between two runs.
        assert stable(checked) == stable(real)


def passes(found: dict[str, Any]) -> bool:
    return not told(found)


def stable(found: dict[str, Any]) -> dict[str, Any]:
    moving = {"authority_left", "credential_left", "clock_offset", "tokens"}
    return {
        context: {key: value for key, value in seen.items() if key not in moving}
        for context, seen in found["contexts"].items()
    }


def test_a_data_plane_that_only_the_host_reaches(lab: Lab) -> None:
    """The Ansible host uses the kubeconfig's address; the operator is told another, at which nobody listens."""
    found = report_until(
        lab,
        lambda found: told(found) == {("reach.control_plane", "k8s-2", "fail")},
        servers={"k8s-2": f"https://{lab.node('k8s-2').address}:6444"},
    )
    assert "refused" in found["vantages"]["control"]["reached"]["k8s-2"]
    assert ("round_trip.unknown", "data planes", "info") in told(found, infos=True)
    found = report_until(
        lab,
        lambda found: told(found) == {("reach.control_plane", "k8s-3", "fail")},
        servers={"k8s-3": lab.node("k8s-1").server},
    )
    assert "certificate" in found["vantages"]["control"]["reached"]["k8s-3"]


def test_an_image_that_cannot_be_pulled(lab: Lab) -> None:
    images = {"round_trip_image": f"{REGISTRY}/none:1", "probe_image": f"{REGISTRY}/none:2"}
    expected = {("image.cannot_pull", context, "fail") for context in ("control", *PLANES)}
    report_until(lab, lambda found: told(found) == expected, databases=ANOTHER, **images)
    until_none_is_left(lab)


def test_a_pod_that_says_nothing(lab: Lab) -> None:
    """An image without a shell: the Pod cannot run."""
    silent = {("vantage.silent", "control", "warn")}
    report_until(lab, lambda found: told(found) == silent, probe_image=f"{REGISTRY}/lab/pause:1")
    until_none_is_left(lab)


def test_a_slow_way_is_measured(lab: Lab) -> None:
    """How slow it is decides on the severity, and that is the machine's matter, too."""

    def is_slow(found: dict[str, Any]) -> bool:
        slow = [finding for finding in found["findings"] if finding["id"] == "round_trip.slow"]
        alone = {(name, context) for name, context, _severity in told(found)} == {("round_trip.slow", "data planes")}
        return alone and "k8s-2" in slow[0]["seen"]

    with failing(lab, "k8s-2", "slow"):
        report_until(lab, is_slow)


def test_site_asks_only_if_the_operators_kubeconfig_would_change(lab: Lab) -> None:
    audit = Audit(lab)
    quiet = play(lab, SITE)
    assert quiet.code == 0, quiet.output
    assert not [line for lines in audit.writes().values() for line in lines if "/jobs" in line]
    nobody_listens = json.dumps({"kubeblocks_server": f"https://{lab.node('k8s-1').address}:6444"})
    audit = Audit(lab)
    refused = play(lab, SITE, "-e", nobody_listens)
    assert refused.code != 0
    assert "[reach.control_plane]" in refused.output
    assert [line for line in audit.writes()["control"] if "/jobs" not in line] == []


def test_the_cluster_clears_away_what_a_killed_run_left() -> None:
    """The Job itself says so: nobody has to come back for it."""
    spec = _job(Probe("default", "x", ["true"], {}), "x", 40)["spec"]
    assert 0 < spec["activeDeadlineSeconds"] <= 60
    assert 0 < spec["ttlSecondsAfterFinished"] <= 60
    assert spec["backoffLimit"] == 0
