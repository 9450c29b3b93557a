#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_crds.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: crd_bundle
short_description: Keep the CRDs of KubeBlocks
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Applies every CRD of a file or address by server-side apply.
  - What was applied is recorded in a ConfigMap with each CRD's generation.
  - A second run thus asks two questions and changes nothing, and what somebody changed in a CRD is put right.
  - CRDs that the file no longer holds are left alone.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.writes
options:
  source:
    description: File, or address that begins with C(https://), of the CRDs as KubeBlocks' releases have them.
    type: str
    required: true
  namespace:
    description: Namespace of the record. It has to exist.
    type: str
    default: kb-system
"""

EXAMPLES = r"""
- name: Keep the CRDs
  kubeblocks.multicluster.crd_bundle:
    context: control
    source: https://github.com/apecloud/kubeblocks/releases/download/v1.0.2/kubeblocks_crds.yaml
"""

RETURN = r"""
results:
  description: The objects, in order.
  returned: success
  type: list
  elements: dict
  contains:
    api_version: {description: API version., type: str, returned: always}
    kind: {description: Kind., type: str, returned: always}
    namespace: {description: 'Namespace, empty for cluster-wide objects.', type: str, returned: always}
    name: {description: Name., type: str, returned: always}
    method: {description: 'What was done (V(create), V(apply) or V(none)).', type: str, returned: always}
    changed: {description: Whether it was written., type: bool, returned: always}
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._crds import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
