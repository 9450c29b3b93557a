#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entry of the module; its work is in module_utils/_marking.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: context_mark
short_description: Mark contexts as unavailable to the operator, and take the marks away
version_added: 0.1.0
author:
  - The kubeblocks.multicluster authors (@kubeblocks)
description:
  - While a data plane is dead and not marked, KubeBlocks' operator cannot fill its caches once it is restarted. It brings
    no change to any database then, wherever that is. The databases themselves go on without it.
  - To mark a context is to change one list in the operator's two Deployments. This module looks first whether the context
    is dead, proves what that means for each etcd, refuses what is not safe, and writes nothing but that list.
  - It needs no chart repository, no registry, no hook and no way to the dead cluster. The chart and its values come from
    the release's record in the control plane, the images are those that the operator's nodes have.
  - Databases whose peers have load balancers get a Service in another cluster for each lost member, so that their status
    goes on telling the truth. A policy keeps users from changes that would be lost.
  - It watches until the operator works again. Where it does not, what was before is put back.
  - What was decided, by whom and on which evidence is kept in the control plane, in C(kubeblocks-multicluster-marks).
  - A mark is taken away when the cluster is back for a while, is the same cluster, can be used, and holds nothing that
    the control plane does not know any more.
extends_documentation_fragment:
  - kubeblocks.multicluster._auth
  - kubeblocks.multicluster._contexts
  - kubeblocks.multicluster._evidence
  - kubeblocks.multicluster._attributes
  - kubeblocks.multicluster._attributes.writes
options:
  request_timeout:
    description: Seconds that one request may take.
    type: float
    default: 3.0
  state:
    description: Whether the contexts are to be marked or not.
    type: str
    default: marked
    choices: [marked, unmarked]
  names:
    description:
      - The contexts that are meant, by their names in the kubeconfig.
      - Without it, those that are dead (V(marked)), or those that are marked (V(unmarked)).
    type: list
    elements: str
    default: []
  hypothetical:
    description:
      - Say what would be if O(names) were dead, on the living clusters. Looks once, and writes nothing but a short-lived
        Pod.
      - The members of whoever is named count as lost then.
    type: bool
    default: false
  purpose:
    description: V(maintenance) lets a context be marked that is alive.
    type: str
    default: failure
    choices: [failure, maintenance]
  reason:
    description: Why, for the record.
    type: str
    default: ""
  accept_risks:
    description: Risks that are accepted by name, for this run.
    type: list
    elements: str
    default: []
  leftovers:
    description:
      - What to do with what lies in a cluster that is back and the control plane does not know any more.
      - V(report) stops and names it. V(adopt) labels it, and it is not reported again. V(delete) deletes it.
    type: str
    default: report
    choices: [report, adopt, delete]
  delete_claims:
    description: PersistentVolumeClaims (namespace/name) that V(leftovers=delete) may delete.
    type: list
    elements: str
    default: []
  engine:
    description:
      - V(helm) upgrades the release from its own record, without hooks. V(patch) changes the two Deployments, and leaves
        the release behind until Helm runs again. V(auto) is V(helm) where nothing but the list would change.
    type: str
    default: auto
    choices: [auto, helm, patch]
  helm_binary:
    description: The program helm.
    type: str
    default: helm
  secret:
    description: Name of the Secret with the operator's contexts.
    type: str
    default: kubeblocks-contexts
  watch_timeout:
    description: Seconds after which an operator that does not work is given back what was before.
    type: int
    default: 420
  sync_timeout:
    description:
      - Seconds after which an operator that cannot fill its caches has ended. It has to lead for longer where its metrics
        cannot be read.
    type: int
    default: 345
  members_timeout:
    description: Seconds for the members of a context that was unmarked to vote again.
    type: int
    default: 300
  run_id:
    description: Which run this is, for the record and the Lease. Made by itself.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Mark whatever is dead
  kubeblocks.multicluster.context_mark:
    context: control
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
    probe_image: docker.io/apecloud/kubeblocks-tools:1.0.2
    reason: "fire in the second room"

- name: Give it back
  kubeblocks.multicluster.context_mark:
    context: control
    contexts: "{{ hostvars | kubeblocks.multicluster.contexts(groups) }}"
    probe_image: docker.io/apecloud/kubeblocks-tools:1.0.2
    names: [k8s-2]
    state: unmarked
"""

RETURN = r"""
marked:
  description: Contexts that are marked, or would be.
  returned: success
  type: list
  elements: str
newly_marked:
  description: Those of them that were not before.
  returned: when O(state=marked)
  type: list
  elements: str
unmarked:
  description: Contexts whose mark is taken away, or would be.
  returned: when O(state=unmarked)
  type: list
  elements: str
verdicts:
  description: "Data plane to C(verdict), C(sentence), C(lasting) (seconds), C(samples) and C(witnesses)."
  returned: always
  type: dict
proofs:
  description: What each etcd has left with these contexts marked.
  returned: when O(state=marked)
  type: dict
refusals:
  description: "What speaks against it: C(rule), C(context), C(seen), C(why), C(cure), C(risk)."
  returned: always
  type: list
  elements: dict
refused:
  description: Whether one of them was not accepted.
  returned: always
  type: bool
engine:
  description: How the list is written.
  returned: success
  type: str
why_not_helm:
  description: Why it is not Helm, or nothing.
  returned: success
  type: str
blockers:
  description: What would make it harder than it has to be, such as no spare, or a release that Helm cannot work from.
  returned: when O(state=marked)
  type: list
  elements: str
stand_ins:
  description: "Services that stand in for those of lost members: C(context), C(service), C(address)."
  returned: when O(state=marked)
  type: list
  elements: dict
leftovers:
  description: "Context to what lies there that the control plane does not know any more."
  returned: when O(state=unmarked)
  type: dict
meanwhile:
  description: What the control plane did to the databases while the contexts were marked.
  returned: when O(state=unmarked)
  type: list
  elements: str
seconds:
  description: "From the decision to each step: C(told), C(rolled_out), C(leader), C(reconciles), C(total)."
  returned: when something was written
  type: dict
weak_proof:
  description: Why the proof that the operator works is a weak one, or nothing.
  returned: when something was written
  type: str
operator_problems:
  description: What the operator still lacked at the end.
  returned: when something was written
  type: list
  elements: str
not_verified:
  description: What nobody could look at.
  returned: always
  type: list
  elements: str
table:
  description: For the eye, line by line.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marking import SPEC, run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import run_module


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
