# Private to this collection.
"""The surviving clusters' lists of peers, as the record of marks wants them: the dead leave, the returned come back.

Nothing is asked of the dead side, and no chart is needed. An entry that is taken out is kept beside the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import FIELD_MANAGER, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import require_uid
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import Change, Removal, written
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_cut import cut_in
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_facts import (
    NAMESPACE,
    cilium_in,
    peers_listed,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_findings import manages, wish_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_info import (
    LISTS,
    PROGRAMS,
    members_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._record import read_record
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import mesh_peers as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import (
    AUTH_SPEC,
    CONTEXTS_SPEC,
    Call,
    access,
)

CUT, JOINED = "cut", "joined"
SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "contexts": CONTEXTS_SPEC,
    "operator_namespace": {"type": "str", "default": "kb-system"},
    "state": {"type": "str", "default": CUT, "choices": [CUT, JOINED]},
    "supposed_dead": {"type": "list", "elements": "str", "default": []},
    "deadline": {"type": "float", "default": 20.0},
}
KEPT = "kubeblocks-multicluster-peers"  # Secret: list.key → the entry that was taken out
_SECRETS, _PODS = (f"/api/v1/namespaces/{NAMESPACE}/{kind}" for kind in ("secrets", "pods"))
_SEEN = "kubeblocks.multicluster/peers-cut"  # on Pods: a change of it makes the kubelet bring their files up to date
Held = dict[str, str]


@dataclass(frozen=True)
class Steps:
    """What is to be written in one cluster: ``kept``, before and after; ``lists`` that change, before and after; the
    ``pods`` that have not been told of ``mark`` yet, with what they were told."""

    kept: tuple[Held, Held]
    lists: Mapping[str, tuple[Held, Held]]
    pods: Mapping[str, str]
    mark: str

    def __bool__(self) -> bool:
        return bool(self.lists or self.pods or self.kept[0] != self.kept[1])

    def changes(self) -> list[Change | Removal]:
        """The same for the eye: whoever is in a Secret, comes or goes, and nothing of its entries."""
        found: list[Change | Removal] = []
        before, after = self.kept
        if before and not after:
            found.append(Removal(_secret(KEPT, before)))
        elif before != after:
            found.append(_shown(KEPT, before, after))
        found += [_shown(name, *held) for name, held in self.lists.items()]
        return found + [Change(_pod(name, told), _pod(name, self.mark)) for name, told in self.pods.items()]


def run(call: Call) -> dict[str, Any]:
    """Raises Failed with every cluster that could not be looked at or written to, after all others were."""
    params, keeper = call.params, call.client()
    members, places, _marked = members_of(params, keeper)
    names = {name: wish.cluster for name, place in places.items() if (wish := wish_of(place)).id}
    joined = {name: places[name] for name in names}
    supposed = params["supposed_dead"] if call.check_mode else ()
    cut, back = cut_in(keeper, params["operator_namespace"], joined, params["request_timeout"], supposed)
    record = read_record(keeper, params["operator_namespace"]) or {}
    gone = [names[name] for name in cut]
    reached = dict.fromkeys([*(member.context for member in members), *back])
    asked = [name for name in reached if name not in cut and manages(places[name])]

    def bring(name: str) -> tuple[list[Change | Removal], bool]:
        place = dict(places[name])
        client = Client(access(place, params["request_timeout"]))
        steps = _steps(client, gone, list(names.values()), may_cut=params["state"] == CUT)
        if steps and not call.check_mode:
            require_uid(client, record.get(place["context"], {}).get("uid", ""), "change its list of peers")
            _write(client, steps)
        return steps.changes(), bool(back) and _is_behind(client, [names[each] for each in back if each != name])

    answers, problems = ask_all(asked, bring, params["deadline"])
    changes = [change for found, _behind in answers.values() for change in found]
    behind = [name for name, (_found, is_behind) in answers.items() if is_behind and name not in back]
    _warn(call, behind, back, [name for name in joined if cut and not manages(places[name])], cut)
    result = {**written(changes), "cut": cut, "back": back, "behind": behind}
    if problems:
        lines = "\n".join(f"  {name}: {problem}" for name, problem in problems.items())
        raise Failed(f"cluster_mesh: cannot bring these clusters' lists of peers up to date:\n{lines}", **result)
    return result


def _warn(call: Call, behind: Sequence[str], back: Sequence[str], own: Sequence[str], cut: Sequence[str]) -> None:
    if behind:
        call.warn(
            f"{', '.join(behind)}: Cilium's release was made without {', '.join(back)}, which is back: run "
            "the playbook failback or site, which bring it up to date"
        )
    if own:
        call.warn(
            f"{', '.join(own)}: Cilium is your own business there: take {', '.join(cut)} out of its list of clusters, "
            "or its global Services send requests to the dead until clustermesh.cacheTTL is over"
        )


def _is_behind(client: Client, back: Sequence[str]) -> bool:
    """Whether Cilium's release was made without one that is back: its addresses are not known there then."""
    found = cilium_in(client)
    if not found or not found["version"]:
        return False
    return not set(back) <= {str(entry.get("name")) for entry in peers_listed(found["values"])}


