# Private to this collection.
"""What a placement of members means, for a task: the arithmetic of ``_rules.placement`` and nothing else."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import placement as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.spread import of_names, of_number
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call

SPEC: dict[str, Any] = {
    "placement": {"type": "list", "elements": "str", "required": True},
    "data_planes": {"type": "list", "elements": "str", "default": []},
    "replicas": {"type": "int", "default": 3},
    "failure_domains": {"type": "dict", "default": {}},
    "require_safe": {"type": "bool", "default": False},
}


def run(call: Call) -> dict[str, Any]:
    """Judge a placement; asks no cluster. Raises Failed where it cannot be, or is unsafe and must not be."""
    params = call.params
    placement, replicas, domains = params["placement"], params["replicas"], params["failure_domains"]
    known = params["data_planes"] or placement
    if not placement:
        raise Failed(f"cannot place {replicas} members: name at least one context.")
    impossible = of_names(placement, known) + of_number(replicas)
    if impossible:
        raise Failed("\n".join(str(finding) for finding in impossible))
    outlook = rules.outlook(replicas, placement, domains)
    sentence = rules.sentence(replicas, placement, known, domains)
    result = {
        "placement": outlook,
        "sentence": sentence,
        "changes": [] if outlook["safe"] else rules.smallest_changes(replicas, placement, known, domains),
    }
    if params["require_safe"] and not outlook["safe"]:
        raise Failed(f"this placement is not safe: {sentence}.", **result)
    return result
