# Private to this collection.
"""Objects as they are wanted and as they are: the difference decides what is written and what ``--diff`` shows."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Kinds that this collection compares or writes itself: apiVersion/kind → plural name, whether it lives in a namespace.
KINDS = {
    ("v1", "Namespace"): ("namespaces", False),
    ("v1", "Secret"): ("secrets", True),
    ("v1", "ConfigMap"): ("configmaps", True),
    ("v1", "Service"): ("services", True),
    ("v1", "ServiceAccount"): ("serviceaccounts", True),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): ("clusterroles", False),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): ("clusterrolebindings", False),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): ("customresourcedefinitions", False),
    ("coordination.k8s.io/v1", "Lease"): ("leases", True),
    ("apps.kubeblocks.io/v1", "Cluster"): ("clusters", True),
}
HIDDEN = "*** hidden ***"


def path_of(body: dict[str, Any]) -> str:
    """The object's own path on the API server."""
    api_version, metadata = body["apiVersion"], body["metadata"]
    plural, namespaced = KINDS[api_version, body["kind"]]
    root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
    middle = f"/namespaces/{metadata['namespace']}" if namespaced else ""
    return f"{root}{middle}/{plural}/{metadata['name']}"


def contains(found: Any, wanted: Any) -> bool:
    """Whether everything wanted is there: dictionaries may hold more, lists and values must be equal."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            contains(found.get(key), value) or (key not in found and value in ({}, [], None))
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(contains(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return bool(found == wanted)


def restricted(found: Any, wanted: Any) -> Any:
    """The part of ``found`` that ``wanted`` speaks of: what a difference has to show, and no more."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {key: restricted(found[key], value) for key, value in wanted.items() if key in found}
    if isinstance(wanted, list) and isinstance(found, list) and len(found) == len(wanted):
        return [restricted(one, other) for one, other in zip(found, wanted, strict=True)]
    return found


def without_secrets(body: Any) -> Any:
    """The same with every value of a Secret's data hidden."""
    if isinstance(body, dict) and body.get("kind") == "Secret":
        hidden = {key: dict.fromkeys(body[key] or {}, HIDDEN) for key in ("data", "stringData") if key in body}
        return {**body, **hidden}
    return body


def secret_values(secret: Mapping[str, Any] | None) -> dict[str, str]:
    """What a Secret holds, decoded; nothing where there is none. Never for output."""
    held = ((secret or {}).get("data") or {}).items()
    return {key: base64.b64decode(value).decode(errors="replace") for key, value in held}


@dataclass(frozen=True)
class Change:
    """One object that has to be written: what it is now (None: not there) and what it shall be."""

    found: dict[str, Any] | None
    wanted: dict[str, Any]

    @property
    def method(self) -> str:
        return "create" if self.found is None else "apply"

    def result(self) -> dict[str, Any]:
        metadata = self.wanted["metadata"]
        return {
            "api_version": self.wanted["apiVersion"],
            "kind": self.wanted["kind"],
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
            "method": self.method,
            "changed": True,
        }

    def difference(self) -> dict[str, Any]:
        """Before and after for ``--diff``, restricted to what is wanted, secrets hidden."""
        before = {} if self.found is None else restricted(self.found, self.wanted)
        name = self.wanted["metadata"]["name"]
        header = f"{self.wanted['kind']} {name}"
        return {
            "before_header": header,
            "after_header": header,
            "before": without_secrets({**before, "kind": self.wanted["kind"]}) if before else {},
            "after": without_secrets(self.wanted),
        }


def plan(found: list[dict[str, Any] | None], wanted: list[dict[str, Any]]) -> list[Change]:
    """What has to be written, in the order of ``wanted``."""
    return [
        Change(one, other) for one, other in zip(found, wanted, strict=True) if one is None or not contains(one, other)
    ]
