# Private to this collection.
"""Before Helm is called: one run at a time, and what an interrupted run left behind is cleared."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import standing_marks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import (
    list_releases,
    release_path,
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
        return {"releases": {}, "marked_contexts": []}
    cleared = _claim(call, client, namespace, call.params["releases"], mine)
    records = {record["name"]: record for record in list_releases(client, namespace)}
    wanted = [records[name] for name in call.params["releases"] if name in records]
    kept = ("status", "revision")
    return {
        "changed": bool(cleared),
        "cleared": [f"{record['name']} revision {record['revision']} ({record['status']})" for record in cleared],
        "releases": {record["name"]: {key: record[key] for key in kept} for record in wanted},
        "marked_contexts": standing_marks(client, namespace),
        "diff": {
            "before": {record["name"]: record["status"] for record in cleared},
            "after": {record["name"]: "cleared" for record in cleared},
        },
    }


@contextmanager
def claimed(call: Call, client: Client, namespace: str, releases: list[str]) -> Iterator[None]:
    """Hold the Lease for as long as the block, with what an interrupted run of ours left behind cleared. Of what others
    left, nothing is judged: whoever marks a context can do without Helm. Where the block fails, it stays written down
    that its releases are ours."""
    mine = call.params["run_id"] or str(this_run())
    _await_orphans(call, client, releases)
    interrupted = interrupted_releases(read_lease(client, namespace), datetime.datetime.now(datetime.UTC), mine)
    take_lease(client, namespace, releases, mine)
    for record in list_releases(client, namespace):
        if record["name"] in interrupted and record["status"].startswith("pending-"):
            client.delete(release_path(namespace, record["secret"]))
    try:
        yield
    except (ContextError, Failed):
        with suppress(ContextError):  # the first error is the one to tell
            release_lease(client, namespace, mine, releases)
        raise
    release_lease(client, namespace, mine)


def _claim(call: Call, client: Client, namespace: str, releases: list[str], mine: str) -> list[dict[str, Any]]:
    """Take the Lease, and clear what has to be cleared: the records of that."""
    if not call.check_mode:
        _await_orphans(call, client, releases)
    now = datetime.datetime.now(datetime.UTC)
    interrupted = interrupted_releases(read_lease(client, namespace), now, mine)
    records = {record["name"]: record for record in list_releases(client, namespace)}
    pending = [
        records[name]
        for name in releases
        # A failed release is cleared too: Helm would go on from it, but kubernetes.core takes it for done.
        if name in records and (records[name]["status"].startswith("pending-") or records[name]["status"] == "failed")
    ]
    _require_ours(client, pending, interrupted)
    if not call.check_mode:
        take_lease(client, namespace, releases, mine)
        for record in pending:
            client.delete(release_path(namespace, record["secret"]))
    return pending


def _await_orphans(call: Call, client: Client, releases: list[str]) -> None:
    """A playbook that was killed leaves its helm at work; two at once on one release spoil each other's record."""
    deadline = time.monotonic() + _ORPHAN_SECONDS
    for release in releases:
        said = False
        while living := living_helm(client, release):
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
