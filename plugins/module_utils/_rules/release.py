# Private to this collection.
"""The mark as it stands in the operator's Deployments: one argument of each, and nothing else may differ. Pure."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

CONTEXTS, DISABLED = "--multi-cluster-contexts=", "--multi-cluster-contexts-disabled="
_DEPLOYMENTS = 2  # the manager and data protection: never only one of them

Object = Mapping[str, Any]


def split(text: str) -> list[str]:
    """Names that KubeBlocks separates by commas, without spaces."""
    return [name for name in text.split(",") if name]


def args_of(deployment: Object) -> list[str]:
    """The arguments of its containers, one after the other."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return [word for container in containers for word in container.get("args") or []]


def flag(words: Sequence[str], name: str) -> list[str]:
    """The names that an argument lists; none where it is not there."""
    return [entry for word in words if word.startswith(name) for entry in split(word.removeprefix(name))]


def knows_contexts(deployment: Object) -> bool:
    """Whether this is one of the Deployments that are told of the contexts."""
    return deployment.get("kind") == "Deployment" and any(word.startswith(CONTEXTS) for word in args_of(deployment))


def with_marks(words: Sequence[str], marked: Sequence[str]) -> list[str]:
    """The same arguments with these contexts disabled, as the chart writes them; for none without the argument."""
    kept = [word for word in words if not word.startswith(DISABLED)]
    position = max(index for index, word in enumerate(kept) if word.startswith(CONTEXTS)) + 1
    return [*kept[:position], *([DISABLED + ",".join(marked)] if marked else []), *kept[position:]]


def of_difference(before: Sequence[Object], after: Sequence[Object], marked: Sequence[str]) -> str:
    """D3.9: why what would be written is not the disabled list in both Deployments alone; empty if it is.

    ``before`` and ``after``: objects of the release as recorded, and as rendered with ``marked``.
    """
    old, new = ({_name(body): body for body in objects} for objects in (before, after))
    if old.keys() != new.keys():
        other = sorted(" ".join(name).strip() for name in old.keys() ^ new.keys())
        return f"objects come or go: {', '.join(other)}"
    told = [name for name, body in new.items() if knows_contexts(body)]
    if len(told) < _DEPLOYMENTS:
        return f"{len(told)} Deployments are told of contexts, and there should be {_DEPLOYMENTS}"
    for name, body in new.items():
        strip = _unmarked if name in told else dict
        if strip(body) != strip(old[name]):
            return f"{name[1]} {name[3]} would change beyond the list of disabled contexts"
    wrong = [name[3] for name in told if flag(args_of(new[name]), DISABLED) != list(marked)]
    return f"Deployment {', '.join(wrong)} would not be told of the mark" if wrong else ""


def of_drift(recorded: Sequence[Object], live: Sequence[Object]) -> str:
    """What Helm would set back besides, as somebody changed it by hand; empty if nothing."""
    known = {body["metadata"]["name"]: body for body in recorded if knows_contexts(body)}
    for body in live:
        name = body["metadata"]["name"]
        changed = [what for what, read in _HAND_MADE.items() if name in known and read(body) != read(known[name])]
        if changed:
            return f"Deployment {name} has other {' and '.join(changed)} than the release, which Helm would set back"
    return ""


def _images(deployment: Object) -> list[str]:
    return [str(container.get("image")) for container in deployment["spec"]["template"]["spec"]["containers"]]


def _own_args(deployment: Object) -> list[str]:
    return [word for word in args_of(deployment) if not word.startswith(DISABLED)]


# What people change on a living Deployment → how it is read.
_HAND_MADE: Mapping[str, Callable[[Object], Any]] = {
    "replicas": lambda body: body["spec"].get("replicas", 1),
    "images": _images,
    "arguments": _own_args,
}


def _name(body: Object) -> tuple[str, str, str, str]:
    metadata = body["metadata"]
    return str(body["apiVersion"]), str(body["kind"]), str(metadata.get("namespace", "")), str(metadata["name"])


def _unmarked(deployment: Object) -> dict[str, Any]:
    body = copy.deepcopy(dict(deployment))
    for container in body["spec"]["template"]["spec"]["containers"]:
        container["args"] = [word for word in container.get("args") or [] if not word.startswith(DISABLED)]
    return body
