#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_services.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: member_services
short_description: Open an etcd's members in one context to clients
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Keeps one Service on port 2379 for each member that lives in this context, and one for any member, as O(exposure) asks.
    They carry none of KubeBlocks' labels, because its variables count every Service that does.
  - Keeps port 2379 on the members' own peer Services in this context, so that the client URLs which the members advertise
    are true. On addresses of the internet only where O(accept) says so.
  - Which members live here is read from the Cluster in the control plane, so a Pod that is away for a moment keeps its
    Service and its address. Services of members that moved, or of an etcd that is gone, are taken away.
  - Waits until every load balancer has an address, and says what is missing and why.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.writes
options:
  namespace:
    description: Namespace of the Cluster.
    type: str
    required: true
  name:
    description: Name of the Cluster.
    type: str
    required: true
  component:
    description: Name of the component that holds the members.
    type: str
    default: etcd
  exposure:
    description:
      - How clients come in. V(none) for no Service of ours, V(node_port) for a port of every node, V(load_balancer) for a
        load balancer for each member, V(mesh) for Services that a mesh spreads over the clusters.
    type: str
    default: none
    choices: [none, node_port, load_balancer, mesh]
  clouds:
    description:
      - Clouds whose annotations a load balancer carries. None where the cluster's own implementation needs none, such as
        MetalLB.
    type: list
    elements: str
    default: []
    choices: [ack, vke, aws, gke, aks]
  scope:
    description: Whether load balancers have internal addresses or those of the internet.
    type: str
    default: internal
    choices: [internal, internet]
  annotations:
    description: Annotations of load balancers beside those of O(clouds).
    type: dict
    default: {}
  load_balancer_class:
    description: Class of the implementation that is to answer. Empty for the cluster's default one.
    type: str
    default: ""
  peer_scope:
    description: Whether load balancers of peers have internal addresses or those of the internet.
    type: str
    default: internal
    choices: [internal, internet]
  accept:
    description:
      - Findings that are accepted by name, such as V(exposure.plain_internet) and V(exposure.client_port_internet).
    type: list
    elements: str
    default: []
  wait:
    description: Whether to wait for addresses of load balancers.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait for them.
    type: int
    default: 120
  wait_sleep:
    description: Seconds between two looks.
    type: float
    default: 1.0
"""

EXAMPLES = r"""
- name: Open the members in this context through load balancers
  kubeblocks.multicluster.member_services:
    context: k8s-1
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
    namespace: etcd
    name: etcd
    exposure: load_balancer
"""

RETURN = r"""
results:
  description: What was written; empty if nothing had to be.
  returned: success
  type: list
  elements: dict
  contains:
    api_version: {description: API version., type: str, returned: always}
    kind: {description: Kind., type: str, returned: always}
    namespace: {description: Namespace., type: str, returned: always}
    name: {description: Name., type: str, returned: always}
    method: {description: 'What was done (V(create), V(apply) or V(delete)).', type: str, returned: always}
    changed: {description: Whether it was written., type: bool, returned: always}
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._services import SPEC, run


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
