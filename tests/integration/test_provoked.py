"""Each finding of preflight provoked on real API servers, alone: a healthy lab gives none of them.

Nodes are made by hand here, since these clusters run none; an API server keeps them like any other.
"""

from __future__ import annotations

import base64
import datetime
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import urllib3

from lab.settings import Lab
from objects import node, present
from provoking import PLANES, Stack, await_everything_allowed, each_plane, objects, params, report, space, told
from support import Audit, kubectl


def token(left: int, life: int) -> str:
    """Claims of a token; nobody verifies the rest of it."""
    now = int(time.time())
    claims = json.dumps({"iat": now + left - life, "exp": now + left}).encode()
    return ".".join(["e30", base64.urlsafe_b64encode(claims).decode().rstrip("="), "x"])


def both(**status: Any) -> Stack:
    """The same node on two data planes."""

    def enter(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
        for context in ("k8s-1", "k8s-2"):
            stack.enter_context(node(lab, context, **status))
        return {}

    return enter


def backends(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
    """One NFS server behind two data planes."""
    body = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "shared"},
        "provisioner": "lab.invalid/nfs",
        "parameters": {"server": "192.0.2.9"},
    }
    for context in ("k8s-2", "k8s-3"):
        stack.enter_context(present(lab, context, body))
    return {}


def ending(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
    """A namespace that something holds while it is deleted."""
    body = {"apiVersion": "v1", "kind": "ConfigMap"}
    body |= {"metadata": {"namespace": "etcd", "name": "held", "finalizers": ["lab.invalid/held"]}}
    kubectl(lab, "k8s-1", "apply", "-f", "-", stdin=json.dumps(space("etcd")))
    kubectl(lab, "k8s-1", "apply", "-f", "-", stdin=json.dumps(body))
    kubectl(lab, "k8s-1", "delete", "namespace", "etcd", "--wait=false")
    patch = '{"metadata": {"finalizers": []}}'
    stack.callback(kubectl, lab, "k8s-1", "wait", "--for=delete", "namespace/etcd", "--timeout=280s")
    stack.callback(kubectl, lab, "k8s-1", "patch", "configmap", "-n", "etcd", "held", "--type=merge", "-p", patch)
    return {}


def pod_roles(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
    """The role of database Pods, and one that somebody emptied."""
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    body |= {"metadata": {"name": "kubeblocks-cluster-pod-role"}}
    rules = [{"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}]
    stack.enter_context(present(lab, "control", {**body, "rules": rules}))
    stack.enter_context(present(lab, "k8s-2", {**body, "rules": []}))
    return {}


def operator_tokens(lab: Lab, stack: ExitStack, _folder: Path) -> dict[str, Any]:
    """One token of the operator that has run out, and one with little of its life left."""
    stack.enter_context(present(lab, "control", space("kb-system")))
    held = {"token-k8s-1": token(-60, 6000), "token-k8s-2": token(1000, 6000), "token-k8s-3": token(5000, 6000)}
    body = {"apiVersion": "v1", "kind": "Secret", "stringData": held}
    body |= {"metadata": {"namespace": "kb-system", "name": "kubeblocks-contexts"}}
    stack.enter_context(present(lab, "control", body))
    return {}


def credential(lab: Lab, stack: ExitStack, folder: Path) -> dict[str, Any]:
    """A kubeconfig whose token for one context lasts an hour."""
    stack.enter_context(
        present(
            lab,
            "k8s-3",
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "person", "namespace": "default"}},
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "person"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", "name": "person", "namespace": "default"}],
            },
        )
    )
    await_everything_allowed(lab, "k8s-3", {"namespace": "default", "name": "person"})
    minted = kubectl(lab, "k8s-3", "create", "token", "person", "--duration=1h").strip()
    return {"kubeconfig": {"k8s-3": str(changed(lab, folder, user={"token": minted}))}}


def authority(lab: Lab, _stack: ExitStack, folder: Path) -> dict[str, Any]:
    """A kubeconfig that trusts one more CA, which ends in five days."""
    made = folder / "ca.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=short", "-days", "5"]
    command = ["openssl", *words, "-keyout", str(folder / "ca.key"), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    cluster = json.loads(lab.kubeconfig.read_text())["clusters"][3]["cluster"]
    both_authorities = base64.b64decode(cluster["certificate-authority-data"]) + made.read_bytes()
    data = base64.b64encode(both_authorities).decode()
    return {"kubeconfig": {"k8s-3": str(changed(lab, folder, cluster={"certificate-authority-data": data}))}}


def changed(lab: Lab, folder: Path, **parts: dict[str, Any]) -> Path:
    """A copy of the kubeconfig in which the user or the cluster of k8s-3 is another one."""
    kubeconfig = json.loads(lab.kubeconfig.read_text())
    if "user" in parts:
        kubeconfig["users"][3]["user"] = parts["user"]
    kubeconfig["clusters"][3]["cluster"].update(parts.get("cluster", {}))
    path = folder / "kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    return path


def clock(lab: Lab, stack: ExitStack, folder: Path) -> dict[str, Any]:
    """A stand-in before one API server that says it is 40 s earlier; all else passes through."""
    server = stack.enter_context(date_shifted(lab, "k8s-3", 40))
    path = changed(lab, folder, cluster={"server": server})
    return {"kubeconfig": {"k8s-3": str(path)}, "servers": {"k8s-3": lab.node("k8s-3").server}}


@contextmanager
def date_shifted(lab: Lab, context: str, seconds: int) -> Iterator[str]:
    """An HTTP server on loopback that hands requests on and puts its own Date on the answers."""
    pki = lab.node(context).folder / "pki"
    pool = urllib3.PoolManager(
        ca_certs=str(pki / "ca.crt"), cert_file=str(pki / "lab.crt"), key_file=str(pki / "lab.key")
    )

    class Shifted(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {key: self.headers[key] for key in ("Accept", "Content-Type") if self.headers[key]}
            reply = pool.request(self.command, lab.node(context).server + self.path, body=body or None, headers=headers)
            self.send_response_only(reply.status)
            then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
            self.send_header("Date", then.strftime("%a, %d %b %Y %H:%M:%S GMT"))
            self.send_header("Content-Length", str(len(reply.data)))
            self.end_headers()
            self.wfile.write(reply.data)

        do_GET = do_POST = answer

        def log_message(self, *_arguments: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Shifted)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {
        "namespace": "etcd",
        "name": "data-etcd-etcd-1",
        "labels": {"app.kubernetes.io/managed-by": "kubeblocks", "app.kubernetes.io/instance": "etcd"},
    },
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
}
EBS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "ebs"},
    "provisioner": "ebs.csi.aws.com",
}
ZONE = {"topology.kubernetes.io/zone": "north"}
FEW = ("placement.domains", "placement", "fail")

