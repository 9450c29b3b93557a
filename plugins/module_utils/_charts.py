# Private to this collection.
"""Charts as Helm renders them on this host: whether they can be had at all, and which objects they bring."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.versions import line_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._yaml import documents

_HELM_SECONDS = 60
_FITTING = ((3, 17), (4, 0))  # from, below: what kubernetes.core 6.2 calls


@dataclass
class Rendered:
    """``problems``: what this host lacks, with ``kind`` (helm, helm_version or chart), ``what`` and ``message``; the
    manifests."""

    problems: list[dict[str, str]] = field(default_factory=list)
    manifests: list[str] = field(default_factory=list)

    def objects(self) -> list[dict[str, Any]]:
        """The objects of all charts, hooks included. Parsing is slow, so only whoever needs them pays for it."""
        return [body for text in self.manifests for body in documents(text)]


def render(helm: str, charts: Iterable[Mapping[str, Any]], namespace: str) -> Rendered:
    """Render every chart (``ref``, ``version``, ``repo``, ``release``, ``values``) for a namespace; asks no cluster."""
    if shutil.which(helm) is None:
        return Rendered([{"kind": "helm", "what": helm, "message": f"{helm}: no such program"}])
    found = Rendered()
    version = _version(helm)
    if not _FITTING[0] <= line_of(version) < _FITTING[1]:
        found.problems.append({"kind": "helm_version", "what": helm, "message": version})
    for chart in charts:
        try:
            done = subprocess.run(
                _command(helm, chart, namespace),
                input=json.dumps(chart.get("values") or {}),
                capture_output=True,
                text=True,
                timeout=_HELM_SECONDS,
                check=False,
            )
            message = done.stderr.strip().removeprefix("Error: ") or f"helm ended with {done.returncode}"
            message = message if done.returncode else ""
        except subprocess.TimeoutExpired:
            message = f"helm did not answer within {_HELM_SECONDS} s"
        except OSError as problem:
            return Rendered([{"kind": "helm", "what": helm, "message": str(problem)}])
        if message:
            found.problems.append({"kind": "chart", "what": chart["ref"], "message": message})
        else:
            found.manifests.append(done.stdout)
    return found


def _version(helm: str) -> str:
    """What helm says of itself, as ``v3.19.0``; its words where it says something else."""
    try:
        words = [helm, "version", "--template", "{{.Version}}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=_HELM_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return str(problem)
    return (done.stdout or done.stderr).strip()


def _command(helm: str, chart: Mapping[str, Any], namespace: str) -> Sequence[str]:
    command = [helm, "template", chart.get("release") or "release", chart["ref"], "--namespace", namespace]
    command += ["--values", "-"]
    command += ["--version", chart["version"]] if chart.get("version") else []
    command += ["--repo", chart["repo"]] if chart.get("repo") else []
    return command
