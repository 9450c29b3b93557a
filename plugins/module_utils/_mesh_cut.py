# Private to this collection.
"""Which clusters are cut off from the mesh's others: the dead ones among those that are marked, and nobody else."""

from __future__ import annotations

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import read_marks, standing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.verdict import DEAD


def cut_in(client: Client, namespace: str) -> list[str]:
    """Contexts whose backends nobody is to be sent to, as the control plane's record of marks says.

    Where only the API is silent the members still vote, and they need the network that leads to them.
    """
    marks = read_marks(client, namespace)
    return [context for context in standing(marks) if marks[context].get("verdict") == DEAD]
