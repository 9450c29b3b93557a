# Private to this collection.
"""Which contexts die together: what they share makes them one failure domain. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import INFO, WARN, Finding


@dataclass(frozen=True)
class Tie:
    """One thing that contexts share: ``kind`` and ``value``, the contexts, and whether nobody may declare otherwise."""

    kind: str
    value: str
    contexts: tuple[str, ...]
    hard: bool


# Key of the evidence → the word for it, what its loss is, whether it always counts.
_SHARED = {
    "uids": ("cluster", "they are one cluster", True),
    "boot_ids": ("boot ID", "they run on one machine", True),
    "machine_ids": ("machine ID", "their nodes look like one machine, or like copies of one image", False),
    "zones": ("zone", "the loss of this zone takes all of them", False),
    "backends": ("storage back end", "the loss of this storage takes all of them", False),
}


def ties(seen: Mapping[str, Mapping[str, Any]]) -> list[Tie]:
    """What contexts share. ``seen``: context → ``uids``, ``boot_ids``, ``machine_ids``, ``zones``, ``backends``."""
    found = []
    for kind, shared in _SHARED.items():
        holders: dict[str, list[str]] = {}
        for context, entry in seen.items():
            for value in sorted(set(entry.get(kind) or ()) - {""}):
                holders.setdefault(value, []).append(context)
        found += [Tie(kind, value, tuple(names), shared[2]) for value, names in holders.items() if len(names) > 1]
    return found


def domains(contexts: Sequence[str], shared: Sequence[Tie], declared: Mapping[str, str]) -> dict[str, str]:
    """The failure domain of each context: what is declared, and whatever the ties make one.

    A tie that is not hard gives way between two contexts that are declared to be in different domains.
    """
    groups = {context: {context} for context in contexts}
    pairs = [
        (one, other)
        for tie in shared
        for one in tie.contexts
        for other in tie.contexts
        if tie.hard or not _apart(one, other, declared)
    ]
    pairs += [(one, other) for one in contexts for other in contexts if _together(one, other, declared)]
    for one, other in pairs:
        if one in groups and other in groups:
            merged = groups[one] | groups[other]
            for member in merged:
                groups[member] = merged
    return {context: _name(groups[context], declared) for context in contexts}


def _apart(one: str, other: str, declared: Mapping[str, str]) -> bool:
    return one in declared and other in declared and declared[one] != declared[other]


def _is_bound(one: str, contexts: Sequence[str], declared: Mapping[str, str]) -> bool:
    """Whether it counts as one domain with another of these, and not both are declared: what is declared is known."""
    return any(other != one and not (one in declared and other in declared) for other in contexts)


def _together(one: str, other: str, declared: Mapping[str, str]) -> bool:
    return one in declared and declared.get(other) == declared[one]


def _name(group: set[str], declared: Mapping[str, str]) -> str:
    return "+".join(sorted({declared[context] for context in group if context in declared}) or sorted(group))


def of_ties(shared: Sequence[Tie], declared: Mapping[str, str]) -> list[Finding]:
    """A warning for each thing that makes contexts one domain; nothing where it was declared otherwise, or where
    ``identity.duplicate`` says it."""
    found = []
    for tie in shared:
        word, why = _SHARED[tie.kind][:2]
        if tie.kind == "uids":
            continue
        bound = [one for one in tie.contexts if tie.hard or _is_bound(one, tie.contexts, declared)]
        if not bound:
            continue
        cure = (
            "Put the data planes on machines of their own"
            if tie.hard
            else "If this is not so, set the host variable failure_domain to different values on each of them"
        )
        found.append(
            Finding(
                f"fate.{tie.kind[:-1]}",
                bound[-1],
                WARN,
                f"{', '.join(bound)} share the {word} {tie.value!r}, and count as one failure domain",
                why,
                cure,
            )
        )
    return found


def of_subnets(servers: Mapping[str, str]) -> list[Finding]:
    """API servers in one /24 (IPv6: /64): only said, since it tells little. ``servers``: context → address."""
    subnets: dict[str, list[str]] = {}
    for context, server in servers.items():
        subnet = _subnet(server)
        if subnet:
            subnets.setdefault(subnet, []).append(context)
    return [
        Finding(
            "fate.subnet",
            names[-1],
            INFO,
            f"the API servers of {', '.join(names)} are in one subnet ({subnet})",
            "a fault of that network reaches all of them",
            "Nothing to do if the clusters are apart in all else",
        )
        for subnet, names in subnets.items()
        if len(names) > 1
    ]


def _subnet(server: str) -> str:
    try:
        address = ipaddress.ip_address(urlsplit(server).hostname or "")
    except ValueError:
        return ""
    return str(ipaddress.ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False))
