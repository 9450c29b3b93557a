"""The filters, and what they stand on: the inventory as contexts, who needs which rights, what is marked."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.kubeblocks.multicluster.plugins.filter.contexts import FilterModule as ContextsFilter
from ansible_collections.kubeblocks.multicluster.plugins.filter.contexts import contexts
from ansible_collections.kubeblocks.multicluster.plugins.filter.operator_rules import FilterModule as RulesFilter
from ansible_collections.kubeblocks.multicluster.plugins.filter.operator_rules import operator_rules as rules_of_version
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import (
    EVERYTHING,
    POD_ROLE,
    Right,
    control_plane_rights,
    data_plane_rights,
    operator_rules,
    pod_rules,
    rights_of,
)

HOSTVARS: dict[str, dict[str, Any]] = {
    "control": {},
    "k8s-1": {"kubeblocks_context": "admin@one", "kubeblocks_kubeconfig": "/one", "kubeblocks_server": "https://one"},
    "k8s-2": {"kubeblocks_context": "", "kubeblocks_kubeconfig": "", "kubeblocks_server": None, "other": 1},
    "k8s-3": {"failure_domain": "north", "kubeblocks_control_plane_is_data_plane": "yes"},
    "k8s-4": {"kubeblocks_control_plane_is_data_plane": "false"},
}
CONTROL = {"name": "control", "context": "control", "plane": "control"}
ONE = {"name": "k8s-1", "context": "admin@one", "plane": "data", "kubeconfig": "/one", "server": "https://one"}
TWO = {"name": "k8s-2", "context": "k8s-2", "plane": "data"}
THREE = {"name": "k8s-3", "context": "k8s-3", "plane": "data", "failure_domain": "north", "may_be_control_plane": True}
CONTROL_THREE = {"name": "k8s-3", "context": "k8s-3", "plane": "control", "failure_domain": "north"}

# Name → groups, contexts.
INVENTORIES: dict[str, tuple[dict[str, list[str]], list[dict[str, Any]]]] = {
    "nothing": ({}, []),
    "groups without hosts": ({"control_plane": [], "data_plane": []}, []),
    "the control plane first": ({"data_plane": ["k8s-1", "k8s-2"], "control_plane": ["control"]}, [CONTROL, ONE, TWO]),
    "in the inventory's order": ({"data_plane": ["k8s-2", "k8s-1"]}, [TWO, ONE]),
    "what a host says of itself": ({"data_plane": ["k8s-3"]}, [THREE]),
    "a word for no is no": ({"data_plane": ["k8s-4"]}, [{"name": "k8s-4", "context": "k8s-4", "plane": "data"}]),
    "the control plane is no data plane": ({"control_plane": ["k8s-3"]}, [CONTROL_THREE]),
    "other groups do not count": ({"all": ["control", "k8s-1"], "control_plane": ["control"]}, [CONTROL]),
}

# Right → in words, what an access review asks.
WORDS: dict[str, tuple[Right, dict[str, str]]] = {
    "list nodes": (Right("list", "", "nodes"), {"verb": "list", "resource": "nodes"}),
    "get clusters.apps.kubeblocks.io in namespace etcd": (
        Right("get", "apps.kubeblocks.io", "clusters", namespace="etcd"),
        {"verb": "get", "group": "apps.kubeblocks.io", "resource": "clusters", "namespace": "etcd"},
    ),
    "create pods/exec in namespace etcd": (
        Right("create", "", "pods", "exec", namespace="etcd"),
        {"verb": "create", "resource": "pods", "subresource": "exec", "namespace": "etcd"},
    ),
    "bind clusterroles.rbac.authorization.k8s.io 'x'": (
        Right("bind", "rbac.authorization.k8s.io", "clusterroles", name="x"),
        {"verb": "bind", "group": "rbac.authorization.k8s.io", "resource": "clusterroles", "name": "x"},
    ),
    "* */*.*": (EVERYTHING, {"verb": "*", "group": "*", "resource": "*", "subresource": "*"}),
}


@pytest.mark.parametrize("name", INVENTORIES)
def test_the_inventory_as_contexts(name: str) -> None:
    groups, expected = INVENTORIES[name]
    assert contexts(HOSTVARS, groups) == expected


def test_the_filters_are_known_by_their_names() -> None:
    assert ContextsFilter().filters() == {"contexts": contexts}
    assert RulesFilter().filters() == {"operator_rules": rules_of_version}


@pytest.mark.parametrize("version", ["1.0.0", "1.0.2", "1.0.2-beta.1"])
def test_the_rules_of_a_known_version(version: str) -> None:
    assert rules_of_version(version) == operator_rules()


@pytest.mark.parametrize("version", ["", "1", "1.0", "1.1.0", "1.10.0", "11.0.1", "0.9.5", "v1.0.2", "2.1.0.2"])
def test_the_rules_of_another_version_are_not_guessed(version: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r"set kubeblocks_version to a release of the 1\.0 line"):
        rules_of_version(version)


# Rights


@pytest.mark.parametrize("words", WORDS)
def test_a_right_in_words_and_as_a_question(words: str) -> None:
    right, attributes = WORDS[words]
    assert str(right) == words
    assert right.review()["spec"] == {"resourceAttributes": attributes}
    assert right.review()["kind"] == "SelfSubjectAccessReview"


def test_every_right_that_rules_grant_and_no_other() -> None:
    rule = {"apiGroups": ["", "apps"], "resources": ["pods", "pods/exec"], "verbs": ["get", "list"]}
    named = {"apiGroups": ["x"], "resources": ["y"], "verbs": ["bind"], "resourceNames": ["one", "two"]}
    found = rights_of([rule, named])
    model = {
        Right(verb, group, "pods", sub) for verb in ("get", "list") for group in ("", "apps") for sub in ("", "exec")
    }
    assert found == sorted(model | {Right("bind", "x", "y", name="one"), Right("bind", "x", "y", name="two")})
    assert rights_of([]) == []


def test_the_operator_gets_no_more_than_it_needs() -> None:
    rules = operator_rules() + pod_rules()
    words = {(word, value) for rule in rules for word, values in rule.items() for value in values}
    assert "*" not in {value for _, value in words}
    rights = rights_of(operator_rules())
    assert len(rights) == len(set(rights))
    assert [right for right in rights if right.verb in ("bind", "escalate", "impersonate")] == [
        Right("bind", "rbac.authorization.k8s.io", "clusterroles", name=POD_ROLE)
    ]
    writes = {"create", "update", "patch", "delete", "deletecollection"}
    may_write = {right.resource for right in rights if right.verb in writes}
    assert not may_write & {"clusterroles", "clusterrolebindings", "namespaces", "nodes", "customresourcedefinitions"}


def test_nobody_can_grant_what_he_does_not_hold() -> None:
    with_access = set(data_plane_rights(["etcd"], "kb-system", manage_access=True))
    without = set(data_plane_rights(["etcd"], "kb-system", manage_access=False))
    assert set(rights_of(operator_rules())) <= with_access
    assert set(rights_of(pod_rules())) <= without
    assert not {right for right in without if right.resource in ("clusterrolebindings", "persistentvolumes")}
    assert {right for right in without if right.resource == "serviceaccounts"} == {
        Right("create", "", "serviceaccounts", "token", namespace="kb-system"),
        Right("get", "", "serviceaccounts", namespace="kb-system"),
    }


def everywhere(right: Right) -> Right:
    return Right(right.verb, right.group, right.resource, right.subresource, right.name)


def covered(right: Right, rights: set[Right]) -> bool:
    """Whether a right is there, for its namespace or for the whole cluster."""
    return right in rights or everywhere(right) in rights


def test_rights_are_asked_for_each_namespace_once() -> None:
    for access, namespaces in itertools.product((True, False), (["b", "a"], ["a", "b", "a"])):
        found = data_plane_rights(namespaces, "kb-system", manage_access=access)
        assert found == sorted(set(found))
        assert not [right for right in found if right.namespace and everywhere(right) in found]
        for namespace in "ab":
            for verb in ("get", "create"):
                assert covered(Right(verb, "", "pods", "exec", namespace=namespace), set(found))
            assert covered(Right("list", "", "pods", namespace=namespace), set(found))
        assert {right.namespace for right in found} <= {"", "a", "b", "kb-system"}
    control = control_plane_rights("kb-system", ["b", "a", "b"])
    assert control == sorted(set(control))
    clusters = [right.namespace for right in control if right.resource == "clusters" and right.verb == "patch"]
    assert clusters == ["a", "b"]
    assert {right.namespace for right in control if right.resource in ("secrets", "leases")} == {"kb-system"}
