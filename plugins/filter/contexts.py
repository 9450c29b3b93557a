"""Filter that makes the list of contexts from the inventory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

# Variables cluster_mesh_* of a host that the others, or the rules, have to know.
MESH = (
    "id",
    "name",
    "pod_cidrs",
    "mask_size",
    "version",
    "max_clusters",
    "routing_mode",
    "tunnel_protocol",
    "tunnel_port",
    "native_cidr",
    "kube_proxy_replacement",
    "api_server",
    "service_type",
    "node_port",
    "endpoints",
    "manage",
)


def contexts(hostvars: Mapping[str, Any], groups: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """Hosts of ``control_plane`` and ``data_plane`` as contexts, in the inventory's order."""
    planes = [(name, "control") for name in groups.get("control_plane", [])]
    planes += [(name, "data") for name in groups.get("data_plane", [])]
    return [_place(name, plane, hostvars[name]) for name, plane in planes]


def _place(name: str, plane: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "context": variables.get("kubeblocks_context") or name, "plane": plane}
    for option in ("kubeconfig", "server"):
        value = variables.get(f"kubeblocks_{option}")
        if value:
            found[option] = value
    if variables.get("failure_domain"):
        found["failure_domain"] = variables["failure_domain"]
    if variables.get("cluster_mesh_id"):
        found["mesh"] = {
            option: variables[f"cluster_mesh_{option}"] for option in MESH if f"cluster_mesh_{option}" in variables
        }
    if plane == "data":
        found |= _load_balancers(variables)
    if plane == "data" and boolean(variables.get("kubeblocks_control_plane_is_data_plane", False), strict=False):
        found["may_be_control_plane"] = True
    return found


def _load_balancers(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What the host's variables say of load balancers; only what is there, the modules know the defaults."""
    names = {"client_exposure": "exposure", "clouds": "clouds", "scope": "scope", "annotations": "annotations"}
    clients = {
        option: variables[f"endpoints_{name}"] for name, option in names.items() if variables.get(f"endpoints_{name}")
    }
    pools = variables.get("load_balancer_addresses")
    ranges = [pools] if isinstance(pools, str) else list(pools or [])
    return ({"pools": ranges} if ranges else {}) | ({"clients": clients} if clients else {})


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"contexts": contexts}
