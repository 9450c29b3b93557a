"""What a person reads: errors, objects in words, the table of what is true; and asking many contexts at once."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import (
    Access,
    Client,
    _resource,
    contexts_of,
    describe,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import (
    ContextError,
    Failed,
    hint_for,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._status import table

# Sentence → the error that makes it.
SENTENCES = {
    "k8s-2: cannot create secrets kb-system: forbidden (HTTP 403). Grant it.": ContextError(
        "k8s-2", "create", "secrets kb-system", "forbidden", hint="Grant it.", status=403
    ),
    "k8s-2: cannot get version: no answer in time.": ContextError("k8s-2", "get", "version", "no answer in time"),
    "k8s-2: cannot get version: it is broken (HTTP 500).": ContextError(
        "k8s-2", "get", "version", "it is broken.", status=500
    ),
}

# Path → the object in words, what somebody has to be granted.
PATHS = {
    "/version": ("version", "/version"),
    "/": ("/", "/"),
    "/api/v1/namespaces": ("namespaces", "namespaces"),
    "/api/v1/namespaces/kube-system": ("namespaces kube-system", "namespaces"),
    "/api/v1/nodes": ("nodes", "nodes"),
    "/api/v1/namespaces/etcd/pods": ("pods etcd", "pods in namespace etcd"),
    "/api/v1/namespaces/kb-system/secrets/one": ("secrets kb-system/one", "secrets in namespace kb-system"),
    "/apis/storage.k8s.io/v1/storageclasses": ("storageclasses", "storageclasses.storage.k8s.io"),
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/one": (
        "clusterroles one",
        "clusterroles.rbac.authorization.k8s.io",
    ),
    "/apis/apps.kubeblocks.io/v1/namespaces/etcd/clusters/one": (
        "clusters etcd/one",
        "clusters.apps.kubeblocks.io in namespace etcd",
    ),
    "/apis/apps.kubeblocks.io/v1/namespaces/etcd/clusters": (
        "clusters etcd",
        "clusters.apps.kubeblocks.io in namespace etcd",
    ),
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_sentence_of_an_error(sentence: str) -> None:
    assert str(SENTENCES[sentence]) == SENTENCES[sentence].sentence() == sentence


@pytest.mark.parametrize("path", PATHS)
def test_a_path_in_words(path: str) -> None:
    assert (describe(path), _resource(path)) == PATHS[path]


MINTING = "/api/v1/namespaces/kb-system/serviceaccounts/kubeblocks-operator/token"


def test_a_part_of_an_object_in_words() -> None:
    assert describe(MINTING) == "serviceaccounts kb-system/kubeblocks-operator/token"
    assert describe("/api/v1/nodes/one/status") == "nodes one status"


def test_a_part_of_an_object_needs_the_right_on_the_part() -> None:
    """The right on serviceaccounts does not let anybody mint a token."""
    assert _resource(MINTING) == "serviceaccounts/token in namespace kb-system"
    assert _resource("/api/v1/nodes/one/status") == "nodes/status"


def test_what_to_do_about_a_status() -> None:
    assert hint_for(403, "list", "pods in namespace etcd") == (
        "Grant list on pods in namespace etcd to this kubeconfig's user."
    )
    assert "renew it in the kubeconfig" in hint_for(401, "get", "nodes")
    assert {hint_for(status, "get", "nodes") for status in (400, 404, 409, 429, 500, 503)} == {""}


def kubeconfig(folder: Path, name: str, *contexts: str) -> str:
    """A kubeconfig with these contexts; nobody is asked."""
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": one, "cluster": {"server": "https://192.0.2.1:6443"}} for one in contexts],
        "users": [{"name": one, "user": {}} for one in contexts],
        "contexts": [{"name": one, "context": {"cluster": one, "user": one}} for one in contexts],
    }
    (folder / name).write_text(json.dumps(body))
    return str(folder / name)


def test_the_contexts_of_a_kubeconfig(tmp_path: Path) -> None:
    one, other = kubeconfig(tmp_path, "one", "b", "a"), kubeconfig(tmp_path, "other", "c")
    assert contexts_of(one) == ["a", "b"]
    assert contexts_of(f"{one}:{other}") == contexts_of(f"{one}:{other}:{tmp_path / 'none'}") == ["a", "b", "c"]
    assert contexts_of(str(tmp_path / "none")) == []
    assert contexts_of(kubeconfig(tmp_path, "empty")) == []


def test_a_context_that_is_not_there_is_told_from_those_that_are(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, "one", "b", "a")
    with pytest.raises(ContextError) as error:
        Client(Access("k8s-9", path))
    assert str(error.value) == (
        f"k8s-9: cannot find context 'k8s-9' in kubeconfig {path}: it has a, b. "
        "Add the context, or set kubeblocks_context or kubeblocks_kubeconfig for this host."
    )
    with pytest.raises(ContextError, match=r"none: it has no context at all\. Add"):
        Client(Access("k8s-9", str(tmp_path / "none")))


# Many contexts at once


def test_answers_and_problems_come_by_key() -> None:
    def question(key: int) -> str:
        if key % 2:
            raise ContextError(str(key), "get", "version", "broken") if key > 2 else Failed("no")
        return f"answer {key}"

    answers, problems = ask_all(range(6), question, 5)
    assert list(answers.items()) == [(key, f"answer {key}") for key in (0, 2, 4)]
    assert {key: str(problem) for key, problem in problems.items()} == {
        1: "no",
        3: "3: cannot get version: broken.",
        5: "5: cannot get version: broken.",
    }
    assert ask_all([], question, 5) == ({}, {})


def test_all_are_asked_at_once() -> None:
    together = threading.Barrier(4, timeout=5)
    answers, problems = ask_all(range(4), lambda key: (together.wait(), key)[1], 10)
    assert (answers, problems) == ({key: key for key in range(4)}, {})


def test_one_that_is_late_costs_the_deadline_and_no_more() -> None:
    end = threading.Event()
    started = time.monotonic()
    answers, problems = ask_all(["slow", "fast"], lambda key: end.wait(60) if key == "slow" else key, 2)
    took = time.monotonic() - started
    end.set()
    assert answers == {"fast": "fast"}
    assert isinstance(problems["slow"], TimeoutError)
    assert str(problems["slow"]) == "no answer within 2 s"
    assert 1.9 < took < 30


def test_problems_come_in_the_order_of_the_question_like_answers() -> None:
    """They are printed: the same trouble makes the same text."""
    first = threading.Event()

    def question(key: str) -> None:
        first.wait(5) if key == "a" else first.set()
        if key == "a":
            time.sleep(0.05)
        raise Failed(key)

    assert list(ask_all(["a", "b"], question, 10)[1]) == ["a", "b"]


def test_a_defect_of_ours_is_no_problem_of_a_context() -> None:
    with pytest.raises(ZeroDivisionError):
        ask_all([1, 0], lambda key: 1 // key, 5)


# The table of what is true


def member(number: int, **changed: Any) -> dict[str, Any]:
    found = {
        "pod": f"etcd-{number}",
        "phase": "Running",
        "address": f"10.{number}.0.5",
        "member_id": str(0xA0 + number),
        "leader_id": str(0xA1),
        "linearizable": True,
        "members": [],
    }
    return {**found, **changed}


def data(number: int, *members: dict[str, Any]) -> dict[str, Any]:
    server = f"https://172.31.250.1{number}:6443"
    return {"error": "", "plane": "data", "version": "v1.34.4", "server": server, "members": list(members)}


CONTROL = {
    "error": "",
    "plane": "control",
    "version": "v1.34.4",
    "server": "https://172.31.250.10:6443",
    "members": [],
    "operator_ready": True,
    "operator_contexts": ["k8s-1", "k8s-2", "k8s-3"],
    "marked_contexts": ["k8s-3"],
    "cluster_phase": "Running",
}
LISTED = [{"id": str(0xA0 + number), "peer_urls": [f"https://etcd-{number}:2380"]} for number in (1, 2)]


def rows(**seen: dict[str, Any]) -> dict[str, list[str]]:
    """Context → the cells of its first row."""
    lines = table({name.replace("_", "-"): entry for name, entry in seen.items()})
    starts = [lines[0].index(title) for title in ("CONTEXT", "API", "OPERATOR", "POD", "MEMBER", "LEADER", "ADDRESSES")]
    cut = [
        [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)] for line in reversed(lines[1:])
    ]
    return {cells[0]: cells[1:] for cells in cut}


def test_the_table_of_a_healthy_etcd_with_one_cluster_silent() -> None:
    found = rows(
        control=CONTROL,
        k8s_1=data(1, member(1, members=LISTED)),
        k8s_2=data(2, member(2)),
        k8s_3={"error": "no answer in time", "members": [], "plane": "data"},
        k8s_4=data(4),
    )
    version = "v1.34.4"
    assert found == {
        "control": [version, "operator ready, Cluster Running", "-", "-", "-", "https://172.31.250.10:6443"],
        "k8s-1": [version, "in use", "etcd-1 Running", "a1", "leader", "10.1.0.5, https://etcd-1:2380"],
        "k8s-2": [version, "in use", "etcd-2 Running", "a2", "-", "10.2.0.5, https://etcd-2:2380"],
        "k8s-3": ["silent: no answer in time", "marked", "-", "-", "-", "-"],
        "k8s-4": [version, "not known to the operator", "-", "-", "-", "https://172.31.250.14:6443"],
    }


def test_the_table_of_trouble() -> None:
    unborn = member(2, phase="Pending", address="", member_id="", leader_id="", linearizable=False)
    found = rows(
        k8s_1=data(1, member(1, linearizable=False, leader_id="0")),
        k8s_2=data(2, unborn),
        control={**CONTROL, "operator_ready": False, "cluster_phase": "without phase"},
    )
    assert found["control"][1] == "operator not ready, Cluster without phase"
    assert found["k8s-1"][1:5] == ["in use", "etcd-1 Running", "a1 (no quorum)", "-"]
    assert found["k8s-2"][2:] == ["etcd-2 Pending", "-", "-", "-"]


def test_every_member_has_a_row_and_no_line_ends_in_blanks() -> None:
    lines = table({"k8s-1": data(1, member(1), member(2))})
    assert len(lines) == 3
    assert all(line == line.rstrip() for line in lines)
    assert [line.split()[0] for line in lines] == ["CONTEXT", "k8s-1", "k8s-1"]


def test_a_silent_control_plane_says_nothing_of_what_the_operator_knows() -> None:
    lines = table(
        {"control": {"error": "no answer in time", "members": [], "plane": "control"}, "k8s-1": data(1, member(1))}
    )
    assert not [line for line in lines if "not known to the operator" in line]
