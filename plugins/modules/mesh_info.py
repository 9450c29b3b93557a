#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_mesh_info.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_info
short_description: Say what is true of a Cilium Cluster Mesh
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - For every ordered pair of clusters, whether the one is connected to the other, and has taken over what it offers.
  - An agent's own C(ready) speaks of the kvstoremesh of its own cluster, and stays when the peer is dead. So kvstoremesh is
    asked too, the agents' lists of nodes and tunnels are held against the peer's nodes, and a node that was never probed
    counts as one that was not reached.
  - Where a pair is broken, the reason is said in words, kvstoremesh's own diagnosis among them.
  - Clusters that are marked as unavailable are left out.
extends_documentation_fragment:
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.info
options:
  operator_namespace:
    description: Namespace of the operator, where the record of marks is kept.
    type: str
    default: kb-system
  namespace:
    description: Namespace of Cilium.
    type: str
    default: kube-system
  wait:
    description: Whether to wait until every pair is whole. What is missing is shown as it changes.
    type: bool
    default: false
  wait_for_probes:
    description: Whether to wait, too, until every node was probed once, which takes Cilium a minute or two.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 300
  wait_sleep:
    description: Seconds between two looks; as many as a look takes, where these are more.
    type: float
    default: 2.0
  request_timeout:
    description: Seconds that one request may take.
    type: float
    default: 10.0
  deadline:
    description: Seconds after which a cluster that has not answered counts as silent.
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Wait until all clusters are joined
  kubeblocks.multicluster.mesh_info:
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
    wait: true
  run_once: true
"""

RETURN = r"""
whole:
  description: Whether nothing speaks against any pair.
  returned: always
  type: bool
pairs:
  description: Every ordered pair of clusters.
  returned: always
  type: list
  elements: dict
  contains:
    source: {description: Who was asked., type: str, returned: always}
    target: {description: About whom., type: str, returned: always}
    whole: {description: Whether nothing speaks against this pair., type: bool, returned: always}
    connected: {description: Whether all agents and kvstoremesh say that they are connected., type: bool, returned: always}
    synced: {description: Whether all of them have taken over what the peer offers., type: bool, returned: always}
    agents_say: {description: What the agents alone say, type: bool, returned: always}
    nodes: {description: How many of the peer's nodes are known., type: int, returned: always}
    services: {description: How many of its global Services are known., type: int, returned: always}
    last_contact: {description: Seconds since a probe of the peer's nodes went well., type: float, returned: always}
    why: {description: What speaks against the pair., type: list, elements: str, returned: always}
    unprobed: {description: Nodes that nobody tried to reach yet., type: list, elements: str, returned: always}
clusters:
  description: Name of the inventory host to what its cluster showed, such as days left of its certificates.
  returned: always
  type: dict
marked:
  description: Members of the mesh that are marked as unavailable.
  returned: always
  type: list
  elements: str
table:
  description: The pairs as a matrix for the eye.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_info import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
