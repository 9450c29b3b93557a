"""The guard on a real API server with KubeBlocks' real CRDs: what it denies while a context is marked, and what not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _guard
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import path_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.guard import ALLOW, HARMLESS, guard
from databases import APPS, OPERATIONS, PLACEMENT, client_of, cluster, real_crds, space, with_crds
from lab.settings import Lab
from support import Audit, kubectl

SPACE = "guarded"
CLUSTERS = f"{APPS}/namespaces/{SPACE}/clusters"
REQUESTS = f"{OPERATIONS}/namespaces/{SPACE}/opsrequests"
MARKED, EVERYWHERE, APART = "k8s-2", "k8s-1,k8s-2,k8s-3", "k8s-1,k8s-3"
MAY = {ALLOW: "true"}
SHARDED = {
    "componentSpecs": [
        {"name": "etcd", "replicas": 3, "componentDef": "etcd-3-1.0.2", "serviceVersion": "3.6.1"},
        {"name": "proxy", "replicas": 1, "componentDef": "proxy"},
    ],
    "shardings": [
        {
            "name": "part",
            "shards": 2,
            "shardingDef": "part-1",
            "template": {"replicas": 2, "componentDef": "part-1", "serviceVersion": "1.0.0"},
        },
        {"name": "other", "shards": 1, "template": {"replicas": 1, "componentDef": "other"}},
    ],
}
Do = Callable[[Client, str], Any]


def part(index: int, **changed: Any) -> list[dict[str, Any]]:
    """The components with one of them changed."""
    found: list[dict[str, Any]] = [dict(one) for one in SHARDED["componentSpecs"]]
    found[index] |= changed
    return found


def shards(**changed: Any) -> list[dict[str, Any]]:
    """The shardings with the first of them changed; what the template has goes there."""
    first, other = SHARDED["shardings"]
    template: dict[str, Any] = {**first["template"], **changed.pop("template", {})}  # type: ignore[dict-item]
    return [{**first, **changed, "template": template}, other]


def update(**spec: Any) -> Do:
    return lambda client, name: client.patch(f"{CLUSTERS}/{name}", {"spec": spec})


def annotate(name: str, value: str | None) -> Do:
    return lambda client, cluster: client.patch(f"{CLUSTERS}/{cluster}", {"metadata": {"annotations": {name: value}}})


# Name → what is done to a Cluster, and what cannot be done then.
DENIED: dict[str, tuple[Do, str]] = {
    "deleted": (lambda client, name: client.delete(f"{CLUSTERS}/{name}"), "delete"),
    "deleted with others": (
        lambda client, name: client._send("delete", CLUSTERS, query={"fieldSelector": f"metadata.name={name}"}),
        "delete",
    ),
    "deleted by the older API": (
        lambda client, name: client.delete(f"{CLUSTERS}/{name}".replace("/v1/", "/v1alpha1/")),
        "delete",
    ),
    "fewer members": (update(componentSpecs=part(0, replicas=2)), "take members from"),
    "fewer and more members": (
        update(componentSpecs=[*part(1, replicas=2)[1:], part(0, replicas=2)[0]]),
        "take members from",
    ),
    "a component less": (update(componentSpecs=part(0)[:1]), "take members from"),
    "a component by another name": (update(componentSpecs=part(1, name="front")), "take members from"),
    "fewer shards": (update(shardings=shards(shards=1)), "take members from"),
    "fewer members in each shard": (update(shardings=shards(template={"replicas": 1})), "take members from"),
    "a sharding less": (update(shardings=shards()[:1]), "take members from"),
    "a member offline": (
        update(componentSpecs=part(0, offlineInstances=["x-etcd-1"])),
        "take members offline in",
    ),
    "another definition": (update(componentSpecs=part(0, componentDef="etcd-4-1.0.2")), "change the definition of"),
    "a definition by its prefix": (update(componentSpecs=part(0, componentDef="etcd-3")), "change the definition of"),
    "another definition of shards": (update(shardings=shards(shardingDef="part-2")), "change the definition of"),
    "another definition in shards": (
        update(shardings=shards(template={"componentDef": "part-2"})),
        "change the definition of",
    ),
    "another version": (update(componentSpecs=part(0, serviceVersion="3.6.2")), "change the version of"),
    "no version": (update(componentSpecs=part(0, serviceVersion=None)), "change the version of"),
    "another version of shards": (
        update(shardings=shards(template={"serviceVersion": "2.0.0"})),
        "change the version of",
    ),
    "stopped": (update(componentSpecs=part(1, stop=True)), "stop"),
    "stopped shards": (update(shardings=shards(template={"stop": True})), "stop"),
    "another order": (annotate(PLACEMENT, "k8s-2,k8s-1,k8s-3"), "change the placement of"),
    "without the marked one": (annotate(PLACEMENT, APART), "change the placement of"),
    "no placement": (annotate(PLACEMENT, None), "change the placement of"),
}
# The same change is another one for Clusters apart: it leads to where the marked one is.
TOWARDS = "another order"

# Name → what is done to a Cluster with members in the marked context, that nobody minds.
LET_PASS: dict[str, Do] = {
    "a label": lambda client, name: client.patch(f"{CLUSTERS}/{name}", {"metadata": {"labels": {"a": "b"}}}),
    "an annotation": annotate("a", "b"),
    "a finalizer, on and off": lambda client, name: [
        client.patch(f"{CLUSTERS}/{name}", {"metadata": {"finalizers": finalizers}}) for finalizers in (["a.b/c"], None)
    ],
    "a status": lambda client, name: client.patch(f"{CLUSTERS}/{name}/status", {"status": {"phase": "Updating"}}),
    "more members": update(componentSpecs=part(0, replicas=5)),
    "more shards": update(shardings=shards(shards=3)),
    "a component more": update(componentSpecs=[*part(0), {"name": "more", "replicas": 1, "componentDef": "more"}]),
    "another order of components": update(componentSpecs=part(0)[::-1]),
    "the definition found for a prefix": update(componentSpecs=part(1, componentDef="proxy-1.0.0")),
    "a version where there was none": update(componentSpecs=part(1, serviceVersion="1.2.3")),
    "the definition found for shards": update(shardings=shards(shardingDef="part-1.0")),
    "never stopped": update(componentSpecs=part(0, stop=False)),
    "another policy": update(terminationPolicy="DoNotTerminate"),
    "nothing": update(),
}


def tried(client: Client, group: str, name: str) -> str:
    """What is said against a case's change of its Cluster of this group."""
    return answer(lambda: DENIED[name][0](client, f"{group}-{number(DENIED, name)}"))


