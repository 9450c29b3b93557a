# Private to this collection. Keep in step with AUTH_SPEC in plugins/module_utils/_runner.py.
"""Options that say which context is meant."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of the kubeconfig file.
      - Without it, E(KUBECONFIG) or C(~/.kube/config) is used.
    type: path
  context:
    description: Name of the context in the kubeconfig.
    type: str
    required: true
  request_timeout:
    description: Seconds that one request may take.
    type: float
    default: 10.0
requirements:
  - kubernetes >= 24.2.0 (Python package)
"""
