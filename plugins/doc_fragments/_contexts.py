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
      mesh:
        description:
          - What the cluster is to be in a Cilium Cluster Mesh, as the variables C(cluster_mesh_*) of the host say.
          - What is not named is as the role P(kubeblocks.multicluster.cluster_mesh#role) has it.
        type: dict
        suboptions:
          id:
            description: Number of the cluster in the mesh. 0 for a cluster that is in none.
            type: int
            required: true
          name:
            description: Name of the cluster in the mesh.
            type: str
          pod_cidrs:
            description: Networks that Pods get their addresses from.
            type: list
            elements: str
          mask_size:
            description: Prefix length of each node's part of them.
            type: int
          version:
            description: Version of Cilium.
            type: str
          max_clusters:
            description: How many clusters the mesh can have.
            type: int
          routing_mode:
            description: Whether packets between nodes are tunnelled or routed as they are.
            type: str
            choices: [tunnel, native]
          tunnel_protocol:
            description: How they are tunnelled.
            type: str
            choices: [vxlan, geneve]
          tunnel_port:
            description: Port of the tunnels. 0 for the protocol's own.
            type: int
          native_cidr:
            description: Network within which packets are routed as they are.
            type: str
          kube_proxy_replacement:
            description: Whether Cilium does what kube-proxy does elsewhere.
            type: bool
          api_server:
            description: Address of the API server as the nodes reach it, host:port, before any Service works.
            type: str
          service_type:
            description: How the others reach the mesh API of this cluster.
            type: str
            choices: [NodePort, LoadBalancer]
          node_port:
            description: Its port on the nodes.
            type: int
          endpoints:
            description: Its addresses, or its one name, where they are not those of the nodes.
            type: list
            elements: str
          manage:
            description: Whether the collection installs Cilium there, or only looks at it.
            type: bool
requirements:
  - kubernetes >= 24.2.0 (Python package)
"""
