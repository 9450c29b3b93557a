"""A person who may do exactly what the tables of rights say: RBAC objects, and a kubeconfig for a ServiceAccount.

As a program it prepares a whole lab for such a person: python tests/limited.py LAB KUBECONFIG
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import (
    Right,
    all_of,
    chart_rights,
    control_plane_rights,
    data_plane_rights,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._charts import render
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from lab.build.tools import tools
from lab.outputs import CHARTS
from lab.settings import Lab, load
from support import kubectl

USER = "limited"
NAMESPACES = ["etcd", "kb-system"]
LAB_CHARTS = [
    {"release": "kubeblocks", "ref": str(CHARTS / "kubeblocks")},
    {"release": "kb-addon-etcd", "ref": str(CHARTS / "etcd")},
]
_RBAC = "rbac.authorization.k8s.io"


def await_authorizer(client: Client, namespace: str, account: str, asked: dict[str, Any], *, allowed: bool) -> None:
    """Wait until an API server has heard what a ServiceAccount may do. ``asked``: ``resourceAttributes``."""
    groups = ["system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    spec = {"user": f"system:serviceaccount:{namespace}:{account}", "groups": groups, **asked}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    deadline = time.monotonic() + 300
    while client.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"] != allowed:
        assert time.monotonic() < deadline, f"{client.context}: {account} may {'not ' if allowed else ''}do {asked}"
        time.sleep(0.02)


def on_control_plane() -> list[Right]:
    """What the roles and the lab's charts need on the control plane."""
    rendered = render(str(tools() / "helm"), LAB_CHARTS, "kb-system")
    assert rendered.problems == []
    return all_of(control_plane_rights("kb-system", ["etcd"]) + chart_rights(rendered.objects(), "kb-system"))


def on_data_plane(*, manage_access: bool = True) -> list[Right]:
    """What the roles need on a data plane."""
    return data_plane_rights(["etcd"], "kb-system", manage_access=manage_access)


def role_objects(rights: Iterable[Right], subject: dict[str, str], name: str = USER) -> list[dict[str, Any]]:
    """A ClusterRole and Roles, with their bindings, that grant exactly these rights to a ServiceAccount."""
    objects: list[dict[str, Any]] = []
    for namespace in ["", *NAMESPACES]:
        kind = "Role" if namespace else "ClusterRole"
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        rules = rules_of(rights, namespace)
        objects.append({"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules})
        objects.append(
            {
                "apiVersion": f"{_RBAC}/v1",
                "kind": f"{kind}Binding",
                "metadata": metadata,
                "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": name},
                "subjects": [{"kind": "ServiceAccount", **subject}],
            }
        )
    return objects


def rules_of(rights: Iterable[Right], namespace: str) -> list[dict[str, Any]]:
    """One rule for each right in a namespace; an empty one is the whole cluster."""
    return [_rule(right) for right in rights if right.namespace == namespace]


def _rule(right: Right) -> dict[str, Any]:
    resource = right.resource + (f"/{right.subresource}" if right.subresource else "")
    rule: dict[str, Any] = {"apiGroups": [right.group], "resources": [resource], "verbs": [right.verb]}
    return {**rule, "resourceNames": [right.name]} if right.name else rule


def apply(lab: Lab, context: str, objects: list[dict[str, Any]]) -> None:
    body = {"apiVersion": "v1", "kind": "List", "items": objects}
    kubectl(lab, context, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(body))


def prepare(lab: Lab, contexts: Iterable[str], path: Path) -> None:
    """Namespaces, a ServiceAccount that may do nothing yet, and a kubeconfig that reaches these contexts as it."""
    kubeconfig = json.loads(lab.kubeconfig.read_text())
    users = {user["name"]: user for user in kubeconfig["users"]}
    named = {context["name"]: context["context"]["user"] for context in kubeconfig["contexts"]}
    for context in contexts:
        spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES]
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": USER, "namespace": "default"}}
        apply(lab, context, [*spaces, account])
        token = kubectl(lab, context, "create", "token", USER, "--duration=2h").strip()
        users[named[context]]["user"] = {"token": token}
    path.write_text(json.dumps(kubeconfig))


def allow(lab: Lab, context: str, rights: Iterable[Right]) -> None:
    """Let the person do exactly this."""
    apply(lab, context, role_objects(list(rights), {"name": USER, "namespace": "default"}))


def main() -> None:
    lab = load(sys.argv[1])
    assert lab is not None, f"there is no lab {sys.argv[1]!r}"
    names = [node.name for node in lab.nodes]
    prepare(lab, names, Path(sys.argv[2]))
    allow(lab, names[0], on_control_plane())
    for name in names[1:]:
        allow(lab, name, on_data_plane())


if __name__ == "__main__":
    main()
