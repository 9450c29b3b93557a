"""Rights, one by one: whatever the roles or the operator need and lack is named before anything is written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import (
    Right,
    control_plane_rights,
    data_plane_rights,
    operator_rules,
    rights_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._evidence import denied
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access, Client
from lab.settings import Lab
from support import Audit, kubectl, play

USER = "limited"
NAMESPACES = ["etcd", "kb-system"]


def role_objects(rights: list[Right]) -> list[dict[str, Any]]:
    """A ClusterRole and Roles that grant exactly these rights to the test's ServiceAccount."""
    subject = [{"kind": "ServiceAccount", "name": USER, "namespace": "default"}]
    objects: list[dict[str, Any]] = []
    for namespace in ["", *NAMESPACES]:
        kind = "Role" if namespace else "ClusterRole"
        metadata = {"name": USER, **({"namespace": namespace} if namespace else {})}
        rules = [_rule(right) for right in rights if right.namespace == namespace]
        objects.append(
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules}
        )
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": USER}
        objects.append(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": f"{kind}Binding",
                "metadata": metadata,
                "roleRef": reference,
                "subjects": subject,
            }
        )
    return objects


def _rule(right: Right) -> dict[str, Any]:
    resource = right.resource + (f"/{right.subresource}" if right.subresource else "")
    rule: dict[str, Any] = {"apiGroups": [right.group], "resources": [resource], "verbs": [right.verb]}
    if right.name:
        rule["resourceNames"] = [right.name]
    return rule


def apply(lab: Lab, context: str, objects: list[dict[str, Any]]) -> None:
    body = {"apiVersion": "v1", "kind": "List", "items": objects}
    kubectl(lab, context, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(body))


@pytest.fixture(scope="module")
def limited(api_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Path]]:
    """A kubeconfig in which control and k8s-1 are reached as a ServiceAccount that may do nothing yet."""
    kubeconfig = json.loads(api_lab.kubeconfig.read_text())
    for position, context in enumerate(["control", "k8s-1"]):
        for namespace in NAMESPACES:
            kubectl(api_lab, context, "create", "namespace", namespace)
        kubectl(api_lab, context, "create", "serviceaccount", USER)
        token = kubectl(api_lab, context, "create", "token", USER, "--duration=2h").strip()
        kubeconfig["users"][position]["user"] = {"token": token}
    path = tmp_path_factory.mktemp("limited") / "kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    yield api_lab, path
    for context in ("control", "k8s-1"):
        for namespace in NAMESPACES:
            kubectl(api_lab, context, "delete", "namespace", namespace)


def tables() -> dict[str, tuple[str, list[Right]]]:
    """What is asked for, where: name → (context, rights)."""
    user = data_plane_rights(["etcd"], "kb-system", manage_access=True)
    return {
        "the user on the control plane": ("control", control_plane_rights("kb-system", ["etcd"])),
        "the user on a data plane": ("k8s-1", user),
        "the operator on a data plane": ("k8s-1", rights_of(operator_rules())),
    }


@pytest.mark.parametrize("table", tables())
def test_each_right_removed_is_named(limited: tuple[Lab, Path], table: str) -> None:
    lab, path = limited
    context, rights = tables()[table]
    client = Client(Access(context, str(path)))
    administrator = Client(Access(context, str(lab.kubeconfig)))
    apply(lab, context, role_objects(rights))
    assert seen(client, rights, []) == []
    for right in rights:
        _put_rules(administrator, right.namespace, [other for other in rights if other != right])
        assert seen(client, rights, [right]) == [right]
        _put_rules(administrator, right.namespace, rights)


def seen(client: Client, rights: list[Right], expected: list[Right]) -> list[Right]:
    """What is denied, once the API server's authorizer has heard of the last change."""
    deadline = time.monotonic() + 5
    while (found := denied(client, rights)) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _put_rules(client: Client, namespace: str, rights: list[Right]) -> None:
    middle = f"/namespaces/{namespace}/roles" if namespace else "/clusterroles"
    rules = [_rule(right) for right in rights if right.namespace == namespace]
    client.patch(f"/apis/rbac.authorization.k8s.io/v1{middle}/{USER}", {"rules": rules})


def test_site_says_which_right_is_missing_and_writes_nothing(limited: tuple[Lab, Path]) -> None:
    lab, path = limited
    rights = data_plane_rights(["etcd"], "kb-system", manage_access=True)
    missing = Right("bind", "rbac.authorization.k8s.io", "clusterroles", name="kubeblocks-cluster-pod-role")
    assert missing in rights
    apply(lab, "control", role_objects(control_plane_rights("kb-system", ["etcd"])))
    apply(lab, "k8s-1", role_objects([right for right in rights if right != missing]))
    audit = Audit(lab, f"system:serviceaccount:default:{USER}")
    played = play(
        lab,
        "playbooks/site.yml",
        "-e",
        json.dumps({"kubeblocks_kubeconfig": str(path), "preflight_accept": ["storage.default_class"]}),
    )
    assert played.code != 0
    sentence = (
        "k8s-1: the credential may not bind clusterroles.rbac.authorization.k8s.io 'kubeblocks-cluster-pod-role'. "
        "The roles need this right, and would stop half-way without it. Grant bind "
        "clusterroles.rbac.authorization.k8s.io 'kubeblocks-cluster-pod-role' to this kubeconfig's user. "
        "[access.missing]"
    )
    assert f"preflight: 1 finding must be mended before anything is written: {sentence}" in " ".join(
        played.output.split()
    )
    assert audit.writes() == {node.name: [] for node in lab.nodes}


def test_the_rights_are_enough_to_prepare_a_data_plane(limited: tuple[Lab, Path]) -> None:
    """Nothing but the table, and the role does all of its work: RBAC lets nobody grant what he does not hold."""
    lab, path = limited
    apply(lab, "k8s-1", role_objects(data_plane_rights(["etcd"], "kb-system", manage_access=True)))
    played = play(
        lab,
        "tests/integration/data_plane.yml",
        "--limit",
        "k8s-1",
        "-e",
        json.dumps({"kubeblocks_kubeconfig": str(path)}),
    )
    assert played.code == 0, played.output
    binding = json.loads(kubectl(lab, "k8s-1", "get", "clusterrolebinding", "kubeblocks-operator", "-o", "json"))
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "kubeblocks-operator", "namespace": "kb-system"}]
