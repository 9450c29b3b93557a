#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_health.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: context_health_info
short_description: Say whether a cluster is dead, and what that means for each etcd
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - Looks for a while from this host, from a Pod in the control plane and from the members' Pods in every cluster that
    answers, and gives a verdict on each data plane, with all samples.
  - V(ALIVE) its API and its members answer. V(API_DOWN) its API is silent, but others see its members. V(DATA_DOWN) its API
    answers, but nobody sees its members. V(DEAD) both are silent for at least two vantages, and nobody saw otherwise.
    V(OBSERVER_ISOLATED) this host reaches fewer than a majority of all clusters. V(UNKNOWN) anything else.
  - KubeBlocks says C(Running) for as long as it likes while a cluster is lost, so it is not asked.
  - For each etcd it proves in numbers what is left of it without each data plane.
extends_documentation_fragment:
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._evidence
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.info
options:
  request_timeout:
    description: Seconds that one request may take.
    type: float
    default: 3.0
"""

EXAMPLES = r"""
- name: Is a cluster dead?
  kubeblocks.multicluster.context_health_info:
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
    probe_image: docker.io/apecloud/kubeblocks-tools:1.0.2
  register: health
"""

RETURN = r"""
verdicts:
  description:
    - "Data plane to C(verdict), C(sentence), C(lasting) (seconds), C(samples) (their number) and C(witnesses) (what each
      vantage said last)."
  returned: success
  type: dict
proofs:
  description:
    - "Etcd (namespace/name) to data plane to what is left without it, and under the empty name with all of them:
      C(voters), C(learners), C(quorum), C(voters_by_domain), C(healthy_by_domain), C(healthy_outside), C(spare_now), C(spare), C(spare_after_next),
      C(verdict) (V(SAFE), V(NO_SPARE) or V(LOST)) and C(sentence)."
    - An etcd of which no member gave the member list is not there.
  returned: success
  type: dict
members:
  description: "Etcd to its members: C(name), C(id), C(peer_url), C(domain), C(voter), C(healthy)."
  returned: success
  type: dict
not_asked:
  description: Who was not asked, and why.
  returned: success
  type: list
  elements: str
marked:
  description: Contexts that the operator takes for unavailable.
  returned: success
  type: list
  elements: str
samples:
  description: "What was seen: C(at) (seconds), C(views) (vantage to context to C(api) and C(data)), C(members), C(problems)."
  returned: success
  type: list
  elements: dict
table:
  description: For the eye, line by line.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._health import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
