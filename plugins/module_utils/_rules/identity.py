# Private to this collection.
"""Which cluster is which, from evidence alone: one UID is one cluster, whatever its name or address. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, Finding

RECORD = "kubeblocks-multicluster-contexts"
CONTROL_PLANE = "kubeblocks.multicluster/control-plane"


def of_duplicates(uids: Mapping[str, str], planes: Mapping[str, str]) -> list[Finding]:
    """``uids``: name → UID of namespace kube-system. Two names of one cluster are one cluster."""
    groups: dict[str, list[str]] = {}
    for name, uid in uids.items():
        groups.setdefault(uid, []).append(name)
    found = []
    for uid, names in groups.items():
        kinds = {planes[name] for name in names}
        if len(names) < 2:
            continue
        what = "two data planes" if kinds == {"data"} else "a control plane and a data plane"
        found.append(
            Finding(
                "identity.duplicate",
                names[-1],
                FAIL,
                f"{' and '.join(names)} are the same cluster (kube-system has UID {uid})",
                f"{what} with one cluster behind them die together, and the operator would treat it as two",
                "Let each host's context lead to a cluster of its own",
            )
        )
    return found


def of_record(
    seen: Mapping[str, Mapping[str, Any]], record: Mapping[str, Mapping[str, str]], control: str
) -> list[Finding]:
    """A context that leads elsewhere than it did. ``seen``: name → ``context`` and ``uid``; ``record``: context →
    ``uid``, as the control plane keeps it; ``control``: the control plane's own context, for the cure."""
    known = {entry["uid"]: context for context, entry in record.items()}
    found = []
    for name, entry in seen.items():
        before = record.get(entry["context"], {}).get("uid")
        other = known.get(entry["uid"])
        if not entry["uid"] or entry["uid"] == before or (before is None and other is None):
            continue
        is_now = f"{entry['uid']}, which was {other}" if other else f"{entry['uid']}: renamed or rebuilt?"
        found.append(
            Finding(
                "identity.changed",
                name,
                FAIL,
                f"context {entry['context']} was {before or 'unknown'}, is {is_now}",
                "what is right for one cluster is written into another, and members that lived there are not here",
                "Let the context lead where it led, or, if the old cluster is gone for good, take its entry out of "
                f"ConfigMap {RECORD} in the operator's namespace (context {control})",
            )
        )
    return found


def of_control_plane(control_uid: str, named: Mapping[str, str], *, recorded: bool) -> list[Finding]:
    """Data planes that belong to another control plane. ``named``: data plane → UID that its namespace names, empty if
    none; ``recorded``: whether this control plane has a record of contexts."""
    strangers = {name: uid for name, uid in named.items() if uid and control_uid and uid != control_uid}
    why = (
        "two operators would work on the same members"
        if recorded
        else "this control plane has no record of contexts: it is new, or another cluster stands behind its name"
    )
    return [
        Finding(
            "identity.other_control_plane",
            name,
            FAIL,
            f"this data plane belongs to control plane {uid}, and this one is {control_uid}",
            why,
            "Let the control plane's context lead where it led, or, if that control plane is gone for good, take the "
            f"annotation {CONTROL_PLANE} from the operator's namespace on {name}",
        )
        for name, uid in strangers.items()
    ]
