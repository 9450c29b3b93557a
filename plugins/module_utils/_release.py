# Private to this collection.
"""Before Helm is called: one run at a time, and what an interrupted run left behind is cleared."""

from __future__ import annotations

import datetime
import time
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import (
    list_releases,
    marked_contexts,
    release_path,
    release_values,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._run import (
    interrupted_releases,
    living_helm,
    read_lease,
    release_lease,
    take_lease,
    this_run,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import AUTH_SPEC, Call

SPEC: dict[str, Any] = {
    **AUTH_SPEC,
    "namespace": {"type": "str", "default": "kb-system"},
    "releases": {"type": "list", "elements": "str", "default": []},
    "run_id": {"type": "str", "default": ""},
    "state": {"type": "str", "default": "claimed", "choices": ["claimed", "released"]},
}


_ORPHAN_SECONDS = 600


def run(call: Call) -> dict[str, Any]:
    """Hold the Lease for these releases, or give it back. Clearing a dead run's release counts as a change."""
    client, namespace = call.client(), call.params["namespace"]
    mine = call.params["run_id"] or str(this_run())
    if call.params["state"] == "released":
        if not call.check_mode:
            release_lease(client, namespace, mine)
        return {"releases": {}}
    if not call.check_mode:
        _await_orphans(call, client)
    now = datetime.datetime.now(datetime.UTC)
    interrupted = interrupted_releases(read_lease(client, namespace), now, mine)
    records = {record["name"]: record for record in list_releases(client, namespace)}
    pending = [
        records[name]
        for name in call.params["releases"]
        # A failed release is cleared too: Helm would go on from it, but kubernetes.core takes it for done.
        if name in records and (records[name]["status"].startswith("pending-") or records[name]["status"] == "failed")
    ]
    _require_ours(client, pending, interrupted)
    if not call.check_mode:
        take_lease(client, namespace, call.params["releases"], mine)
        for record in pending:
            client.delete(release_path(namespace, record["secret"]))
    if pending:
        records = {record["name"]: record for record in list_releases(client, namespace)}
    wanted = [records[name] for name in call.params["releases"] if name in records]
    return {
        "changed": bool(pending),
        "cleared": [f"{record['name']} revision {record['revision']} ({record['status']})" for record in pending],
        "releases": {record["name"]: _described(client, record) for record in wanted},
        "diff": {
            "before": {record["name"]: record["status"] for record in pending},
            "after": {record["name"]: "cleared" for record in pending},
        },
    }


def _await_orphans(call: Call, client: Client) -> None:
    """A playbook that was killed leaves its helm at work; two at once on one release spoil each other's record."""
    deadline = time.monotonic() + _ORPHAN_SECONDS
    for release in call.params["releases"]:
        said = False
        while living := living_helm(client.context, release):
            if time.monotonic() > deadline:
                raise Failed(
                    f"{client.context}: cannot use Helm release {release}: helm (process {living[0]}) of an earlier "
                    f"run is still at work on it after {_ORPHAN_SECONDS} s. Wait for it, or end it."
                )
            if not said:
                call.say(f"{client.context}: waiting for helm (process {living[0]}) of an earlier run on {release}")
                said = True
            time.sleep(1)


def _require_ours(client: Client, pending: list[dict[str, Any]], interrupted: set[str]) -> None:
    strangers = [record for record in pending if record["name"] not in interrupted and record["status"] != "failed"]
    if strangers:
        record = strangers[0]
        raise Failed(
            f"{client.context}: cannot use Helm release {record['namespace']}/{record['name']}: it is "
            f"{record['status']}, and not by an interrupted run of this collection. Wait for the other Helm, or "
            f"clear it: helm rollback {record['name']} -n {record['namespace']}."
        )


def _described(client: Client, record: dict[str, Any]) -> dict[str, Any]:
    values = release_values(client, record["namespace"], record["secret"])
    return {
        "status": record["status"],
        "revision": record["revision"],
        "marked_contexts": marked_contexts(values),
    }
