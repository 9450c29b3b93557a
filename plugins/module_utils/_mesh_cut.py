# Private to this collection.
"""Which clusters are cut off from the mesh's others: the dead ones among those that are marked, and nobody else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import uid_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import read_marks, standing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._record import read_record
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.verdict import DEAD
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import access


def cut_in(
    keeper: Client,
    namespace: str,
    places: Mapping[str, Mapping[str, Any]],
    timeout: float,
    supposed: Collection[str] = (),
) -> tuple[list[str], list[str]]:
    """Names of the inventory: whom nobody is to be sent to, and who was dead and is back, though still marked.

    Where only the API was silent the members still vote, and they need the network that leads to them. One that is back
    is the cluster that was marked: its members have to catch up before its mark can go. ``timeout``: seconds to answer;
    ``supposed``: contexts that count as marked and dead though nothing says so yet.
    """
    marks = read_marks(keeper, namespace)
    dead = {context for context in standing(marks) if marks[context].get("verdict") == DEAD} | set(supposed)
    wanted = {name: place for name, place in places.items() if place["context"] in dead}
    record = (read_record(keeper, namespace) or {}) if wanted else {}

    def known(name: str) -> Any:
        context = wanted[name]["context"]
        return (marks.get(context, {}).get("identity") or record.get(context) or {}).get("uid")

    def ask(name: str) -> str:
        return uid_of(Client(access(dict(wanted[name]), timeout)))

    uids, _problems = ask_all(wanted, ask, 2 * timeout)
    back = [name for name, uid in uids.items() if uid == known(name)]
    return [name for name in wanted if name not in back], back
