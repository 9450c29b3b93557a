# Private to this collection.
"""One look at all clusters from everywhere at once: this host, a Pod of the control plane, the members' Pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _asking, _etcd
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._databases import (
    ENGINE,
    Known,
    all_databases,
    named,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.identity import version_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._operator import marked_in
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.verdict import HOST
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.views import seen_from_member, view_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import access

AskInside = Callable[[], dict[str, bool]]  # context → whether its API answers
Seen = dict[str, dict[str, "bool | None"]]  # context → ``api`` and ``data``
SECONDS = 6.0  # for one sample: a request, and a script whose parts have two seconds each
_AT_ONCE = 8  # members of one cluster


@dataclass(frozen=True)
class Scene:
    """Who is asked: the contexts by name, and a client for each whose kubeconfig has it."""

    places: Mapping[str, Mapping[str, Any]]
    params: Mapping[str, Any]
    clients: Mapping[str, Client]

    @classmethod
    def of(cls, places: Mapping[str, Mapping[str, Any]], params: Mapping[str, Any]) -> Scene:
        return cls(places, params, clients_of(places, params["request_timeout"]))

    def known_at_first(self) -> Known:
        """The databases as the control plane knows them, or those that were named if it is silent."""
        try:
            return all_databases(self.clients[control_of(self.places)])
        except (ContextError, KeyError):
            return named(self.params)

    def sample(self, at: float, before: Known, ask_inside: AskInside | None) -> dict[str, Any]:
        """``views`` as the rules want them; ``members``: database → member → its view; ``known``: the databases;
        ``inside``: whether a Pod of the control plane was asked; ``problems``: context → why there is no answer, or
        no whole one."""
        control = control_of(self.places)
        said: dict[str, dict[str, Any]] = {}  # by an API itself, whether or not the Pods behind it are in time

        def ask(context: str) -> Any:
            if context not in self.clients:
                raise Failed("the kubeconfig has no such context, or it cannot be read")
            version_of(self.clients[context])
            if context == control:
                said[context] = self._of_control_plane()
                return ask_inside() if ask_inside else {}
            pods = self._pods_of_members(context, before)
            said[context] = {}
            return self._of_members(context, pods)

        answers, late = ask_all(self.places, ask, SECONDS)
        heard = dict(said)
        known = heard.get(control, {}).get("known") or before
        views: dict[str, Any] = {HOST: {context: {"api": context in heard, "data": None} for context in self.places}}
        reached = answers.get(control)
        if reached:
            views[control] = {context: {"api": seen, "data": None} for context, seen in reached.items()}
        asked = {context: found for context, found in answers.items() if context != control and found}
        for context, found in asked.items():
            views[context] = _joined([seen_from_member(view, database) for database, view in found])
        members: dict[str, dict[str, Any]] = {database.key: {} for database in known.etcds}
        for found in asked.values():
            for database, view in found:
                members.setdefault(database.key, {})[view["name"]] = view
        return {
            "at": at,
            "views": views,
            "members": members,
            "known": known,
            "inside": bool(reached),
            "marked": heard.get(control, {}).get("marked", []),
            "problems": {context: _why(problem, context in heard) for context, problem in late.items()},
        }

    def _of_control_plane(self) -> dict[str, Any]:
        client = self.clients[control_of(self.places)]
        marked = marked_in(client, self.params["operator_namespace"], self.params["operator_release"])
        return {"known": all_databases(client), "marked": marked}

    def _pods_of_members(self, context: str, known: Known) -> list[tuple[Database, str]]:
        client = self.clients[context]
        here = [database for database in known.etcds if database.members_in(context) or not database.placement]
        return [
            (database, pod["metadata"]["name"])
            for database in here
            for pod in _etcd.pods_of(client, database.namespace, database.name, database.component)
            if _etcd.phase_of(pod, ENGINE) == "Running"
        ]

    def _of_members(self, context: str, pods: list[tuple[Database, str]]) -> list[tuple[Database, dict[str, Any]]]:
        """What each of these Pods sees. A member that cannot be asked is not there."""
        client = self.clients[context]
        others = {name: self.places[name].get("server") or each.server for name, each in self.clients.items()}
        apis = {name: server for name, server in others.items() if name != context}

        def ask(pod: tuple[Database, str]) -> dict[str, Any] | None:
            database, name = pod
            try:
                text = client.execute(database.namespace, name, ENGINE, _asking.command(name, apis), SECONDS - 1)[1]
            except ContextError:
                return None
            return {"name": name, **view_of(text)}

        if not pods:
            return []
        with ThreadPoolExecutor(min(_AT_ONCE, len(pods))) as pool:
            views = list(pool.map(ask, pods))
        return [(database, view) for (database, _pod), view in zip(pods, views, strict=True) if view]


def _why(problem: Exception, api_answered: bool) -> str:
    reason = str(getattr(problem, "reason", problem))
    return f"its API answers, what is asked through it does not: {reason}" if api_answered else reason


def clients_of(places: Mapping[str, Mapping[str, Any]], timeout: float) -> dict[str, Client]:
    """A client for each context that its kubeconfig has."""
    found = {}
    for context, place in places.items():
        with suppress(ContextError):
            found[context] = Client(access(dict(place), timeout))
    return found


def control_of(places: Mapping[str, Mapping[str, Any]]) -> str:
    return next(context for context, place in places.items() if place["plane"] == "control")


def _joined(seen: list[Seen]) -> Seen:
    """Several members in one cluster are one vantage: what one of them sees, is seen."""
    found: Seen = {}
    for view in seen:
        for context, entry in view.items():
            known = found.setdefault(context, {"api": None, "data": None})
            for kind, answer in entry.items():
                known[kind] = answer if known[kind] is None else bool(known[kind] or answer)
    return found
