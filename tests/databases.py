"""KubeBlocks' own objects on API servers without an operator: CRDs that are served, Clusters, requests for them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import path_of
from lab.build.crds import kubeblocks_crds
from lab.settings import Lab

PLACEMENT, POD = "apps.kubeblocks.io/multi-cluster-placement", "apps.kubeblocks.io/pod-name"
INSTANCE, COMPONENT = "app.kubernetes.io/instance", "apps.kubeblocks.io/component-name"
WORKLOAD, TEMPLATE = "workloads.kubeblocks.io/instance", "apps.kubeblocks.io/vct-name"
CRDS = ("clusters.apps.kubeblocks.io", "components.apps.kubeblocks.io", "opsrequests.operations.kubeblocks.io")
APPS, OPERATIONS = "/apis/apps.kubeblocks.io/v1", "/apis/operations.kubeblocks.io/v1alpha1"
# What an API server wants of an object besides its metadata.
NEEDED: dict[str, dict[str, Any]] = {
    "Service": {"spec": {"ports": [{"port": 2380}]}},
    "Pod": {"spec": {"containers": [{"name": "etcd", "image": "etcd"}], "terminationGracePeriodSeconds": 0}},
    "PersistentVolumeClaim": {
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    },
    "Secret": {"stringData": {"password": "never to be read"}},
    "RoleBinding": {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "none"}},
}


def client_of(lab: Lab, context: str = "control") -> Client:
    return Client(Access(context, str(lab.kubeconfig)))


def real_crds() -> dict[str, dict[str, Any]]:
    """The CRDs of what a person asks for, by name."""
    found = {body["metadata"]["name"]: body for body in yaml.load_all(kubeblocks_crds().read_text(), yaml.CSafeLoader)}
    return {name: found[name] for name in CRDS}


@contextmanager
def with_crds(client: Client) -> Iterator[None]:
    """The server serves them; those that it did not have before go again."""
    bodies = list(real_crds().values())
    missing = [body for body in bodies if client.get(path_of(body)) is None]
    for body in bodies:
        client.apply(path_of(body), body)
    await_all(client, [f"{APPS}/clusters", f"{APPS}/components", f"{OPERATIONS}/opsrequests"])
    yield
    for body in missing:
        client.delete(path_of(body))
    deadline = time.monotonic() + 300
    while any(client.get(path_of(body)) for body in missing):
        assert time.monotonic() < deadline, "CRDs are still being deleted"
        time.sleep(0.1)


def await_all(client: Client, paths: Iterable[str], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    waiting = list(paths)
    while waiting:
        assert time.monotonic() < deadline, f"not served: {waiting}"
        waiting = [path for path in waiting if not _answers(client, path)]
        time.sleep(0.05)


def _answers(client: Client, path: str) -> bool:
    try:
        return client.get(path) is not None
    except ContextError:
        return False


def space(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def cluster(namespace: str, name: str, placement: str = "", **spec: Any) -> dict[str, Any]:
    """A Cluster of an etcd with three members; ``spec`` changes or adds to what is asked for."""
    annotations = {PLACEMENT: placement} if placement else {}
    return {
        "apiVersion": "apps.kubeblocks.io/v1",
        "kind": "Cluster",
        "metadata": {"namespace": namespace, "name": name, "annotations": annotations},
        "spec": {"terminationPolicy": "Delete", "componentSpecs": [{"name": "etcd", "replicas": 3}], **spec},
    }


def made(kind: str, name: str, owner: str = "etcd", part: str = "etcd", **given: Any) -> dict[str, Any]:
    """An object as KubeBlocks makes it for a database (``owner``, ``part``) in a context, k8s-2 if none is given."""
    labels = {
        "app.kubernetes.io/managed-by": "kubeblocks",
        INSTANCE: owner,
        COMPONENT: part,
        WORKLOAD: f"{owner}-{part}" if part else "",
        **given.get("labels", {}),
    }
    metadata = {
        "namespace": given.get("namespace", "db"),
        "name": name,
        "uid": f"uid of {name}",
        "labels": {key: value for key, value in labels.items() if value},
        "annotations": {PLACEMENT: place} if (place := given.get("place", "k8s-2")) else {},
    }
    spec = {"spec": {"selector": given["selector"]}} if "selector" in given else {}
    api_version = "rbac.authorization.k8s.io/v1" if kind == "RoleBinding" else "v1"
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **spec}


def sent(body: dict[str, Any], *finalizers: str) -> dict[str, Any]:
    """The same as an API server takes it, owned by what a data plane does not know, as KubeBlocks' own is."""
    owner = {"apiVersion": "workloads.kubeblocks.io/v1", "kind": "InstanceSet", "name": "x", "uid": "x"}
    metadata = {key: value for key, value in body["metadata"].items() if key != "uid"}
    metadata |= {"finalizers": list(finalizers), "ownerReferences": [{**owner, "blockOwnerDeletion": True}]}
    needed = NEEDED.get(body["kind"], {})
    spec = needed.get("spec", {}) | body.get("spec", {})
    return {**body, **needed, "metadata": metadata} | ({"spec": spec} if spec else {})