def number(table: dict[str, Any], name: str) -> str:
    return f"c{list(table).index(name)}"


@pytest.fixture(scope="module")
def control(api_lab: Lab) -> Iterator[Client]:
    """Clusters of each kind for each case, made before anything is marked; then k8s-2 is."""
    client = client_of(api_lab)
    with with_crds(client):
        take_away(api_lab, client)
        make_clusters(client)
        _guard.write(client, _guard.keep(client, [MARKED], [f"{SPACE}/in-c0"]))
        await_guard(client, on=True)
        yield client
        take_away(api_lab, client)


def make_clusters(client: Client) -> None:
    client.apply(f"/api/v1/namespaces/{SPACE}", space(SPACE))
    for name in DENIED:
        case = number(DENIED, name)
        client.create(CLUSTERS, cluster(SPACE, f"in-{case}", EVERYWHERE, **SHARDED))
        client.create(CLUSTERS, cluster(SPACE, f"may-{case}", EVERYWHERE, **SHARDED))
        client.create(CLUSTERS, cluster(SPACE, f"apart-{case}", APART, **SHARDED))
        client.patch(f"{CLUSTERS}/may-{case}", {"metadata": {"annotations": MAY}})
    for name in LET_PASS:
        client.create(CLUSTERS, cluster(SPACE, f"pass-{number(LET_PASS, name)}", EVERYWHERE, **SHARDED))
    client.create(CLUSTERS, cluster(SPACE, "unplaced"))
    ending = cluster(SPACE, "ending", EVERYWHERE)
    ending["metadata"]["finalizers"] = ["cluster.kubeblocks.io/finalizer"]
    client.create(CLUSTERS, ending)
    client.delete(f"{CLUSTERS}/ending")


def take_away(lab: Lab, client: Client) -> None:
    _guard.write(client, _guard.keep(client, [], []))
    await_guard(client, on=False)
    kubectl(lab, "control", "delete", "namespace", SPACE, "--ignore-not-found")


def await_guard(client: Client, *, on: bool, context: str = MARKED) -> None:
    """An API server takes a moment to heed a policy: ask it by a dry run, no longer than it may take."""
    body = cluster("default", "probe", context)
    deadline = time.monotonic() + 300
    while bool(answer(lambda: client.apply(path_of(body), body, dry_run=True))) is not on:
        assert time.monotonic() < deadline, f"the guard is not {'on' if on else 'off'} after 300 s"
        time.sleep(0.1)


