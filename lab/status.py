"""``lab status``: what runs, what is broken on purpose, and how it is."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from lab import faults, lifecycle
from lab.cluster import cgroups, machine
from lab.cluster.api import Api
from lab.cluster.supervisor import Supervisor
from lab.settings import ROUTES, Lab, Node
from lab.system import run


def gather(lab: Lab) -> dict[str, Any]:
    """Context → what is seen of it; plain data."""
    seen = {node.name: _of_node(lab, node) for node in lab.nodes}
    mesh = lifecycle.mesh_supervisor(lab)
    return {
        "name": lab.name,
        "range": lab.range,
        "profile": lab.profile,
        "contexts": seen,
        "mesh": _states(mesh) if lab.profile == "pods" and lab.network == ROUTES else {},
        "observer": [str(fault) for fault in faults.of(lab, faults.OBSERVER)],
    }


def _of_node(lab: Lab, node: Node) -> dict[str, Any]:
    frozen = cgroups.frozen(node.cgroup)
    silent = faults.silences_api(lab, node)
    api = Api(node, timeout=5.0)
    answers = not silent and api.ready()
    return {
        "server": node.server,
        "api": answers,
        "node": answers and machine.node_is_ready(node, api),
        "processes": {} if frozen else _states(machine.supervisor(node)),
        "faults": [str(fault) for fault in faults.of(lab, node.name)],
    }


def _states(supervisor: Supervisor) -> dict[str, str]:
    states = supervisor.states() or {}
    return {name: record["statename"].lower() for name, record in states.items() if not _idle(name, record)}


def _idle(name: str, record: dict[str, Any]) -> bool:
    return name == "delay" and record["statename"] == "STOPPED"


def show(lab: Lab, *, as_json: bool) -> int:
    """Print the status; 0 if every process runs and every API server answers that is not broken on purpose."""
    seen = gather(lab)
    if as_json:
        sys.stdout.write(json.dumps(seen, indent=1) + "\n")
    else:
        _print_table(seen)
    return 0 if all(_fine(context) for context in seen["contexts"].values()) else 1


def _fine(context: dict[str, Any]) -> bool:
    return bool(context["faults"]) or (context["node"] and set(context["processes"].values()) == {"running"})


def _print_table(seen: dict[str, Any]) -> None:
    rows = [("CONTEXT", "SERVER", "API", "NODE", "PROCESSES", "FAULTS")]
    for name, context in seen["contexts"].items():
        states = context["processes"]
        troubled = [f"{process} {state}" for process, state in states.items() if state != "running"]
        running = f"{len(states) - len(troubled)} running" + "".join(f", {text}" for text in troubled)
        rows.append(
            (
                name,
                context["server"],
                "ready" if context["api"] else "silent",
                "ready" if context["node"] else "-",
                running,
                "; ".join(context["faults"]) or "-",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")
    mesh = ", ".join(f"{process} {state}" for process, state in seen["mesh"].items())
    if mesh:
        sys.stdout.write(f"stand-in for global Services: {mesh}\n")
    for fault in seen["observer"]:
        sys.stdout.write(f"the Ansible host is cut off: {fault}\n")


def round_trips(node: Node, count: int = 10) -> tuple[float, float, float] | None:
    """Smallest, mean and largest of ``count`` pings from the host to the node, in milliseconds; None without answer."""
    done = run(["ping", "-n", "-q", "-i", "0.2", "-W", "2", "-c", str(count), node.address], what="ping", check=False)
    match = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)/", done.stdout)
    if match is None:
        return None
    smallest, mean, largest = map(float, match.groups())
    return smallest, mean, largest
