# Private to this collection.
"""Which cluster a context leads to: the task that every writing task stands behind."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._evidence import identity_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import AUTH_SPEC, Call, access

SPEC: dict[str, Any] = {**AUTH_SPEC, "expected_uid": {"type": "str", "default": ""}}


def run(call: Call) -> dict[str, Any]:
    """The identity of the task's context. Raises Failed where it is not the expected one."""
    place = access(call.params, call.params["request_timeout"])
    found = identity_of(call.client())
    expected = call.params["expected_uid"]
    if expected and expected != found["uid"]:
        raise Failed(
            f"{place.context}: cannot write to this context: it was cluster {expected} when this run began, "
            f"and is {found['uid']}: renamed or rebuilt? Check where {place.kubeconfig} leads and run again."
        )
    return {"identity": {"context": place.context, "kubeconfig": place.kubeconfig, **found}}
