"""What a decision looks at, on real API servers."""

from __future__ import annotations

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._situation import read
from lab.settings import Lab
from support import Audit, uid_of_control

PARAMS = {"operator_namespace": "nowhere", "operator_release": "nothing", "secret": "none"}


def test_a_context_that_was_silent_until_now_is_not_asked_again(api_lab: Lab) -> None:
    audit = Audit(api_lab)
    clients = {name: Client(Access(name, str(api_lab.kubeconfig))) for name in ("control", "k8s-1", "k8s-2")}
    found = read(clients["control"], PARAMS, clients, ["k8s-2"])
    assert {*found.uids} == {"control", "k8s-1"} and found.uids["control"] == uid_of_control(api_lab)
    assert {*found.ways} == {*clients}
    assert audit.count("k8s-1").total() == 1 and audit.count("k8s-2").total() == 0
