#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_drift.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: object_drift_info
short_description: Say which objects differ from what is wanted
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Compares definitions with the objects that are there. Fields that a definition does not speak of may be anything.
  - Whoever writes them afterwards has only these to write, and nothing on a second run.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.info
options:
  definitions:
    description:
      - The objects as they are wanted. Known are Namespace, Secret, ConfigMap, Service, ServiceAccount, ClusterRole,
        ClusterRoleBinding, CustomResourceDefinition, Lease and KubeBlocks' Cluster.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Look for drift
  kubeblocks.multicluster.object_drift_info:
    context: k8s-1
    definitions:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: etcd
  register: drift
"""

RETURN = r"""
drifted:
  description: The definitions whose object is missing or different.
  returned: success
  type: list
  elements: dict
askable:
  description: Those of them that the server can be asked about in check mode, because their namespace exists.
  returned: success
  type: list
  elements: dict
differences:
  description: A sentence for each.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._drift import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
