#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_endpoints.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoints_info
short_description: Say which addresses lead to the members of an etcd
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Reads the members' Services in every context, and tries each address from this host, from the control plane, and from
    every data plane. In a cluster with a member, etcd's own client tries it in the member's Pod, by a linearizable read;
    in another, a short-lived Pod opens a connection.
  - Members of a context that the operator takes for unavailable are left out. The leader comes first, then who is reached.
  - A cluster that does not answer is said to be so, and holds up nobody.
  - On wish, renders what clients read.
extends_documentation_fragment:
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._members
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.info
options:
  operator_namespace:
    description: Namespace of the operator, where short-lived Pods are made.
    type: str
    default: kb-system
  operator_release:
    description: Name of the operator's Helm release.
    type: str
    default: kubeblocks
  in_cluster:
    description:
      - Whether short-lived Pods are made in clusters without a member (V(always)), or only members are asked (V(members)).
      - A check mode run makes no Pod.
    type: str
    default: always
    choices: [always, members]
  probe_image:
    description: Image of the short-lived Pods. It needs Bash.
    type: str
    default: ""
  pull_secrets:
    description: Pull Secrets of the short-lived Pods.
    type: list
    elements: str
    default: []
  render:
    description:
      - What to render. V(env) for etcd's clients, V(haproxy), V(envoy), V(dns) for a zone, V(kubernetes) for a Service with
        EndpointSlices.
    type: list
    elements: str
    default: []
    choices: [env, haproxy, envoy, dns, kubernetes]
  vantage:
    description:
      - From where an address has to be reached to be rendered as such. V(host) or a context; empty for any.
    type: str
    default: ""
  zone:
    description: Name of the DNS zone.
    type: str
    default: etcd.internal
  zone_file:
    description: An earlier zone. Its serial is kept where nothing else differs.
    type: path
  bind:
    description: Where a rendered proxy listens.
    type: str
    default: 127.0.0.1:2379
  request_timeout:
    description: Seconds that one request may take.
    type: float
    default: 1.5
  deadline:
    description: Seconds for looking, and again for trying.
    type: float
    default: 2.5
"""

EXAMPLES = r"""
- name: Look for the addresses of an etcd
  kubeblocks.multicluster.endpoints_info:
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
    namespace: etcd
    name: etcd
    render: [env]
  register: found

- name: Show them as etcdctl reads them
  ansible.builtin.debug:
    msg: "{{ found.rendered.env }}"
"""

RETURN = r"""
endpoints:
  description:
    - "The members in the order in which to try them: C(member), C(context), C(leader), C(learner), C(reached), C(error), and
      C(addresses), each with C(kind), C(host), C(port), C(scheme), C(speaks) and C(reached)."
    - C(reached) of an address has milliseconds for each vantage, or nothing where it is not reached from there.
  returned: success
  type: list
  elements: dict
vantages:
  description: "From where it was tried: C(asked) (V(host), V(member), V(probe), V(silent) or V(not_asked)) and C(why)."
  returned: success
  type: dict
left_out:
  description: Contexts that are marked as unavailable.
  returned: success
  type: list
  elements: str
problems:
  description: What a client would stumble over, in words.
  returned: success
  type: list
  elements: str
rendered:
  description: Format to text.
  returned: success
  type: dict
table:
  description: For the eye, line by line.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._endpoints import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
