# Private to this collection.
"""Objects as they are wanted and as they are: the difference decides what is written and what ``--diff`` shows."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Kinds that this collection compares or writes itself: apiVersion/kind → plural name, whether it lives in a namespace.
KINDS = {
    ("v1", "Namespace"): ("namespaces", False),
    ("v1", "Secret"): ("secrets", True),
    ("v1", "ConfigMap"): ("configmaps", True),
    ("v1", "Service"): ("services", True),
    ("v1", "Pod"): ("pods", True),
    ("v1", "PersistentVolumeClaim"): ("persistentvolumeclaims", True),
    ("v1", "ServiceAccount"): ("serviceaccounts", True),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): ("rolebindings", True),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): ("clusterroles", False),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): ("clusterrolebindings", False),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): ("customresourcedefinitions", False),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"): ("validatingadmissionpolicies", False),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"): (
        "validatingadmissionpolicybindings",
        False,
    ),
    ("coordination.k8s.io/v1", "Lease"): ("leases", True),
    ("apps.kubeblocks.io/v1", "Cluster"): ("clusters", True),
    ("metallb.io/v1beta1", "IPAddressPool"): ("ipaddresspools", True),
    ("metallb.io/v1beta1", "L2Advertisement"): ("l2advertisements", True),
    ("metallb.io/v1beta1", "BGPAdvertisement"): ("bgpadvertisements", True),
    ("metallb.io/v1beta2", "BGPPeer"): ("bgppeers", True),
}
HIDDEN = "*** hidden ***"


def path_of(body: dict[str, Any]) -> str:
    """The object's own path on the API server."""
    metadata = body["metadata"]
    namespaced = KINDS[body["apiVersion"], body["kind"]][1]
    place = metadata["namespace"] if namespaced else ""
    return f"{path_of_all(body['apiVersion'], body['kind'], place)}/{metadata['name']}"


def path_of_all(api_version: str, kind: str, namespace: str = "") -> str:
    """The path of all objects of a kind in a namespace, or in all of them."""
    root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
    middle = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{middle}/{KINDS[api_version, kind][0]}"


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
    """The same with every value of a Secret's data hidden; None, for one that goes, is no secret."""
    if isinstance(body, dict) and body.get("kind") == "Secret":
        return {**body, **{key: _hidden(body[key] or {}) for key in ("data", "stringData") if key in body}}
    return body


def _hidden(data: Mapping[str, Any]) -> dict[str, str | None]:
    return {key: None if value is None else HIDDEN for key, value in data.items()}


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


@dataclass(frozen=True)
class Removal:
    """One object of ours that nobody asks for any more."""

    found: dict[str, Any]

    def result(self) -> dict[str, Any]:
        return {**Change(None, self.found).result(), "method": "delete"}

    def difference(self) -> dict[str, Any]:
        header = f"{self.found['kind']} {self.found['metadata']['name']}"
        before = without_secrets({key: self.found[key] for key in ("kind", "spec", "data") if key in self.found})
        return {"before_header": header, "after_header": header, "before": before, "after": {}}


def written(steps: Sequence[Change | Removal]) -> dict[str, Any]:
    """What a module returns of its steps: ``changed``, ``results``, and ``diff`` where there is one."""
    found: dict[str, Any] = {"changed": bool(steps), "results": [step.result() for step in steps]}
    return found | ({"diff": [step.difference() for step in steps]} if steps else {})


def plan(found: Sequence[dict[str, Any] | None], wanted: Sequence[dict[str, Any]], manager: str = "") -> list[Change]:
    """What has to be written, in the order of ``wanted``; with ``manager`` also to give up what it applied earlier."""
    return [
        Change(one, other)
        for one, other in zip(found, wanted, strict=True)
        if one is None or not contains(one, other) or (manager and outgrown(one, other, manager))
    ]


def applied_by(body: Mapping[str, Any], manager: str) -> Mapping[str, Any]:
    """The fields of an object that this manager applied, in the API's own notation."""
    entries = body["metadata"].get("managedFields") or []
    found = [entry for entry in entries if entry.get("manager") == manager and entry.get("operation") == "Apply"]
    return found[0].get("fieldsV1") or {} if found else {}


def outgrown(found: Mapping[str, Any], wanted: Mapping[str, Any], manager: str) -> bool:
    """Whether the object still holds a field that this manager applied and does not want any more."""
    return _outgrown(applied_by(found, manager), wanted)


def _outgrown(owned: Mapping[str, Any], wanted: Any) -> bool:
    # Lists are compared as a whole elsewhere.
    names = {key.removeprefix("f:"): inner for key, inner in owned.items() if key.startswith("f:")}
    return isinstance(wanted, dict) and any(
        name not in wanted or _outgrown(inner, wanted[name]) for name, inner in names.items()
    )
