"""The lab's stand-in for a mesh's global Services, for labs whose networks are joined by plain routes.

A Service that carries ``service.cilium.io/global: "true"`` in several clusters gets, in each of them, the ready Pods of
the others as backends: EndpointSlices of our own beside those of Kubernetes. A cluster that does not answer keeps the
backends that it had, as a mesh does. It is no mesh: it knows no policies, no health checks and no encryption.

Run as ``python -m lab.mesh NAME`` in a network namespace of its own.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab.cluster.api import Api
from lab.settings import LabError, load

MANAGER = "mesh.kubeblocks-lab"
GLOBAL = "service.cilium.io/global"
SHARED = "service.cilium.io/shared"
_PERIOD = 1.0

Slices = dict[tuple[str, str], dict[str, Any]]  # (namespace, name) of a slice → its body


def exported(
    services: list[dict[str, Any]], slices: list[dict[str, Any]]
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """What a cluster offers: (namespace, Service) → its own EndpointSlices, for global Services only."""
    offered: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for service in services:
        metadata = service["metadata"]
        annotations = metadata.get("annotations", {})
        if annotations.get(GLOBAL) == "true":
            offered[metadata["namespace"], metadata["name"]] = []
    shared = {
        (s["metadata"]["namespace"], s["metadata"]["name"])
        for s in services
        if s["metadata"].get("annotations", {}).get(SHARED, "true") == "true"
    }
    for piece in slices:
        labels = piece["metadata"].get("labels", {})
        key = (piece["metadata"]["namespace"], labels.get("kubernetes.io/service-name", ""))
        if key in offered and key in shared and labels.get("endpointslice.kubernetes.io/managed-by") != MANAGER:
            offered[key].append(piece)
    return offered


def wanted(context: str, offers: Mapping[str, dict[tuple[str, str], list[dict[str, Any]]]]) -> Slices:
    """The slices that ``context`` should hold for the backends of the others (context → what it offers)."""
    found: Slices = {}
    for namespace, service in offers[context]:
        for peer, offered in offers.items():
            if peer == context:
                continue
            for number, piece in enumerate(offered.get((namespace, service), [])):
                if piece.get("endpoints"):
                    name = f"{service}-mesh-{peer}-{number}"
                    found[namespace, name] = _copy(namespace, name, service, piece)
    return found


def _copy(namespace: str, name: str, service: str, piece: dict[str, Any]) -> dict[str, Any]:
    endpoints = [
        {"addresses": endpoint["addresses"], "conditions": endpoint.get("conditions", {})}
        for endpoint in piece["endpoints"]
    ]
    labels = {"kubernetes.io/service-name": service, "endpointslice.kubernetes.io/managed-by": MANAGER}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "addressType": piece["addressType"],
        "endpoints": endpoints,
        "ports": piece.get("ports") or [],
    }


class Peer:
    """One cluster: what it offers, as last seen, and what it was given."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.offer: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.given: Slices | None = None
        self.reachable = False

    def look(self) -> None:
        try:
            services = self.api.get("/api/v1/services?resourceVersion=0")["items"]
            slices = self.api.get("/apis/discovery.k8s.io/v1/endpointslices?resourceVersion=0")["items"]
        except LabError:
            self.reachable = False
            return
        self.reachable = True
        self.offer = exported(services, slices)
        self.given = {
            (s["metadata"]["namespace"], s["metadata"]["name"]): s
            for s in slices
            if s["metadata"].get("labels", {}).get("endpointslice.kubernetes.io/managed-by") == MANAGER
        }

    def give(self, slices: Slices) -> None:
        if not self.reachable or self.given is None:
            return
        try:
            for key, body in slices.items():
                if not _same(self.given.get(key), body):
                    self.api.apply(_path(*key), body)
            for key in self.given.keys() - slices.keys():
                self.api.delete(_path(*key))
        except LabError as error:
            sys.stderr.write(f"{error}\n")


def _path(namespace: str, name: str) -> str:
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/{name}"


def _same(found: dict[str, Any] | None, body: dict[str, Any]) -> bool:
    return (
        found is not None
        and found.get("endpoints") == body["endpoints"]
        and (found.get("ports") or []) == body["ports"]
    )


def main() -> int:
    lab = load(sys.argv[1])
    if lab is None:
        sys.stderr.write(f"mesh: there is no lab {sys.argv[1]!r}\n")
        return 2
    peers = {node.name: Peer(Api(node, "mesh", timeout=2.0)) for node in lab.nodes}
    with ThreadPoolExecutor(len(peers)) as pool:
        while True:
            started = time.monotonic()
            list(pool.map(Peer.look, peers.values()))
            offers = {name: peer.offer for name, peer in peers.items()}
            list(pool.map(Peer.give, peers.values(), [wanted(name, offers) for name in peers]))
            time.sleep(max(0.0, _PERIOD - (time.monotonic() - started)))


if __name__ == "__main__":
    sys.exit(main())
