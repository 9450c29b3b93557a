#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_status.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: status_report
short_description: Show what is true in all clusters
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - One look at every context at once. A context that does not answer is a row that says so, and holds up nobody.
  - The members' rows come from etcd itself, the operator's view beside them from KubeBlocks.
extends_documentation_fragment:
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._members
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.info
options:
  operator_namespace:
    description: Namespace of the operator.
    type: str
    default: kb-system
  operator_release:
    description: Name of the operator's Helm release.
    type: str
    default: kubeblocks
  request_timeout:
    description: Seconds that one request may take.
    type: float
    default: 5.0
"""

EXAMPLES = r"""
- name: Look at all clusters
  kubeblocks.multicluster.status_report:
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
    namespace: etcd
    name: etcd
  register: status
"""

RETURN = r"""
status_report:
  description: "For a machine: C(contexts) by name, and C(problems) in words."
  returned: success
  type: dict
table:
  description: For the eye, line by line.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._status import SPEC, run


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
