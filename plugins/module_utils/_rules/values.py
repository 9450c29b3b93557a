# Private to this collection.
"""The multi-cluster values of the operator's chart, as KubeBlocks reads them: nothing is trimmed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, Finding

_WHERE = "control plane"
# Keys that the role sets from the inventory and from what is marked.
_OURS = ("contexts", "contextsDisabled", "kubeConfig", "mountPath")


def of_values(values: Mapping[str, Any], known: Sequence[str]) -> list[Finding]:
    """``values``: the user's own for the operator's chart; ``known``: the data planes' contexts. What the role sets is
    refused there in any form: it would go before the role's, also where it is empty, and take a mark away."""
    given = values.get("multiCluster") or {}
    found = [
        Finding("values.shape", _WHERE, FAIL, f"control_plane_values.{seen}", why, "Write it as the chart's values do")
        for seen, why in _of_shapes(values)
    ]
    told = _of_contexts(given, known) if isinstance(given, Mapping) else []
    cure = "Leave multiCluster out of control_plane_values: the role sets it from the inventory"
    found += [
        Finding("values.multi_cluster", _WHERE, FAIL, f"control_plane_values.multiCluster: {seen}", why, cure)
        for seen, why in told
    ]
    if not told and any(key in given for key in _OURS):
        listed = ", ".join(key for key in _OURS if key in given)
        why = "it would go before what the role sets, members would come elsewhere, and a mark would be taken away"
        seen = f"control_plane_values.multiCluster sets {listed}"
        found.append(Finding("values.multi_cluster_set", _WHERE, FAIL, seen, why, cure))
    return found


def _of_shapes(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Values that are not of the kind that the chart reads."""
    image = values.get("image") or {}
    secrets = image.get("imagePullSecrets") or [] if isinstance(image, Mapping) else []
    told = [
        (f"{key} is no mapping", "the chart cannot be rendered with it")
        for key in ("multiCluster", "image")
        if not isinstance(values.get(key) or {}, Mapping)
    ]
    if not isinstance(secrets, list) or any(not isinstance(entry, Mapping) or "name" not in entry for entry in secrets):
        told.append(("image.imagePullSecrets is no list of entries with a name", "Pods could not be made with it"))
    return told


def _of_contexts(given: Mapping[str, Any], known: Sequence[str]) -> list[tuple[str, str]]:
    """What is wrong with the contexts that are named."""
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
    return told


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
