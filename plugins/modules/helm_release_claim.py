#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_release.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: helm_release_claim
short_description: Let one run at a time work on Helm releases
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Takes a Lease in the control plane and notes the releases that this run is about to work on.
  - A release that is C(pending-*) because such a run was killed is cleared. One that somebody else left is refused.
  - A release that is C(failed) is cleared whoever left it, since kubernetes.core takes it for done when its values are
    equal. Only Helm's record of that revision goes; the objects stay, and Helm goes on from them.
  - A Lease whose run is known to be dead on this host is free at once; otherwise it runs out by itself.
  - The Lease itself is not counted as a change.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.writes
options:
  namespace:
    description: Namespace of the releases and of the Lease. It has to exist.
    type: str
    default: kb-system
  releases:
    description: Names of the Helm releases.
    type: list
    elements: str
    default: []
  run_id:
    description:
      - Which run this is, as C(host/boot/process/start).
      - Without it, the ansible-playbook above this task. On its way to another host, the task is given it by itself.
    type: str
    default: ""
  state:
    description: Whether to take the Lease or to give it back.
    type: str
    default: claimed
    choices: [claimed, released]
"""

EXAMPLES = r"""
- name: Claim the releases before Helm is called
  kubeblocks.multicluster.helm_release_claim:
    context: control
    releases: [kubeblocks, kb-addon-etcd]
  register: claim
"""

RETURN = r"""
cleared:
  description: Releases of an interrupted run that were cleared.
  returned: when O(state=claimed)
  type: list
  elements: str
releases:
  description: "The releases that exist, by name: C(status), C(revision)."
  returned: success
  type: dict
marked_contexts:
  description: Contexts that are to stay marked as unavailable, as recorded or as the operator was told.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._release import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
