# Private to this collection.
"""The mesh's CA in one cluster, and, where nobody else signs, the certificates of its mesh API.

The CA is made once and kept in the control plane. Keys go from Secret to Secret and to nowhere else.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _signing as signing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import require_uid
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import (
    Change,
    path_of,
    written,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import (
    AUTH_SPEC,
    CONTEXTS_SPEC,
    Call,
    access,
    keeper_of,
)

SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "contexts": CONTEXTS_SPEC,
    "namespace": {"type": "str", "default": "kube-system"},
    "control_plane_uid": {"type": "str", "required": True},
    "cluster": {"type": "str", "required": True},
    "managed": {"type": "bool", "default": False},
    "server_names": {"type": "list", "elements": "str", "default": []},
    "days": {"type": "int", "default": 1095},
    "renew_days": {"type": "int", "default": 60},
}
AUTHORITY = "cilium-ca"  # in every cluster; the control plane's is the one that others get theirs from
_COMMON_NAME = "Cilium CA"
_DEADLINE = 15.0
Held = dict[str, bytes]


def run(call: Call) -> dict[str, Any]:
    """Raises Failed where CAs differ or cannot sign; nothing is written then."""
    signing.require_cryptography()
    params, client = call.params, call.client()
    authority, made = _authority(call, client)
    own = held(client, params["namespace"], AUTHORITY)
    if own and own.get("ca.crt", b"").strip() != authority["ca.crt"].strip():
        raise Failed(
            f"{params['context']}: cannot join this cluster: its CA is not the mesh's, and another CA for a living "
            "cluster is a rotation. Put the same Secret cilium-ca into every cluster, by a rotation with tls.caBundle."
        )
    wanted = [] if own else [_secret(params["namespace"], AUTHORITY, authority)]
    reasons = _reasons(params, client, authority) if params["managed"] else {}
    for leaf in leaves(params):
        if leaf.secret in reasons:
            files = signing.sign(authority, leaf, params["days"])
            wanted.append(_secret(params["namespace"], leaf.secret, files, kind="kubernetes.io/tls"))
    if not call.check_mode:
        for body in wanted:
            client.apply(path_of(body), body)
    return {
        **written([*made, *(Change(None, body) for body in wanted)]),
        # In check mode a CA that would be made is another one each time.
        "fingerprint": "" if made and call.check_mode else signing.fingerprint(authority["ca.crt"]),
        "renewed": reasons,
    }


def _authority(call: Call, client: Client) -> tuple[Held, list[Change]]:
    """The mesh's CA, and what was written in the control plane to keep it there."""
    namespace, keeper = call.params["namespace"], _keeper(call)
    kept = held(keeper, namespace, AUTHORITY)
    authority = kept or _elsewhere(call, client) or signing.new_authority(_COMMON_NAME)
    problem = signing.judge_authority(authority.get("ca.crt", b""), authority.get("ca.key", b""))["problem"]
    if problem:
        raise Failed(
            f"{keeper.context}: cannot use the mesh's CA: {problem}. "
            f"Put Secret {namespace}/{AUTHORITY} right from a copy."
        )
    if kept:
        return kept, []
    body = _secret(namespace, AUTHORITY, authority)
    if call.check_mode:
        return authority, [Change(None, body)]
    try:
        keeper.create(path_of(body).rpartition("/")[0], body)
    except ContextError as refused:
        if refused.status != 409:
            raise
        return held(keeper, namespace, AUTHORITY), []  # another host of this run was faster
    return authority, [Change(None, body)]


def _reasons(params: Mapping[str, Any], client: Client, authority: Held) -> dict[str, str]:
    """Secret → why its certificate has to be made anew."""
    least = params["renew_days"] * 86400.0
    reasons = {
        leaf.secret: signing.why_new(held(client, params["namespace"], leaf.secret), authority["ca.crt"], leaf, least)
        for leaf in leaves(params)
    }
    return {secret: why for secret, why in reasons.items() if why}


def leaves(params: Mapping[str, Any]) -> list[signing.Leaf]:
    """The four certificates of a mesh API, by the names that Cilium's etcd gives rights to."""
    prefix, cluster = "clustermesh-apiserver", params["cluster"]
    names = [f"{prefix}.cilium.io", "*.mesh.cilium.io", f"{prefix}.{params['namespace']}.svc", "127.0.0.1", "::1"]
    return [
        signing.Leaf(f"{prefix}-server-cert", f"{prefix}.cilium.io", [*names, *params["server_names"]]),
        signing.Leaf(f"{prefix}-admin-cert", f"admin-{cluster}"),
        signing.Leaf(f"{prefix}-remote-cert", "remote"),
        signing.Leaf(f"{prefix}-local-cert", f"local-{cluster}"),
    ]


def held(client: Client, namespace: str, name: str) -> Held:
    """What a Secret holds; nothing where there is none."""
    found = client.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    return {key: base64.b64decode(value) for key, value in ((found or {}).get("data") or {}).items()}


def _keeper(call: Call) -> Client:
    """The control plane, after it was seen that it is the one whose identity was looked at."""
    keeper = keeper_of(call.params)
    require_uid(keeper, call.params["control_plane_uid"], "keep the mesh's CA in this context")
    return keeper


def _elsewhere(call: Call, client: Client) -> Held:
    """A CA that a cluster of the mesh has already: it becomes the mesh's. Nobody may make one before all are asked."""
    params = call.params
    places = {place["name"]: place for place in params["contexts"] if (place.get("mesh") or {}).get("id")}

    def ask(name: str) -> Held:
        place = places[name]
        other = client if place["context"] == params["context"] else Client(access(place, params["request_timeout"]))
        return held(other, params["namespace"], AUTHORITY)

    answers, problems = ask_all(places, ask, _DEADLINE)
    if problems:
        lines = "\n".join(f"  {name}: {problem}" for name, problem in problems.items())
        what = "these clusters cannot be asked whether they have one"
        raise Failed(f"{params['context']}: cannot make the mesh's CA: {what}:\n{lines}")
    found = {name: authority for name, authority in answers.items() if authority}
    if len({authority.get("ca.crt", b"").strip() for authority in found.values()}) > 1:
        raise Failed(
            f"{params['context']}: cannot choose the mesh's CA: {' and '.join(found)} have different ones. Put the "
            "same Secret cilium-ca into every cluster, by a rotation with tls.caBundle where it is in use."
        )
    return next(iter(found.values()), {})


def _secret(namespace: str, name: str, files: Held, *, kind: str = "Opaque") -> dict[str, Any]:
    """Helm deletes the CA when its values change, unless the living Secret says that it is to stay."""
    metadata: dict[str, Any] = {
        "namespace": namespace,
        "name": name,
        "labels": {"app.kubernetes.io/managed-by": "kubeblocks.multicluster"},
        "annotations": {"helm.sh/resource-policy": "keep"},
    }
    data = {key: base64.b64encode(value).decode() for key, value in sorted(files.items())}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": data}
