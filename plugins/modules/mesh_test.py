#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_mesh_test.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_test
short_description: Try every way through a Cilium Cluster Mesh
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Puts a Pod into every cluster of the mesh, and has each of them ask all others. From Pod to Pod; by a global Service with
    the Pod behind it in one cluster, as KubeBlocks has them; by one with a Pod behind it in each; the names of both; a
    packet of full size that may not be fragmented; the round trip, and the throughput of one stream.
  - Pods and Services are gone afterwards. Where a run was killed, the clusters clear them away by themselves.
  - Fails where a way is not open, with every pair that is broken and why.
  - Clusters that are marked as unavailable are left out. IPv4.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._attributes
attributes:
  check_mode:
    support: partial
    details: Nothing is written and so nothing tested, as it takes Pods.
  idempotent:
    details: It leaves nothing behind, so it changes nothing.
options:
  operator_namespace:
    description: Namespace of the operator, where Pods and Services are put for a while, and where the records are.
    type: str
    default: kb-system
  image:
    description: Image of the Pods. It needs C(python3), 3.10 or newer, and nothing else.
    type: str
    default: docker.io/library/python:3.13-alpine
  pull_secrets:
    description: Secrets in that namespace with which the image is pulled.
    type: list
    elements: str
    default: []
  start_timeout:
    description: Seconds that a Pod may take to start.
    type: float
    default: 60.0
"""

EXAMPLES = r"""
- name: Try every way
  kubeblocks.multicluster.mesh_test:
    context: control
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
  run_once: true
"""

RETURN = r"""
whole:
  description: Whether every way is open.
  returned: always
  type: bool
results:
  description: Every question and its answer.
  returned: always
  type: list
  elements: dict
  contains:
    source: {description: Name of the cluster that asked., type: str, returned: always}
    target: {description: Name of the cluster that was asked., type: str, returned: always}
    check: {description: What was tried., type: str, returned: always}
    ok: {description: Whether it went well., type: bool, returned: always}
    value:
      description: Bytes, milliseconds, Mbit/s or the number of clusters.
      type: float
      returned: always
    why: {description: Why it did not., type: str, returned: always}
marked:
  description: Members of the mesh that are marked as unavailable.
  returned: always
  type: list
  elements: str
table:
  description: The results as a table for the eye.
  returned: always
  type: list
  elements: str
junit:
  description: The results as JUnit's XML. Empty in check mode.
  returned: always
  type: str
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_test import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
