#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_credentials.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: operator_kubeconfig
short_description: Keep the operator's credentials for the data planes
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - One Secret in the control plane holds a kubeconfig with a context for each data plane, and a token for each beside it.
  - Tokens are minted by TokenRequest. One with less than a third of its life left is minted anew, the others stay byte for byte.
  - The operator reads a changed token within a minute and needs no restart; a changed kubeconfig needs one, and its hash is returned for that.
  - All contexts are asked before anything is written.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.writes
options:
  namespace:
    description: Namespace of the Secret, which is the operator's. It has to exist.
    type: str
    default: kb-system
  name:
    description: Name of the Secret.
    type: str
    default: kubeblocks-contexts
  service_account:
    description: Name of the operator's ServiceAccount on the data planes.
    type: str
    default: kubeblocks-operator
  service_account_namespace:
    description: Namespace of that ServiceAccount.
    type: str
    default: kb-system
  token_seconds:
    description: Life of a new token in seconds. The API server may grant less.
    type: int
    default: 31536000
"""

EXAMPLES = r"""
- name: Keep the operator's credentials
  kubeblocks.multicluster.operator_kubeconfig:
    context: control
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
  register: credentials
"""

RETURN = r"""
secret:
  description: Name of the Secret.
  returned: success
  type: str
kubeconfig_hash:
  description: SHA-256 of the kubeconfig without the tokens.
  returned: success
  type: str
tokens:
  description: "One entry for each data plane: C(context), C(renewed), C(why), C(expires), C(granted_seconds), C(server)."
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._credentials import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
