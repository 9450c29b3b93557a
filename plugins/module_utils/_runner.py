# Private to this collection.
"""One surface for a module's ``run()``, whichever body it runs in."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import (
    IMPORT_PROBLEM,
    Access,
    Client,
    key_files,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.exposure import (
    CLIENT_EXPOSURES,
    CLOUDS,
    INTERNAL,
    NONE,
    SCOPES,
)

MISSING_LIBRARY = (
    "this needs the Python package kubernetes (24 or newer) where the task runs: {problem}. "
    "Install it for that Python, for example: pip install kubernetes"
)
# Bearer tokens, keys and passwords in addresses have no business in a result, wherever they come from.
_SECRET = re.compile(
    r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}|LS0tLS1CRUdJTi[\w+/=]+|"
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*KEY-----|"
    r"(?<=//)[^/\s@\"']+:[^/\s@\"']+(?=@)"
)

AUTH_SPEC: dict[str, dict[str, Any]] = {
    "kubeconfig": {"type": "path"},
    "context": {"type": "str", "required": True},
    "request_timeout": {"type": "float", "default": 10.0},
}
CONTEXTS_SPEC: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "required": True,
    "options": {
        "name": {"type": "str", "required": True},
        "context": {"type": "str", "required": True},
        "kubeconfig": {"type": "path"},
        "plane": {"type": "str", "required": True, "choices": ["control", "data"]},
        "server": {"type": "str"},
        "failure_domain": {"type": "str"},
        "pools": {"type": "list", "elements": "str", "default": []},
        "clients": {
            "type": "dict",
            "default": {},
            "options": {
                "exposure": {"type": "str", "default": NONE, "choices": list(CLIENT_EXPOSURES)},
                "clouds": {"type": "list", "elements": "str", "default": [], "choices": list(CLOUDS)},
                "scope": {"type": "str", "default": INTERNAL, "choices": list(SCOPES)},
                "annotations": {"type": "dict", "default": {}},
            },
        },
        "may_be_control_plane": {"type": "bool", "default": False},
        "mesh": {
            "type": "dict",
            "options": {
                "id": {"type": "int", "required": True},
                "name": {"type": "str"},
                "pod_cidrs": {"type": "list", "elements": "str"},
                "mask_size": {"type": "int"},
                "version": {"type": "str"},
                "max_clusters": {"type": "int"},
                "routing_mode": {"type": "str", "choices": ["tunnel", "native"]},
                "tunnel_protocol": {"type": "str", "choices": ["vxlan", "geneve"]},
                "tunnel_port": {"type": "int"},
                "native_cidr": {"type": "str"},
                "kube_proxy_replacement": {"type": "bool"},
                "api_server": {"type": "str"},
                "service_type": {"type": "str", "choices": ["NodePort", "LoadBalancer"]},
                "node_port": {"type": "int"},
                "endpoints": {"type": "list", "elements": "str"},
                "manage": {"type": "bool"},
            },
        },
    },
}


@dataclass
class Call:
    """One call of a module: its options, the two modes, and where its words go."""

    params: dict[str, Any]
    check_mode: bool = False
    diff: bool = False
    say: Callable[[str], None] = lambda _text: None
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def show(self, lines: Iterable[str]) -> None:
        """A table for the eye, each row a line of its own: a callback may print a result's text on one."""
        for line in lines:
            self.say(_scrubbed(line))

    def client(self) -> Client:
        """The client of the task's own context."""
        return Client(access(self.params, self.params["request_timeout"]))


Run = Callable[[Call], dict[str, Any]]


def access(place: dict[str, Any], timeout: float) -> Access:
    """How a context is reached, from options that hold ``context`` and ``kubeconfig``."""
    return Access(place["context"], place.get("kubeconfig") or default_kubeconfig(), timeout)


def keeper_of(params: Mapping[str, Any]) -> Client:
    """The client of the control plane, which keeps the records, from options that hold ``contexts``."""
    place = next(place for place in params["contexts"] if place["plane"] == "control")
    return Client(access(place, params["request_timeout"]))


def default_kubeconfig() -> str:
    """``KUBECONFIG`` or ``~/.kube/config``, as kubectl does it."""
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


def outcome(run: Run, call: Call) -> dict[str, Any]:
    """Run to the end: a result as a task returns it, ``failed`` included. The one exit of both bodies."""
    if IMPORT_PROBLEM:
        return {"failed": True, "changed": False, "msg": MISSING_LIBRARY.format(problem=IMPORT_PROBLEM)}
    try:
        with key_files():
            result = {"changed": False, **run(call)}
        if not call.diff:
            result.pop("diff", None)
    except Failed as problem:
        result = {"changed": False, **problem.result, "failed": True, "msg": str(problem)}
    except ContextError as problem:
        result = {"changed": False, "failed": True, "msg": str(problem)}
    if call.warnings:
        result["warnings"] = list(call.warnings)
    scrubbed: dict[str, Any] = _scrubbed(result)
    return scrubbed


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET.sub("*** hidden ***", value)
    if isinstance(value, dict):
        return {key: _scrubbed(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_scrubbed(entry) for entry in value]
    return value


def run_module(spec: dict[str, Any], run: Run) -> None:
    """The ordinary body: a process of its own, wherever the connection leads."""
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    call = Call(module.params, module.check_mode, module._diff)
    result = outcome(run, call)
    for text in result.pop("warnings", []):
        module.warn(text)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
