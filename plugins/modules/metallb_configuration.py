#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_metallb.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: metallb_configuration
short_description: Keep MetalLB's pool and how it is announced
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Keeps one pool of addresses in a context, its announcement by layer 2 or BGP, and the BGP peers.
  - Ready Pods do not mean that MetalLB's webhook answers, so the API server is asked by a dry run until it does. What the
    webhook refuses is reported at once, and nothing is written.
  - Reads back what controller and speakers say of their configuration, and how much of each pool is given. MetalLB before
    0.15.3 says nothing of its configuration.
  - Objects that carry this collection's label and are not asked for any more are taken away.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.writes
options:
  namespace:
    description: Namespace of MetalLB.
    type: str
    default: metallb-system
  pool:
    description: Name of the pool, and of its announcement by layer 2.
    type: str
    default: kubeblocks
  addresses:
    description: Ranges of the pool, each a CIDR or C(first-last).
    type: list
    elements: str
    required: true
  auto_assign:
    description: Whether Services that name no pool get addresses from this one.
    type: bool
    default: true
  avoid_buggy_ips:
    description: Whether addresses that end with 0 or 255 are left out.
    type: bool
    default: false
  layer2:
    description: Whether the addresses are announced by layer 2 (ARP, NDP).
    type: bool
    default: true
  interfaces:
    description: Interfaces of the nodes that announce by layer 2. Empty for all.
    type: list
    elements: str
    default: []
  bgp_peers:
    description: BGP peers of the nodes.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the object., type: str, required: true}
      my_asn: {description: AS number of the nodes., type: int, required: true}
      peer_asn: {description: AS number of the peer., type: int, required: true}
      peer_address: {description: Address of the peer., type: str, required: true}
      peer_port: {description: Port of the peer., type: int, default: 179}
      source_address: {description: Address to connect from., type: str}
      hold_time: {description: 'Hold time, such as V(90s).', type: str}
      keepalive_time: {description: 'Keepalive time, such as V(30s).', type: str}
      router_id: {description: Router ID of the nodes., type: str}
      ebgp_multi_hop: {description: Whether the peer is more than one hop away., type: bool, default: false}
      bfd_profile: {description: Name of a BFDProfile. Only the FRR modes know it., type: str}
      password_secret: {description: 'Name of a Secret of type C(kubernetes.io/basic-auth).', type: str}
      node_selectors: {description: Label selectors of the nodes that connect., type: list, elements: dict, default: []}
  bgp_advertisements:
    description: How the pool is announced by BGP. Empty for not at all.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the object., type: str, required: true}
      aggregation_length: {description: Prefix length of IPv4., type: int}
      aggregation_length_v6: {description: Prefix length of IPv6., type: int}
      local_pref: {description: Local preference., type: int}
      communities: {description: BGP communities., type: list, elements: str, default: []}
      peers: {description: Names of the peers. Empty for all., type: list, elements: str, default: []}
      node_selectors: {description: Label selectors of the announcing nodes., type: list, elements: dict, default: []}
  wait_timeout:
    description: Seconds to wait for the webhook, and for MetalLB to take its configuration.
    type: int
    default: 120
  wait_sleep:
    description: Seconds between two looks.
    type: float
    default: 1.0
"""

EXAMPLES = r"""
- name: Give MetalLB eight addresses
  kubeblocks.multicluster.metallb_configuration:
    context: k8s-1
    addresses: [192.0.2.8-192.0.2.15]
"""

RETURN = r"""
results:
  description: What was written; empty if nothing had to be.
  returned: success
  type: list
  elements: dict
  contains:
    api_version: {description: API version., type: str, returned: always}
    kind: {description: Kind., type: str, returned: always}
    namespace: {description: Namespace., type: str, returned: always}
    name: {description: Name., type: str, returned: always}
    method: {description: 'What was done (V(create), V(apply) or V(delete)).', type: str, returned: always}
    changed: {description: Whether it was written., type: bool, returned: always}
states:
  description:
    - "What controller and speakers say of their configuration: C(name), C(component), C(node), C(result), C(error)."
    - Empty where MetalLB is older than 0.15.3, and in check mode.
  returned: success
  type: list
  elements: dict
pools:
  description: "Every pool by its name: C(addresses), and how many are C(assigned) and C(available)."
  returned: success
  type: dict
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._metallb import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
