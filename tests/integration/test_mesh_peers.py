"""Lists of peers on real API servers: who is dead and marked leaves them, and comes back with all that was there."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import HIDDEN
from lab.settings import Lab
from objects import present
from support import Audit, kubectl, module, places

SPACE, SYSTEM = "peers", "kube-system"
LISTS, KEPT = ("cilium-clustermesh", "cilium-kvstoremesh"), "kubeblocks-multicluster-peers"
DEAD, LEFT = "k8s-2", ("control", "k8s-1")
MEMBERS = (*LEFT, DEAD)
_MARK = {"state": "marked", "verdict": "DEAD"}
_SEEN = "kubeblocks.multicluster/peers-cut"


ACCOUNT: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "cilium", "namespace": SYSTEM},
}


def configuration(name: str, **data: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": SPACE}
    text = {key: json.dumps(value) for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": text}


def secret(name: str, entries: dict[str, str]) -> dict[str, Any]:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": SYSTEM}, "data": data}


def pod(program: str) -> dict[str, Any]:
    """Nothing runs it: an API server has no kubelet."""
    metadata = {"name": f"{program}-x", "namespace": SYSTEM, "labels": {"k8s-app": program}}
    container = {"name": "x", "image": "lab.invalid/nothing:1"}
    spec = {"containers": [container], "serviceAccountName": ACCOUNT["metadata"]["name"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def uid(lab: Lab, context: str) -> str:
    return kubectl(lab, context, "get", "namespace", SYSTEM, "-o", "jsonpath={.metadata.uid}")


def whole(context: str, name: str) -> dict[str, str]:
    return {other: f"{name} of {other}" for other in MEMBERS if other != context}


@pytest.fixture
def lists(api_lab: Lab) -> Iterator[Lab]:
    """Three clusters that are told of each other, as Cilium's chart does it; and k8s-2 is marked as dead."""
    with ExitStack() as stack:
        for context in LEFT:
            bodies = [
                ACCOUNT,
                *(secret(name, whole(context, name)) for name in LISTS),
                pod("cilium"),
                pod("clustermesh-apiserver"),
            ]
            stack.enter_context(present(api_lab, context, *bodies))
            stack.callback(kubectl, api_lab, context, "delete", "secret", "-n", SYSTEM, KEPT, "--ignore-not-found")
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
        stack.enter_context(present(api_lab, "control", space))
        record(api_lab)
        marks(api_lab, **_MARK)
        yield api_lab


def marks(lab: Lab, **entry: str) -> None:
    body = configuration("kubeblocks-multicluster-marks", marks={DEAD: entry} if entry else {}, history=[])
    kubectl(lab, "control", "apply", "-f", "-", stdin=json.dumps(body))


def record(lab: Lab, **changed: str) -> None:
    uids = {context: changed.get(context.replace("-", "_"), uid(lab, context)) for context in MEMBERS}
    entries = {context: {"uid": uid, "server": "", "ca_hash": ""} for context, uid in uids.items()}
    body = configuration("kubeblocks-multicluster-contexts", contexts=entries)
    kubectl(lab, "control", "apply", "-f", "-", stdin=json.dumps(body))


@pytest.fixture
def silent(api_lab: Lab, tmp_path: Path) -> str:
    """A kubeconfig in which the dead context leads to a port that nobody listens at."""
    found = json.loads(api_lab.kubeconfig.read_text())
    for cluster in found["clusters"]:
        cluster["cluster"]["server"] = "https://127.0.0.1:9"
    path = tmp_path / "silent"
    path.write_text(json.dumps(found))
    return str(path)


