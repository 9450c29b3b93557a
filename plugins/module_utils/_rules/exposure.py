# Private to this collection.
"""How members are reached from outside their cluster: the clouds' annotations, and what is refused of them. Pure.

Sources: the clouds' own pages on Service annotations; ``internal`` is an address of the user's own network.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, INFO, Finding, some

INTERNAL, INTERNET = "internal", "internet"
SCOPES = (INTERNAL, INTERNET)
MESH, LOAD_BALANCER, NODE_PORT, NONE = "mesh", "load_balancer", "node_port", "none"
PEER_EXPOSURES = (MESH, LOAD_BALANCER)
CLIENT_EXPOSURES = (NONE, NODE_PORT, LOAD_BALANCER, MESH)
GLOBAL = {"service.cilium.io/global": "true"}
PLAIN, PLAIN_CLIENTS, SHARED, SUBNET = (
    "exposure.plain_internet",
    "exposure.client_port_internet",
    "exposure.one_load_balancer",
    "exposure.vke_subnet",
)
_KEY = "service.beta.kubernetes.io/"
_GKE = "networking.gke.io/"
VKE_SUBNET = f"{_KEY}volcengine-loadbalancer-subnet-id"
# Cloud → scope → annotations of a Service. One cloud passes over the keys of another, so several can stand together.
CLOUDS: dict[str, dict[str, dict[str, str]]] = {
    "ack": {
        INTERNAL: {f"{_KEY}alibaba-cloud-loadbalancer-address-type": "intranet"},
        INTERNET: {f"{_KEY}alibaba-cloud-loadbalancer-address-type": "internet"},
    },
    "vke": {
        INTERNAL: {f"{_KEY}volcengine-loadbalancer-address-type": "PRIVATE"},
        INTERNET: {f"{_KEY}volcengine-loadbalancer-address-type": "PUBLIC"},
    },
    "aws": {
        scope: {
            f"{_KEY}aws-load-balancer-type": "external",
            f"{_KEY}aws-load-balancer-nlb-target-type": "ip",
            f"{_KEY}aws-load-balancer-scheme": scheme,
        }
        for scope, scheme in ((INTERNAL, "internal"), (INTERNET, "internet-facing"))
    },
    "gke": {
        INTERNAL: {
            f"{_GKE}load-balancer-type": "Internal",
            # Members in other regions come in too.
            f"{_GKE}internal-load-balancer-allow-global-access": "true",
        },
        INTERNET: {},
    },
    "aks": {
        INTERNAL: {f"{_KEY}azure-load-balancer-internal": "true"},
        INTERNET: {f"{_KEY}azure-load-balancer-internal": "false"},
    },
}
# With one of these, every Service that carries it asks for the same load balancer or the same address.
ONE_FOR_ALL = frozenset(
    {
        f"{_KEY}alibaba-cloud-loadbalancer-id",
        f"{_KEY}volcengine-loadbalancer-id",
        f"{_KEY}aws-load-balancer-eip-allocations",
        f"{_KEY}aws-load-balancer-private-ipv4-addresses",
        f"{_KEY}aws-load-balancer-name",
        f"{_KEY}azure-load-balancer-ipv4",
        f"{_KEY}azure-pip-name",
        f"{_GKE}load-balancer-ip-addresses",
        "metallb.io/loadBalancerIPs",
        "metallb.io/allow-shared-ip",
        "metallb.universe.tf/loadBalancerIPs",
        "metallb.universe.tf/allow-shared-ip",
        "lbipam.cilium.io/ips",
        "lbipam.cilium.io/sharing-key",
    }
)


def annotations_of(clouds: Iterable[str], scope: str, extra: Mapping[str, str]) -> dict[str, str]:
    """What a LoadBalancer Service carries: the presets of all clouds of a mix, then what is given by hand."""
    presets = chain.from_iterable(CLOUDS[cloud][scope].items() for cloud in clouds)
    return {**dict(presets), **extra}


def of_load_balancers(
    where: str,
    clouds: Sequence[str],
    scope: str,
    extra: Mapping[str, str],
    accepted: Iterable[str] = (),
    *,
    several: bool = True,
) -> list[Finding]:
    """What is wrong with load balancers that are asked for, one for each member. ``where``: whose they are;
    ``several``: whether more than one member gets these annotations."""
    found = []
    shared = sorted(set(annotations_of(clouds, scope, extra)) & ONE_FOR_ALL)
    if shared and several:
        found.append(
            Finding(
                SHARED,
                where,
                FAIL,
                f"the annotation {some(shared)} is asked for on the Service of every member",
                "all members would share one load balancer or one address, and a name would lead to any of them",
                "Leave it out; each Service gets a load balancer of its own",
            )
        )
    if "vke" in clouds and VKE_SUBNET not in extra:
        found.append(
            Finding(
                SUBNET,
                where,
                FAIL,
                f"the preset vke has no annotation {VKE_SUBNET}",
                "VKE makes no load balancer without a subnet",
                "Give it beside the preset, with the ID of a subnet",
            )
        )
    if scope == INTERNET and PLAIN not in accepted:
        found.append(
            Finding(
                PLAIN,
                where,
                FAIL,
                "plain HTTP is asked for on addresses of the internet",
                "whoever finds such an address reads and writes the database, or joins it",
                "Use internal addresses or a mesh; a firewall of your own may make it right, then accept it by name",
            )
        )
    return found


def of_client_port(scope: str) -> list[Finding]:
    """Peers on the internet: clients are not let in there unless that is accepted by name."""
    if scope != INTERNET:
        return []
    return [
        Finding(
            PLAIN_CLIENTS,
            "peers",
            INFO,
            "port 2379 is not opened on the peers' load balancers, as these have addresses of the internet",
            "so the client URLs which the members advertise lead nowhere, and only Services for clients do",
            "Accept this by name to open it there as well",
        )
    ]


def is_internet(scope: str, addresses: Iterable[str]) -> bool:
    """Whether a Service is reached from the internet: asked for, or seen by one of its addresses."""
    return scope == INTERNET or any(_is_global(address) for address in addresses)


def _is_global(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:  # a name says nothing
        return False
