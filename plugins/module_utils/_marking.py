# Private to this collection.
"""The one module that marks contexts as unavailable and takes their marks away."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mark import mark
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._scene import MARKED, SPEC
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._unmark import unmark

__all__ = ["SPEC", "run"]


def run(call: Call) -> dict[str, Any]:
    """Bring the marks to what is asked for."""
    return mark(call) if call.params["state"] == MARKED else unmark(call)
