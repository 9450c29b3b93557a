"""Objects wanted and found: what counts as different, what is shown, and what is never changed."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._cluster import (
    _keep_resolved_definition,
    _refuse_unsafe,
    cluster_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import (
    HIDDEN,
    KINDS,
    Change,
    contains,
    path_of,
    plan,
    restricted,
    without_secrets,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import PLACEMENT

# Object → its path.
PATHS = {
    ("v1", "Namespace", ""): "/api/v1/namespaces/x",
    ("v1", "Secret", "kb-system"): "/api/v1/namespaces/kb-system/secrets/x",
    ("v1", "ServiceAccount", "a"): "/api/v1/namespaces/a/serviceaccounts/x",
    ("rbac.authorization.k8s.io/v1", "ClusterRole", ""): "/apis/rbac.authorization.k8s.io/v1/clusterroles/x",
    ("coordination.k8s.io/v1", "Lease", "a"): "/apis/coordination.k8s.io/v1/namespaces/a/leases/x",
    ("apps.kubeblocks.io/v1", "Cluster", "etcd"): "/apis/apps.kubeblocks.io/v1/namespaces/etcd/clusters/x",
}

# Name → found, wanted, whether everything wanted is there, the part that wanted speaks of.
CASES: dict[str, tuple[Any, Any, bool, Any]] = {
    "equal": ({"a": 1}, {"a": 1}, True, {"a": 1}),
    "more is there": ({"a": 1, "b": 2}, {"a": 1}, True, {"a": 1}),
    "another value": ({"a": 1}, {"a": 2}, False, {"a": 1}),
    "a key lacks": ({"b": 2}, {"a": 1}, False, {}),
    "deeper, more": ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, True, {"a": {"b": 1}}),
    "deeper, another": ({"a": {"b": 1, "c": 2}}, {"a": {"b": 2}}, False, {"a": {"b": 1}}),
    "an empty map that the server drops": ({}, {"a": {}}, True, {}),
    "an empty list that the server drops": ({}, {"a": []}, True, {}),
    "nothing that the server drops": ({}, {"a": None}, True, {}),
    "an empty map where something is": ({"a": {"b": 1}}, {"a": {}}, True, {"a": {}}),
    "an empty list where something is": ({"a": [1]}, {"a": []}, False, {"a": [1]}),
    "nothing where something is": ({"a": 1}, {"a": None}, False, {"a": 1}),
    "zero is not nothing": ({}, {"a": 0}, False, {}),
    "an empty text is not nothing": ({}, {"a": ""}, False, {}),
    "a list with one more": ({"a": [1, 2]}, {"a": [1]}, False, {"a": [1, 2]}),
    "a list in another order": ({"a": [1, 2]}, {"a": [2, 1]}, False, {"a": [1, 2]}),
    "a list whose entries hold more": ({"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1}]}, True, {"a": [{"b": 1}]}),
    "a list whose entry differs": ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, False, None),
    "a map where a list is": ({"a": [1]}, {"a": {"b": 1}}, False, {"a": [1]}),
    "a list where a map is": ({"a": {"b": 1}}, {"a": ["b"]}, False, {"a": {"b": 1}}),
    "a number where a list is": ({"a": [1]}, {"a": 5}, False, {"a": [1]}),
    "a text where a number is": ({"a": 1}, {"a": "1"}, False, {"a": 1}),
    "nothing found": (None, {"a": 1}, False, None),
}

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "etcd", "labels": {"a": "b"}}}
PARAMS: dict[str, Any] = {
    "namespace": "etcd",
    "name": "one",
    "placement": ["k8s-2", "k8s-1", "k8s-3"],
    "replicas": 3,
    "version": "",
    "definition": "etcd-3",
    "storage": "1Gi",
    "storage_class": "",
    "resources": {},
    "termination_policy": "Delete",
    "peer_exposure": "mesh",
    "peer_clouds": [],
    "peer_scope": "internal",
    "peer_annotations": None,
}
WANTED = cluster_of(PARAMS)


@pytest.mark.parametrize("case", PATHS, ids=lambda case: case[1])
def test_paths(case: tuple[str, str, str]) -> None:
    api_version, kind, namespace = case
    metadata = {"name": "x"} | ({"namespace": namespace} if namespace else {})
    assert path_of({"apiVersion": api_version, "kind": kind, "metadata": metadata}) == PATHS[case]


def test_every_kind_has_a_path_of_its_own() -> None:
    metadata = {"name": "x", "namespace": "y"}
    paths = {path_of({"apiVersion": version, "kind": kind, "metadata": metadata}) for version, kind in KINDS}
    assert len(paths) == len(KINDS)


@pytest.mark.parametrize("name", CASES)
def test_containing(name: str) -> None:
    found, wanted, expected, _ = CASES[name]
    assert contains(found, wanted) is expected


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[3] is not None])
def test_restricting(name: str) -> None:
    found, wanted, _, expected = CASES[name]
    assert restricted(found, wanted) == expected


def values(depth: int) -> Iterator[Any]:
    yield from ("x", "y", None)
    if depth:
        for one, other in itertools.product([*values(depth - 1), "absent"], repeat=2):
            given = {"a": one, "b": other}
            yield {key: value for key, value in given.items() if value != "absent"}
        yield from ([one] for one in values(depth - 1))
        yield []


def merged(found: Any, wanted: Any) -> Any:
    """The model: what is there after everything wanted was written over it."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        written = {key: value for key, value in wanted.items() if key in found or value not in ({}, [], None)}
        return {**found, **{key: merged(found.get(key), value) for key, value in written.items()}}
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        return [merged(one, other) for one, other in zip(found, wanted, strict=True)]
    return wanted


