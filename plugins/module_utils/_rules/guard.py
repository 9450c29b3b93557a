# Private to this collection.
"""What KubeBlocks may not be asked for while a context is marked as unavailable, as a policy of Kubernetes. Pure.

The operator's client of a marked context says yes to every write and does nothing: what is asked for then is lost
there, and nobody hears of it. The policy looks at Clusters, whose placement says where they are, and at new
OpsRequests, which only name a Cluster: the names that count are written into the policy.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import PLACEMENT

GUARD = "kubeblocks-multicluster-guard"
OWN = {"app.kubernetes.io/managed-by": "kubeblocks.multicluster"}
ALLOW = "kubeblocks.multicluster/allow-while-marked"
API = "admissionregistration.k8s.io/v1"
# A backup reads the members and writes nothing to them; every other type does.
HARMLESS = ("Backup",)

_NOW, _WAS = "dyn(object)", "dyn(oldObject)"
_SUBJECT = f'(request.operation == "DELETE" ? {_WAS} : {_NOW})'
# Components and shardings in one list, so that a change of either is judged alike. CEL wants values of one type.
_PARTS = (
    "BODY.spec.?componentSpecs.orValue([]).map(c, "
    '{"name": dyn(c.?name.orValue("")), "spec": dyn(c), "shards": dyn(1), "sharding": dyn("")}) + '
    "BODY.spec.?shardings.orValue([]).map(s, "
    '{"name": dyn("sharding " + s.name), "spec": dyn(s.template), "shards": dyn(s.shards), '
    '"sharding": dyn(s.?shardingDef.orValue(""))})'
)


def _annotation(body: str, name: str) -> str:
    return f'{body}.metadata.?annotations[?"{name}"].orValue("")'


# Name → CEL; each may use those above it. What has no placement yet gets its first from the operator itself.
_VARIABLES = {
    "cluster": 'request.resource.resource == "clusters"',
    "subject": _SUBJECT,
    "database": 'variables.subject.metadata.namespace + "/" + (variables.cluster ? variables.subject.metadata.name : '
    'variables.subject.spec.?clusterName.orValue(""))',
    "was": f'request.operation == "CREATE" ? "" : {_annotation(_WAS, PLACEMENT)}',
    "now": f'request.operation == "DELETE" ? "" : {_annotation(_NOW, PLACEMENT)}',
    "placement": 'variables.was.split(",") + '
    '(request.operation == "CREATE" || variables.was != "" ? variables.now.split(",") : [])',
    "contexts": "variables.cluster ? variables.marked.filter(c, c in variables.placement) : "
    "(variables.database in variables.affected ? variables.marked : [])",
    "before": _PARTS.replace("BODY", _WAS),
    "after": _PARTS.replace("BODY", _NOW),
}

_UNMARK = "Unmark the context first"
_RUN_ON = "those there would run on, as members that nobody counts"


@dataclass(frozen=True)
class _Rule:
    """What is denied: when, in CEL; what cannot be done; why not; what to do instead."""

    when: str
    what: str
    why: str
    cure: str = _UNMARK
    kind: str = "Cluster"


def _asked(operation: str, *more: str) -> str:
    return " && ".join(["variables.cluster", f'request.operation == "{operation}"', *more])


def _any(condition: str) -> str:
    """Whether it is so for any part as it was, which is ``b``, and as it shall be, ``a``."""
    return f"variables.before.exists(b, variables.after.exists(a, a.name == b.name && {condition}))"


_FEWER = (
    "variables.before.exists(b, "
    "!variables.after.exists(a, a.name == b.name && a.shards >= b.shards && a.spec.replicas >= b.spec.replicas))"
)
_OFFLINE = _any("!a.spec.?offlineInstances.orValue([]).all(i, i in b.spec.?offlineInstances.orValue([]))")
# The operator writes the full name in the place of a prefix, and a version where none was given.
_DEFINITION = _any(
    '(!a.spec.?componentDef.orValue("").startsWith(b.spec.?componentDef.orValue("")) '
    "|| !a.sharding.startsWith(b.sharding))"
)
_VERSION = _any(
    'b.spec.?serviceVersion.orValue("") != "" '
    '&& b.spec.?serviceVersion.orValue("") != a.spec.?serviceVersion.orValue("")'
)
_STOP = _any("a.spec.?stop.orValue(false) && !b.spec.?stop.orValue(false)")

_RULES = (
    _Rule(_asked("DELETE"), "delete", "what it has there would run on, owned by nobody"),
    _Rule(
        _asked("CREATE"),
        "create",
        "its members there would not be made",
        "Leave the context out of the placement",
    ),
    _Rule(
        _asked("UPDATE", "variables.was != variables.now"),
        "change the placement of",
        "members there would run on unseen while others of the same names start elsewhere",
    ),
    _Rule(_asked("UPDATE", _FEWER), "take members from", _RUN_ON),
    _Rule(_asked("UPDATE", _OFFLINE), "take members offline in", _RUN_ON),
    _Rule(_asked("UPDATE", _DEFINITION), "change the definition of", "its members there would stay as they are"),
    _Rule(_asked("UPDATE", _VERSION), "change the version of", "its members there would keep the old one"),
    _Rule(_asked("UPDATE", _STOP), "stop", "its members there would run on"),
    _Rule(
        f"!variables.cluster && !(variables.subject.spec.type in {json.dumps(HARMLESS)})",
        "carry out this OpsRequest for",
        "its members there would be passed over, and it could succeed all the same",
        kind="OpsRequest",
    ),
)


def guard(marked: Sequence[str], affected: Sequence[str]) -> list[dict[str, Any]]:
    """The policy and what binds it, in the order in which they are made. ``marked``: contexts; ``affected``: the
    Clusters that have members there, as "namespace/name"."""
    given = {"marked": _list(marked), "affected": _list(affected)}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                _matched("apps.kubeblocks.io", "v1", "clusters", ("CREATE", "UPDATE", "DELETE")),
                _matched("operations.kubeblocks.io", "v1alpha1", "opsrequests", ("CREATE",)),
            ]
        },
        "matchConditions": [{"name": "not-allowed", "expression": f'{_annotation(_SUBJECT, ALLOW)} != "true"'}],
        "variables": [{"name": name, "expression": text} for name, text in (given | _VARIABLES).items()],
        "validations": [_validation(rule) for rule in _RULES],
    }
    binding = {"policyName": GUARD, "validationActions": ["Deny"]}
    return [_body("ValidatingAdmissionPolicy", spec), _body("ValidatingAdmissionPolicyBinding", binding)]


def _list(names: Sequence[str]) -> str:
    """In CEL, and the same for the same names in any order."""
    return json.dumps(sorted({name for name in names if name}), ensure_ascii=False)


def _matched(group: str, version: str, resource: str, operations: Sequence[str]) -> dict[str, Any]:
    # Requests in another version of the API are converted to this one first.
    return {"apiGroups": [group], "apiVersions": [version], "resources": [resource], "operations": list(operations)}


def _validation(rule: _Rule) -> dict[str, str]:
    end = f' while marked as unavailable: {rule.why}. {rule.cure}, or set the annotation {ALLOW}: "true" on the '
    words = (f": cannot {rule.what} Cluster ", f"{end}{rule.kind}.")
    before, after = (json.dumps(text) for text in words)
    return {
        "expression": f"variables.contexts.size() == 0 || !({rule.when})",
        "messageExpression": f'variables.contexts.join(", ") + {before} + variables.database + {after}',
    }


def _body(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": GUARD, "labels": dict(OWN)}, "spec": spec}
