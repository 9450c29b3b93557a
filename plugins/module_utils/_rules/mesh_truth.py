# Private to this collection.
"""What is true of a mesh, for every ordered pair of clusters, from what each of them shows. Pure.

An agent's own ``ready`` speaks of the kvstoremesh of its own cluster: it stays when the peer is dead. So kvstoremesh is
asked too, and the nodes' probes; a probe that was never made is no sign of health.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NAMES = {"agents": "agent", "kvstoremesh": "kvstoremesh"}
_PROGRAMS = tuple(_NAMES)
_OF_CERTIFICATES = ("x509", "certificate", "tls:")
_PARTS = ("nodes", "endpoints", "identities", "services")


@dataclass(frozen=True)
class Member:
    """A cluster as the inventory has it: ``context``, ``name`` and ``id`` in the mesh."""

    context: str
    name: str
    id: int


@dataclass(frozen=True)
class Pair:
    """What a cluster knows of another. ``agents_say``: their own word, ``ready`` of every agent. ``why``: reasons in
    words, none where the pair is whole. ``last_contact``: seconds since a probe of the peer's nodes went well, None
    where none did. ``nodes`` and ``services``: how many of the peer's this one knows. ``unprobed``: words on nodes that
    nobody tried to reach yet, which is no sign of health; Cilium does it within a minute or two."""

    source: str
    target: str
    connected: bool
    synced: bool
    agents_say: bool
    nodes: int
    services: int
    last_contact: float | None
    why: tuple[str, ...]
    unprobed: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        return not (self.why or self.unprobed)


def pairs(members: Sequence[Member], seen: Mapping[str, Mapping[str, Any]]) -> list[Pair]:
    """``seen``: context → ``problem`` (why it could not be asked, empty if it was), ``nodes`` (its own, name →
    address), ``desired_agents``, ``agents`` and ``kvstoremesh``: Pods with ``problem`` and ``clusters`` (peer's name →
    its state, as Cilium's RemoteCluster), ``expected`` (peers that it is told of), ``authority`` (fingerprint of its
    CA), and of agents ``known`` (node → address), ``tunnels`` (node → whether packets for its Pods are sent there; None
    where that cannot be told) and ``probes`` (node → seconds since it went well, None where it did not, infinite where
    it was never made)."""
    return [
        _pair(source, target, seen.get(source.context, {}), seen.get(target.context, {}))
        for source in members
        for target in members
        if source != target
    ]


def _pair(source: Member, target: Member, here: Mapping[str, Any], there: Mapping[str, Any]) -> Pair:
    problem = here.get("problem", "it was not asked")
    if problem:
        return Pair(source.context, target.context, False, False, False, 0, 0, None, (f"{source.context}: {problem}",))
    states = {program: _states(here[program], target.name) for program in _PROGRAMS}
    every = [state for found in states.values() for state in found]
    whole = bool(every) and all(states.values())
    agents = here["agents"]
    return Pair(
        source.context,
        target.context,
        connected=whole and all(state.get("connected", False) for state in every),
        synced=whole and all(_is_synced(state) for state in every),
        agents_say=bool(states["agents"]) and all(state.get("ready", False) for state in states["agents"]),
        nodes=min((state.get("num-nodes", 0) for state in states["agents"]), default=0),
        services=min((state.get("num-shared-services", 0) for state in states["agents"]), default=0),
        last_contact=_last_contact(agents, target.name),
        why=tuple(_reasons(target, here, there, states)),
        unprobed=tuple(_unprobed(target, agents, there)),
    )


def _states(pods: Sequence[Mapping[str, Any]], peer: str) -> list[Mapping[str, Any]]:
    """What every Pod of a program says of a peer; nothing at all where one of them says nothing."""
    found = [pod["clusters"].get(peer) for pod in pods if not pod["problem"]]
    return [state for state in found if state is not None] if all(state is not None for state in found) else []


def _is_synced(state: Mapping[str, Any]) -> bool:
    """A part that is left out is false."""
    synced = state.get("synced") or {}
    return all(synced.get(part, False) for part in _PARTS)


def _last_contact(agents: Sequence[Mapping[str, Any]], peer: str) -> float | None:
    ages = [age for agent in agents for age in _probes_of(agent, peer).values() if age is not None and age < math.inf]
    return min(ages, default=None)


def _reasons(
    target: Member,
    here: Mapping[str, Any],
    there: Mapping[str, Any],
    states: Mapping[str, Sequence[Mapping[str, Any]]],
) -> list[str]:
    """From the nearest to the farthest: programs, the list of peers, the connection, what was taken over, the way."""
    found = [f"{pod['pod']}: {pod['problem']}" for program in _PROGRAMS for pod in here[program] if pod["problem"]]
    missing = here["desired_agents"] - len(here["agents"])
    if missing > 0:
        found.append(f"{missing} of {here['desired_agents']} agents are not there")
    found += [f"no {name} runs" for program, name in _NAMES.items() if not here[program]]
    if target.name not in here["expected"]:
        return [*found, f"it is not told of {target.name}"]
    if here["authority"] != there.get("authority", here["authority"]):
        found.append(f"its CA is not that of {target.name}")
    found += _of_the_way_to_its_api(target, here, there, states["kvstoremesh"])
    for program in _PROGRAMS:
        if not states[program] and any(not pod["problem"] for pod in here[program]):
            found.append(f"{program}: {target.name} is not in the list")
        found += [f"{program}: {reason}" for state in states[program] for reason in _of_state(target, state)]
    return list(dict.fromkeys([*found, *_of_way(target, here["agents"], there)]))


def _of_the_way_to_its_api(
    target: Member, here: Mapping[str, Any], there: Mapping[str, Any], states: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What it is that keeps kvstoremesh from its peer, as far as probes of the nodes and the peer itself tell."""
    if not states or all(state.get("connected", False) for state in states):
        return []
    words = " ".join(str(state.get("status")) for state in states).lower()
    if any(word in words for word in _OF_CERTIFICATES):
        return [f"{target.name} and this cluster do not accept each other's certificates"]
    if _last_contact(here["agents"], target.name) is not None:
        return [f"nodes of {target.name} are reached, and its mesh API is not: is its port open?"]
    if there.get("problem", "it was not asked"):
        return [f"neither the nodes of {target.name} nor its API server are reached: it is dead, or cut off"]
    return [f"{target.name} runs, and its nodes are not reached from here: the way between the two is cut"]


