"""What a decision looks at, on real API servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _situation
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._situation import reachable, read
from lab.settings import Lab
from support import Audit, uid_of_control

PARAMS = {"operator_namespace": "nowhere", "operator_release": "nothing", "secret": "none"}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine may be busy."""
    monkeypatch.setattr(_situation, "_SECONDS", 60.0)


def test_a_context_that_was_silent_until_now_is_not_asked_again(api_lab: Lab) -> None:
    audit = Audit(api_lab)
    clients = {name: Client(Access(name, str(api_lab.kubeconfig), 60)) for name in ("control", "k8s-1", "k8s-2")}
    found = read(clients["control"], PARAMS, clients, ["k8s-2"])
    assert {*found.uids} == {"control", "k8s-1"} and found.uids["control"] == uid_of_control(api_lab)
    assert {*found.ways} == {*clients}
    assert audit.count("k8s-1").total() == 1 and audit.count("k8s-2").total() == 0


def test_who_does_not_answer_is_asked_a_second_time_and_no_more(api_lab: Lab, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(api_lab.kubeconfig.read_text().replace(api_lab.node("k8s-2").server, "https://127.0.0.1:1"))
    clients = {name: Client(Access(name, str(kubeconfig), 60)) for name in ("control", "k8s-1", "k8s-2")}
    assert reachable(clients, list(clients)) == {name: clients[name] for name in ("control", "k8s-1")}
    assert {name: client.requests for name, client in clients.items()} == {"control": 1, "k8s-1": 1, "k8s-2": 2}
