# Private to this collection.
"""What the control plane and the contexts show before a context is marked or unmarked: facts for the gate."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._health import Evidence
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import trusted_by, uid_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.objects import secret_values
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._marks import Marks, read_marks, taken_for_marked
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import (
    contexts_of_operator,
    marked_of_operator,
    told_of_contexts,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._record import Record, read_record
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.gate import Affected, Facts, Identity
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database

_OPERATIONS = "/apis/operations.kubeblocks.io/v1alpha1/opsrequests"
_OVER = ("Succeed", "Failed", "Cancelled", "Aborted")
_SECONDS = 6.0


@dataclass(frozen=True)
class Situation:
    """``deployments``: the operator's; ``record``: of contexts; ``marks``: recorded; ``secret``: what the operator's
    Secret of contexts holds (never for output); ``operations``: running OpsRequests by namespace/name of the Cluster;
    ``uids``: context → UID seen now, of those that answer."""

    control: str
    deployments: Sequence[Mapping[str, Any]]
    record: Record
    marks: Marks
    secret: Mapping[str, str]
    operations: Mapping[str, Sequence[str]]
    uids: Mapping[str, str]
    ways: Mapping[str, Mapping[str, str]]

    @property
    def known(self) -> list[str]:
        return contexts_of_operator(self.deployments[0]) if self.deployments else []

    @property
    def marked(self) -> list[str]:
        """The contexts that are to be taken for marked: recorded, or told to one of the Deployments. A run that was
        killed may have told only one, and somebody's Helm may have told none what is recorded."""
        found = {*taken_for_marked(self.marks, self.deployments)}
        return [*(name for name in self.known if name in found), *sorted(found - {*self.known})]

    def says(self, marked: Sequence[str]) -> bool:
        """Whether every Deployment is told just these, in this order."""
        return all(marked_of_operator(body) == list(marked) for body in self.deployments)

    def identity(self, context: str) -> Identity:
        seen = {**self.ways[context], "uid": self.uids.get(context, "")} if context in self.ways else None
        return Identity(self.record.get(context), seen)

    def identity_when_marked(self, context: str) -> Identity:
        """The same held against what the context was when it was marked: the record may have been mended since."""
        recorded = self.marks.get(context, {}).get("identity") or self.record.get(context)
        return replace(self.identity(context), recorded=recorded)


def read(
    client: Client, params: Mapping[str, Any], clients: Mapping[str, Client], silent: Collection[str]
) -> Situation:
    """Everything at once; ``silent`` contexts are not asked. Raises ContextError where the control plane is silent."""
    namespace, asked = params["operator_namespace"], [context for context in clients if context not in silent]
    answers = _uids(clients, asked)
    secret = client.get(f"/api/v1/namespaces/{namespace}/secrets/{params['secret']}")
    return Situation(
        client.context,
        told_of_contexts(client, namespace, params["operator_release"]),
        read_record(client, namespace) or {},
        read_marks(client, namespace),
        secret_values(secret),
        _running_operations(client),
        answers,
        {context: trusted_by(each) for context, each in clients.items()},
    )


def facts(
    situation: Situation, evidence: Evidence, wanted: Sequence[str], release: str, shared: Sequence[str]
) -> Facts:
    """What the gate is told. ``wanted``: all contexts that would be marked afterwards; ``release``: see D3.9."""
    affected = [
        _affected(situation, evidence, database, wanted) for database in [*evidence.known.etcds, *evidence.known.others]
    ]
    return Facts(
        control=situation.control,
        known=situation.known,
        credentials=_contexts_of(situation.secret),
        marked=situation.marked,
        identities={context: situation.identity(context) for context in (*situation.known, situation.control)},
        verdicts={context: found.verdict for context, found in evidence.verdicts.items()},
        seen_from_inside=evidence.seen_from_inside,
        databases=affected,
        release=release,
        shared=shared,
    )


def _affected(situation: Situation, evidence: Evidence, database: Database, wanted: Sequence[str]) -> Affected:
    name = f"{database.namespace}/{database.name}"
    proof = evidence.proof(database.key, wanted)
    cluster = (evidence.known.clusters or {}).get(name) or {"metadata": {}}
    seen = (cluster.get("status") or {}).get("observedGeneration")
    return Affected(
        name=database.key,
        contexts=sorted(context for context in database.placement if database.members_in(context)),
        proof=proof.as_dict() if proof else None,
        operations=situation.operations.get(name, []),
        pending=seen is not None and seen != cluster["metadata"].get("generation"),
        unread=proof is None and database in evidence.known.etcds,
    )


def _contexts_of(secret: Mapping[str, str]) -> list[str]:
    try:
        return [entry["name"] for entry in json.loads(secret.get("kubeconfig") or "{}").get("contexts", [])]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []  # D3.1 says that it is not there


def _running_operations(client: Client) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for body in client.list(_OPERATIONS):
        spec, metadata = body["spec"], body["metadata"]
        if (body.get("status") or {}).get("phase") not in _OVER:
            cluster = f"{metadata['namespace']}/{spec.get('clusterName') or spec.get('clusterRef')}"
            found.setdefault(cluster, []).append(f"{metadata['name']} ({spec.get('type', 'of no type')})")
    return found


def reachable(clients: Mapping[str, Client], contexts: Sequence[str]) -> dict[str, Client]:
    """The clients of those contexts that answer now."""
    return {context: clients[context] for context in _uids(clients, contexts)}


def _uids(clients: Mapping[str, Client], contexts: Sequence[str]) -> dict[str, str]:
    """Of those that answer, at the second time at the latest: one late answer would take a stand-in or a proof away."""

    def ask(context: str) -> str:
        return uid_of(clients[context])

    asked = [context for context in contexts if context in clients]
    answers, late = ask_all(asked, ask, _SECONDS)
    again, _silent = ask_all(late, ask, _SECONDS)
    return answers | again