def answer(ask: Callable[[], Any]) -> str:
    """What the server says against it, empty if nothing. Raises for all that is no denial of the guard."""
    try:
        ask()
    except ContextError as problem:
        assert f"ValidatingAdmissionPolicy '{guard([], [])[0]['metadata']['name']}'" in problem.reason, problem
        assert problem.status == 422
        return problem.reason
    return ""


@pytest.mark.parametrize("name", DENIED)
def test_what_is_denied(control: Client, name: str) -> None:
    what, case = DENIED[name][1], number(DENIED, name)
    sentence = f": k8s-2: cannot {what} Cluster {SPACE}/in-{case} while marked as unavailable: "
    assert sentence in tried(control, "in", name)


@pytest.mark.parametrize("name", DENIED)
def test_it_is_not_where_somebody_asks_for_it(control: Client, name: str) -> None:
    assert tried(control, "may", name) == ""


@pytest.mark.parametrize("name", DENIED)
def test_it_is_not_for_others(control: Client, name: str) -> None:
    assert bool(tried(control, "apart", name)) is (name == TOWARDS)


@pytest.mark.parametrize("name", LET_PASS)
def test_what_is_let_pass(control: Client, name: str) -> None:
    assert answer(lambda: LET_PASS[name](control, f"pass-{number(LET_PASS, name)}")) == ""


def test_the_operator_may_finish_a_deletion_and_choose_a_placement(control: Client) -> None:
    control.patch(f"{CLUSTERS}/ending", {"metadata": {"finalizers": None}})
    assert control.get(f"{CLUSTERS}/ending") is None
    assert answer(lambda: annotate(PLACEMENT, EVERYWHERE)(control, "unplaced")) == ""


# Name → placement, annotations besides, whether it is denied.
NEW = {
    "new-in": (EVERYWHERE, {}, True),
    "new-alone": (MARKED, {}, True),
    "new-may": (EVERYWHERE, MAY, False),
    "new-may-not": (EVERYWHERE, {ALLOW: "false"}, True),
    "new-apart": (APART, {}, False),
    "new-like": ("k8s-1,k8s-22", {}, False),
    "new-unplaced": ("", {}, False),
}


@pytest.mark.parametrize("name", NEW)
def test_a_new_cluster(control: Client, name: str) -> None:
    placement, annotations, denied = NEW[name]
    body = cluster(SPACE, name, placement)
    body["metadata"]["annotations"] |= annotations
    said = answer(lambda: control.create(CLUSTERS, body))
    assert bool(said) is denied
    assert not denied or f"k8s-2: cannot create Cluster {SPACE}/{name} while marked as unavailable: " in said


def request(kind: str, name: str, **annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "operations.kubeblocks.io/v1alpha1",
        "kind": "OpsRequest",
        "metadata": {"namespace": SPACE, "generateName": "ops-", "annotations": annotations},
        "spec": {"type": kind, "clusterName": name},
    }


def asked(client: Client, kind: str, name: str, **annotations: str) -> str:
    return answer(lambda: client.create(REQUESTS, request(kind, name, **annotations)))


def test_every_type_of_opsrequest(control: Client) -> None:
    crd = real_crds()["opsrequests.operations.kubeblocks.io"]
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    kinds = schema["properties"]["spec"]["properties"]["type"]["enum"]
    assert len(kinds) > 10
    assert {kind for kind in kinds if asked(control, kind, "in-c0")} == set(kinds) - set(HARMLESS)
    assert not any(asked(control, kind, "in-c0", **MAY) for kind in kinds)
    assert not any(asked(control, kind, "apart-c0") for kind in kinds)


def test_a_request_that_is_there_may_go_on(control: Client) -> None:
    made = control.create(REQUESTS, request("Restart", "in-c0", **MAY))
    path = f"{REQUESTS}/{made['metadata']['name']}"
    assert answer(lambda: control.patch(path, {"metadata": {"annotations": {ALLOW: None}}})) == ""
    assert answer(lambda: control.patch(f"{path}/status", {"status": {"phase": "Running"}})) == ""
    assert answer(lambda: control.delete(path)) == ""


