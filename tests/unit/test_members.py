"""When members are one etcd: tables of what may be wrong, and every small case against a model of its own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._etcd import phase_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.members import problems_of

Sample = dict[str, Any]


def listed(*ids: int, learners: Sequence[int] = ()) -> list[dict[str, Any]]:
    return [{"id": str(one), "name": f"etcd-{one}", "learner": one in learners} for one in ids]


def sample(number: int, **changed: Any) -> Sample:
    """A healthy member; member 1 leads and gave the list of three."""
    healthy = {
        "context": f"k8s-{number}",
        "pod": f"etcd-{number}",
        "phase": "Running",
        "cluster_id": "77",
        "member_id": str(number),
        "leader_id": "1",
        "linearizable": True,
        "members": listed(1, 2, 3) if number == 1 else [],
        "error": "",
    }
    return {**healthy, **changed}


def silent(number: int, phase: str = "Pending") -> Sample:
    nothing = {"cluster_id": "", "member_id": "", "leader_id": "0", "linearizable": False, "members": []}
    return sample(number, phase=phase, error=phase, **nothing)


def three(**first: Any) -> list[Sample]:
    """Three healthy members, the first changed."""
    return [sample(1, **first), sample(2), sample(3)]


# Name → samples, replicas, what is said.
CASES: dict[str, tuple[list[Sample], int, list[str]]] = {
    "one etcd": (three(), 3, []),
    "one member": ([sample(1, members=listed(1))], 1, []),
    "nothing is there": ([], 3, ["0 of 3 Pods exist"]),
    "nothing is wanted": ([], 0, []),
    "a Pod is missing": (
        [sample(1, members=listed(1, 2)), sample(2)],
        3,
        ["2 of 3 Pods exist", "the member list has 2 voters, and 3 are wanted"],
    ),
    "a Pod is missing that the list has": (three()[:2], 3, ["2 of 3 Pods exist"]),
    "a Pod waits": ([sample(1), sample(2), silent(3)], 3, ["k8s-3 etcd-3: Pending"]),
    "all Pods wait": (
        [silent(1), silent(2, "CrashLoopBackOff"), silent(3)],
        3,
        ["k8s-1 etcd-1: Pending", "k8s-2 etcd-2: CrashLoopBackOff", "k8s-3 etcd-3: Pending"],
    ),
    "no quorum behind one": (
        [sample(1), sample(2, linearizable=False), sample(3)],
        3,
        ["k8s-2 etcd-2: no linearizable read"],
    ),
    "two clusters": (
        [sample(1), sample(2), sample(3, cluster_id="88")],
        3,
        ["2 different cluster IDs: 77, 88"],
    ),
    "no leader at one": ([sample(1), sample(2), sample(3, leader_id="0")], 3, ["no leader"]),
    "two leaders": ([sample(1), sample(2), sample(3, leader_id="3")], 3, ["2 different leaders: 1, 3"]),
    "nobody gave the list": (three(members=[]), 3, ["no member gave the member list"]),
    "too few voters": (
        three(members=listed(1, 2, 3, learners=[3])),
        3,
        ["the member list has 2 voters, and 3 are wanted"],
    ),
    "too many voters": (three(members=listed(1, 2, 3, 4)), 3, ["the member list has 4 voters, and 3 are wanted"]),
    "a learner besides is no voter": ([*three(members=listed(1, 2, 3, 4, learners=[4])), sample(4)], 3, []),
    "a stranger answers": (
        three(members=listed(1, 2, 9)),
        3,
        ["not in the member list: etcd-3"],
    ),
    "a Pod too many": ([*three(), sample(4)], 3, ["not in the member list: etcd-4"]),
    "the first list counts": ([sample(1), sample(2, members=listed(1, 2)), sample(3)], 3, []),
}

RUNNING = {"name": "etcd", "state": {"running": {"startedAt": "now"}}}


def waiting(reason: str | None, name: str = "etcd") -> dict[str, Any]:
    return {"name": name, "state": {"waiting": {"reason": reason} if reason else {"message": "?"}}}


# Name → status of a Pod, what it is waiting for.
PHASES: dict[str, tuple[dict[str, Any], str]] = {
    "running": ({"phase": "Running", "containerStatuses": [RUNNING]}, "Running"),
    "not scheduled": ({"phase": "Pending"}, "Pending"),
    "nothing known": ({}, "Unknown"),
    "image cannot be pulled": ({"phase": "Pending", "containerStatuses": [waiting("ErrImagePull")]}, "ErrImagePull"),
    "crashes": ({"phase": "Running", "containerStatuses": [waiting("CrashLoopBackOff")]}, "CrashLoopBackOff"),
    "init container crashes": (
        {
            "phase": "Pending",
            "initContainerStatuses": [waiting("CrashLoopBackOff", "init")],
            "containerStatuses": [waiting("PodInitializing")],
        },
        "CrashLoopBackOff",
    ),
    "init container works": (
        {
            "phase": "Pending",
            "initContainerStatuses": [{"name": "init", "state": {"running": {}}}],
            "containerStatuses": [waiting("PodInitializing")],
        },
        "PodInitializing",
    ),
    "waits without a reason": ({"phase": "Pending", "containerStatuses": [waiting(None)]}, "PodInitializing"),
    "another container waits": (
        {"phase": "Running", "containerStatuses": [RUNNING, waiting("ErrImagePull", "side")]},
        "ErrImagePull",
    ),
    "another container runs": (
        {"phase": "Running", "containerStatuses": [{"name": "side", "state": {"running": {}}}]},
        "PodInitializing",
    ),
    "evicted": ({"phase": "Failed", "containerStatuses": []}, "Failed"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_missing_to_one_etcd(name: str) -> None:
    samples, replicas, expected = CASES[name]
    assert problems_of(samples, replicas) == expected


def test_two_pods_that_answer_as_one_member_are_not_three() -> None:
    """A copied disk: three Pods answer, and only two of the three voters are among them."""
    assert problems_of([sample(1), sample(2), sample(3, member_id="2")], 3)


def one_etcd(samples: Sequence[Sample], replicas: int) -> bool:
    """The model: as many voters as wanted, each of them answers through the quorum, all of one mind."""
    if any(one["error"] for one in samples) or len({one["pod"] for one in samples}) < replicas:
        return False
    views = {(one["cluster_id"], one["leader_id"]) for one in samples}
    members: list[dict[str, Any]] = next((one["members"] for one in samples if one["members"]), [])
    voters = {one["id"] for one in members if not one["learner"]}
    ids = {one["member_id"] for one in samples}
    agreed = len(views) == 1 and "0" not in {one["leader_id"] for one in samples}
    known = len(voters) == replicas and ids <= {one["id"] for one in members}
    return agreed and known and all(one["linearizable"] for one in samples)


def test_every_small_case() -> None:
    variants: list[dict[str, Any]] = [
        {},
        {"cluster_id": "88"},
        {"leader_id": "2"},
        {"leader_id": "0"},
        {"linearizable": False},
        {"members": []},
        {"members": listed(1, 2)},
        {"members": listed(1, 2, 3, learners=[2])},
        {"members": listed(1, 2, 4)},
    ]
    seen = {True: 0, False: 0}
    for count, replicas in itertools.product(range(1, 4), range(1, 4)):
        for changes in itertools.product([*variants, None], repeat=count):
            samples = [
                silent(number) if change is None else sample(number, **change)
                for number, change in enumerate(changes, start=1)
            ]
            healthy = one_etcd(samples, replicas)
            seen[healthy] += 1
            assert (problems_of(samples, replicas) == []) is healthy, (replicas, changes)
    assert min(seen.values()) > 5


@pytest.mark.parametrize("name", PHASES)
def test_what_a_pod_waits_for(name: str) -> None:
    status, expected = PHASES[name]
    assert phase_of({"metadata": {"name": "etcd-0"}, "status": status}, "etcd") == expected


def test_a_pod_on_its_way_out_is_terminating_whatever_runs() -> None:
    pod = {"metadata": {"deletionTimestamp": "now"}, "status": PHASES["running"][0]}
    assert phase_of(pod, "etcd") == "Terminating"


def test_a_container_that_ended_is_not_initializing() -> None:
    ended = {"name": "etcd", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
    found = phase_of({"metadata": {}, "status": {"phase": "Running", "containerStatuses": [ended]}}, "etcd")
    assert found not in ("PodInitializing", "Running")
