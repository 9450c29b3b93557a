"""The lab with a real Cilium Cluster Mesh: what its clusters say, and how its ways are cut."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from balanced import first
from lab.build.images import PYTHON
from lab.cluster.network import UPLINK
from lab.settings import Lab
from lab.system import run as run_command
from support import answer, kubectl, module, places

SYSTEM = "kube-system"
IMAGE = PYTHON.reference
MESH_API = "clustermesh-apiserver"


def contexts(lab: Lab) -> list[str]:
    return [node.name for node in lab.nodes]


def items(lab: Lab, context: str, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kubectl(lab, context, "get", *words, "-o", "json"))["items"]
    return found


def of_its_node(lab: Lab, context: str) -> str:
    """Whether a cluster's one node is Ready, in its own words."""
    path = "jsonpath={.items[0].status.conditions[?(@.type=='Ready')].status}"
    return kubectl(lab, context, "get", "nodes", "-o", path)


def meshed(lab: Lab, **ids: int) -> list[dict[str, Any]]:
    """The contexts as the inventory has them, with their numbers; ``ids``: another number for some."""
    found = places(lab)
    for node, place in zip(lab.nodes, found, strict=True):
        place["mesh"] = {"id": ids.get(node.name.replace("-", "_"), node.index + 1)}
    return found


def info(lab: Lab, **changed: Any) -> dict[str, Any]:
    """What the module mesh_info says; asked again where a whole cluster did not answer in time."""
    options = {"contexts": meshed(lab), "deadline": 60, **changed}
    return first(lambda: answer("mesh_info", options), lambda found: "pairs" in found)


def info_until(lab: Lab, is_so: Callable[[dict[str, Any]], bool], **changed: Any) -> dict[str, Any]:
    """The first look of which something is true: an agent may be late in one."""
    return first(lambda: info(lab, **changed), is_so)


def every_way(lab: Lab) -> dict[str, Any]:
    """What the module mesh_test says."""
    place = {"kubeconfig": str(lab.kubeconfig), "context": "control"}
    return module(
        lab, "mesh_test", {**place, "contexts": meshed(lab), "image": IMAGE, "start_timeout": 180}, body="action"
    )


def pair(found: dict[str, Any], source: str, target: str) -> dict[str, Any]:
    """What one cluster knows of another."""
    (entry,) = [each for each in found["pairs"] if (each["source"], each["target"]) == (source, target)]
    return dict(entry)


def said(lab: Lab, source: str, target: str, words: str, **changed: Any) -> dict[str, Any]:
    """The first look at a pair whose reasons have these words; what its agents say then is printed beside them."""

    def is_said(entry: dict[str, Any]) -> bool:
        return any(words in why for why in (*entry["why"], *entry["unprobed"]))

    entry = first(lambda: pair(info(lab, **changed), source, target), is_said)
    print(f"{source} -> {target}: {words!r}, and the agents' own ready is {entry['agents_say']}")
    return entry


def broken(found: dict[str, Any]) -> set[tuple[str, str]]:
    return {(each["source"], each["target"]) for each in found["pairs"] if not each["whole"]}


@contextmanager
def dropping(lab: Lab, context: str, *rules: str) -> Iterator[None]:
    """A node that loses packets: rules of the mangle table, each ``in MATCH`` or ``out MATCH``, in its own network."""
    node = lab.node(context)
    hooks = {"in": ("PREROUTING", "-i"), "out": ("POSTROUTING", "-o")}
    done: list[list[str]] = []
    try:
        for rule in rules:
            way, *match = rule.split()
            hook, interface = hooks[way]
            words = [hook, interface, UPLINK, *match, "-j", "DROP"]
            _iptables(node.namespace, "-I", *words)
            done.append(words)
        yield
    finally:
        for words in done:
            _iptables(node.namespace, "-D", *words)


def _iptables(namespace: str, *words: str) -> None:
    command = ["ip", "netns", "exec", namespace, "iptables", "-w", "-t", "mangle", *words]
    run_command(command, what=f"change packet rules of {namespace}")


def in_agent(lab: Lab, context: str, *words: str) -> Any:
    """What a program says as JSON in the agent of a cluster's one node."""
    (pod,) = items(lab, context, "pods", "-n", SYSTEM, "-l", "k8s-app=cilium")
    command = ("exec", "-n", SYSTEM, pod["metadata"]["name"], "-c", "cilium-agent", "--")
    return json.loads(kubectl(lab, context, *command, *words, "-o", "json"))
