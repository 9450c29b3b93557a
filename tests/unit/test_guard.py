"""The bodies of the guard. What they deny is tried on a real API server: tests/integration/test_guard.py."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._guard import served
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import path_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.guard import (
    ALLOW,
    GUARD,
    HARMLESS,
    OWN,
    guard,
)

API = "/apis/admissionregistration.k8s.io/v1"
POLICY, BINDING = guard(["k8s-2"], ["etcd/etcd"])
VALIDATIONS = POLICY["spec"]["validations"]
# What a person cannot do, as the sentences say it, in the order in which it is looked at.
CANNOT = [
    "delete",
    "create",
    "change the placement of",
    "take members from",
    "take members offline in",
    "change the definition of",
    "change the version of",
    "stop",
    "carry out this OpsRequest for",
]


def given(marked: list[str], affected: list[str]) -> tuple[Any, Any]:
    """What the policy has been told, read back."""
    variables = {each["name"]: each["expression"] for each in guard(marked, affected)[0]["spec"]["variables"]}
    return json.loads(variables["marked"]), json.loads(variables["affected"])


def test_a_policy_and_what_binds_it() -> None:
    assert path_of(POLICY) == f"{API}/validatingadmissionpolicies/{GUARD}"
    assert path_of(BINDING) == f"{API}/validatingadmissionpolicybindings/{GUARD}"
    assert BINDING["spec"] == {"policyName": GUARD, "validationActions": ["Deny"]}
    assert POLICY["spec"]["failurePolicy"] == "Fail"
    assert all(body["metadata"] == {"name": GUARD, "labels": OWN} for body in (POLICY, BINDING))


def test_what_it_looks_at() -> None:
    rules = POLICY["spec"]["matchConstraints"]["resourceRules"]
    seen = {rule["resources"][0]: (rule["apiGroups"], rule["apiVersions"], set(rule["operations"])) for rule in rules}
    assert seen == {
        "clusters": (["apps.kubeblocks.io"], ["v1"], {"CREATE", "UPDATE", "DELETE"}),
        "opsrequests": (["operations.kubeblocks.io"], ["v1alpha1"], {"CREATE"}),
    }
    assert all(len(rule["resources"]) == 1 for rule in rules)


# Name → marked, affected, what the policy knows of them.
GIVEN: dict[str, tuple[list[str], list[str], tuple[list[str], list[str]]]] = {
    "one": (["k8s-2"], ["etcd/etcd"], (["k8s-2"], ["etcd/etcd"])),
    "none is affected": (["k8s-2"], [], (["k8s-2"], [])),
    "in another order": (["k8s-3", "k8s-2"], ["b/a", "a/b"], (["k8s-2", "k8s-3"], ["a/b", "b/a"])),
    "twice": (["k8s-2", "k8s-2"], ["a/b", "a/b"], (["k8s-2"], ["a/b"])),
    "a name that is empty": (["", "k8s-2"], [""], (["k8s-2"], [])),
    "signs": (['a"b\\', "c'd"], [], (['a"b\\', "c'd"], [])),
}


@pytest.mark.parametrize("name", GIVEN)
def test_what_it_is_told(name: str) -> None:
    marked, affected, expected = GIVEN[name]
    assert given(marked, affected) == expected


def test_letters_stay_as_they_are() -> None:
    """CEL has another way to write what JSON would write as two halves."""
    text = guard(["büro-😀"], [])[0]["spec"]["variables"][0]["expression"]
    assert text == '["büro-😀"]'


def test_each_expression_uses_what_stands_above_it() -> None:
    known: set[str] = set()
    for variable in POLICY["spec"]["variables"]:
        assert set(re.findall(r"variables\.(\w+)", variable["expression"])) <= known, variable
        known.add(variable["name"])
    for validation in VALIDATIONS:
        assert set(re.findall(r"variables\.(\w+)", "".join(validation.values()))) <= known, validation
    (condition,) = POLICY["spec"]["matchConditions"]
    assert "variables." not in condition["expression"]
    assert ALLOW in condition["expression"]


@pytest.mark.parametrize("index", range(len(CANNOT)), ids=CANNOT)
def test_each_denial_says_context_database_reason_and_cure(index: int) -> None:
    text = VALIDATIONS[index]["messageExpression"]
    kind = "OpsRequest" if "OpsRequest" in CANNOT[index] else "Cluster"
    start = f'variables.contexts.join(", ") + ": cannot {CANNOT[index]} Cluster " + variables.database + '
    assert text.startswith(start)
    said = json.loads(text.removeprefix(start))
    end = f'or set the annotation {ALLOW}: "true" on the {kind}.'
    assert said.endswith(end)
    assert re.fullmatch(r" while marked as unavailable: [a-z ,]+\. [A-Z][a-z ]+, ", said.removesuffix(end))


def test_nothing_is_denied_twice_or_without_a_marked_context() -> None:
    assert len(VALIDATIONS) == len(CANNOT)
    texts = [validation["expression"] for validation in VALIDATIONS]
    assert all(text.startswith("variables.contexts.size() == 0 || !(") for text in texts)
    assert all(one != other for one, other in itertools.combinations(texts, 2))
    assert f"in {json.dumps(HARMLESS)}" in texts[-1]


class Server:
    """An API server that knows these resources of the group; None: not even the group."""

    def __init__(self, names: list[str] | None) -> None:
        self.names = names

    def get(self, path: str) -> Any:
        assert path == API
        return None if self.names is None else {"resources": [{"name": name} for name in self.names]}


# Name → resources of the group, whether the guard can be kept there.
SERVERS: dict[str, tuple[list[str] | None, bool]] = {
    "no group": (None, False),
    "webhooks alone": (["validatingwebhookconfigurations"], False),
    "no binding": (["validatingadmissionpolicies", "validatingadmissionpolicies/status"], False),
    "both": (["validatingadmissionpolicies", "validatingadmissionpolicybindings", "x"], True),
}


@pytest.mark.parametrize("name", SERVERS)
def test_whether_it_can_be_kept(name: str) -> None:
    names, expected = SERVERS[name]
    assert served(Server(names)) is expected  # type: ignore[arg-type]


def test_which_requests_are_let_pass() -> None:
    """Each type is tried on a real API server; this is the list that a person has agreed to."""
    assert HARMLESS == ("Backup",)
