# Private to this collection.
"""How the mark gets into the operator's Deployments: by Helm from the release's own record, or by a patch of both.

Neither needs a chart repository, an image, a hook, name resolution or a way to a dead cluster.
"""

from __future__ import annotations

import base64
import copy
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import STRATEGIC, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import (
    list_releases,
    read_release,
    told_of_contexts,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.release import (
    CONTEXTS,
    flag,
    of_difference,
    of_drift,
    with_marks,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._yaml import documents

HELM, PATCH, AUTO = "helm", "patch", "auto"
_SECONDS = 60


@dataclass(frozen=True)
class Way:
    """How a mark will be written: ``engine``, and ``why`` it is not Helm; ``record``: Helm's, where it is."""

    engine: str
    why: str
    record: Mapping[str, Any]
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Operator:
    """The operator's release in a control plane, and the program that renders it."""

    client: Client
    namespace: str
    release: str
    helm: str

    def choose(self, wanted: str, marked: Sequence[str]) -> Way:
        """Helm if it can and nothing but the list would change, else the patch, unless Helm is insisted on.

        Raises Failed where neither can.
        """
        record, why = self._record()
        values = with_disabled(record.get("config") or {}, marked)
        if not why and wanted != PATCH:
            why = self._difference(record, values, marked)
        if wanted == PATCH and not why:
            why = "it was asked for"
        if wanted == HELM and why:
            raise Failed(f"{self.client.context}: cannot mark by Helm release {self.namespace}/{self.release}: {why}.")
        return Way(PATCH if why else HELM, why, record, values)

    def write(self, way: Way, marked: Sequence[str]) -> None:
        """Change the disabled list and nothing else. Raises Failed, or ContextError."""
        if way.engine == HELM:
            self._upgrade(way.record, way.values, ["--description", _description(marked)])
            return
        for deployment in told_of_contexts(self.client, self.namespace, self.release):
            containers = [
                {"name": container["name"], "args": with_marks(container["args"], marked)}
                for container in deployment["spec"]["template"]["spec"]["containers"]
                if flag(container.get("args") or [], CONTEXTS)
            ]
            body = {"spec": {"template": {"spec": {"containers": containers}}}}
            path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{deployment['metadata']['name']}"
            self.client.patch(path, body, STRATEGIC)

    def _record(self) -> tuple[Mapping[str, Any], str]:
        """The newest record of the release, and why Helm cannot work from it."""
        found = [each for each in list_releases(self.client, self.namespace) if each["name"] == self.release]
        if not found:
            return {}, "it has no record in the cluster"
        record = read_release(self.client, self.namespace, found[0]["secret"])
        if found[0]["status"] != "deployed":
            return record, f"its newest record is {found[0]['status']}"
        if record["chart"]["metadata"].get("dependencies"):
            return record, "its chart has dependencies, which Helm does not record"
        return record, ""

    def _difference(self, record: Mapping[str, Any], values: Mapping[str, Any], marked: Sequence[str]) -> str:
        try:
            printed = self._upgrade(record, values, ["--dry-run=server", "--output", "json"])
            rendered = documents(json.loads(printed)["manifest"])
        except (Failed, ValueError, KeyError) as problem:
            return str(problem).rstrip(".")
        recorded = documents(record["manifest"])
        live = told_of_contexts(self.client, self.namespace, self.release)
        return of_drift(recorded, live) or of_difference(recorded, rendered, marked)

    def _upgrade(self, record: Mapping[str, Any], values: Mapping[str, Any], options: Sequence[str]) -> str:
        with tempfile.TemporaryDirectory(prefix="kubeblocks.multicluster.") as folder:
            unpack(record["chart"], Path(folder))
            command = [self.helm, "upgrade", self.release, folder, "--namespace", self.namespace, "--values", "-"]
            access = self.client.access
            settings = {"KUBECONFIG": str(access.kubeconfig), "HELM_KUBECONTEXT": access.context}
            try:
                done = subprocess.run(
                    [*command, "--no-hooks", *options],
                    input=json.dumps(values),
                    env={**os.environ, **settings},
                    capture_output=True,
                    text=True,
                    timeout=_SECONDS,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as problem:
                raise Failed(f"{self.helm} cannot be used: {problem}") from problem
        if done.returncode:
            raise Failed(f"helm ended with {done.returncode}: {done.stderr.strip().removeprefix('Error: ')}")
        return done.stdout


def with_disabled(values: Mapping[str, Any], marked: Sequence[str]) -> dict[str, Any]:
    """The same values of a release with these contexts disabled."""
    found = copy.deepcopy(dict(values))
    found["multiCluster"] = {**(found.get("multiCluster") or {}), "contextsDisabled": ",".join(marked)}
    return found


def unpack(chart: Mapping[str, Any], folder: Path) -> None:
    """A chart as Helm recorded it, as a folder that Helm can read."""
    (folder / "Chart.yaml").write_text(json.dumps(chart["metadata"]))
    (folder / "values.yaml").write_text(json.dumps(chart.get("values") or {}))
    if chart.get("schema"):
        (folder / "values.schema.json").write_bytes(base64.b64decode(chart["schema"]))
    for entry in [*(chart.get("templates") or []), *(chart.get("files") or [])]:
        path = (folder / entry["name"]).resolve()
        if folder.resolve() not in path.parents:
            raise Failed(f"the chart of the record has a file outside of itself: {entry['name']}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(entry["data"]))


def _description(marked: Sequence[str]) -> str:
    return f"marked as unavailable: {', '.join(marked)}" if marked else "no context is marked as unavailable"
