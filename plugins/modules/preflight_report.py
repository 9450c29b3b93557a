#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_preflight.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_report
short_description: Find what would go wrong before anything is written
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Asks all contexts at once, writing nothing but short-lived Pods, and reports every finding instead of the first.
  - A finding has an id, a context, a severity (V(fail), V(warn), V(info)), what was seen, why it matters and what to do.
  - Fails on every finding of severity V(fail) that was not accepted by its id.
extends_documentation_fragment:
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.info
options:
  operator_namespace:
    description: Namespace of the operator.
    type: str
    default: kb-system
  databases:
    description: The databases that are to be made or kept.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Namespace of the Cluster.
        type: str
        required: true
      name:
        description: Name of the Cluster.
        type: str
        required: true
  operator_release:
    description: Helm release of the operator, which is its Deployment's name too.
    type: str
    default: kubeblocks
  secret:
    description: Name of the Secret with the operator's kubeconfig and tokens.
    type: str
    default: kubeblocks-contexts
  kubeblocks_version:
    description: Version of KubeBlocks that is to run.
    type: str
    default: 1.0.2
  experimental:
    description: Whether a version of KubeBlocks that was not run with this collection is let through.
    type: bool
    default: false
  operator_values:
    description: The user's own values for the operator's chart.
    type: dict
    default: {}
  manage_access:
    description: Whether the roles make the operator's identity on the data planes, and so have to hold its rights.
    type: bool
    default: true
  service_account:
    description: Name of the operator's ServiceAccount on the data planes. With O(manage_access=false) it is asked, with a
      token of ten minutes that is kept nowhere, whether it has every right that the operator needs.
    type: str
    default: kubeblocks-operator
  placement:
    description: Contexts of the members, in order.
    type: list
    elements: str
    default: []
  replicas:
    description: Number of members.
    type: int
    default: 3
  storage_class:
    description: StorageClass of the members' volumes. Empty for each cluster's default one.
    type: str
    default: ""
  helm_binary:
    description: Name or path of helm on this host.
    type: str
    default: helm
  charts:
    description: Charts that helm has to find and render. Who may not do everything on the control plane is asked for each
      right that their objects need.
    type: list
    elements: dict
    default: []
    suboptions:
      ref:
        description: Name in the repository, address or folder of the chart.
        type: str
        required: true
      version:
        description: Version of the chart.
        type: str
      repo:
        description: Address of the chart's repository.
        type: str
      release:
        description: Name of the release.
        type: str
      plane:
        description: Whether the chart goes into the control plane or into data planes with load balancers of ours.
        type: str
        default: control
        choices: [control, data]
      values:
        description: Values that differ from the chart's own, as far as they change which objects there are.
        type: dict
        default: {}
  peer_exposure:
    description: How the members are to reach each other.
    type: str
    default: mesh
    choices: [mesh, load_balancer]
  peer_clouds:
    description: Clouds whose annotations the members' load balancers carry.
    type: list
    elements: str
    default: []
    choices: [ack, vke, aws, gke, aks]
  peer_scope:
    description: Whether the members' load balancers have internal addresses or those of the internet.
    type: str
    default: internal
    choices: [internal, internet]
  peer_annotations:
    description: Annotations of the members' load balancers beside those of the clouds.
    type: dict
    default: {}
  load_balancer_namespace:
    description: Namespace of MetalLB in the data planes.
    type: str
    default: metallb-system
  load_balancer_class:
    description: Class of Services that MetalLB is to answer. Empty for all that name no class.
    type: str
    default: ""
  mesh_certificates:
    description: Who signs the certificates of a mesh, where the inventory has one.
    type: str
    default: certgen
    choices: [certgen, managed]
  accept:
    description:
      - Ids of findings that do not stop the run.
      - Some can't be accepted, such as V(identity.duplicate).
    type: list
    elements: str
    default: []
  in_cluster:
    description:
      - Whether to ask from inside the clusters as well. A Pod of the control plane tries the way to every data plane; a
        Pod of each data plane measures the round trip to the API servers of the others.
      - A member that runs on a data plane is asked in place of a Pod. Every Pod has a deadline, belongs to a Job that
        the cluster clears away, and is removed at the end.
      - In check mode no Pod is made. A cluster without a member to ask is then V(not_asked).
      - V(when_changed) asks only if the kubeconfig that the operator has would change.
      - Nobody is asked where a finding says that a context leads to another cluster than it did.
    type: str
    choices: [always, when_changed, never]
    default: never
  probe_image:
    description: Image of the control plane's Pod. It has to have C(sh) and C(kubectl).
    type: str
    default: ""
  round_trip_image:
    description: Image of the data planes' Pods. It has to have C(bash), 5 or newer.
    type: str
    default: ""
  request_timeout:
    description: Seconds that one request may take.
    type: float
    default: 5.0
  deadline:
    description: Seconds for all contexts together.
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Find what would go wrong
  kubeblocks.multicluster.preflight_report:
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
    placement: [k8s-1, k8s-2, k8s-3]
"""

RETURN = r"""
preflight_report:
  description:
    - "For a machine: C(verdict), C(findings), C(contexts) with what each answered, and C(vantages): for each context that
      was asked from inside, how it was C(asked) (V(probe), V(member), V(silent) or V(not_asked)), and what came of it."
    - "C(reached) holds what went wrong on the way from the control plane to each data plane, empty if nothing did;
      C(round_trips) the milliseconds of each try; C(why) the reason where there is neither."
  returned: always
  type: dict
table:
  description: For the eye, line by line.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._preflight import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
