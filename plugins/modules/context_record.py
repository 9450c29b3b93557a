#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_record.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: context_record
short_description: Record which cluster stands behind each context
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Keeps UID, address and CA hash of every context in a ConfigMap of the control plane, so that later runs can tell a
    cluster from another one that took its name.
  - A context that does not answer keeps its entry; one that was never recorded has to answer.
  - Fails, and records nothing, where a context leads to another cluster than it did.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.writes
options:
  namespace:
    description: Namespace of the record.
    type: str
    default: kb-system
  expected_uids:
    description: UID that each context, by the host's name, has to have. Empty where any will do.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Record the contexts
  kubeblocks.multicluster.context_record:
    context: control
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
"""

RETURN = r"""
contexts:
  description: The record, by context, each with C(uid), C(server) and C(ca_hash).
  returned: success
  type: dict
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._record import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
