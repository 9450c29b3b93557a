"""Members that reach each other through a mesh: what they advertise, clients in the mesh, a context that is marked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from balanced import PLANES, PODS, look_until, until
from clients import in_member, services
from lab.settings import Lab
from support import kubectl, play

SITE = "playbooks/site.yml"


@pytest.fixture(scope="module")
def lab(pods_lab: Lab) -> Lab:
    """Clusters on which ``site.yml`` has run."""
    played = play(pods_lab, SITE)
    assert played.code == 0, played.output
    return pods_lab


def test_what_members_advertise_is_true_from_every_cluster(lab: Lab) -> None:
    for context, pod in zip(PLANES, PODS, strict=True):
        found = json.loads(in_member(lab, context, pod, "endpoint", "status", "--cluster", "-w", "json"))
        assert sorted(entry["Endpoint"] for entry in found) == [f"http://{member}:2379" for member in PODS]
        assert len({entry["Status"]["header"]["member_id"] for entry in found}) == 3


def test_clients_in_the_mesh_find_every_member_and_any(lab: Lab) -> None:
    before = {context: sorted(services(lab, context)) for context in PLANES}
    opened = play(lab, SITE, "-e", "endpoints_client_exposure=mesh")
    assert opened.code == 0, opened.output
    for context, pod in zip(PLANES, PODS, strict=True):
        assert {f"{pod}-client", "etcd-etcd-any"} <= set(services(lab, context))
        until(partial(any_is_healthy, lab, context, pod))
    again = play(lab, SITE, "-e", "endpoints_client_exposure=mesh")
    assert set(again.changed.values()) == {0}, again.output
    closed = play(lab, SITE)
    assert closed.code == 0, closed.output
    assert {context: sorted(services(lab, context)) for context in PLANES} == before


def any_is_healthy(lab: Lab, context: str, pod: str) -> bool:
    """A Service that is new has no backend for a moment."""
    try:
        answer = in_member(lab, context, pod, "--endpoints=http://etcd-etcd-any:2379", "endpoint", "health")
    except AssertionError:
        return False
    return "is healthy" in answer


@contextmanager
def marked(lab: Lab, context: str) -> Iterator[None]:
    """The mark as KubeBlocks reads it, on a Deployment that is not rolled out for it."""
    words = ("patch", "deployment", "-n", "kb-system", "kubeblocks", "--type=json", "-p")
    deployment = json.loads(kubectl(lab, "control", "get", "deployment", "-n", "kb-system", "kubeblocks", "-o", "json"))
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    path = "/spec/template/spec/containers/0/args"
    plain = [word for word in arguments if not word.startswith("--multi-cluster-contexts-disabled=")]
    value = [*plain, f"--multi-cluster-contexts-disabled={context}"]
    paused = {"op": "add", "path": "/spec/paused", "value": True}
    kubectl(lab, "control", *words, json.dumps([paused, {"op": "replace", "path": path, "value": value}]))
    try:
        yield
    finally:
        back = [{"op": "replace", "path": path, "value": arguments}, {"op": "remove", "path": "/spec/paused"}]
        kubectl(lab, "control", *words, json.dumps(back))


def test_members_of_a_marked_context_are_left_out(lab: Lab) -> None:
    with marked(lab, "k8s-3"):
        found = look_until(lab, lambda found: planes(found) == ["k8s-1", "k8s-2"], in_cluster="members", render=["env"])
    assert found["left_out"] == ["k8s-3"]
    assert "k8s-3: left out, it is marked as unavailable" in found["problems"]
    assert PODS[2] not in found["rendered"]["env"]
    assert PODS[1] in found["rendered"]["env"]
    again = look_until(lab, lambda found: found["problems"] == [], in_cluster="members")
    assert again["left_out"] == []
    assert planes(again) == PLANES


def planes(found: dict[str, Any]) -> list[str]:
    return sorted(endpoint["context"] for endpoint in found["endpoints"])
