#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_mesh_peers.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_peers
short_description: Cut dead clusters off from a Cilium Cluster Mesh, and join those that are back
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - A cluster that is marked as dead leaves the lists of peers of all others, and its backends leave their global Services
    with it, without waiting for C(clustermesh.cacheTTL). Nothing is asked of the dead side.
  - Entries that are taken out are kept in the Secret C(kubeblocks-multicluster-peers) beside the lists. They come back as
    soon as the same cluster answers again, though it is still marked, since its members have to catch up before that.
  - Without a mark nothing is cut, nor where it was marked for another reason, such as an API server that is silent alone.
  - Clusters whose Cilium is not managed here are named in a warning, and not written to.
  - No chart is needed. The next run of the role cluster_mesh finds the lists as it wants them.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.writes
options:
  state:
    description:
      - With V(cut), the dead leave the lists, and those that are back come back.
      - With V(joined), those that are back come back, and nobody leaves a list who is in it.
    type: str
    default: cut
    choices: [cut, joined]
  operator_namespace:
    description: Namespace of the operator, where the records of contexts and marks are kept.
    type: str
    default: kb-system
  supposed_dead:
    description: Contexts that would be marked as dead before this, for check mode, in which nothing marks them. Ignored
      otherwise, as the record of marks is what counts.
    type: list
    elements: str
    default: []
  deadline:
    description: Seconds after which a cluster that has not answered counts as silent.
    type: float
    default: 20.0
"""

EXAMPLES = r"""
- name: Cut off what is marked as dead, and join what is back
  kubeblocks.multicluster.mesh_peers:
    context: control
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
  run_once: true
"""

RETURN = r"""
cut:
  description: Members of the mesh that are cut off.
  returned: success
  type: list
  elements: str
back:
  description: Members that are marked as dead, and answer again.
  returned: success
  type: list
  elements: str
behind:
  description: Members whose release of Cilium was made without one that is back. The role cluster_mesh has to run there
    before they are joined.
  returned: success
  type: list
  elements: str
results:
  description: What was written, or would be.
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_peers import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