def test_the_sentences_that_a_person_reads(control: Client, api_lab: Lab) -> None:
    with pytest.raises(AssertionError) as said:
        kubectl(api_lab, "control", "delete", "clusters.apps.kubeblocks.io", "-n", SPACE, "in-c0")
    assert (
        str(said.value)
        .strip()
        .endswith(
            "denied request: k8s-2: cannot delete Cluster guarded/in-c0 while marked as unavailable: what it has there "
            "would run on, owned by nobody. Unmark the context first, or set the annotation "
            'kubeblocks.multicluster/allow-while-marked: "true" on the Cluster.'
        )
    )
    assert asked(control, "Restart", "in-c0").endswith(
        "denied request: k8s-2: cannot carry out this OpsRequest for Cluster guarded/in-c0 while marked as "
        "unavailable: its members there would be passed over, and it could succeed all the same. Unmark the context "
        'first, or set the annotation kubeblocks.multicluster/allow-while-marked: "true" on the OpsRequest.'
    )


def test_many_components_are_not_too_much_to_look_at(control: Client) -> None:
    """An expression that costs too much is a denial too, of whatever is asked for."""
    parts = [{"name": f"c{index}", "replicas": 3, "componentDef": f"etcd-{index}"} for index in range(128)]
    split = [{"name": f"s{index}", "shards": 3, "template": {"replicas": 3}} for index in range(128)]
    body = cluster(SPACE, "many", EVERYWHERE, componentSpecs=parts, shardings=split)
    body["metadata"]["annotations"] |= MAY
    control.create(CLUSTERS, body)
    assert answer(lambda: annotate(ALLOW, None)(control, "many")) == ""
    parts[-1]["replicas"] = 2
    assert "take members from" in answer(lambda: update(componentSpecs=parts)(control, "many"))


def test_a_second_time_there_is_nothing_to_do(control: Client, api_lab: Lab) -> None:
    audit = Audit(api_lab)
    assert _guard.served(control)
    assert _guard.keep(control, [MARKED], [f"{SPACE}/in-c0"]) == []
    steps = _guard.keep(control, ["k8s-3", MARKED], [f"{SPACE}/in-c0"])
    assert [step.result()["kind"] for step in steps] == ["ValidatingAdmissionPolicy"]
    steps = _guard.keep(control, [], [])
    assert [step.result()["kind"] for step in steps] == [body["kind"] for body in guard([], [])[::-1]]
    assert {step.result()["method"] for step in steps} == {"delete"}
    assert audit.writes()["control"] == []


def test_no_expression_has_a_fault_and_any_name_may_be_marked(control: Client) -> None:
    policy = guard(["k8s \"2\" \\ 'b'", "ü,2"], ["a/b"])[0]
    control.apply(path_of(policy), policy, dry_run=True)
    deadline = time.monotonic() + 300
    while "typeChecking" not in (found := control.get(path_of(policy))).get("status", {}):
        assert time.monotonic() < deadline, "nobody has looked at the policy's types"
        time.sleep(0.1)
    assert found["status"]["typeChecking"] == {}


def test_two_marked_contexts_are_both_named_and_none_is_forgotten(control: Client) -> None:
    """The last of this file: it takes the guard away half-way, and leaves all open."""
    _guard.write(control, _guard.keep(control, [MARKED, "k8s-3"], [f"{SPACE}/in-c0"]))
    await_guard(control, on=True, context="k8s-3")
    assert "k8s-2, k8s-3: cannot delete" in tried(control, "in", "deleted")
    assert "k8s-2, k8s-3: cannot carry out" in asked(control, "Stop", "in-c0")
    assert ": k8s-3: cannot change" in answer(lambda: annotate(PLACEMENT, "k8s-1")(control, "new-apart"))
    steps = _guard.keep(control, [], [])
    _guard.write(control, steps[:1])
    await_guard(control, on=False)
    assert _guard.keep(control, [], [])[0].result() == steps[1].result()
    _guard.write(control, steps)
    assert _guard.keep(control, [], []) == []
    assert not any(tried(control, "in", name) for name in DENIED)
    assert asked(control, "Stop", "in-c0") == ""


def test_what_others_made_is_left_alone(control: Client) -> None:
    stranger = guard(["k8s-1"], [])[0]
    del stranger["metadata"]["labels"]
    stranger["spec"]["matchConstraints"]["resourceRules"][0]["resources"] = ["none"]
    made = control.create(path_of(stranger).rpartition("/")[0], stranger)
    try:
        assert _guard.keep(control, [], []) == []
        with pytest.raises(
            Failed, match="control: cannot apply ValidatingAdmissionPolicy kubeblocks-multicluster-guard"
        ):
            _guard.keep(control, [MARKED], [])
    finally:
        control.delete(path_of(made))
