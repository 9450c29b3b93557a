#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_mesh_plan.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_plan_info
short_description: Plan a Cilium Cluster Mesh over all clusters
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Looks at every cluster that is to be in the mesh, and holds what is wanted against what is there and against the
    other clusters.
  - Returns the complete values of Cilium's chart for each, with the sorted list of its peers, or fails with everything that
    has to be mended first. Nothing is written.
  - A cluster that is marked as unavailable is not asked. If it is dead it leaves the others' lists.
extends_documentation_fragment:
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.info
options:
  operator_namespace:
    description: Namespace of the operator, where the record of marks is kept.
    type: str
    default: kb-system
  certificates:
    description:
      - Who signs the certificates of the mesh APIs, with the mesh's CA.
      - V(certgen) is Cilium's own Job. V(managed) is the module M(kubeblocks.multicluster.mesh_certificates), for places
        without its image.
    type: str
    default: certgen
    choices: [certgen, managed]
  cache_ttl:
    description:
      - After which time backends of a cluster that is silent are forgotten. From Cilium 1.19 on.
      - With C(0s), Cilium's own default, about half of the requests to a global Service fail for as long as a cluster is
        dead.
    type: str
    default: 60s
  image_registry:
    description: Registry of Cilium's images.
    type: str
    default: quay.io
  image_digests:
    description: Whether images are pinned by the chart's digests besides their tags.
    type: bool
    default: true
  hubble:
    description: Whether Hubble runs. It needs O(certificates=certgen).
    type: bool
    default: true
  service_annotations:
    description: Annotations of the mesh API's Service, such as those of a cloud's load balancer.
    type: dict
    default: {}
  accept:
    description: Findings that are accepted, by their ids.
    type: list
    elements: str
    default: []
  request_timeout:
    description: Seconds that one request may take.
    type: float
    default: 5.0
  deadline:
    description: Seconds after which a context that has not answered counts as silent.
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Plan the mesh
  kubeblocks.multicluster.mesh_plan_info:
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
  register: mesh
  run_once: true
"""

RETURN = r"""
plan:
  description: Name of the inventory host to what is to be installed there.
  returned: success
  type: dict
  contains:
    cluster: {description: Name of the cluster in the mesh., type: str, returned: always}
    version: {description: Version of Cilium and of its chart., type: str, returned: always}
    values: {description: Complete values of the chart., type: dict, returned: always}
    server_names:
      description: Names that the mesh API's certificate carries beside the usual ones.
      type: list
      elements: str
      returned: always
    wait:
      description: Whether Helm may wait until all is up. Before 1.19 certgen is a hook that runs after that.
      type: bool
      returned: always
findings:
  description: What was found, as in the report of M(kubeblocks.multicluster.preflight_report).
  returned: always
  type: list
  elements: dict
marked:
  description: Contexts that are marked as unavailable.
  returned: always
  type: list
  elements: str
cut:
  description: Those of them that are dead, and are in nobody's list of peers.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_plan import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