# Name → what is done to the lab (it returns changed options), what is found besides.
PROVOKED: dict[str, tuple[Stack, set[tuple[str, str, str]]]] = {
    "one machine": (both(boot="same"), {("fate.boot_id", "k8s-2", "warn"), FEW}),
    "one machine ID": (both(machine="same"), {("fate.machine_id", "k8s-2", "warn"), FEW}),
    "one zone": (both(labels=ZONE), {("fate.zone", "k8s-2", "warn"), FEW}),
    "one storage": (backends, {("fate.backend", "k8s-3", "warn"), FEW}),
    "pod networks overlap": (both(pods="10.9.0.0/24"), {("address.pod_overlap", "k8s-2", "fail")}),
    "one node address": (both(address="192.0.2.7"), {("address.node_shared", "k8s-2", "fail")}),
    "leftovers": (objects("k8s-2", space("etcd"), CLAIM), {("leftovers.present", "k8s-2", "fail")}),
    "a namespace ends": (ending, {("namespace.terminating", "k8s-1", "fail")}),
    "a driver is missing": (
        each_plane(EBS, storage_class="ebs"),
        {("storage.cannot_provision", context, "fail") for context in PLANES},
    ),
    "another control plane": (
        objects(
            "k8s-1",
            {
                **space("kb-system"),
                "metadata": {
                    "name": "kb-system",
                    "annotations": {"kubeblocks.multicluster/control-plane": "another"},
                },
            },
        ),
        {("identity.other_control_plane", "k8s-1", "fail")},
    ),
    "a role differs": (pod_roles, {("pod_role.differs", "k8s-2", "info")}),
    "tokens end": (operator_tokens, {("token.ends", "k8s-1", "warn"), ("token.ends", "k8s-2", "info")}),
    "a credential ends": (credential, {("credential.ends", "k8s-3", "warn")}),
    "a CA ends": (authority, {("certificate.authority", "k8s-3", "warn")}),
    "a clock is behind": (clock, {("clock.skew", "k8s-3", "warn")}),
    "a pull Secret is missing": (
        lambda _lab, _stack, _folder: {"operator_values": {"image": {"imagePullSecrets": [{"name": "none-such"}]}}},
        {("image.pull_secret_missing", "control", "fail")},
    ),
    "values with a blank": (
        lambda _lab, _stack, _folder: {
            "operator_values": {"multiCluster": {"contexts": "k8s-1, k8s-2", "kubeConfig": "x"}}
        },
        {("values.multi_cluster", "control plane", "fail")},
    ),
    "another line": (
        lambda _lab, _stack, _folder: {"kubeblocks_version": "1.1.0"},
        {("version.kubeblocks", "inventory", "fail")},
    ),
    "four members": (
        lambda _lab, _stack, _folder: {"replicas": 4},
        {("placement.fragile", "placement", "fail")},
    ),
    "two contexts": (lambda _lab, _stack, _folder: {"placement": ["k8s-1", "k8s-2"]}, {FEW}),
}


def test_a_healthy_lab_is_told_nothing(stocked_lab: Lab) -> None:
    assert told(report(params(stocked_lab))) == set()


def test_each_data_plane_is_asked_the_same_number_of_questions(stocked_lab: Lab) -> None:
    audit = Audit(stocked_lab)
    report(params(stocked_lab))
    asked = {context: sum(audit.count(context).values()) for context in PLANES}
    assert len(set(asked.values())) == 1, asked
    assert 0 < asked["k8s-1"] <= 20


@pytest.mark.parametrize("name", PROVOKED)
def test_a_provoked_finding_is_reported_and_no_other(stocked_lab: Lab, tmp_path: Path, name: str) -> None:
    provoke, expected = PROVOKED[name]
    with ExitStack() as stack:
        given = provoke(stocked_lab, stack, tmp_path)
        assert told(report(params(stocked_lab, **given))) == expected
