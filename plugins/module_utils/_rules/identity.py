# Private to this collection.
"""Which cluster is which, from evidence alone: one UID is one cluster, whatever its name or address. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, Finding

RECORD = "kubeblocks-multicluster-contexts"
CONTROL_PLANE = "kubeblocks.multicluster/control-plane"


def of_duplicates(uids: Mapping[str, str], planes: Mapping[str, str], shared: Collection[str] = ()) -> list[Finding]:
    """``uids``: name → UID of namespace kube-system. Two names of one cluster are one cluster; only a data plane in
    ``shared`` may be the control plane's own, and two data planes never are one."""
    groups: dict[str, list[str]] = {}
    for name, uid in uids.items():
        groups.setdefault(uid, []).append(name)
    found = []
    for uid, names in groups.items():
        data = [name for name in names if planes[name] == "data"]
        if len(names) < 2 or (len(data) == 1 and data[0] in shared):
            continue
        two_data_planes = len(data) > 1
        what = "two data planes" if two_data_planes else "a control plane and a data plane"
        cure = "" if two_data_planes else ", or set kubeblocks_control_plane_is_data_plane"
        found.append(
            Finding(
                "identity.duplicate",
                names[-1],
                FAIL,
                f"{' and '.join(names)} are the same cluster (kube-system has UID {uid})",
                f"{what} with one cluster behind them die together, and the operator would treat it as two",
                f"Let each host's context lead to a cluster of its own{cure}",
            )
        )
    return found


def of_record(
    seen: Mapping[str, Mapping[str, Any]],
    record: Mapping[str, Mapping[str, str]],
    control: str,
    shared: Collection[str] = (),
) -> list[Finding]:
    """A context that leads elsewhere than it did. ``seen``: name → ``context`` and ``uid``; ``record``: context →
    ``uid``, as the control plane keeps it; ``control``: the control plane's own context; ``shared``: data planes that,
    if they were never recorded, may be that cluster."""
    known = {entry["uid"]: context for context, entry in record.items()}
    found = []
    for name, entry in seen.items():
        before = record.get(entry["context"], {}).get("uid")
        other = known.get(entry["uid"])
        if not entry["uid"] or entry["uid"] == before or (before is None and other is None):
            continue
        if before is None and name in shared and record.get(control, {}).get("uid") == entry["uid"]:
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


def of_marked(own: str, context: str, marked: Collection[str]) -> list[Finding]:
    """``own``: name of the data plane that is the control plane's cluster, empty if none is; ``context``: its own."""
    if not own or context not in marked:
        return []
    return [
        Finding(
            "identity.control_plane_marked",
            own,
            FAIL,
            f"context {context} is marked as unavailable, and is the control plane itself",
            "the operator runs there: it refuses to start, or does not look after what it runs beside",
            "Unmark it: what is down while the control plane answers cannot be this whole cluster",
        )
    ]


def doubt_of(
    recorded: Mapping[str, str] | None, seen: Mapping[str, str] | None, control_uid: str
) -> tuple[str, str, str] | None:
    """What speaks against a context's being the recorded cluster, and another than the control plane's: what was seen,
    why it matters, what to do; None if nothing does.

    Both have ``uid``, ``server`` and ``ca_hash``. ``recorded`` is None where it never was; ``seen`` is None where the
    kubeconfig has no such context, and its ``uid`` is empty while the context is silent.
    """
    before, now = (recorded or {}).get("uid", ""), (seen or {}).get("uid", "")
    if control_uid and control_uid in (before, now):
        return (
            f"this is the control plane's own cluster (kube-system has UID {control_uid})",
            "the operator runs there: it refuses to start, or does not look after what it runs beside",
            "Leave it unmarked: what is down while the control plane answers cannot be this whole cluster",
        )
    if not recorded or not before:
        return (
            "it was never recorded which cluster this is",
            "nobody can tell whether it is the one that holds the members, or the control plane's own",
            "Run site once while the cluster answers",
        )
    if now == before:
        return None
    if now:
        return _elsewhere(f"this context was cluster {before}, and is {now}")
    if seen is None:
        return (
            "the kubeconfig has no such context",
            "a silent cluster is known by its address and its CA alone, and here there is nothing to compare",
            "Put the context back into the kubeconfig, as it was",
        )
    moved = [word for key, word in (("server", "address"), ("ca_hash", "CA")) if seen[key] != recorded[key]]
    return _elsewhere(f"it is silent, and its {' and its '.join(moved)} changed since it answered") if moved else None


def _elsewhere(seen: str) -> tuple[str, str, str]:
    return (
        seen,
        "this may be another cluster, and the one that holds the members may be well",
        "Let the context lead where it led",
    )


def shared_of(places: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the data planes that may be the control plane's own cluster."""
    return [place["name"] for place in places if place.get("may_be_control_plane")]


def own_data_plane(places: Mapping[str, Mapping[str, Any]], evidence: Mapping[str, Mapping[str, Any]]) -> str:
    """Name of the data plane that is the control plane's own cluster and may be; empty if none is. ``evidence``: name →
    ``uid``."""
    control = next((name for name, place in places.items() if place["plane"] == "control"), "")
    uid = evidence.get(control, {}).get("uid")
    same = [name for name in shared_of(places.values()) if uid and evidence.get(name, {}).get("uid") == uid]
    return same[0] if same else ""


def operator_ways(
    places: Mapping[str, Mapping[str, Any]], evidence: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, str]]:
    """How the operator is to reach each data plane that answered: context → ``server`` and ``ca`` (base64).

    ``evidence``: name → ``way``, and ``own_way`` for a data plane that may be the control plane's own cluster.
    """
    own = own_data_plane(places, evidence)
    silent = not any(evidence.get(name, {}).get("uid") for name, place in places.items() if place["plane"] == "control")
    undecided = shared_of(places.values()) if silent else []
    return {
        place["context"]: evidence[name]["own_way" if name == own else "way"]
        for name, place in places.items()
        if place["plane"] == "data" and name not in undecided and evidence.get(name, {}).get("way")
    }