def bring(
    lab: Lab,
    silent: str = "",
    *,
    check: bool = False,
    body: str = "action",
    state: str = "cut",
    own: str = "",
    supposed: tuple[str, ...] = (),
) -> dict[str, Any]:
    """``silent``: the kubeconfig of the dead one; ``own``: whose Cilium is not ours."""
    contexts = places(lab)[:3]
    for number, place in enumerate(contexts, 1):
        place["mesh"] = {"id": number, "manage": place["name"] != own}
        if place["name"] == DEAD and silent:
            place["kubeconfig"] = silent
    place = {"kubeconfig": str(lab.kubeconfig), "context": "control"}
    options = {**place, "contexts": contexts, "operator_namespace": SPACE, "state": state}
    options["supposed_dead"] = list(supposed)
    return module(lab, "mesh_peers", options, body=body, check=check)


def there(lab: Lab, context: str) -> dict[str, dict[str, str]]:
    """What each list holds."""
    found = {}
    for name in LISTS:
        body = json.loads(kubectl(lab, context, "get", "secret", "-n", SYSTEM, name, "-o", "json"))
        found[name] = {key: base64.b64decode(value).decode() for key, value in body.get("data", {}).items()}
    return found


def told(lab: Lab, context: str) -> set[str]:
    """What Cilium's Pods are told of the cut."""
    pods = json.loads(kubectl(lab, context, "get", "pods", "-n", SYSTEM, "-l", "k8s-app", "-o", "json"))["items"]
    return {(body["metadata"].get("annotations") or {}).get(_SEEN, "") for body in pods}


def as_before(lab: Lab) -> bool:
    return all(
        there(lab, context) == {name: whole(context, name) for name in LISTS}
        and told(lab, context) == {""}
        and kubectl(lab, context, "get", "secret", "-n", SYSTEM, KEPT, "--ignore-not-found") == ""
        for context in LEFT
    )


@pytest.mark.parametrize("body", ["action", "module"])
def test_a_dead_one_leaves_and_comes_back(lists: Lab, silent: str, body: str) -> None:
    audit = Audit(lists)
    checked = bring(lists, silent, check=True, body=body)
    assert (checked["changed"], checked["cut"]) == (True, [DEAD])
    shown = {each["after_header"]: each for each in checked["diff"]}  # of both clusters, which are told the same
    for name in LISTS:
        before, after = (shown[f"Secret {name}"][when]["data"] for when in ("before", "after"))
        assert before[DEAD] == HIDDEN and after[DEAD] is None, "who goes is seen"
    assert set(shown[f"Secret {KEPT}"]["after"]["data"]) == {f"{name}.{DEAD}" for name in LISTS}
    assert audit.writes() == {node.name: [] for node in lists.nodes}

    cut = bring(lists, silent, body=body)
    assert (cut["changed"], cut["cut"], cut["back"], cut["behind"]) == (True, [DEAD], [], [])
    for context in LEFT:
        for name, entries in there(lists, context).items():
            assert entries == {key: value for key, value in whole(context, name).items() if key != DEAD}
        assert told(lists, context) == {DEAD}
    for entry in (whole("control", name)[DEAD] for name in LISTS):
        assert base64.b64encode(entry.encode()).decode() not in json.dumps(cut)

    audit = Audit(lists)
    assert not bring(lists, silent, body=body)["changed"]
    assert audit.writes() == {node.name: [] for node in lists.nodes}

    back = bring(lists, body=body)
    assert (back["changed"], back["cut"], back["back"]) == (True, [], [DEAD])
    (pod_shown,) = {json.dumps(each) for each in back["diff"] if each["after_header"] == "Pod cilium-x"}
    assert json.loads(pod_shown)["before"]["metadata"]["annotations"] == {_SEEN: DEAD}
    assert [each["method"] for each in back["results"] if each["name"] == KEPT] == ["delete"] * len(LEFT)
    assert as_before(lists)
    assert not bring(lists, body=body)["changed"]


