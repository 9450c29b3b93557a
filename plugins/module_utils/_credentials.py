# Private to this collection.
"""The operator's way to the data planes: one Secret, a kubeconfig and one expiring token for each context."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import (
    require_uid,
    uid_of,
    way_in_cluster,
    way_to,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import (
    Change,
    contains,
    path_of,
    secret_values,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.tokens import account_path, mint
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import standing_marks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._record import read_record
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import (
    AUTH_SPEC,
    CONTEXTS_SPEC,
    Call,
    access,
)

SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "contexts": CONTEXTS_SPEC,
    "namespace": {"type": "str", "default": "kb-system"},
    "name": {"type": "str", "default": "kubeblocks-contexts"},
    "service_account": {"type": "str", "default": "kubeblocks-operator"},
    "service_account_namespace": {"type": "str", "default": "kb-system"},
    "token_seconds": {"type": "int", "default": 365 * 24 * 3600, "no_log": False},
}
TOKEN_KEY = "token-"  # noqa: S105 - how the Secret's keys begin that hold tokens
_DEADLINE = 30.0


def claims_of(token: str) -> dict[str, Any]:
    """What a ServiceAccount token says of itself; empty if it is none. Nothing is verified: the server does that."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims if isinstance(claims, dict) else {}
    except (IndexError, ValueError, binascii.Error):
        return {}


def needs_renewal(claims: Mapping[str, Any], account_uid: str, now: float) -> str:
    """Why a token has to be minted anew, or nothing: less than a third of its life left, or another account's."""
    if not claims.get("exp"):
        return "there is none"
    owner = claims.get("kubernetes.io", {}).get("serviceaccount", {}).get("uid")
    if owner != account_uid:
        return "it belongs to a ServiceAccount that is gone"
    life, left = claims["exp"] - claims.get("iat", 0), claims["exp"] - now
    if left <= 0:
        return "it has run out"
    return "less than a third of its life is left" if left * 3 < life else ""


def kubeconfig_of(servers: Mapping[str, Mapping[str, str]]) -> str:
    """The operator's kubeconfig: context → ``server`` and ``ca`` (base64). Tokens are files beside it."""
    names = list(servers)
    clusters = [
        {
            "name": name,
            "cluster": {"server": servers[name]["server"], "certificate-authority-data": servers[name]["ca"]},
        }
        for name in names
    ]
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": clusters,
        "users": [{"name": name, "user": {"tokenFile": token_key(name)}} for name in names],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in names],
    }
    return json.dumps(body, indent=1)


def token_key(context: str) -> str:
    return f"{TOKEN_KEY}{context}"


def run(call: Call) -> dict[str, Any]:
    """Keep the Secret: tokens that are good stay byte for byte, the others are minted anew."""
    params, client = call.params, call.client()
    planes = {place["context"]: place for place in params["contexts"] if place["plane"] == "data"}
    secret = _secret(params, {})
    found = client.get(path_of(secret))
    held = secret_values(found)

    own_uid = uid_of(client) if any(place.get("may_be_control_plane") for place in planes.values()) else ""
    record = read_record(client, params["namespace"]) or {}

    def keep(context: str) -> dict[str, Any]:
        known = record.get(context, {}).get("uid", "")
        return _keep(call, planes[context], held.get(token_key(context), ""), own_uid, known)

    answers, problems = ask_all(planes, keep, _DEADLINE)
    for context in standing_marks(client, params["namespace"]):
        if context in problems and (entry := _held_entry(held, context)):
            answers[context] = entry  # the operator does not start without it
            del problems[context]
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems.values())
        raise Failed(f"cannot prepare the operator's credentials, and nothing was written:\n{lines}")
    kubeconfig = kubeconfig_of({context: answers[context] for context in planes})
    data = {"kubeconfig": kubeconfig} | {token_key(context): answers[context]["token"] for context in planes}
    secret = _secret(params, data)
    changed = not (found and contains(found, secret) and set(found.get("data") or {}) == set(data))
    if changed and not call.check_mode:
        client.apply(path_of(secret), secret)
    return {
        "changed": changed,
        "secret": params["name"],
        "kubeconfig_hash": hashlib.sha256(kubeconfig.encode()).hexdigest(),
        "tokens": [_token_result(context, answers[context]) for context in planes],
        "diff": Change(found, secret).difference(),
    }


def _keep(call: Call, place: Mapping[str, Any], token: str, own_uid: str, known_uid: str) -> dict[str, Any]:
    """One context's entry: its server, CA and a token that is good, minted only if it must be, and by no other cluster
    than the one that is recorded (``known_uid``). ``own_uid``: the control plane's, where a data plane may be it."""
    params = call.params
    client = Client(access(dict(place), params["request_timeout"]))
    namespace, account = params["service_account_namespace"], params["service_account"]
    found = client.get(account_path(namespace, account))
    if found is None and not call.check_mode:
        raise Failed(
            f"{client.context}: cannot mint a token: there is no ServiceAccount {namespace}/{account}. "
            "Run the role data_plane first, or create it if data_plane_manage_access is off."
        )
    why = needs_renewal(claims_of(token), found["metadata"]["uid"] if found else "", time.time())
    if why and not call.check_mode:
        if known_uid:
            require_uid(client, known_uid, "mint a token")
        token = mint(client, namespace, account, params["token_seconds"])
    if place.get("may_be_control_plane") and uid_of(client) == own_uid:
        way = way_in_cluster(client)
    else:
        way = way_to(client, place.get("server") or "")
    return {
        **way,
        "token": token if not (why and call.check_mode) else "",
        "why": why,
    }


def _held_entry(held: Mapping[str, str], context: str) -> dict[str, Any] | None:
    """What the Secret has of a context that is marked and does not answer: the same again."""
    try:
        clusters = json.loads(held.get("kubeconfig") or "{}").get("clusters", [])
        found = next(entry["cluster"] for entry in clusters if entry["name"] == context)
        way = {"server": found["server"], "ca": found["certificate-authority-data"]}
    except (ValueError, KeyError, TypeError, StopIteration):
        return None
    token = held.get(token_key(context), "")
    return {**way, "token": token, "why": ""} if token else None


def _token_result(context: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    claims = claims_of(answer["token"])
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(claims["exp"])) if claims.get("exp") else ""
    return {
        "context": context,
        "renewed": bool(answer["why"]),
        "why": answer["why"],
        "expires": expires,
        "granted_seconds": int(claims.get("exp", 0) - claims.get("iat", 0)),
        "server": answer["server"],
    }


def _secret(params: Mapping[str, Any], data: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": params["namespace"], "name": params["name"]},
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }
