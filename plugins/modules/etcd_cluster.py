#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_cluster.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_cluster
short_description: Spread one etcd over several clusters
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Keeps the KubeBlocks Cluster of an etcd whose members lie in the contexts of O(placement), in that order.
  - Waits until the operator says that the definition is Available, because it would pass the Cluster over and not come back to it.
  - Refuses to change the placement or the number of members of an etcd that exists, as neither makes members across clusters.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.writes
options:
  namespace:
    description: Namespace of the Cluster. It has to exist in every context.
    type: str
    required: true
  name:
    description: Name of the Cluster.
    type: str
    required: true
  placement:
    description:
      - Contexts of the members. Member N goes to entry N modulo their number.
      - Empty for what the Cluster has, so that a new data plane moves nobody; for a new Cluster, all of O(data_planes).
    type: list
    elements: str
    default: []
  data_planes:
    description: All data planes, in the inventory's order.
    type: list
    elements: str
    default: []
  replicas:
    description: Number of members.
    type: int
    default: 3
  version:
    description: Version of etcd. Empty for the definition's own.
    type: str
    default: ""
  definition:
    description: Name of the ComponentDefinition, or how it begins.
    type: str
    default: etcd-3
  storage:
    description: Size of a member's volume.
    type: str
    default: 1Gi
  storage_class:
    description: StorageClass of the volumes. Empty for each cluster's default one.
    type: str
    default: ""
  resources:
    description: Requests and limits of a member, as in a Pod.
    type: dict
    default: {}
  termination_policy:
    description: What the operator does to the volumes when the Cluster is deleted.
    type: str
    default: Delete
    choices: [DoNotTerminate, Delete, WipeOut]
  peer_exposure:
    description:
      - How the members reach each other across clusters.
      - V(mesh) for Services that a mesh spreads over the clusters, V(load_balancer) for a load balancer of its own for each
        member. What a Cluster has is never changed.
    type: str
    default: mesh
    choices: [mesh, load_balancer]
  peer_clouds:
    description:
      - Clouds whose annotations the load balancers carry. Several for a mix, as each cloud passes over the others' keys.
      - None where the cluster's own implementation needs none, such as MetalLB.
    type: list
    elements: str
    default: []
    choices: [ack, vke, aws, gke, aks]
  peer_scope:
    description: Whether the load balancers have internal addresses or those of the internet.
    type: str
    default: internal
    choices: [internal, internet]
  peer_annotations:
    description:
      - Annotations of the members' peer Services, beside those of O(peer_clouds).
      - Without any, peers of a mesh get C(service.cilium.io/global).
    type: dict
  accept:
    description: Findings that are accepted by name, such as V(exposure.plain_internet).
    type: list
    elements: str
    default: []
  wait_timeout:
    description: Seconds to wait for the definition.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Spread etcd over three clusters
  kubeblocks.multicluster.etcd_cluster:
    context: control
    namespace: etcd
    name: etcd
    placement: [k8s-1, k8s-2, k8s-3]
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
    namespace: {description: 'Namespace, empty for cluster-wide objects.', type: str, returned: always}
    name: {description: Name., type: str, returned: always}
    method: {description: 'What was done (V(create) or V(apply)).', type: str, returned: always}
    changed: {description: Whether it was written., type: bool, returned: always}
cluster:
  description: Namespace and name of the Cluster.
  returned: success
  type: dict
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._cluster import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
