#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_pod_role.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_role_replica
short_description: Copy the role of database Pods to a data plane
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - The operator binds the Pods of a database to a ClusterRole that only its chart makes, in the control plane.
  - Copies the resolved rules, without the aggregation rule and the labels of Helm that would empty the copy or hand it to Helm.
  - Says in words what differed.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.writes
options:
  source_context:
    description: Context of the control plane.
    type: str
    required: true
  source_kubeconfig:
    description: Path of the kubeconfig of the control plane. Without it, E(KUBECONFIG) or C(~/.kube/config) is used.
    type: path
  name:
    description: Name of the ClusterRole.
    type: str
    default: kubeblocks-cluster-pod-role
"""

EXAMPLES = r"""
- name: Keep the role of database Pods equal
  kubeblocks.multicluster.cluster_role_replica:
    context: k8s-1
    source_context: control
"""

RETURN = r"""
differences:
  description: What separated the data plane's role from the control plane's, in words.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._pod_role import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
