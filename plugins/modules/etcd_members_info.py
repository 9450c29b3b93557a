#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_etcd.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_members_info
short_description: Ask the members of an etcd how they are
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Asks each member, through the API of the cluster that it runs in, for its status, a linearizable read, the member list.
  - KubeBlocks' own status says C(Running) long after a cluster is lost, and C(Failed) while all is well; etcd itself does not.
  - With O(wait) it asks until the members are one etcd, and shows each change of the picture.
extends_documentation_fragment:
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._members
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.info
options:
  wait:
    description: Whether to ask until nothing is missing. A check mode run asks once.
    type: bool
    default: false
  wait_timeout:
    description: Seconds after which to stop waiting. The answer then still says what is missing.
    type: int
    default: 300
  wait_phase:
    description:
      - Whether to wait for KubeBlocks' own word too, which needs the control plane among O(contexts).
      - It comes up to a minute after the members are one etcd, and says V(Failed) for a while when all is well.
    type: bool
    default: false
  wait_sleep:
    description: Seconds between two looks.
    type: float
    default: 2.0
  operator_namespace:
    description: Namespace of the operator, where it is recorded which contexts are marked as unavailable.
    type: str
    default: kb-system
  request_timeout:
    description: Seconds that one request may take.
    type: float
    default: 10.0
"""

EXAMPLES = r"""
- name: Wait until three members are one etcd
  kubeblocks.multicluster.etcd_members_info:
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
    namespace: etcd
    name: etcd
    wait: true
  register: etcd
  failed_when: not etcd.healthy
"""

RETURN = r"""
etcd_members:
  description:
    - "One entry for each Pod: C(context), C(pod), C(phase), C(address), C(node_address), C(cluster_id), C(member_id), C(leader_id),
      C(version), C(linearizable), C(members), C(error)."
    - The member list is read through the leader only, and empty in the other entries.
  returned: success
  type: list
  elements: dict
problems:
  description: What stands between the members and one etcd, in words.
  returned: success
  type: list
  elements: str
phase:
  description: What KubeBlocks says of the Cluster. Empty if the control plane is not among O(contexts).
  returned: success
  type: str
away:
  description: Members in contexts that are marked as unavailable. They are not looked for.
  returned: success
  type: list
  elements: str
healthy:
  description: Whether every other member answers a linearizable read, with one cluster ID and one leader.
  returned: success
  type: bool
waited:
  description: Seconds that the looking took.
  returned: success
  type: float
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._etcd import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
