"""The client of one cluster against a real API server: what it says when it is refused."""

from __future__ import annotations

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError
from lab.settings import Lab


def test_a_command_in_a_pod_that_is_gone_is_refused_in_the_servers_words(api_lab: Lab) -> None:
    client = Client(Access("control", str(api_lab.kubeconfig)))
    with pytest.raises(ContextError) as found:
        client.execute("default", "nobody", "main", ["true"], 60)
    what = "control: cannot execute in Pod default/nobody container main"
    assert str(found.value) == f'{what}: pods "nobody" not found (HTTP 404).'
