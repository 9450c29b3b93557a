"""Leftovers on real API servers: what the control plane knows, what lies on a data plane, and what becomes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _leftovers
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import path_of, path_of_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.leftovers import KINDS, Leftover, leftovers
from databases import APPS, COMPONENT, INSTANCE, POD, TEMPLATE, client_of, cluster, made, sent, space, with_crds
from lab.settings import Lab
from support import Audit, kubectl

SPACE, CONTEXT = "left", "k8s-2"
EVERYWHERE = "k8s-1,k8s-2,k8s-3"
OF_COMPONENT, OF_WORKLOAD = "component.kubeblocks.io/finalizer", "instanceset.workloads.kubeblocks.io/finalizer"
FOREIGN = "lab.invalid/kept"
CLAIMS = {f"{SPACE}/data-old-etcd-1", f"{SPACE}/data-etcd-etcd-4"}


def here(kind: str, name: str, owner: str = "etcd", part: str = "etcd", **given: Any) -> dict[str, Any]:
    return made(kind, name, owner, part, namespace=SPACE, **given)


def of_database(owner: str, *ordinals: int) -> list[dict[str, Any]]:
    """What lies on k8s-2 of a database with these members there."""
    base, alone = f"{owner}-etcd", {INSTANCE: "", COMPONENT: ""}
    found = [
        sent(here("Service", f"{base}-headless", owner, labels=alone, selector={"a": "b"}), OF_WORKLOAD),
        sent(here("ConfigMap", f"{base}-env", owner), OF_COMPONENT),
        sent(here("Secret", f"{base}-account-root", owner), OF_COMPONENT),
        sent(here("ServiceAccount", f"kb-{owner}", owner)),
        sent(here("RoleBinding", f"kb-{owner}-pod", owner)),
    ]
    for pod in (f"{base}-{ordinal}" for ordinal in ordinals):
        found += [
            sent(here("Service", pod, owner, selector={POD: pod}), OF_COMPONENT),
            sent(here("Pod", pod, owner)),
            sent(here("PersistentVolumeClaim", f"data-{pod}", owner, labels={TEMPLATE: "data"})),
        ]
    return found


def everything() -> list[dict[str, Any]]:
    shard = sent(here("Pod", "split-part-x7k-1", "split", "part-x7k"))
    return [*of_database("etcd", 1, 4), *of_database("old", 1), shard]


def named(body: dict[str, Any]) -> str:
    return f"{body['kind']} {SPACE}/{body['metadata']['name']}"


@dataclass(frozen=True)
class Ground:
    """The control plane with its Clusters, and the context that came back."""

    lab: Lab
    control: Client
    data: Client

    def found(self) -> list[Leftover]:
        gathered = _leftovers.gather(self.data)
        return leftovers(gathered, _leftovers.known(self.control), CONTEXT)

    def names(self) -> set[str]:
        """Everything in the namespace that KubeBlocks made."""
        bodies = [body for body in _leftovers.gather(self.data) if body["metadata"]["namespace"] == SPACE]
        return {named(body) for body in bodies}

    def stock(self) -> list[dict[str, Any]]:
        """Make what is not there of a living database, one whose Cluster is gone, and what a scale-in left."""
        there = self.names()
        return [self.make(body) for body in everything() if named(body) not in there]

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.data.create(path_of(body).rpartition("/")[0], body)
        return found


@pytest.fixture(scope="module")
def places(api_lab: Lab) -> Iterator[Ground]:
    ground = Ground(api_lab, client_of(api_lab), client_of(api_lab, CONTEXT))
    with with_crds(ground.control):
        make_clusters(ground)
        await_account(ground.data)
        yield ground
        clear(ground)
        for wait in ("false", "true"):
            for context in ("control", CONTEXT):
                kubectl(api_lab, context, "delete", "namespace", SPACE, "--ignore-not-found", f"--wait={wait}")


def make_clusters(ground: Ground) -> None:
    """One of components, and one of shards, which have Components that the Cluster does not name."""
    for client in (ground.control, ground.data):
        client.apply(f"/api/v1/namespaces/{SPACE}", space(SPACE))
    clusters = f"{APPS}/namespaces/{SPACE}/clusters"
    ground.control.create(clusters, cluster(SPACE, "etcd", EVERYWHERE))
    sharding = [{"name": "part", "shards": 1, "template": {"replicas": 3, "componentDef": "x"}}]
    ground.control.create(clusters, cluster(SPACE, "split", EVERYWHERE, componentSpecs=None, shardings=sharding))
    shard = {"namespace": SPACE, "name": "split-part-x7k", "labels": {INSTANCE: "split", COMPONENT: "part-x7k"}}
    body = {"apiVersion": "apps.kubeblocks.io/v1", "kind": "Component", "metadata": shard}
    ground.control.create(clusters.replace("clusters", "components"), {**body, "spec": {"compDef": "x", "replicas": 3}})


def await_account(client: Client) -> None:
    """No Pod can be made in a namespace before its own account is."""
    deadline = time.monotonic() + 300
    while client.get(f"/api/v1/namespaces/{SPACE}/serviceaccounts/default") is None:
        assert time.monotonic() < deadline, "the namespace has no account after 300 s"
        time.sleep(0.1)


@pytest.fixture
def ground(places: Ground) -> Iterator[Ground]:
    places.stock()
    yield places
    clear(places)


def clear(ground: Ground) -> None:
    for body in _leftovers.gather(ground.data):
        if body["metadata"]["namespace"] == SPACE:
            with suppress(ContextError):  # a claim may go at any moment
                ground.data.patch(path_of(body), {"metadata": {"finalizers": None}})
            ground.data.delete(path_of(body))
    deadline = time.monotonic() + 300
    while ground.names():
        assert time.monotonic() < deadline, f"still there after 300 s: {ground.names()}"
        time.sleep(0.1)


def listed(*names: str) -> list[str]:
    return [f"{name.replace(' ', f' {SPACE}/')}" for name in names]


OLD = listed(
    "Service old-etcd-1",
    "Service old-etcd-headless",
    "Pod old-etcd-1",
    "ConfigMap old-etcd-env",
    "Secret old-etcd-account-root",
    "PersistentVolumeClaim data-old-etcd-1",
)
# An account and its binding may be of use to the living database: they stay.
SCALED_IN = listed("Service etcd-etcd-4", "Pod etcd-etcd-4", "PersistentVolumeClaim data-etcd-etcd-4")


def test_what_is_left_over_and_why(ground: Ground) -> None:
    audit = Audit(ground.lab)
    found = ground.found()
    assert {str(each) for each in found} == {*OLD, *SCALED_IN}
    whys = {str(each): each.why for each in found}
    assert whys[OLD[0]] == "its Cluster old is gone"
    assert whys[OLD[1]] == "its component old-etcd is gone"
    assert {whys[each] for each in SCALED_IN} == {"its member 4 is beyond what etcd-etcd has"}
    assert (audit.count(CONTEXT)["list"], audit.count("control")["list"]) == (len(KINDS), 2)
    assert not any(audit.writes().values())


def test_no_value_of_a_secret_is_asked_for(ground: Ground) -> None:
    gathered = _leftovers.gather(ground.data)
    secrets = [body for body in gathered if body["kind"] == "Secret"]
    assert secrets
    assert all(set(body) <= {"apiVersion", "kind", "metadata"} for body in secrets)


def test_a_data_plane_cannot_say_what_is_left_over(ground: Ground) -> None:
    with pytest.raises(Failed, match="k8s-2: cannot list clusters: this API server does not know the kind"):
        _leftovers.known(ground.data)


def test_what_is_adopted_is_kept_and_not_named_again(ground: Ground) -> None:
    found = ground.found()
    chosen = [each for each in found if str(each) in SCALED_IN]
    result = _leftovers.adopt(ground.data, chosen)
    assert [(step["kind"], step["method"]) for step in result["results"]] == [(each.kind, "apply") for each in chosen]
    assert result["changed"]
    assert result["diff"][0]["after"]["metadata"]["labels"] == {"kubeblocks.multicluster/adopted": "true"}
    assert {str(each) for each in ground.found()} == set(OLD)
    pod = ground.data.get(f"/api/v1/namespaces/{SPACE}/pods/etcd-etcd-4")
    assert pod["metadata"]["labels"][COMPONENT] == "etcd"
    managers = [entry["manager"] for entry in pod["metadata"]["managedFields"]]
    assert "kubeblocks.multicluster" in managers


def test_what_is_deleted_goes_in_order_and_all_else_stays(ground: Ground) -> None:
    before, audit = ground.names(), Audit(ground.lab)
    chosen = ground.found()
    result = _leftovers.delete(ground.data, chosen, CLAIMS)
    assert [step["kind"] for step in result["results"]] == [each.kind for each in chosen]
    assert {step["method"] for step in result["results"]} == {"delete"}
    await_gone(ground, {*OLD, *SCALED_IN})
    assert ground.names() == before - {*OLD, *SCALED_IN}
    writes = audit.writes()
    deleted = [word.rsplit("/", 2)[1] for word in writes.pop(CONTEXT) if word.startswith("delete ")]
    assert deleted == [path_of_all(KINDS[each.kind], each.kind).rpartition("/")[2] for each in chosen]
    assert not any(writes.values())
    assert ground.found() == []
    assert _leftovers.delete(ground.data, [], CLAIMS)["changed"] is False


def await_gone(ground: Ground, names: set[str]) -> None:
    """A claim goes when Kubernetes has seen that no Pod uses it."""
    deadline = time.monotonic() + 300
    while names & ground.names():
        assert time.monotonic() < deadline, f"still there after 300 s: {names & ground.names()}"
        time.sleep(0.1)


def test_a_claim_that_is_not_named_stays(ground: Ground) -> None:
    _leftovers.delete(ground.data, ground.found(), {f"{SPACE}/data-old-etcd-1", f"{SPACE}/data-etcd-etcd-1"})
    await_gone(ground, {*OLD})
    assert [str(each) for each in ground.found()] == [SCALED_IN[-1]]
    claims = kubectl(ground.lab, CONTEXT, "get", "pvc", "-n", SPACE, "-o", "name").split()
    assert claims == [f"persistentvolumeclaim/data-etcd-etcd-{ordinal}" for ordinal in (1, 4)]


def test_the_finalizers_of_others_stay(ground: Ground) -> None:
    body = ground.make(sent(here("ConfigMap", "old-held", "old"), OF_COMPONENT, FOREIGN, OF_WORKLOAD))
    ground.data.delete(path_of(body))  # as a person tried, and as the garbage collector does
    _leftovers.delete(ground.data, [each for each in ground.found() if each.name == "old-held"], ())
    assert ground.data.get(path_of(body))["metadata"]["finalizers"] == [FOREIGN]


class Killed(Exception):
    """The run ends here."""


class Mortal(Client):
    """A client that writes so many times and no more."""

    left = 0

    def _send(self, verb: str, path: str, **more: Any) -> Any:
        if verb in ("patch", "delete"):
            if not self.left:
                raise Killed
            self.left -= 1
        return super()._send(verb, path, **more)


def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(ground: Ground) -> None:
    before, mortal = ground.names(), Mortal(ground.data.access)
    for writes in range(50):
        mortal.left = writes
        try:
            _leftovers.delete(mortal, ground.found(), CLAIMS)
        except Killed:
            _leftovers.delete(ground.data, ground.found(), CLAIMS)
            await_gone(ground, {*OLD, *SCALED_IN})
            assert ground.names() == before - {*OLD, *SCALED_IN}
            ground.stock()
        else:
            break
    assert 12 < writes < 20


def test_what_was_made_anew_meanwhile_is_left_alone(ground: Ground) -> None:
    chosen = [each for each in ground.found() if each.kind in ("Pod", "ConfigMap")]
    for each in chosen:
        path = f"{path_of_all(KINDS[each.kind], each.kind, each.namespace)}/{each.name}"
        ground.data.patch(path, {"metadata": {"finalizers": None}})
        ground.data.delete(path)
    made_anew = ground.stock()
    assert len(made_anew) == len(chosen)
    audit = Audit(ground.lab)
    _leftovers.delete(ground.data, chosen, ())
    _leftovers.adopt(ground.data, chosen)
    assert audit.writes()[CONTEXT] == []
    for body in made_anew:
        assert ground.data.get(path_of(body))["metadata"]["uid"] == body["metadata"]["uid"]


class Busy(Client):
    """A client of a context where somebody else is at work: after each look one of these objects is written to, or
    deleted and made ``again``."""

    def __init__(self, client: Client, meanwhile: list[dict[str, Any]]) -> None:
        super().__init__(client.access)
        self.meanwhile = meanwhile

    def list(self, path: str, **more: Any) -> list[dict[str, Any]]:
        found = super().list(path, **more)
        if self.meanwhile:
            body = self.meanwhile.pop()
            again = body.get("again")
            change = {"finalizers": None} if again else {"annotations": {"lab.invalid/at": str(time.time())}}
            self.patch(path_of(body), {"metadata": change})
            if again:
                self.delete(path_of(body))
                self.create(path, again)
        return found


def test_what_somebody_writes_to_meanwhile_goes_all_the_same(ground: Ground) -> None:
    body = here("ConfigMap", "old-etcd-env", "old")
    chosen = [each for each in ground.found() if each.name == "old-etcd-env"]
    _leftovers.delete(Busy(ground.data, [body] * 3), chosen, ())
    assert ground.data.get(path_of(body)) is None
    with pytest.raises(ContextError, match=r"k8s-2: cannot patch configmaps left/etcd-etcd-env: .* modified"):
        living = ground.data.get(path_of(here("ConfigMap", "etcd-etcd-env")))
        doomed = Leftover("ConfigMap", SPACE, "etcd-etcd-env", "", living["metadata"]["uid"])
        _leftovers.delete(Busy(ground.data, [here("ConfigMap", "etcd-etcd-env")] * 9), [doomed], ())


DEEDS: dict[str, Callable[[Client, list[Leftover]], Any]] = {
    "delete": lambda client, chosen: _leftovers.delete(client, chosen, ()),
    "adopt": _leftovers.adopt,
}


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("kind", ["Pod", "ConfigMap"])
def test_what_is_made_anew_between_look_and_deed_is_left_alone(ground: Ground, kind: str, deed: str) -> None:
    old = next(body for body in of_database("old", 1) if body["kind"] == kind)
    chosen = [each for each in ground.found() if each.kind == kind and each.name == old["metadata"]["name"]]
    DEEDS[deed](Busy(ground.data, [{**old, "again": old}]), chosen)
    found = ground.data.get(path_of(old))
    assert found["metadata"]["uid"] != chosen[0].uid
    assert "kubeblocks.multicluster/adopted" not in found["metadata"]["labels"]
    assert found["metadata"].get("finalizers", []) == old["metadata"]["finalizers"]