def _of_state(target: Member, state: Mapping[str, Any]) -> list[str]:
    """Why one Pod's word of a peer is no yes."""
    if not state.get("connected", False):
        return [f"not connected ({state.get('status') or 'no reason given'})"]
    config = state.get("config") or {}
    if config.get("required", False) and not config.get("retrieved", False):
        return ["the peer's configuration cannot be had: is its name right?"]
    if "cluster-id" in config and config["cluster-id"] != target.id:
        return [f"the peer's number is {config['cluster-id']}, and {target.id} is expected"]
    synced = state.get("synced") or {}
    parts = [part for part in _PARTS if not synced.get(part, False)]
    return [f"not taken over yet: {', '.join(parts)}"] if parts else []


def _of_way(target: Member, agents: Sequence[Mapping[str, Any]], there: Mapping[str, Any]) -> list[str]:
    """Whether packets go to each of the peer's nodes, and come back."""
    found = []
    for agent in agents:
        if agent["problem"]:
            continue
        for node, address in there.get("nodes", {}).items():
            name = f"{target.name}/{node}"
            if agent["known"].get(name) != address:
                found.append(f"node {name} at {address} is not known")
            elif agent["tunnels"] is not None and not agent["tunnels"].get(name, False):
                found.append(f"packets for Pods of {name} are not sent there")
        probes = _probes_of(agent, target.name)
        found += [f"{node} was not reached by a probe" for node, age in probes.items() if age is None]
    return found


def _unprobed(target: Member, agents: Sequence[Mapping[str, Any]], there: Mapping[str, Any]) -> list[str]:
    """Nodes of the peer that are not known to be reached. Whose nodes cannot be asked for has some of which nobody
    knows."""
    problem = there.get("problem", "it was not asked")
    found = [f"the nodes of {target.name} are not known: {problem}"] if problem else []
    for probes in [_probes_of(agent, target.name) for agent in agents if not agent["problem"]]:
        listed = dict.fromkeys((f"{target.name}/{node}" for node in there.get("nodes", {})), math.inf) | probes
        found += [f"{node} was never probed" for node, age in listed.items() if age == math.inf]
    return list(dict.fromkeys(found))


def _probes_of(agent: Mapping[str, Any], peer: str) -> dict[str, float | None]:
    """The peer's nodes → seconds since the last probe, as ``pairs`` has it."""
    return {node: age for node, age in agent.get("probes", {}).items() if node.startswith(f"{peer}/")}
