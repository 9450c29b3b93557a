# Private to this collection.
"""The CRDs of KubeBlocks, applied from one file or address, and left alone when nothing has changed."""

from __future__ import annotations

import hashlib
import json
import urllib.error
from pathlib import Path
from typing import Any

from ansible.module_utils.urls import open_url

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import path_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import AUTH_SPEC, Call
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._yaml import documents

SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "source": {"type": "str", "required": True},
    "namespace": {"type": "str", "default": "kb-system"},
}
_LIST = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_RECORD = "kubeblocks-multicluster-crds"
_DOWNLOAD_SECONDS = 60


def run(call: Call) -> dict[str, Any]:
    """Apply what differs from the record of the last run; the record holds each CRD's generation."""
    client, source = call.client(), call.params["source"]
    path = f"/api/v1/namespaces/{call.params['namespace']}/configmaps/{_RECORD}"
    recorded = json.loads(((client.get(path) or {}).get("data") or {}).get("record", "{}"))
    live = {item["metadata"]["name"]: item["metadata"]["generation"] for item in client.list(_LIST, metadata_only=True)}
    text = None if _is_address(source) else _read(source)
    version = source if text is None else hashlib.sha256(text.encode()).hexdigest()
    if recorded.get("version") == version and recorded["generations"].items() <= live.items():
        return {"results": [_result(name, "none") for name in sorted(recorded["generations"])]}
    bodies = _parse(text if text is not None else _download(source), source)
    drifted = [body for body in bodies if not _recorded(body, recorded, live, version)]
    names = [body["metadata"]["name"] for body in drifted]
    diff = {
        "before": {name: f"generation {live[name]}" if name in live else "absent" for name in names},
        "after": dict.fromkeys(names, f"as in {source}"),
    }
    if not call.check_mode:
        generations = {**recorded.get("generations", {}), **_apply(client, drifted)}
        wanted = {body["metadata"]["name"] for body in bodies}
        record = {"version": version, "generations": {name: generations[name] for name in sorted(wanted)}}
        body = _record_body(call.params["namespace"], record)
        client.apply(path, body)
    results = [_result(body["metadata"]["name"], "apply" if body in drifted else "none") for body in bodies]
    return {"changed": True, "results": results, "diff": diff}


def _recorded(body: dict[str, Any], recorded: dict[str, Any], live: dict[str, int], version: str) -> bool:
    name = body["metadata"]["name"]
    known = recorded.get("generations", {}).get(name)
    return recorded.get("version") == version and known is not None and live.get(name) == known


def _apply(client: Client, bodies: list[dict[str, Any]]) -> dict[str, int]:
    """Apply and return the generation that each CRD has then."""
    applied = [client.apply(path_of(body), body) for body in bodies]
    return {body["metadata"]["name"]: body["metadata"]["generation"] for body in applied}


def _record_body(namespace: str, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": _RECORD},
        "data": {"record": json.dumps(record, sort_keys=True)},
    }


def _result(name: str, method: str) -> dict[str, Any]:
    return {
        "api_version": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "namespace": "",
        "name": name,
        "method": method,
        "changed": method != "none",
    }


def _is_address(source: str) -> bool:
    return source.startswith(("https://", "http://"))


def _read(source: str) -> str:
    try:
        return Path(source).expanduser().read_text(encoding="utf-8")
    except OSError as problem:
        raise Failed(
            f"cannot read the CRDs from {source}: {problem.strerror}. Set kubeblocks_crds to a file or an address."
        ) from problem


def _download(source: str) -> str:
    try:
        with open_url(source, timeout=_DOWNLOAD_SECONDS) as answer:
            text: str = answer.read().decode()
            return text
    except (urllib.error.URLError, OSError) as problem:
        reason = getattr(problem, "reason", problem)
        raise Failed(
            f"cannot download the CRDs from {source}: {reason}. "
            "Set kubeblocks_crds to an address that can be reached from here, or to a file."
        ) from problem


def _parse(text: str, source: str) -> list[dict[str, Any]]:
    try:
        bodies = documents(text)
    except ValueError as problem:
        raise Failed(f"cannot read the CRDs from {source}: it is no YAML: {problem}") from problem
    strangers = [body.get("kind") for body in bodies if body.get("kind") != "CustomResourceDefinition"]
    if strangers or not bodies:
        raise Failed(f"cannot use {source} as CRDs: it holds {', '.join(map(str, strangers)) or 'no object'}.")
    for body in bodies:
        body.pop("status", None)
    return bodies
