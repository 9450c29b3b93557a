"""The replica of the role of database Pods: what separates it from the original, in words."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import POD_ROLE
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import path_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._pod_role import differences_of, replica

EVENTS = {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "get"]}
JOBS = {"apiGroups": ["", "batch"], "resources": ["pods", "jobs"], "verbs": ["list"]}
HEALTH = {"nonResourceURLs": ["/healthz"], "verbs": ["get"]}
HELM = {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "kubeblocks-1.0.2"}
AGGREGATION = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}


def role(*rules: dict[str, Any], labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    body = replica(POD_ROLE)
    return {**body, "metadata": {**body["metadata"], "uid": "1", "labels": labels or {}}, "rules": [*rules], **more}


WANTED = {**replica(POD_ROLE), "rules": [EVENTS, JOBS]}
# Name → the role that is there, what separates it.
CASES: dict[str, tuple[dict[str, Any] | None, list[str]]] = {
    "none": (None, ["it does not exist"]),
    "equal": (role(EVENTS, JOBS), []),
    "equal, in another order": (role(JOBS, EVENTS), []),
    "equal, with labels of its own": (role(EVENTS, JOBS, labels={"mine": "x"}), []),
    "equal, without labels": ({**role(EVENTS, JOBS), "metadata": {"name": POD_ROLE}}, []),
    "aggregated": (
        role(EVENTS, JOBS, aggregationRule=AGGREGATION),
        ["it has an aggregationRule, which would empty it"],
    ),
    "no aggregation in other words": (role(EVENTS, JOBS, aggregationRule=None), []),
    "of Helm": (
        role(EVENTS, JOBS, labels=HELM | {"mine": "x"}),
        ["it carries labels of Helm (app.kubernetes.io/managed-by, helm.sh/chart)"],
    ),
    "a rule lacks": (role(EVENTS), ["missing rule: list pods, jobs (core, batch)"]),
    "a rule too many": (
        role(EVENTS, JOBS, HEALTH),
        ["rule that the control plane's role lacks: get /healthz ()"],
    ),
    "a verb too many": (
        role({**EVENTS, "verbs": ["create", "get", "delete"]}, JOBS),
        [
            "missing rule: create, get events (core)",
            "rule that the control plane's role lacks: create, get, delete events (core)",
        ],
    ),
    "emptied": (
        role(),
        ["missing rule: create, get events (core)", "missing rule: list pods, jobs (core, batch)"],
    ),
    "emptied, as null": (
        {**role(), "rules": None},
        ["missing rule: create, get events (core)", "missing rule: list pods, jobs (core, batch)"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_separates_a_role(name: str) -> None:
    found, expected = CASES[name]
    assert differences_of(found, WANTED) == expected


def test_there_is_no_difference_only_where_rules_and_ownership_are_equal() -> None:
    rules = [EVENTS, JOBS, HEALTH]
    subsets = [list(some) for size in range(4) for some in itertools.combinations(rules, size)]
    for wanted, found in itertools.product(subsets, repeat=2):
        for labels, more in itertools.product(({}, HELM), ({}, {"aggregationRule": AGGREGATION})):
            differences = differences_of(role(*found, labels=labels, **more), {**WANTED, "rules": wanted})
            rules_differ = [rule for rule in rules if (rule in wanted) != (rule in found)]
            assert len(differences) == len(rules_differ) + bool(labels) + bool(more)


def test_each_label_that_helm_or_its_releases_go_by_is_noticed() -> None:
    for label in (
        "app.kubernetes.io/managed-by",
        "helm.sh/chart",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/required-by",
    ):
        assert differences_of(role(EVENTS, JOBS, labels={label: "x"}), WANTED) == [
            f"it carries labels of Helm ({label})"
        ]


def test_the_replica_carries_nothing_of_its_original() -> None:
    assert replica("x") == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "x"},
    }
    assert path_of(replica("x")).endswith("/clusterroles/x")