def _steps(client: Client, gone: Sequence[str], members: Sequence[str], *, may_cut: bool) -> Steps:
    """Without ``may_cut`` nobody leaves a list: one who is slow to answer today is not cut off while it comes back."""
    before = _entries(client, KEPT)
    out = {
        name: {key.removeprefix(f"{name}."): value for key, value in before.items() if key.startswith(f"{name}.")}
        for name in LISTS
    }
    if not may_cut:
        gone = [peer for peer in gone if any(peer in entries for entries in out.values())]
    kept: Held = {}
    lists = {}
    for name, entries in out.items():
        there = _entries(client, name)
        after, away = rules.cut(there, entries, gone, members)
        kept |= {f"{name}.{key}": value for key, value in away.items()}
        if after != there:
            lists[name] = (there, after)
    mark = ",".join(sorted(gone))
    return Steps((before, kept), lists, _stale(client, mark), mark)


def _entries(client: Client, name: str) -> Held:
    """What a Secret holds, as it is on the wire."""
    return dict((client.get(f"{_SECRETS}/{name}") or {}).get("data") or {})


def _stale(client: Client, mark: str) -> dict[str, str]:
    """Cilium's Pods that have not been told of this change yet, and what they were told."""
    pods = [pod for program in PROGRAMS for pod in client.list(_PODS, labels=f"k8s-app={program}")]
    told = {pod["metadata"]["name"]: (pod["metadata"].get("annotations") or {}).get(_SEEN, "") for pod in pods}
    return {name: value for name, value in told.items() if value != mark}


def _write(client: Client, steps: Steps) -> None:
    """What is taken out is kept first and forgotten last: killed in between, the next run has all of it."""
    before, after = steps.kept
    if after.items() - before.items():
        client.apply(f"{_SECRETS}/{KEPT}", _secret(KEPT, {**before, **after}))
    for name, (there, wanted) in steps.lists.items():
        client.patch(f"{_SECRETS}/{name}", {"data": _change(there, wanted)})
    for name in steps.pods:
        client.patch(f"{_PODS}/{name}", {"metadata": {"annotations": {_SEEN: steps.mark or None}}})
    if not after and before:
        client.delete(f"{_SECRETS}/{KEPT}")
    elif before.keys() - after.keys():
        client.apply(f"{_SECRETS}/{KEPT}", _secret(KEPT, after))


def _change(before: Held, after: Held) -> dict[str, str | None]:
    """What is to be held, and None for what goes."""
    return {**dict.fromkeys(before), **after}


def _shown(name: str, before: Held, after: Held) -> Change:
    return Change(_secret(name, before) if before else None, _secret(name, _change(before, after)))


def _secret(name: str, data: Mapping[str, str | None]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"namespace": NAMESPACE, "name": name}
    if name == KEPT:
        metadata["labels"] = {"app.kubernetes.io/managed-by": FIELD_MANAGER}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": dict(data)}


def _pod(name: str, mark: str) -> dict[str, Any]:
    metadata = {"namespace": NAMESPACE, "name": name, "annotations": {_SEEN: mark}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
