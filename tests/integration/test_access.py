"""Rights, one by one: whatever the roles or the operator need and lack is named before anything is written."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _preflight
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import (
    Right,
    operator_rules,
    rights_of,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._probe import rights as probe_rights
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call
from databases import client_of
from lab.settings import Lab
from limited import (
    LAB_CHARTS,
    NAMESPACES,
    USER,
    allow,
    apply,
    await_authorizer,
    on_control_plane,
    on_data_plane,
    prepare,
    role_objects,
    rules_of,
)
from objects import node
from support import Audit, kubectl, play, preflight_options

ACCOUNT = "kubeblocks-operator"


@pytest.fixture(scope="module")
def limited(api_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Path]]:
    """A kubeconfig in which control and k8s-1 are reached as a ServiceAccount that may do nothing yet."""
    path = tmp_path_factory.mktemp("limited") / "kubeconfig"
    contexts = ("control", "k8s-1")
    prepare(api_lab, contexts, path)
    yield api_lab, path
    for context in contexts:
        kubectl(api_lab, context, "delete", "namespace", *NAMESPACES)


@dataclass(frozen=True)
class Table:
    """A table of rights: the context where they are needed, who needs them, and what preflight says of one."""

    context: str
    rights: list[Right]
    sentence: str
    account: str = USER


def tables() -> dict[str, Table]:
    of_user = (
        "{context}: the credential may not {right}. The roles need this right, and would stop half-way without it. "
        "Grant {right} to this kubeconfig's user. [access.missing]"
    )
    of_operator = (
        "{context}: the operator's ServiceAccount kb-system/kubeblocks-operator may not {right}. The operator needs "
        "this right, and databases would stop half-way without it. Grant {right} to ServiceAccount "
        "kb-system/kubeblocks-operator. [operator.access_missing]"
    )
    return {
        "the user on the control plane": Table("control", on_control_plane(), of_user),
        "the user on a data plane": Table("k8s-1", on_data_plane(), of_user),
        "the user beside an identity of his own": Table("k8s-1", on_data_plane(manage_access=False), of_user),
        "that identity": Table("k8s-1", rights_of(operator_rules()), of_operator, ACCOUNT),
    }


NAMES = [
    "the user on the control plane",
    "the user on a data plane",
    "the user beside an identity of his own",
    "that identity",
]


@pytest.mark.parametrize("name", NAMES)
def test_each_right_removed_is_named(limited: tuple[Lab, Path], name: str) -> None:
    """The whole of preflight, each right missing once, a few at a time: a finding for each, with context, verb and
    resource, and for nothing else."""
    lab, path = limited
    table = tables()[name]
    managed = "identity" not in name
    allow(lab, "control", on_control_plane())
    allow(lab, "k8s-1", on_data_plane(manage_access=managed))
    if not managed:
        supply_identity(lab, rights_of(operator_rules()))
    charts = LAB_CHARTS if table.context == "control" else []  # only there do charts need rights
    assert findings(path, [], managed=managed, charts=charts) == []
    administrator = Client(Access(table.context, str(lab.kubeconfig)))
    for taken in in_fours(table.rights):
        put_rules(administrator, table.account, [right for right in table.rights if right not in taken], taken)
        for right in taken:
            until_denied(administrator, table, right)
        expected = [table.sentence.format(context=table.context, right=right) for right in taken]
        assert findings(path, expected, managed=managed, charts=charts) == expected
        put_rules(administrator, table.account, table.rights, taken)


def in_fours(rights: list[Right]) -> list[list[Right]]:
    return [rights[first : first + 4] for first in range(0, len(rights), 4)]


def until_denied(administrator: Client, table: Table, right: Right) -> None:
    """Wait for the API server's authorizer, which costs less than a preflight that comes too early."""
    home = "default" if table.account == USER else "kb-system"
    await_authorizer(administrator, home, table.account, right.review()["spec"], allowed=False)


def supply_identity(lab: Lab, rights: list[Right]) -> None:
    """The operator's identity on k8s-1, as a user makes it himself."""
    where = {"name": ACCOUNT, "namespace": "kb-system"}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": where}
    apply(lab, "k8s-1", [account, *role_objects(rights, where, ACCOUNT)])


def options(kubeconfig: Path, **changed: Any) -> dict[str, Any]:
    """Options of preflight for these two contexts."""
    contexts = [
        {"name": name, "context": name, "kubeconfig": str(kubeconfig), "plane": plane}
        for name, plane in (("control", "control"), ("k8s-1", "data"))
    ]
    accepted = ["storage.default_class", "placement.domains"]
    return preflight_options(contexts, **({"charts": LAB_CHARTS, "accept": accepted} | changed))


def findings(
    kubeconfig: Path,
    expected: list[str],
    *,
    managed: bool,
    during: Callable[[], AbstractContextManager[None]] = nullcontext,
    **changed: Any,
) -> list[str]:
    """What preflight refuses, once the API server's authorizer has heard of the last change. ``during``: what stands
    while it looks."""
    params = options(kubeconfig, manage_access=managed, **changed)
    deadline = time.monotonic() + 300
    while True:
        with during():
            found = refused(params)
        if found == expected or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def refused(params: dict[str, Any]) -> list[str]:
    try:
        _preflight.run(Call(params))
    except Failed as problem:
        return [line.strip() for line in str(problem).splitlines()[1:]]
    return []


def put_rules(client: Client, name: str, rights: list[Right], changed: list[Right]) -> None:
    """Grant these rights, by the roles of the namespaces in which some have changed."""
    for namespace in {right.namespace for right in changed}:
        middle = f"/namespaces/{namespace}/roles" if namespace else "/clusterroles"
        client.patch(f"/apis/rbac.authorization.k8s.io/v1{middle}/{name}", {"rules": rules_of(rights, namespace)})


