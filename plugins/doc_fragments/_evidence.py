# Private to this collection. Keep in step with EVIDENCE_SPEC in plugins/module_utils/_health.py.
"""Options of whoever looks whether clusters are dead."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  databases:
    description:
      - Databases that are looked at where the control plane is silent. While it answers, all of its Clusters are.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Namespace of the Cluster.
        type: str
        required: true
      name:
        description: Name of the Cluster.
        type: str
        required: true
      component:
        description: Name of the component that holds the members.
        type: str
        default: etcd
  operator_namespace:
    description: Namespace of the operator.
    type: str
    default: kb-system
  operator_release:
    description: Name of the operator's Helm release.
    type: str
    default: kubeblocks
  in_cluster:
    description:
      - Whether a Pod that is made in the control plane for the time of looking is a vantage too (V(always)), or only
        members are asked (V(members)).
      - A check mode run makes no Pod.
    type: str
    default: always
    choices: [always, members]
  probe_image:
    description: Image of that Pod. It needs a shell and kubectl.
    type: str
    default: ""
  pull_secrets:
    description: Pull Secrets of that Pod.
    type: list
    elements: str
    default: []
  window:
    description: Seconds for which the samples have to agree. If they change on the way, up to twice as many are taken.
    type: float
    default: 60.0
  samples:
    description: How many samples at least have to agree.
    type: int
    default: 5
"""