def test_writing_what_is_contained_changes_nothing_and_only_that() -> None:
    pairs = list(itertools.product(values(2), values(1)))
    assert len(pairs) > 5000
    for found, wanted in pairs:
        assert contains(found, wanted) is (merged(found, wanted) == found), (found, wanted)


def test_the_plan_holds_what_lacks_and_what_differs_in_order() -> None:
    other = {**NAMESPACE, "metadata": {"name": "other"}}
    changed = {**NAMESPACE, "metadata": {"name": "etcd", "labels": {"a": "c"}}}
    richer = {**other, "status": {"phase": "Active"}}
    assert plan([None, richer, changed], [other, other, NAMESPACE]) == [
        Change(None, other),
        Change(changed, NAMESPACE),
    ]
    assert plan([], []) == []


def test_what_a_change_says() -> None:
    space = {**NAMESPACE, "metadata": {"name": "etcd", "namespace": "n"}}
    base = {"api_version": "v1", "kind": "Namespace", "name": "etcd", "changed": True}
    assert Change(None, NAMESPACE).result() == {**base, "namespace": "", "method": "create"}
    assert Change(NAMESPACE, space).result() == {**base, "namespace": "n", "method": "apply"}


def test_a_difference_shows_only_what_is_wanted() -> None:
    found = {**NAMESPACE, "status": {"phase": "Active"}, "metadata": {"name": "etcd", "uid": "1", "labels": {}}}
    shown = Change(found, NAMESPACE).difference()
    assert shown["before"] == {**NAMESPACE, "metadata": {"name": "etcd", "labels": {}}}
    assert shown["after"] == NAMESPACE
    assert shown["before_header"] == shown["after_header"] == "Namespace etcd"
    assert Change(None, NAMESPACE).difference()["before"] == {}


def test_a_difference_never_shows_a_secrets_values() -> None:
    wanted = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"key": "bmV3"}}
    found = {**wanted, "data": {"key": "b2xk", "more": "bW9yZQ=="}, "stringData": {"text": "open"}}
    shown = Change(found, {**wanted, "stringData": {"text": "closed"}}).difference()
    assert shown["before"]["data"] == shown["after"]["data"] == {"key": HIDDEN}
    assert shown["before"]["stringData"] == shown["after"]["stringData"] == {"text": HIDDEN}
    assert not any(word in json.dumps(shown) for word in ("bmV3", "b2xk", "bW9yZQ", "open", "closed"))
    assert found["data"] == {"key": "b2xk", "more": "bW9yZQ=="}  # the object itself is left alone
    assert without_secrets({"kind": "Secret", "data": None})["data"] == {}
    assert without_secrets("words") == "words"
    assert without_secrets({"kind": "ConfigMap", "data": {"key": "open"}})["data"] == {"key": "open"}


# The Cluster of an etcd


