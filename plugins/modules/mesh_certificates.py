#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_mesh_certificates.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_certificates
short_description: Give a cluster the mesh's CA, and its certificates
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - The CA of the mesh is the Secret C(cilium-ca) of the control plane. If there is none, one that a cluster of the mesh has
    already becomes it; if no cluster has one, it is made, for ten years.
  - The cluster gets the same Secret. If it has another CA, the module fails and writes nothing.
  - With O(managed), the four certificates of its mesh API are signed, and again if another CA signed them, if they are good
    for other names, or before they end.
  - Keys go from Secret to Secret. None is in an option, a result, a diff or a file.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.writes
requirements:
  - cryptography (Python package)
options:
  namespace:
    description: Namespace of Cilium, in every cluster.
    type: str
    default: kube-system
  control_plane_uid:
    description: The UID of the control plane, as M(kubeblocks.multicluster.context_identity) returned it.
    type: str
    required: true
  cluster:
    description: Name of the cluster in the mesh.
    type: str
    required: true
  managed:
    description: Whether to sign the certificates of the mesh API. Without it, Cilium's own Job does.
    type: bool
    default: false
  server_names:
    description: Names, beside the usual ones, at which others reach the mesh API.
    type: list
    elements: str
    default: []
  days:
    description: How long certificates live.
    type: int
    default: 1095
  renew_days:
    description: How many days before their end they are made anew.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Give the cluster the mesh's CA
  kubeblocks.multicluster.mesh_certificates:
    context: k8s-1
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
    control_plane_uid: "{{ who.identity.control_plane_uid }}"
    cluster: k8s-1
"""

RETURN = r"""
fingerprint:
  description: SHA-256 of the CA's certificate. Empty in check mode if there is none yet.
  returned: success
  type: str
renewed:
  description: Secrets of certificates that were signed, and why.
  returned: success
  type: dict
results:
  description: What was written, or would be.
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._mesh_certificates import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
