# Private to this collection. Keep in step with MEMBERS_SPEC in plugins/module_utils/_etcd.py.
"""Options that say which etcd is meant."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
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
  container:
    description: Name of the container in which etcdctl runs.
    type: str
    default: etcd
  replicas:
    description: Number of voters that there should be.
    type: int
    default: 3
"""
