"""What is left over on a context that came back: a table, and every member of small databases against a model."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._leftovers import _known, adopt, delete, removals
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.leftovers import (
    ADOPTED,
    KINDS,
    Cluster,
    Leftover,
    leftovers,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database
from databases import COMPONENT, INSTANCE, POD, TEMPLATE, WORKLOAD, cluster, made

A, B, C = PLACES = ("k8s-1", "k8s-2", "k8s-3")
GONE, NO_PART = "its Cluster old is gone", "its component proxy is gone"
NOT_HERE, BEYOND = "its Cluster away has no member here", "its member 3 is beyond what etcd-etcd has"


def database(name: str, component: str, replicas: int, placement: tuple[str, ...] = PLACES) -> Database:
    return Database("db", name, component, placement, replicas)


CLUSTERS = {
    "db/etcd": Cluster(PLACES, {"etcd": database("etcd", "etcd", 3)}),
    "db/away": Cluster((A, C), {"etcd": database("away", "etcd", 3, (A, C))}),
    "other/apart": Cluster((A, C), {"etcd": Database("other", "apart", "etcd", (A, C), 3)}),
}
NO_WORKLOAD, WORKLOAD_ALONE = {WORKLOAD: ""}, {INSTANCE: "", COMPONENT: ""}

# Name → an object on k8s-2, why it is a leftover (empty: it is none).
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a member": (made("Pod", "etcd-etcd-1"), ""),
    "a member that stayed after another order": (made("Pod", "etcd-etcd-2"), ""),
    "one member more": (made("Pod", "etcd-etcd-3"), BEYOND),
    "a member with two digits": (made("Pod", "etcd-etcd-10"), "its member 10 is beyond what etcd-etcd has"),
    "a member by a template": (made("Pod", "etcd-etcd-big-7"), ""),
    "a Pod of another name": (made("Pod", "7"), ""),
    "a member of nobody": (made("Pod", "old-etcd-1", "old"), GONE),
    "a member of a database elsewhere": (made("Pod", "away-etcd-1", "away"), NOT_HERE),
    "a member of no component": (made("Pod", "etcd-proxy-0", part="proxy"), NO_PART),
    "a Cluster of this name in another namespace": (
        made("Pod", "etcd-etcd-1", namespace="other"),
        "its Cluster etcd is gone",
    ),
    "made for another context": (made("Pod", "old-etcd-1", "old", place="k8s-22"), ""),
    "made for this context and others": (made("Pod", "old-etcd-1", "old", place="k8s-1,k8s-2"), GONE),
    "made by the context's own operator": (made("Pod", "old-etcd-1", "old", place=""), ""),
    "adopted": (made("Pod", "old-etcd-1", "old", labels=ADOPTED), ""),
    "not adopted": (made("Pod", "old-etcd-1", "old", labels=dict.fromkeys(ADOPTED, "false")), GONE),
    "a claim": (made("PersistentVolumeClaim", "data-etcd-etcd-1", labels={TEMPLATE: "data"}), ""),
    "a claim more": (made("PersistentVolumeClaim", "data-etcd-etcd-3", labels={TEMPLATE: "data"}), BEYOND),
    "a claim more, by its Pod": (made("PersistentVolumeClaim", "x", labels={POD: "etcd-etcd-3"}), BEYOND),
    "a claim without a template": (made("PersistentVolumeClaim", "data-etcd-etcd-3"), ""),
    "a claim of nobody": (made("PersistentVolumeClaim", "data-old-etcd-1", "old", labels={TEMPLATE: "data"}), GONE),
    "a member's Service": (made("Service", "etcd-etcd-0", selector={POD: "etcd-etcd-0"}), ""),
    "a Service for one member more": (made("Service", "x", selector={POD: "etcd-etcd-3"}), BEYOND),
    "a Service with a number": (made("Service", "etcd-etcd-2379", selector={"a": "b"}), ""),
    "a Service that selects nothing": (made("Service", "etcd-etcd-3"), ""),
    "a Service of nobody": (made("Service", "old-etcd-0", "old", selector={POD: "old-etcd-0"}), GONE),
    "a Service of a Cluster": (made("Service", "etcd-all", part=""), ""),
    "a Service of a Cluster that is gone": (made("Service", "old-all", "old", part=""), GONE),
    "a Service of a Cluster elsewhere": (made("Service", "away-all", "away", part=""), NOT_HERE),
    "the headless Service": (made("Service", "etcd-etcd-headless", labels=WORKLOAD_ALONE), ""),
    "the headless Service of nobody": (
        made("Service", "old-etcd-headless", "old", labels=WORKLOAD_ALONE),
        "its component old-etcd is gone",
    ),
    "the headless Service of a database elsewhere": (
        made("Service", "away-etcd-headless", "away", labels=WORKLOAD_ALONE),
        "the Cluster of away-etcd has no member here",
    ),
    "the headless Service in another namespace": (
        made("Service", "etcd-etcd-headless", namespace="other", labels=WORKLOAD_ALONE),
        "its component etcd-etcd is gone",
    ),
    "a ConfigMap": (made("ConfigMap", "etcd-etcd-env"), ""),
    "a ConfigMap that ends with a number": (made("ConfigMap", "etcd-etcd-7"), ""),
    "a ConfigMap of nobody": (made("ConfigMap", "old-etcd-env", "old"), GONE),
    "a ConfigMap of no component": (made("ConfigMap", "etcd-proxy-env", part="proxy"), NO_PART),
    "a ConfigMap of no database": (made("ConfigMap", "x", "", ""), ""),
    "a Secret": (made("Secret", "etcd-etcd-account-root"), ""),
    "a Secret of nobody": (made("Secret", "old-etcd-account-root", "old"), GONE),
    "an account": (made("ServiceAccount", "kb-etcd-3"), ""),
    "an account that others may use": (made("ServiceAccount", "kb-etcd-3", "old"), ""),
    "a binding that others may use": (made("RoleBinding", "kb-etcd-3-pod", "away"), ""),
    "an account that nobody can use": (made("ServiceAccount", "kb-etcd-3", "old", namespace="other"), GONE),
    "a binding of a database elsewhere": (
        made("RoleBinding", "kb-etcd-3-pod", "apart", namespace="other"),
        "its Cluster apart has no member here",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_left_over(name: str) -> None:
    body, why = CASES[name]
    metadata = body["metadata"]
    expected = [Leftover(body["kind"], metadata["namespace"], metadata["name"], why, metadata["uid"])] if why else []
    assert leftovers([body], CLUSTERS, B) == expected


def test_without_any_cluster_all_is_left_over_that_was_made_for_one() -> None:
    found = leftovers([body for body, _ in CASES.values()], {}, B)
    odd = ("made for another context", "made by the context's own operator", "adopted", "a ConfigMap of no database")
    assert len(found) == len(CASES) - len(odd)


def test_the_order_in_which_they_can_go_and_what_they_are_called() -> None:
    bodies = [made(kind, f"{name}-{kind.lower()}", "old") for kind in sorted(KINDS) for name in "ba"]
    found = leftovers(bodies, {}, B)
    assert [each.kind for each in found][::2] == list(KINDS)
    assert [str(each) for each in found[:3]] == ["Service db/a-service", "Service db/b-service", "Pod db/a-pod"]


def possible(replicas: int, placement: tuple[str, ...]) -> set[tuple[int, str]]:
    """Every member with every context where KubeBlocks may have put it: it stays where the order of its day led it."""
    orders = itertools.permutations(placement)
    return {(ordinal, order[ordinal % len(order)]) for order in orders for ordinal in range(replicas)}


def test_every_member_of_small_databases_against_a_model() -> None:
    placements = [each for size in (1, 2, 3) for each in itertools.permutations(PLACES, size)]
    seen = {True: 0, False: 0}
    for replicas, placement, ordinal, context in itertools.product(range(6), placements, range(8), PLACES):
        known = {"db/etcd": Cluster(placement, {"etcd": database("etcd", "etcd", replicas, placement)})}
        pod = made("Pod", f"etcd-etcd-{ordinal}", place=context)
        claim = made("PersistentVolumeClaim", f"data-etcd-etcd-{ordinal}", labels={TEMPLATE: "data"}, place=context)
        shared = made("ConfigMap", f"etcd-etcd-{ordinal}", place=context)
        expected = (ordinal, context) in possible(replicas, placement)
        kinds = {each.kind for each in leftovers([pod, claim, shared], known, context)}
        assert (kinds & {"Pod", "PersistentVolumeClaim"} == set()) is expected
        assert ("ConfigMap" in kinds) is (context not in placement)
        seen[expected] += 1
        # Where KubeBlocks puts a member now, it is never left over.
        wanted = known["db/etcd"].components["etcd"]
        assert expected or pod["metadata"]["name"] not in wanted.members_in(context)
    assert min(seen.values()) > 400


def component(name: str, owner: str = "etcd", **spec: Any) -> dict[str, Any]:
    labels = {INSTANCE: owner, COMPONENT: name}
    return {"metadata": {"namespace": "db", "name": f"{owner}-{name}", "labels": labels}, "spec": spec}


# Name → what the Cluster asks for, the Components that exist, the ordinals of each component.
KNOWN: dict[str, tuple[dict[str, Any], list[dict[str, Any]], dict[str, int]]] = {
    "as asked for": ({}, [], {"etcd": 3}),
    "the operator is behind": ({}, [component("etcd", replicas=5)], {"etcd": 3}),
    "one on its way out": ({}, [component("proxy", replicas=2)], {"etcd": 3, "proxy": 2}),
    "another Cluster's": ({}, [component("proxy", "etc", replicas=2)], {"etcd": 3}),
    "shards": (
        {"componentSpecs": None, "shardings": [{"name": "part", "shards": 1, "template": {"replicas": 2}}]},
        [component("part-x7k", replicas=2)],
        {"part-x7k": 2},
    ),
    "one is offline": (
        {"componentSpecs": [{"name": "etcd", "replicas": 2, "offlineInstances": ["etcd-etcd-0"]}]},
        [],
        {"etcd": 3},
    ),
    "a shard's is offline": ({}, [component("s", replicas=1, offlineInstances=["a", "b"])], {"etcd": 3, "s": 3}),
    "numbers chosen by hand": (
        {"componentSpecs": [{"name": "etcd", "replicas": 1, "ordinals": {"discrete": [900]}}]},
        [component("s", replicas=1, flatInstanceOrdinal=True)],
        {"etcd": 2**31, "s": 2**31},
    ),
    "nothing": ({"componentSpecs": []}, [], {}),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_the_control_plane_knows(name: str) -> None:
    spec, components, expected = KNOWN[name]
    found = _known(cluster("db", "etcd", ",".join(PLACES), **spec), components)
    assert list(found.placement) == list(PLACES)
    assert {name: known.replicas for name, known in found.components.items()} == expected
    assert all(known.owner == f"etcd-{name}" for name, known in found.components.items())


def test_a_cluster_without_a_placement() -> None:
    body = cluster("db", "etcd")
    del body["metadata"]["annotations"]
    assert list(_known(body, []).placement) == []


def test_of_the_claims_only_those_go_that_are_named() -> None:
    bodies = [made(kind, f"{name}-{kind.lower()}", "old") for kind in sorted(KINDS) for name in "ab"]
    found = leftovers(bodies, {}, B)
    claim = "db/b-persistentvolumeclaim"
    steps = [step.result() for step in removals(found[::-1], {claim, "db/a-pod", "other/a-persistentvolumeclaim"})]
    assert [step["kind"] for step in steps] == [kind for kind in KINDS for _ in "ab"][:-1]
    assert f"{steps[-1]['namespace']}/{steps[-1]['name']}" == claim
    assert {step["method"] for step in steps} == {"delete"}
    assert removals([], {claim}) == []


def test_with_nothing_to_do_nobody_is_asked() -> None:
    nobody: Any = None
    assert delete(nobody, [], {"db/x"}) == adopt(nobody, []) == {"changed": False, "results": []}
