#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_placement.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: placement_info
short_description: Say what a placement of members survives
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - KubeBlocks puts the member with ordinal C(n) into context C(n modulo the number of contexts). This computes where each
    member lives, what the loss of each failure domain leaves, and the smallest change that makes an unsafe request safe.
  - Asks no cluster.
extends_documentation_fragment:
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.info
options:
  placement:
    description: Contexts of the members, in order.
    type: list
    elements: str
    required: true
  data_planes:
    description: All contexts that members could live in. Empty for those of O(placement).
    type: list
    elements: str
    default: []
  replicas:
    description: Number of members, from 1 to 9.
    type: int
    default: 3
  failure_domains:
    description: Failure domain of a context, where it shares one with others.
    type: dict
    default: {}
  require_safe:
    description: Whether to fail if the loss of one failure domain would stop all writes.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: See what five members over three contexts survive
  kubeblocks.multicluster.placement_info:
    placement: [k8s-1, k8s-2, k8s-3]
    replicas: 5
"""

RETURN = r"""
placement:
  description:
    - "C(members) with C(ordinal), C(context) and C(domain); C(quorum) and C(tolerated), as numbers of members."
    - "C(losses), the worst first, each with C(domain), C(contexts), how many members are C(lost) and C(left), how many of
      those are to C(spare) above the quorum, and whether the rest C(survives)."
    - "C(safe), and C(spare) after the worst loss."
  returned: success, and on failure if O(require_safe)
  type: dict
sentence:
  description: The same in one sentence.
  returned: success, and on failure if O(require_safe)
  type: str
  sample: 3 members over 3 failure domains, 1/1/1, any one may be lost, with 0 to spare after it
changes:
  description: The smallest changes that make it safe, each with C(replicas) and further C(contexts). Empty if it is safe.
  returned: success, and on failure if O(require_safe)
  type: list
  elements: dict
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._placement import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