def test_nothing_is_cut_without_a_mark_or_for_another_reason(lists: Lab, silent: str) -> None:
    for entry in ({}, {"state": "marked", "verdict": "API_DOWN"}, {"state": "unmarking", "verdict": "DEAD"}):
        marks(lists, **entry)
        # A member that is not marked is asked, and this one does not answer.
        found = bring(lists, "" if not entry else silent)
        assert (found.get("cut"), found["changed"]) == ([], False), entry
        assert as_before(lists)


def test_check_mode_says_whom_a_mark_would_cut_off(lists: Lab, silent: str) -> None:
    """Nothing marks in check mode. In a run that writes, only the record counts."""
    marks(lists)
    checked = bring(lists, silent, check=True, supposed=(DEAD,))
    assert (checked.get("msg"), checked["changed"], checked["cut"]) == (None, True, [DEAD])
    assert bring(lists, check=True, supposed=(DEAD,))["cut"] == [], "this one answers"
    done = bring(lists, silent, supposed=(DEAD,))
    assert (done.get("cut"), done["changed"]) == ([], False)
    assert as_before(lists)


def test_another_cluster_under_its_name_is_not_back(lists: Lab) -> None:
    record(lists, k8s_2="another")
    found = bring(lists)
    assert (found["cut"], found["back"]) == ([DEAD], [])


def test_a_cluster_that_is_not_the_recorded_one_is_not_written_to(lists: Lab, silent: str) -> None:
    record(lists, k8s_1="another")
    found = bring(lists, silent)
    assert found["failed"]
    assert "k8s-1: cannot change its list of peers: it was cluster another" in found["msg"]
    assert there(lists, "k8s-1") == {name: whole("k8s-1", name) for name in LISTS}
    assert DEAD not in there(lists, "control")[LISTS[0]], "the others are not kept waiting"


def test_one_that_was_killed_in_the_middle_is_finished(lists: Lab, silent: str) -> None:
    """The entry is kept already, and one list was written, no Pod told."""
    key = f"{LISTS[0]}.{DEAD}"
    body = secret(KEPT, {key: whole("k8s-1", LISTS[0])[DEAD]})
    kubectl(lists, "k8s-1", "apply", "-f", "-", stdin=json.dumps(body))
    patch = json.dumps({"data": {DEAD: None}})
    kubectl(lists, "k8s-1", "patch", "secret", "-n", SYSTEM, LISTS[0], "--type=merge", "-p", patch)
    assert bring(lists, silent)["changed"]
    assert all(DEAD not in entries for entries in there(lists, "k8s-1").values())
    bring(lists)
    assert as_before(lists)


def test_who_comes_back_is_not_cut_off_again_on_the_way(lists: Lab, silent: str) -> None:
    """An API server that is slow to answer today: it is in the lists, and stays; out of them, it stays out."""
    assert not bring(lists, silent, state="joined")["changed"]
    assert as_before(lists)
    bring(lists, silent)
    assert not bring(lists, silent, state="joined")["changed"]
    assert DEAD not in there(lists, "control")[LISTS[0]]
    assert bring(lists, state="joined")["changed"]
    assert as_before(lists)


def test_one_that_is_back_gets_its_own_list_back(lists: Lab) -> None:
    """It had another one cut off before it died itself."""
    kept = {f"{name}.k8s-1": f"{name} of k8s-1" for name in LISTS}
    bodies = [*(secret(name, {"control": f"{name} of control"}) for name in LISTS), secret(KEPT, kept)]
    with present(lists, DEAD, *bodies):
        assert bring(lists)["back"] == [DEAD]
        assert there(lists, DEAD) == {name: whole(DEAD, name) for name in LISTS}


def test_a_cilium_that_is_not_ours_is_not_written_to(lists: Lab, silent: str) -> None:
    found = bring(lists, silent, own="k8s-1")
    assert found["changed"] and found["cut"] == [DEAD]
    assert there(lists, "k8s-1") == {name: whole("k8s-1", name) for name in LISTS}
    (warning,) = found["warnings"]
    assert "k8s-1: Cilium is your own business there: take k8s-2 out of its list of clusters" in warning
