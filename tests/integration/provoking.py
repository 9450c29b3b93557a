"""What provokes findings: the options of preflight for the lab, things done to the lab, and what is told of it then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _preflight
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call
from databases import client_of
from lab.settings import Lab
from limited import LAB_CHARTS, await_authorizer
from objects import present
from support import places, preflight_options

PLANES = ("k8s-1", "k8s-2", "k8s-3")
ALWAYS = {
    ("storage.default_class", "warn"),
    ("fate.subnet", "info"),
    ("nodes.none", "warn"),
    ("placement.outlook", "info"),
}


Stack = Callable[[Lab, ExitStack, Path], dict[str, Any]]


def params(lab: Lab, **changed: Any) -> dict[str, Any]:
    """Options of the module, for the lab's contexts."""
    found = places(lab, kubeconfigs=changed.pop("kubeconfig", None), servers=changed.pop("servers", None))
    defaults = {"placement": list(PLANES), "storage_class": "standard", "charts": LAB_CHARTS}
    return preflight_options(changed.pop("contexts", found), **(defaults | changed))


def report(given: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        found = _preflight.run(Call(given))
    except Failed as problem:
        found = problem.result
    findings: list[dict[str, Any]] = found["preflight_report"]["findings"]
    return findings


def told(findings: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """Id, context and severity of what is not the same on every healthy lab."""
    return {
        (finding["id"], finding["context"], finding["severity"])
        for finding in findings
        if (finding["id"], finding["severity"]) not in ALWAYS
    }


def space(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def await_everything_allowed(lab: Lab, context: str, account: Mapping[str, str]) -> None:
    """``account``: ``name`` and ``namespace`` of a ServiceAccount."""
    everything = {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}}
    await_authorizer(client_of(lab, context), account["namespace"], account["name"], everything, allowed=True)


def objects(context: str, *bodies: dict[str, Any], **changed: Any) -> Stack:
    def enter(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
        stack.enter_context(present(lab, context, *bodies))
        return changed

    return enter


def each_plane(*bodies: dict[str, Any], **changed: Any) -> Stack:
    def enter(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
        for context in PLANES:
            stack.enter_context(present(lab, context, *bodies))
        return changed

    return enter
