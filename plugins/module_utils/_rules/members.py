# Private to this collection.
"""Whether some etcd members are one etcd, judged from what they themselves answered. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def problems_of(samples: Sequence[Mapping[str, Any]], replicas: int, away: int = 0) -> list[str]:
    """What is missing to one etcd of ``replicas`` members; empty if nothing is. ``away``: how many of them are in
    contexts that are marked as unavailable, and are not looked for.

    A sample: ``context``, ``pod``, ``phase`` (what the Pod says), ``cluster_id``, ``member_id``, ``leader_id``
    (0: none), ``linearizable`` (a read through this member went through the quorum), ``error``; ``members`` where the
    list was read: dictionaries with ``id``, ``name``, ``learner``.
    """
    found = [f"{sample['context']} {sample['pod']}: {sample['phase']}" for sample in samples if sample["error"]]
    answering = [sample for sample in samples if not sample["error"]]
    if len(samples) < replicas - away:
        found.append(f"{len(samples)} of {replicas - away} Pods exist")
    found += [
        f"{sample['context']} {sample['pod']}: no linearizable read"
        for sample in answering
        if not sample["linearizable"]
    ]
    found += _disagreements(answering)
    lists = [sample["members"] for sample in answering if sample.get("members")]
    if answering and not lists:
        found.append("no member gave the member list")
    for members in lists[:1]:
        found += _differences(members, answering, replicas)
    return found


def _disagreements(answering: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    clusters = sorted({str(sample["cluster_id"]) for sample in answering})
    if len(clusters) > 1:
        found.append(f"{len(clusters)} different cluster IDs: {', '.join(clusters)}")
    if len({str(sample["member_id"]) for sample in answering}) < len(answering):
        found.append("several Pods answer as the same member: was a disk copied?")
    leaders = sorted({str(sample["leader_id"]) for sample in answering})
    if "0" in leaders:
        found.append("no leader")
    elif len(leaders) > 1:
        found.append(f"{len(leaders)} different leaders: {', '.join(leaders)}")
    return found


def _differences(
    members: Sequence[Mapping[str, Any]], answering: Sequence[Mapping[str, Any]], replicas: int
) -> list[str]:
    """Between the member list and those who answered."""
    found = []
    voters = [member for member in members if not member["learner"]]
    if len(voters) != replicas:
        found.append(f"the member list has {len(voters)} voters, and {replicas} are wanted")
    listed = {str(member["id"]) for member in members}
    strangers = [sample["pod"] for sample in answering if str(sample["member_id"]) not in listed]
    if strangers:
        found.append(f"not in the member list: {', '.join(strangers)}")
    return found
