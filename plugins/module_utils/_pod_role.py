# Private to this collection.
"""The replica of the control plane's ClusterRole for database Pods: resolved rules, nothing that Helm or the
aggregation controller would take for its own."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import POD_ROLE
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import Change, path_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import AUTH_SPEC, Call, access

SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "source_context": {"type": "str", "required": True},
    "source_kubeconfig": {"type": "path"},
    "name": {"type": "str", "default": POD_ROLE},
}
_HELM = ("app.kubernetes.io/managed-by", "helm.sh/chart", "app.kubernetes.io/instance", "app.kubernetes.io/required-by")


def run(call: Call) -> dict[str, Any]:
    """Make the data plane's role equal to the resolved rules of the control plane's."""
    params = call.params
    place = {"context": params["source_context"], "kubeconfig": params["source_kubeconfig"]}
    wanted = replica(params["name"])
    path = path_of(wanted)
    source = Client(access(place, params["request_timeout"])).get(path)
    client = call.client()
    found = client.get(path)
    if source is None and call.check_mode:
        return {
            "changed": found is None,
            "differences": [f"ClusterRole {params['name']} comes with the operator, which is not installed yet"],
            "diff": {"before": {}, "after": {"kind": "ClusterRole", "metadata": {"name": params["name"]}}},
        }
    if source is None or not source.get("rules"):
        raise Failed(
            f"{params['source_context']}: cannot copy ClusterRole {params['name']}: "
            f"{'it does not exist' if source is None else 'it has no rules'}. "
            "Install the operator first; its chart brings the role, and the aggregation controller fills it."
        )
    if found and found["metadata"]["uid"] == source["metadata"]["uid"]:  # the control plane's own cluster
        return {"changed": False, "differences": []}
    wanted["rules"] = source["rules"]
    differences = differences_of(found, wanted)
    if differences and not call.check_mode:
        _write(client, found, wanted)
    change = Change(found, wanted)
    return {"changed": bool(differences), "differences": differences, "diff": change.difference()}


def replica(name: str) -> dict[str, Any]:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}


def differences_of(found: dict[str, Any] | None, wanted: dict[str, Any]) -> list[str]:
    """What separates the role that is there from the replica that is wanted, in words; empty if nothing does."""
    if found is None:
        return ["it does not exist"]
    differences = []
    if found.get("aggregationRule"):
        differences.append("it has an aggregationRule, which would empty it")
    labels = [label for label in _HELM if label in found["metadata"].get("labels", {})]
    if labels:
        differences.append(f"it carries labels of Helm ({', '.join(labels)})")
    missing = [_rule_text(rule) for rule in wanted["rules"] if rule not in (found.get("rules") or [])]
    surplus = [_rule_text(rule) for rule in found.get("rules") or [] if rule not in wanted["rules"]]
    differences += [f"missing rule: {text}" for text in missing]
    differences += [f"rule that the control plane's role lacks: {text}" for text in surplus]
    return differences


def _rule_text(rule: dict[str, Any]) -> str:
    resources = ", ".join(rule.get("resources", rule.get("nonResourceURLs", [])))
    groups = ", ".join(group or "core" for group in rule.get("apiGroups", []))
    return f"{', '.join(rule['verbs'])} {resources} ({groups})"


def _write(client: Client, found: dict[str, Any] | None, wanted: dict[str, Any]) -> None:
    """Apply; what apply cannot take away (somebody else's aggregationRule and labels) goes with a merge patch."""
    if found is not None:
        labels = {label: None for label in _HELM if label in found["metadata"].get("labels", {})}
        if labels or found.get("aggregationRule"):
            client.patch(path_of(wanted), {"metadata": {"labels": labels}, "aggregationRule": None})
    client.apply(path_of(wanted), wanted)
