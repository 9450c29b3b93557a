# Private to this collection.
"""etcd's JSON gateway through several endpoints: each request is a connection of its own, as after a fail-over."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.endpoints import target_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.history import REFUSED, UNKNOWN

HTTPS = "https"
# These say that a request was not carried out. Any other may come from a proxy, or from an etcd that goes on with it.
_CERTAINLY_NOT = (400, 401, 403, 404, 405, 413, 429)
_HOST = re.compile(r"[\w.:%-]+")
_MOST_BYTES = 32 * 1024 * 1024  # of one answer
_SHOWN_BYTES = 100
_LEAST_SECONDS = 0.05  # for an answer, when connecting has taken all the time
_BETWEEN_ROUNDS = 0.2
Answer = dict[str, Any]
Done = TypeVar("Done")


class Unanswered(Exception):
    """A request without etcd's answer. ``outcome``: whether it was certainly not carried out, or nobody knows."""

    def __init__(self, reason: str, outcome: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


@dataclass(frozen=True)
class Endpoint:
    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        target = target_of({"host": self.host, "port": self.port})
        return f"{HTTPS}://{target}" if self.scheme == HTTPS else target


def endpoint_of(text: str) -> Endpoint:
    """``host:port``, ``http://host:port`` or ``https://host:port``. Raises Failed."""
    found = None
    with suppress(ValueError):
        found = _parsed(text if "://" in text else f"http://{text}")
    if found is None:
        # What stands before an @ may be a password, so such a text is not repeated.
        shown = "one with a user in it" if "@" in text else repr(text)
        raise Failed(
            f"endpoints: cannot use {shown}: it is no address of an etcd. Write host:port or https://host:port."
        )
    return found


def _parsed(text: str) -> Endpoint | None:
    """Raises ValueError."""
    url = urlsplit(text)
    host, port = url.hostname or "", url.port or 0
    host.encode("idna")
    fits = url.scheme in ("http", HTTPS) and _HOST.fullmatch(host) and port and "@" not in url.netloc
    return Endpoint(url.scheme, host, port) if fits and not (url.path.strip("/") or url.query or url.fragment) else None


def trust(ca_cert: str | None, client_cert: str | None, client_key: str | None) -> ssl.SSLContext:
    """Whom to trust and who to be, from paths; the system's own authorities without one. Raises Failed."""
    try:
        context = ssl.create_default_context(cafile=ca_cert)
    except (OSError, ValueError) as problem:
        raise Failed(
            f"ca_cert: cannot read {ca_cert}: {_words(problem)}. Name a file of PEM certificates."
        ) from problem
    if client_cert:
        try:
            # Without a password at hand OpenSSL would ask the terminal for one, and wait.
            context.load_cert_chain(client_cert, client_key, password=lambda: b"")
        except (OSError, ValueError) as problem:
            raise Failed(
                f"client_cert: cannot use {client_cert} with {client_key or 'its own key'}: {_words(problem)}. "
                "Name PEM files that belong together, the key without a password."
            ) from problem
    return context


class Gateway:
    """The ways to one etcd; whoever answered last is asked first. ``timeout``: seconds for one request."""

    def __init__(self, endpoints: Sequence[Endpoint], timeout: float, trusted: ssl.SSLContext | None = None) -> None:
        self.endpoints = list(endpoints)
        self.timeout = timeout
        self.clusters: set[str] = set()  # IDs that were answered with: more than one is more than one etcd
        self._trusted = trusted
        self._first = 0

    def ways(self) -> list[Endpoint]:
        return self.endpoints[self._first :] + self.endpoints[: self._first]

    def ask(self, endpoint: Endpoint, path: str, body: Mapping[str, Any]) -> Answer:
        """What etcd answers, with a revision as every true answer has one. Raises Unanswered."""
        status, text = self._exchange(endpoint, path, json.dumps(body))
        answer = _object_in(text)
        if status != http.client.OK:
            said = str(answer.get("message") or answer.get("error") or _plain(text) or "no reason given")
            raise Unanswered(f"{said} (HTTP {status})", REFUSED if status in _CERTAINLY_NOT else UNKNOWN)
        header = answer.get("header")
        if not isinstance(header, dict) or not str(header.get("revision", "")).isdigit():
            raise Unanswered("what answers is no etcd", UNKNOWN)
        self.clusters.add(str(header.get("cluster_id", "")))
        self._first = self.endpoints.index(endpoint)
        return answer

    def ask_any(self, path: str, body: Mapping[str, Any]) -> Answer:
        """The first answer, one way after the other. Raises Unanswered with what each of them said."""
        reasons = []
        for endpoint in self.ways():
            try:
                return self.ask(endpoint, path, body)
            except Unanswered as problem:
                reasons.append(f"{endpoint}: {problem}")
        raise Unanswered("; ".join(reasons), UNKNOWN)

    def insist(self, path: str, body: Mapping[str, Any], end: float) -> Answer:
        """Ask once, and again until somebody answers or the clock is at ``end``. Raises Unanswered."""
        while True:
            try:
                return self.ask_any(path, body)
            except Unanswered:
                if time.monotonic() + _BETWEEN_ROUNDS >= end:
                    raise
            time.sleep(_BETWEEN_ROUNDS)

    def _exchange(self, endpoint: Endpoint, path: str, text: str) -> tuple[int, bytes]:
        end = time.monotonic() + self.timeout
        connection = self._connection(endpoint)
        try:
            self._try(connection.connect, REFUSED)  # nothing was sent yet
            connection.sock.settimeout(max(_LEAST_SECONDS, end - time.monotonic()))
            headers = {"Content-Type": "application/json", "Connection": "close"}
            self._try(lambda: connection.request("POST", path, text, headers), UNKNOWN)
            return self._try(lambda: _answer_of(connection), UNKNOWN)
        finally:
            connection.close()

    def _connection(self, endpoint: Endpoint) -> http.client.HTTPConnection:
        if endpoint.scheme != HTTPS:
            return http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=self.timeout)
        return http.client.HTTPSConnection(endpoint.host, endpoint.port, timeout=self.timeout, context=self._trusted)

    def _try(self, step: Callable[[], Done], outcome: str) -> Done:
        try:
            return step()
        except TimeoutError as problem:
            raise Unanswered(f"no answer within {self.timeout:g} s", outcome) from problem
        except (OSError, http.client.HTTPException) as problem:
            raise Unanswered(_words(problem), outcome) from problem


def _answer_of(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    with connection.getresponse() as answer:
        return answer.status, answer.read(_MOST_BYTES)


def _object_in(text: bytes) -> Answer:
    """What stands there as JSON; nothing if it is cut off, or something else."""
    with suppress(ValueError):
        found = json.loads(text)
        return found if isinstance(found, dict) else {}
    return {}


def _plain(text: bytes) -> str:
    """The first line, unless it is HTML or JSON."""
    lines = text[:_SHOWN_BYTES].decode(errors="replace").strip().splitlines()
    return "" if not lines or lines[0].startswith(("<", "{")) else lines[0]


def _words(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLError):
        return _words_of_tls(problem)
    if isinstance(problem, http.client.RemoteDisconnected):
        return "it hung up without an answer"
    if isinstance(problem, http.client.HTTPException):
        return "what answers speaks no HTTP"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem) or type(problem).__name__


def _words_of_tls(problem: ssl.SSLError) -> str:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {problem.verify_message}"
    if isinstance(problem, ssl.SSLEOFError):
        return "TLS: it hung up, as on a client without a certificate that it knows"
    return f"TLS: {str(problem.reason or problem).replace('_', ' ').lower()}"
