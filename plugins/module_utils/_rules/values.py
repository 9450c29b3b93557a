# Private to this collection.
"""The multi-cluster values of the operator's chart, as KubeBlocks reads them: nothing is trimmed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, Finding


def of_values(values: Mapping[str, Any], known: Sequence[str]) -> list[Finding]:
    """``values``: the user's own for the operator's chart; ``known``: the data planes' contexts."""
    given = values.get("multiCluster") or {}
    contexts, disabled = _split(given.get("contexts")), _split(given.get("contextsDisabled"))
    told = [
        *_names("contexts", contexts, known),
        *_names("contextsDisabled", disabled, known),
        *(
            (f"contextsDisabled names {name!r}, which is not in contexts", "the operator does not start")
            for name in disabled
            if "contexts" in given and name not in contexts
        ),
    ]
    if contexts and "kubeConfig" in given and not given["kubeConfig"]:
        told.append(("contexts are set and kubeConfig is empty", "every context would be the control plane itself"))
    return [
        Finding(
            "values.multi_cluster",
            "control plane",
            FAIL,
            f"control_plane_values.multiCluster: {seen}",
            why,
            "Leave multiCluster out of control_plane_values: the role sets it from the inventory",
        )
        for seen, why in told
    ]


def _split(text: Any) -> list[str]:
    return [name for name in str(text or "").split(",") if name]


def _names(key: str, names: Sequence[str], known: Sequence[str]) -> list[tuple[str, str]]:
    found = [
        (
            f"{key} has blanks around {name.strip()!r}",
            "KubeBlocks takes them for a part of the name, and does not start",
        )
        for name in names
        if name != name.strip()
    ]
    found += [
        (f"{key} names {name!r} more than once", "one cluster would be asked twice for everything")
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    return found + [
        (f"{key} names {name.strip()!r}, which is no data plane", "the operator does not start")
        for name in names
        if name.strip() not in known
    ]
