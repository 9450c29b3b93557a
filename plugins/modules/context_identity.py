#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_identity.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: context_identity
short_description: Say which cluster a context leads to
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Reads the UID of the namespace C(kube-system), which is a cluster's identity whatever its name or address.
  - Every block of tasks that writes stands behind this task, and uses the kubeconfig and context that it returned.
  - Fails if the UID is not the expected one, and, with O(contexts), if the record that the control plane keeps has another
    cluster under this name, or if a data plane belongs to another control plane.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.info
options:
  expected_uid:
    description: The UID that this context had before. Empty to accept any.
    type: str
    default: ""
  contexts:
    description:
      - All contexts, so that the record of the control plane can be asked. Empty to compare with nothing.
      - The filter P(kubeblocks.multicluster.contexts#filter) makes this list from the inventory.
    required: false
    default: []
  operator_namespace:
    description: Namespace of the operator, where the record is kept.
    type: str
    default: kb-system
"""

EXAMPLES = r"""
- name: Know the cluster before anything is written
  kubeblocks.multicluster.context_identity:
    context: k8s-1
  register: who
"""

RETURN = r"""
identity:
  description: Who the context leads to.
  returned: success
  type: dict
  contains:
    context: {description: Name of the context., type: str, returned: always}
    kubeconfig: {description: Path of the kubeconfig., type: str, returned: always}
    uid: {description: UID of the namespace kube-system., type: str, returned: always}
    server: {description: Address of the API server., type: str, returned: always}
    ca_hash: {description: SHA-256 of the CA certificate., type: str, returned: always}
    control_plane_uid:
      description: UID of the control plane, empty without O(contexts).
      type: str
      returned: always
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._identity import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