def site(lab: Lab, path: Path, **variables: Any) -> tuple[int, str]:
    """``site.yml`` as the limited person: its exit code and what it printed, on one line."""
    accepted = {"kubeblocks_kubeconfig": str(path), "preflight_accept": ["storage.default_class"]}
    played = play(lab, "playbooks/site.yml", "-e", json.dumps(accepted | variables))
    return played.code, " ".join(played.output.split())


def test_site_says_which_right_is_missing_and_writes_nothing(limited: tuple[Lab, Path]) -> None:
    lab, path = limited
    missing = Right("bind", "rbac.authorization.k8s.io", "clusterroles", name="kubeblocks-cluster-pod-role")
    assert missing in on_data_plane()
    allow(lab, "control", on_control_plane())
    allow(lab, "k8s-1", [right for right in on_data_plane() if right != missing])
    audit = Audit(lab, f"system:serviceaccount:default:{USER}")
    code, output = site(lab, path)
    assert code != 0
    sentence = tables()["the user on a data plane"].sentence.format(context="k8s-1", right=missing)
    assert f"preflight: 1 finding must be mended before anything is written: {sentence}" in output
    assert audit.writes() == {node.name: [] for node in lab.nodes}


def test_the_rights_to_ask_from_inside_are_named_too(limited: tuple[Lab, Path]) -> None:
    """Everything that the roles need, and nothing that only the short-lived Pods need."""
    lab, path = limited
    allow(lab, "control", on_control_plane())
    allow(lab, "k8s-1", on_data_plane(manage_access=False))
    supply_identity(lab, rights_of(operator_rules()))
    sentence = tables()["the user on a data plane"].sentence
    held = {right for right in on_control_plane() if right.namespace in ("", "kb-system")}
    expected = [
        sentence.format(context=context, right=right)
        for context in ("control", "k8s-1")
        for right in probe_rights("kb-system")
        if context == "k8s-1" or right not in held
    ]

    @contextmanager
    def nodes() -> Iterator[None]:
        """A cluster without a Node runs no Pod, and is not asked from inside. These have no kubelet, and are not ready
        for long."""
        with node(lab, "control"), node(lab, "k8s-1"):
            yield

    assert findings(path, expected, managed=False, during=nodes, in_cluster="always") == expected


def test_what_cannot_be_looked_at_is_named(limited: tuple[Lab, Path]) -> None:
    """A missing right that is accepted leaves a warning about all that was not seen because of it."""
    lab, path = limited
    missing = Right("list", "storage.k8s.io", "storageclasses")
    assert missing in on_data_plane()
    allow(lab, "control", on_control_plane())
    allow(lab, "k8s-1", [right for right in on_data_plane() if right != missing])
    until_denied(client_of(lab, "k8s-1"), tables()["the user on a data plane"], missing)
    params = options(path, accept=["storage.default_class", "placement.domains", "access.missing"])
    report = _preflight.run(Call(params))["preflight_report"]
    told = {(found["id"], found["context"]): found["seen"] for found in report["findings"]}
    assert told["evidence.incomplete", "k8s-1"] == "this credential may not look at storage"
    assert ("access.missing", "k8s-1") in told
    assert ("storage.default_class", "k8s-1") not in told


def test_site_asks_an_identity_that_the_user_supplies(limited: tuple[Lab, Path]) -> None:
    """One right of the operator is missing on one data plane, and the identity itself on two others."""
    lab, path = limited
    missing = Right("list", "batch", "jobs")
    allow(lab, "control", on_control_plane())
    allow(lab, "k8s-1", on_data_plane(manage_access=False))
    supply_identity(lab, [right for right in rights_of(operator_rules()) if right != missing])
    audit = Audit(lab, f"system:serviceaccount:default:{USER}")
    code, output = site(lab, path, data_plane_manage_access=False)
    assert code != 0
    lacking = tables()["that identity"].sentence.format(context="k8s-1", right=missing)
    absent = [
        f"{context}: there is no ServiceAccount kb-system/kubeblocks-operator. With data_plane_manage_access off, "
        "the operator's identity has to be there already. Make it, with the rules of the filter "
        "kubeblocks.multicluster.operator_rules, or let the role do it. [operator.missing]"
        for context in ("k8s-2", "k8s-3")
    ]
    sentences = " ".join([lacking, *absent])
    assert f"preflight: 3 findings must be mended before anything is written: {sentences}" in output
    asked_with = "create /api/v1/namespaces/kb-system/serviceaccounts/kubeblocks-operator/token"  # persists nothing
    assert audit.writes() == {node.name: [] for node in lab.nodes} | {"k8s-1": [asked_with]}


def test_the_rights_are_enough_to_prepare_a_data_plane(limited: tuple[Lab, Path]) -> None:
    """Nothing but the table, and the role does all of its work: RBAC lets nobody grant what he does not hold."""
    lab, path = limited
    kubectl(lab, "k8s-1", "delete", "clusterrolebinding,clusterrole", ACCOUNT, "--ignore-not-found")
    allow(lab, "k8s-1", on_data_plane())
    played = play(
        lab,
        "tests/integration/role.yml",
        "-e",
        json.dumps({"kubeblocks_kubeconfig": str(path), "target": "k8s-1", "role": "data_plane"}),
    )
    assert played.code == 0, played.output
    binding = json.loads(kubectl(lab, "k8s-1", "get", "clusterrolebinding", ACCOUNT, "-o", "json"))
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": "kb-system"}]