def test_the_cluster_keeps_the_order_of_its_placement() -> None:
    assert WANTED["metadata"]["annotations"] == {PLACEMENT: "k8s-2,k8s-1,k8s-3"}
    (component,) = WANTED["spec"]["componentSpecs"]
    assert (component["name"], component["componentDef"], component["replicas"]) == ("etcd", "etcd-3", 3)
    (peer,) = component["services"]
    assert peer["podService"] is True
    assert peer["annotations"] == {"service.cilium.io/global": "true"}
    assert WANTED["spec"]["terminationPolicy"] == "Delete"


# Option → given, where it comes to stand; it is absent where the option is empty.
OPTIONAL = {
    "version": ("3.5.21", ("serviceVersion",), "3.5.21"),
    "resources": ({"limits": {"cpu": "1"}}, ("resources",), {"limits": {"cpu": "1"}}),
    "storage_class": ("fast", ("volumeClaimTemplates", 0, "spec", "storageClassName"), "fast"),
}


@pytest.mark.parametrize("option", OPTIONAL)
def test_what_is_empty_is_left_to_the_operator(option: str) -> None:
    given, place, expected = OPTIONAL[option]
    with_it: Any = cluster_of({**PARAMS, option: given})["spec"]["componentSpecs"][0]
    without: Any = WANTED["spec"]["componentSpecs"][0]
    for step in place[:-1]:
        with_it, without = with_it[step], without[step]
    assert with_it[place[-1]] == expected
    assert place[-1] not in without
    assert {key: value for key, value in with_it.items() if key != place[-1]} == without


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """A real client; nothing here sends a request."""
    kubeconfig = tmp_path / "kubeconfig"
    entry = {"name": "control"}
    body = {
        "clusters": [{**entry, "cluster": {"server": "https://192.0.2.1:6443"}}],
        "users": [{**entry, "user": {}}],
        "contexts": [{**entry, "context": {"cluster": "control", "user": "control"}}],
    }
    kubeconfig.write_text(json.dumps(body))
    return Client(Access("control", str(kubeconfig)))


def living(**changed: Any) -> dict[str, Any]:
    """The Cluster as the operator keeps it, changed."""
    found: dict[str, Any] = copy.deepcopy(WANTED)
    found["metadata"] |= {"uid": "1", **changed.get("metadata", {})}
    found["spec"]["componentSpecs"][0] |= {"componentDef": "etcd-3-1.0.2", **changed.get("component", {})}
    return found


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "being deleted": ({"metadata": {"deletionTimestamp": "now"}}, r"it is being deleted\. Wait until it is gone"),
    "placed elsewhere": (
        {"metadata": {"annotations": {PLACEMENT: "k8s-1,k8s-2"}}},
        r"placed on k8s-1,k8s-2, and k8s-2,k8s-1,k8s-3 is asked for\..* Set etcd_placement to what it is\.$",
    ),
    "another order": ({"metadata": {"annotations": {PLACEMENT: "k8s-1,k8s-2,k8s-3"}}}, "would start second members"),
    "placed nowhere": ({"metadata": {"annotations": {}}}, "placed on no contexts"),
    "more members": ({"component": {"replicas": 5}}, r"it has 5 members, and 3 are asked for\..* Set etcd_replicas"),
    "fewer members": ({"component": {"replicas": 1}}, "it has 1 members, and 3 are asked for"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_living_member_is_never_moved_or_doubled(client: Client, name: str) -> None:
    changed, message = REFUSED[name]
    with pytest.raises(Failed, match=rf"^control: cannot change Cluster etcd/one: .*{message}"):
        _refuse_unsafe(client, living(**changed), WANTED)


def test_what_is_safe_is_not_refused(client: Client) -> None:
    _refuse_unsafe(client, None, WANTED)
    _refuse_unsafe(client, living(), WANTED)
    _refuse_unsafe(client, living(component={"serviceVersion": "3.5.6"}), WANTED)


def test_the_definition_that_the_operator_resolved_is_no_difference() -> None:
    wanted = copy.deepcopy(WANTED)
    _keep_resolved_definition(living(), wanted)
    assert wanted["spec"]["componentSpecs"][0]["componentDef"] == "etcd-3-1.0.2"
    assert plan([living()], [wanted]) == []
    for found in (None, living(component={"componentDef": "other-1"}), living(component={"name": "other"})):
        untouched = copy.deepcopy(WANTED)
        _keep_resolved_definition(found, untouched)
        assert untouched == WANTED
