"""What a lab gives to its users: one kubeconfig with every context, and an inventory like anybody else's."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from lab.build.charts import metallb_chart
from lab.build.crds import kubeblocks_crds
from lab.build.oci import REGISTRY
from lab.build.programs import ETCD_VERSION
from lab.build.tools import tools
from lab.cluster import pki
from lab.settings import API_PORT, CILIUM, CONTROL, Lab, Node, write_atomically

CHARTS = Path(__file__).parent / "charts"


def write(lab: Lab) -> None:
    """Write ``kubeconfig`` and ``inventory/`` into the lab's folder."""
    merged: dict[str, object] = {"apiVersion": "v1", "kind": "Config", "current-context": CONTROL}
    parts = [pki.kubeconfig(node, "admin") for node in lab.nodes]
    merged |= {key: [part[key][0] for part in parts] for key in ("clusters", "users", "contexts")}
    write_atomically(lab.kubeconfig, json.dumps(merged, indent=1), 0o600)
    (lab.inventory / "group_vars" / "all").mkdir(parents=True, exist_ok=True)
    control, *planes = lab.nodes
    hosts = {
        "control_plane": {"hosts": {control.name: _mesh(control) if lab.network == CILIUM else None}},
        "data_plane": {"hosts": {node.name: _host_variables(node) for node in planes}},
    }
    _write_yaml(lab, "hosts.yml", hosts)
    _write_yaml(lab, "group_vars/all/ansible.yml", _connection())
    _write_yaml(lab, "group_vars/all/kubeblocks.yml", _variables(lab))


def _write_yaml(lab: Lab, name: str, content: object) -> None:
    write_atomically(lab.inventory / name, yaml.safe_dump(content, sort_keys=False, explicit_start=True))


def _host_variables(node: Node) -> dict[str, object] | None:
    found: dict[str, object] = {"lab_pool": [node.pool]} if node.pool else {}
    return {**found, **(_mesh(node) if node.network == CILIUM else {})} or None


def _mesh(node: Node) -> dict[str, object]:
    """What a user would write for a host, and beside it what differs where a node is no machine of its own."""
    return {
        "cluster_mesh_id": node.index + 1,
        "cluster_mesh_pod_cidrs": [node.pod_network],
        "cluster_mesh_api_server": f"{node.address}:{API_PORT}",
        "cluster_mesh_values": {
            "cni": {"binPath": str(node.cni_programs), "confPath": str(node.cni_configuration)},
            "securityContext": {"privileged": True},
        },
    }


def _connection() -> dict[str, object]:
    return {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }


def _variables(lab: Lab) -> dict[str, object]:
    """Ordinary variables of the collection: where a user has public charts and images, the lab has its own."""
    return {
        "kubeblocks_kubeconfig": str(lab.kubeconfig),
        "kubeblocks_helm_binary": str(tools() / "helm"),
        "kubeblocks_chart_ref": str(CHARTS / "kubeblocks"),
        "kubeblocks_etcd_chart_ref": str(CHARTS / "etcd"),
        "load_balancer_chart_ref": str(metallb_chart()),
        "kubeblocks_crds": str(kubeblocks_crds()),
        "kubeblocks_image_registry": REGISTRY,
        "etcd_version": ETCD_VERSION,
        "cluster_mesh_chart_ref": str(CHARTS / "cilium"),
        # The image of Cilium's own signer is not to be had, and the lab's images have no digests of the chart's.
        "cluster_mesh_certificates": "managed",
        "cluster_mesh_image_digests": False,
    }
