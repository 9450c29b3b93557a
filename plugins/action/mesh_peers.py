"""In-process body of the module mesh_peers."""

from __future__ import annotations

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_peers import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.plugin_utils._action import InProcess


class ActionModule(InProcess):
    SPEC = SPEC
    RUN = run
