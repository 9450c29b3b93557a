# Private to this collection. Keep in step with CONTEXTS_SPEC in plugins/module_utils/_runner.py.
"""The option of the modules that speak to several contexts at once."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  contexts:
    description:
      - The contexts, in the order of the inventory.
      - The filter P(kubeblocks.multicluster.contexts#filter) makes this list from the inventory.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the inventory host.
        type: str
        required: true
      context:
        description: Name of the context in the kubeconfig.
        type: str
        required: true
      kubeconfig:
        description: Path of the kubeconfig file. Without it, E(KUBECONFIG) or C(~/.kube/config) is used.
        type: path
      plane:
        description: Whether this is the control plane or a data plane.
        type: str
        required: true
        choices: [control, data]
      server:
        description: Address of the API server as the control plane sees it, where it differs from the kubeconfig's.
        type: str
      failure_domain:
        description: What this context shares its fate with, where that is coarser than the context.
        type: str
      pools:
        description: Ranges of addresses that load balancers of this context are given.
        type: list
        elements: str
        default: []
      clients:
        description: How clients are to reach the members in this context.
        type: dict
        default: {}
        suboptions:
          exposure:
            description: How clients come in.
            type: str
            default: none
            choices: [none, node_port, load_balancer, mesh]
          clouds:
            description: Clouds whose annotations a load balancer carries.
            type: list
            elements: str
            default: []
            choices: [ack, vke, aws, gke, aks]
          scope:
            description: Whether load balancers have internal addresses or those of the internet.
            type: str
            default: internal
            choices: [internal, internet]
          annotations:
            description: Annotations of load balancers beside those of the clouds.
            type: dict
            default: {}
      may_be_control_plane:
        description: Whether this data plane may be the control plane's own cluster.
        type: bool
        default: false
requirements:
  - kubernetes >= 24.2.0 (Python package)
"""
