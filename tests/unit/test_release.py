"""The mark in the operator's Deployments: nothing else may differ, and when the operator works again."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._engine import unpack, with_disabled
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.progress import (
    LEADER,
    RECONCILES,
    ROLLED_OUT,
    TOLD,
    progress_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.release import (
    DISABLED,
    args_of,
    flag,
    of_difference,
    of_drift,
    with_marks,
)

CONTEXTS = "--multi-cluster-contexts=k8s-1,k8s-2,k8s-3"
NAMES = ("kubeblocks", "kubeblocks-dataprotection")
Bodies = list[dict[str, Any]]


def deployment(name: str, *marked: str, **changed: Any) -> dict[str, Any]:
    args = ["--leader-elect", CONTEXTS, *([DISABLED + ",".join(marked)] if marked else []), "--user-agent=x"]
    container = {"name": "manager", "image": "kubeblocks:1.0.2", "args": args, **changed}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "generation": 3},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}},
        "status": {"observedGeneration": 3, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1},
    }


def other(value: str = "one") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": {"key": value}}


def release(*marked: str) -> Bodies:
    return [*(deployment(name, *marked) for name in NAMES), other()]


# Name → before, after, how the sentence begins; nothing where it is exactly the mark.
DIFFERENCES: dict[str, tuple[Bodies, Bodies, str]] = {
    "exactly the mark": (release(), release("k8s-2"), ""),
    "one more": (release("k8s-1"), release("k8s-1", "k8s-2"), "Deployment kubeblocks, kubeblocks-dataprotection would"),
    "in another order": (release(), release("k8s-3", "k8s-2"), "Deployment kubeblocks, kubeblocks-dataprotection"),
    "in one of them only": (
        release(),
        [deployment(NAMES[0], "k8s-2"), deployment(NAMES[1]), other()],
        "Deployment kubeblocks-dataprotection would not be told",
    ),
    "another image too": (
        release(),
        [deployment(NAMES[0], "k8s-2", image="kubeblocks:1.0.3"), deployment(NAMES[1], "k8s-2"), other()],
        "Deployment kubeblocks would change beyond",
    ),
    "another object too": (release(), [*release("k8s-2")[:2], other("two")], "ConfigMap config would change beyond"),
    "an object comes": (release()[:2], release("k8s-2"), "objects come or go: v1 ConfigMap  config"),
    "an object goes": (release(), release("k8s-2")[:2], "objects come or go: v1 ConfigMap  config"),
    "only one Deployment": (release()[:1], release("k8s-2")[:1], "1 Deployments are told of contexts"),
    "it was not told of contexts before": (
        [deployment(NAMES[0], args=["--leader-elect"]), *release()[1:]],
        release("k8s-2"),
        "Deployment kubeblocks would change beyond",
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_what_would_be_written_is_the_list_and_nothing_else(name: str) -> None:
    before, after, expected = DIFFERENCES[name]
    found = of_difference(before, after, ["k8s-2"])
    assert found.startswith(expected) and bool(found) is bool(expected)


def test_a_mark_that_is_taken_away_is_a_difference_too() -> None:
    assert of_difference(release("k8s-2"), release(), []) == ""
    assert of_difference(release("k8s-2"), release("k8s-2"), [])


# Name → what somebody did to the living Deployment, what Helm would set back.
DRIFTS: dict[str, tuple[Bodies, str]] = {
    "nothing": (release()[:2], ""),
    "a mark is none": (release("k8s-3")[:2], ""),
    "an image": ([deployment(NAMES[0], image="kubeblocks:hotfix"), deployment(NAMES[1])], "other images than"),
    "an argument": ([deployment(NAMES[0], args=["--leader-elect", CONTEXTS])], "other arguments than"),
    "one that the release does not have": ([deployment("other", image="x")], ""),
}


@pytest.mark.parametrize("name", DRIFTS)
def test_what_helm_would_set_back_is_left_to_the_patch(name: str) -> None:
    live, expected = DRIFTS[name]
    found = of_drift(release(), live)
    assert expected in found and bool(found) is bool(expected)


def test_a_scaled_operator_stays_scaled() -> None:
    scaled = deployment(NAMES[0])
    scaled["spec"]["replicas"] = 3
    assert "other replicas than the release" in of_drift(release(), [scaled])


def test_the_argument_goes_where_the_chart_puts_it() -> None:
    words = args_of(deployment("x"))
    assert with_marks(words, ["k8s-2"]) == args_of(deployment("x", "k8s-2"))
    assert with_marks(args_of(deployment("x", "k8s-2")), ["k8s-1", "k8s-2"]) == args_of(
        deployment("x", "k8s-1", "k8s-2")
    )
    assert with_marks(args_of(deployment("x", "k8s-2")), []) == words


# Arguments → what is marked.
ARGUMENTS = {
    "none": ([], []),
    "without the argument": ([CONTEXTS], []),
    "empty": ([DISABLED], []),
    "two": ([CONTEXTS, DISABLED + "k8s-1,k8s-2"], ["k8s-1", "k8s-2"]),
    "commas too many": ([DISABLED + ",k8s-1,,"], ["k8s-1"]),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_what_is_marked(name: str) -> None:
    words, expected = ARGUMENTS[name]
    assert flag(words, DISABLED) == expected


def test_values_get_the_list_and_keep_the_rest() -> None:
    values = {"multiCluster": {"contexts": "k8s-1,k8s-2"}, "image": {"tag": "x"}}
    assert with_disabled(values, ["k8s-2"]) == {
        "multiCluster": {"contexts": "k8s-1,k8s-2", "contextsDisabled": "k8s-2"},
        "image": {"tag": "x"},
    }
    assert values["multiCluster"] == {"contexts": "k8s-1,k8s-2"}
    for nothing in ({}, {"multiCluster": None}):
        assert with_disabled(nothing, []) == {"multiCluster": {"contextsDisabled": ""}}


def test_a_recorded_chart_becomes_a_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    data = base64.b64encode(b"kind: x").decode()
    chart = {"metadata": {"name": "c", "version": "1.0.0"}, "templates": [{"name": "templates/x.yaml", "data": data}]}
    unpack(chart, tmp_path / "..")  # a folder by another name is still that folder
    assert (tmp_path.parent / "templates" / "x.yaml").read_text() == "kind: x"
    for name in ("../x", "/etc/x", "templates/../../x"):
        with pytest.raises(Failed, match="outside of itself"):
            unpack({**chart, "templates": [{"name": name, "data": data}]}, tmp_path)


# Whether the operator works


def pod(name: str, *marked: str) -> dict[str, Any]:
    body = deployment(name, *marked)["spec"]["template"]
    return {"metadata": {"name": f"{name}-5c6d-x7"}, "spec": body["spec"]}


def picture(**changed: Any) -> dict[str, Any]:
    found = {
        "deployments": [deployment(name, "k8s-2") for name in NAMES],
        "pods": [pod(name, "k8s-2") for name in NAMES],
        "leaders": [f"{name}-5c6d-x7" for name in NAMES],
        "restarts": 0,
        "databases": 1,
        "reconciled": {"component": 2.0, "instanceset": 1.0, "cluster": 9.0},
    }
    return found | changed


def rolling(**status: int) -> Bodies:
    found = [deployment(name, "k8s-2") for name in NAMES]
    found[1]["status"] |= status
    return found


ALL = {TOLD, ROLLED_OUT, LEADER, RECONCILES}
# Name → the look, steps that are not reached, how what is missing begins.
PICTURES: dict[str, tuple[dict[str, Any], set[str], str]] = {
    "well": (picture(), set(), ""),
    "not told": (
        picture(deployments=[deployment(name) for name in NAMES], pods=[pod(name) for name in NAMES]),
        {TOLD, RECONCILES},
        "kubeblocks, kubeblocks-dataprotection is not told",
    ),
    "told in one": (
        picture(deployments=[deployment(NAMES[0], "k8s-2"), deployment(NAMES[1])]),
        {TOLD, LEADER, RECONCILES},
        "kubeblocks-dataprotection is not told",
    ),
    "nothing there": (picture(deployments=[]), ALL, "no Deployment is not told"),
    "not observed": (picture(deployments=rolling(observedGeneration=2)), {ROLLED_OUT, RECONCILES}, NAMES[1]),
    "not ready": (picture(deployments=rolling(readyReplicas=0)), {ROLLED_OUT, RECONCILES}, NAMES[1]),
    "the old Pod is there": (picture(deployments=rolling(replicas=2)), {ROLLED_OUT, RECONCILES}, NAMES[1]),
    "not updated": (picture(deployments=rolling(updatedReplicas=0)), {ROLLED_OUT, RECONCILES}, NAMES[1]),
    "nobody leads": (picture(leaders=[]), {LEADER, RECONCILES}, "kubeblocks, kubeblocks-dataprotection: no new Pod"),
    "an old Pod leads": (
        picture(pods=[pod(NAMES[0]), pod(NAMES[1], "k8s-2")]),
        {LEADER, RECONCILES},
        "kubeblocks: no new Pod leads",
    ),
    "data protection has no leader": (
        picture(leaders=[f"{NAMES[0]}-5c6d-x7"]),
        {LEADER, RECONCILES},
        "kubeblocks-dataprotection: no new Pod leads",
    ),
    "it does nothing": (picture(reconciled={"cluster": 9.0}), {RECONCILES}, "the controllers component, instanceset"),
    "one controller does nothing": (
        picture(reconciled={"component": 1.0, "instanceset": 0.0}),
        {RECONCILES},
        "the controllers instanceset",
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_when_the_operator_works(name: str) -> None:
    look, unreached, expected = PICTURES[name]
    found = progress_of(look, ["k8s-2"])
    assert found.reached == ALL - unreached
    assert "; ".join(found.missing).startswith(expected) and bool(found.missing) is bool(expected)
    assert found.counted


def test_where_nobody_counts_the_proof_is_another() -> None:
    found = progress_of(picture(reconciled=None), ["k8s-2"])
    assert found.missing == () and found.reached == ALL - {RECONCILES} and not found.counted
    without = progress_of(picture(databases=0, reconciled={"cluster": 0.0}, restarts=3), ["k8s-2"])
    assert without.missing == () and not without.counted and without.restarts == 3


def test_a_pod_that_is_going_does_not_lead() -> None:
    pods = [pod(name, "k8s-2") for name in NAMES]
    for body in pods:
        body["metadata"]["deletionTimestamp"] = "now"
    assert LEADER not in progress_of(picture(pods=pods), ["k8s-2"]).reached
