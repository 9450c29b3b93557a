# Private to this collection.
"""What one context answers to preflight: plain data, read only."""

from __future__ import annotations

import datetime
import hashlib
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._access import EVERYTHING, Right
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import list_releases
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._run import (
    interrupted_releases,
    read_lease,
    this_run,
)

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_HELM_SECONDS = 60


def identity_of(client: Client) -> dict[str, str]:
    """Who a context leads to: UID of kube-system, version, server address, SHA-256 of the CA certificate."""
    space = client.get("/api/v1/namespaces/kube-system", missing_ok=False)
    version = client.get("/version", missing_ok=False)
    return {
        "uid": space["metadata"]["uid"],
        "version": version["gitVersion"],
        "server": client.server,
        "ca_hash": hashlib.sha256(client.certificate_authority).hexdigest(),
    }


def of_context(access: Access, plane: str, rights: Sequence[Right], namespace: str) -> dict[str, Any]:
    """Everything that preflight asks one context. A context that cannot be asked has ``error`` and nothing else."""
    try:
        client = Client(access)
    except ContextError as problem:
        return {"error": {"kind": "missing", "message": f"{problem.verb} {problem.what}: {problem.reason}"}}
    try:
        found: dict[str, Any] = {"error": None, **identity_of(client)}
    except ContextError as problem:
        if problem.status == 403:
            return {"error": None, "uid": "", "server": client.server, "denied": [_missing_right(problem)]}
        return {"error": {"kind": "silent", "message": problem.reason}}
    found["denied"] = [str(right) for right in denied(client, rights)]
    if not found["denied"]:
        found |= _of_plane(client, plane, namespace)
    return found


def _missing_right(problem: ContextError) -> str:
    return f"{problem.verb} {problem.what}"


def _of_plane(client: Client, plane: str, namespace: str) -> dict[str, Any]:
    crds = client.list("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", metadata_only=True)
    names = sorted(crd["metadata"]["name"] for crd in crds)
    found: dict[str, Any] = {"crds": [name for name in names if name.endswith(".kubeblocks.io")]}
    if plane == "data":
        classes = client.list("/apis/storage.k8s.io/v1/storageclasses")
        found["storage_classes"] = sorted(entry["metadata"]["name"] for entry in classes)
        found["default_classes"] = sorted(
            entry["metadata"]["name"]
            for entry in classes
            if entry["metadata"].get("annotations", {}).get(_DEFAULT_CLASS) == "true"
        )
    else:
        now = datetime.datetime.now(datetime.UTC)
        ours = interrupted_releases(read_lease(client, namespace), now, str(this_run()))
        found["releases"] = [
            {**release, "ours": release["name"] in ours} for release in list_releases(client, namespace)
        ]
    return found


def denied(client: Client, rights: Iterable[Right]) -> list[Right]:
    """The rights that this credential lacks. One question if it may do everything, else one for each right."""
    wanted = list(rights)
    if _allowed(client, EVERYTHING):
        return []
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda right: _allowed(client, right), wanted))
    return [right for right, allowed in zip(wanted, answers, strict=True) if not allowed]


def _allowed(client: Client, right: Right) -> bool:
    answer = client.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", right.review())
    return bool(answer["status"].get("allowed"))


def of_tools(helm: str, charts: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """What is missing on this host: helm itself, or a chart that it cannot find."""
    if shutil.which(helm) is None:
        return [{"kind": "helm", "what": helm, "message": f"{helm}: no such program"}]
    found = []
    for chart in charts:
        command = [helm, "show", "chart", chart["ref"]]
        command += ["--version", chart["version"]] if chart.get("version") else []
        command += ["--repo", chart["repo"]] if chart.get("repo") else []
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_HELM_SECONDS, check=False)
            message = done.stderr.strip().removeprefix("Error: ") if done.returncode else ""
        except subprocess.TimeoutExpired:
            message = f"helm did not answer within {_HELM_SECONDS} s"
        except OSError as problem:
            return [{"kind": "helm", "what": helm, "message": str(problem)}]
        if message:
            found.append({"kind": "chart", "what": chart["ref"], "message": message})
    return found
