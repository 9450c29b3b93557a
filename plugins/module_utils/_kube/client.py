# Private to this collection.
"""One client for one context. Nothing is shared between contexts, and every request has its own time limit."""

from __future__ import annotations

import copy
import json
import os
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, hint_for

try:
    import urllib3
    from kubernetes import client as kubernetes_client
    from kubernetes import config as kubernetes_config
    from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger
    from kubernetes.stream.ws_client import websocket_call
    from yaml import YAMLError

    IMPORT_PROBLEM = ""
    # What the package kubernetes raises where a kubeconfig is missing, no YAML, or no kubeconfig.
    _UNREADABLE = (
        kubernetes_config.ConfigException,
        YAMLError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    )
except ImportError as problem:  # said by the runner, with the cure
    IMPORT_PROBLEM = str(problem)

FIELD_MANAGER = "kubeblocks.multicluster"
JSON = "application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


_READING = threading.Lock()
_READ: dict[str, tuple[tuple[Any, ...], Any]] = {}  # kubeconfig → the state of its files, what they hold
_KEY_FOLDERS: list[str] = []


@contextmanager
def key_files() -> Iterator[None]:
    """OpenSSL reads keys from files only: those that stand in a kubeconfig itself lie in a folder while this lasts.

    The package kubernetes would leave them behind: it clears up as a process exits, which a worker of Ansible skips.
    """
    with tempfile.TemporaryDirectory(prefix="kubeblocks.multicluster.") as folder:
        _KEY_FOLDERS.append(folder)
        try:
            yield
        finally:
            _KEY_FOLDERS.remove(folder)


@dataclass(frozen=True)
class Access:
    """Where a context is and how it is reached: ``kubeconfig`` path, ``context`` name, seconds for one request."""

    context: str
    kubeconfig: str
    timeout: float = 10.0


@dataclass
class Client:
    """Requests to one API server."""

    access: Access
    requests: int = field(default=0, init=False)
    # Seconds that the server's clock was ahead of this host's at the last answer; the header counts whole seconds.
    clock_offset: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.configuration = _configuration(self.access)
        self._api = kubernetes_client.ApiClient(self.configuration)

    @property
    def context(self) -> str:
        return self.access.context

    @property
    def server(self) -> str:
        return str(self.configuration.host)

    @property
    def certificate_authority(self) -> bytes:
        """The CA certificate that this context trusts (PEM), empty where the system's own are used."""
        path = self.configuration.ssl_ca_cert
        if not path:
            return b""
        return Path(path).read_bytes()

    def bearing(self, token: str) -> Client:
        """A client of the same API server that presents this token and nothing else."""
        other = copy.copy(self)
        other.configuration = copy.deepcopy(self.configuration)
        other.configuration.cert_file = other.configuration.key_file = None
        other.configuration.username = other.configuration.password = None
        other.configuration.refresh_api_key_hook = None
        other.configuration.api_key = {"authorization": f"Bearer {token}"}
        other._api = kubernetes_client.ApiClient(other.configuration)
        return other

    @property
    def bearer(self) -> str:
        """The token that this client presents, empty if it is another kind of credential."""
        presented = [value for key, value in self._headers().items() if key.lower() == "authorization"]
        return presented[0].removeprefix("Bearer ") if presented and presented[0].startswith("Bearer ") else ""

    @property
    def client_certificate(self) -> bytes:
        """The certificate that this client presents (PEM), empty if it is another kind of credential."""
        path = self.configuration.cert_file
        return Path(path).read_bytes() if path else b""

    def get(self, path: str, *, missing_ok: bool = True) -> Any:
        """The object at a path; None where the server says 404."""
        return self._send("get", path, missing_ok=missing_ok)

    def list(
        self, path: str, *, metadata_only: bool = False, labels: str = "", fields: str = ""
    ) -> list[dict[str, Any]]:
        """The objects below a path, or only their metadata; none where the server says 404."""
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        query = {key: value for key, value in selectors.items() if value}
        accept = METADATA_LIST if metadata_only else JSON
        found = self._send("list", path, query=query, missing_ok=True, accept=accept)
        return (found or {}).get("items") or []

    def text(self, path: str) -> str:
        """What stands at a path that holds no object, such as the metrics of a Pod behind the API server's proxy."""
        return bytes(self._asked("get", path, accept="*/*").data).decode(errors="replace")

    def create(self, path: str, body: Any) -> Any:
        return self._send("create", path, body=body)

    def apply(self, path: str, body: Any, *, dry_run: bool = False) -> Any:
        """Server-side apply as this collection's field manager; a dry run asks whether the server would take it."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        return self._send("patch", path, body=body, query=query, kind=APPLY)

    def patch(self, path: str, body: Any, kind: str = MERGE) -> Any:
        return self._send("patch", path, body=body, query={"fieldManager": FIELD_MANAGER}, kind=kind)

    def replace(self, path: str, body: Any) -> Any:
        return self._send("update", path, body=body)

    def delete(self, path: str, *, propagation: str = "", uid: str = "") -> Any:
        """Delete an object; ``propagation`` says what becomes of those that it owns (Background, Foreground); with
        ``uid`` only the one that has it, and a conflict (409) where another one has its name."""
        query = {"propagationPolicy": propagation} if propagation else {}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}} if uid else None
        return self._send("delete", path, query=query, body=body, missing_ok=True)

    def execute(
        self, namespace: str, pod: str, container: str, command: Sequence[str], timeout: float
    ) -> tuple[int, str]:
        """Run a command in a container: its exit code and what it printed. Raises ContextError if it cannot run."""
        what = f"Pod {namespace}/{pod} container {container}"
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in command]
        self.requests += 1
        try:
            stream = websocket_call(
                self.configuration,
                "GET",
                self.server + path,
                query_params=query,
                headers=self._headers(),
                _preload_content=False,
                _request_timeout=timeout,
            )
            stream.run_forever(timeout=timeout)
            printed = stream.read_channel(1) + stream.read_channel(2)
            if stream.is_open():
                stream.close()
                raise ContextError(self.context, "execute in", what, f"no answer within {timeout:g} s")
            return int(stream.returncode or 0), printed
        except ContextError:
            raise
        except Exception as problem:
            raise _not_executed(self.context, what, problem) from problem

    def _note_clock(self, date: str | None, began: float) -> None:
        with suppress(TypeError, ValueError):
            server = parsedate_to_datetime(date or "").timestamp()
            self.clock_offset = server + 0.5 - (began + time.time()) / 2

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": FIELD_MANAGER}
        for setting in self.configuration.auth_settings().values():
            if setting["in"] == "header" and setting["value"]:
                headers[setting["key"]] = setting["value"]
        return headers

    def _send(self, verb: str, path: str, *, missing_ok: bool = False, **request: Any) -> Any:
        answer = self._asked(verb, path, missing_ok=missing_ok, **request)
        if answer.status == 404:
            return None
        found = _parsed(answer.data)
        if found is None or answer.status >= 300:
            raise ContextError(
                self.context,
                verb,
                describe(path),
                f"{self.server} answers with something that is no Kubernetes object",
                status=answer.status,
                hint="Check that this address leads to the cluster's API server, and not to a login page or a proxy.",
            )
        return found

    def _asked(
        self,
        verb: str,
        path: str,
        *,
        body: Any = None,
        query: dict[str, str] | None = None,
        kind: str = JSON,
        accept: str = JSON,
        missing_ok: bool = False,
    ) -> Any:
        """The answer of the API server; raises ContextError where it gives none, or an error."""
        method = {"create": "POST", "update": "PUT", "list": "GET"}.get(verb, verb.upper())
        url = self.server + path + (f"?{urlencode(query)}" if query else "")
        headers = self._headers() | {"Accept": accept, "Content-Type": kind}
        encoded = None if body is None else json.dumps(body).encode()
        self.requests += 1
        began = time.time()
        limit = urllib3.Timeout(connect=min(5.0, self.access.timeout), read=self.access.timeout)
        try:
            answer = self._api.rest_client.pool_manager.request(
                method, url, body=encoded, headers=headers, timeout=limit, retries=False
            )
        except (urllib3.exceptions.HTTPError, ssl.SSLError, OSError) as problem:
            raise ContextError(
                self.context,
                verb,
                describe(path),
                f"{self.server} does not answer: {_reason(problem)}",
                hint="Check that the cluster runs and that this address can be reached from here.",
            ) from problem
        self._note_clock(answer.headers.get("Date"), began)
        if answer.status >= 400 and not (answer.status == 404 and missing_ok):
            reason = _message(answer.data, answer.reason)
            raise ContextError(
                self.context,
                verb,
                describe(path),
                reason,
                status=answer.status,
                hint=hint_for(answer.status, verb, _resource(path), reason),
            )
        return answer


def _not_executed(context: str, what: str, problem: Exception) -> ContextError:
    """Where the API server refused, in its own words: the client hides them among the headers of a failed handshake."""
    refused = problem.__context__
    status = int(getattr(refused, "status_code", None) or 0)
    if status:
        reason = _message(getattr(refused, "resp_body", None) or b"", getattr(refused, "status_message", None))
        hint = hint_for(status, "create", "pods/exec", reason)
        return ContextError(context, "execute in", what, reason, status=status, hint=hint)
    reason = str(getattr(problem, "reason", problem)).split("\n", maxsplit=1)[0]
    return ContextError(context, "execute in", what, reason or type(problem).__name__)


def _parsed(data: bytes) -> dict[str, Any] | None:
    """The object that a body holds, an empty one for no body, None where it holds none."""
    try:
        found = json.loads(data) if data else {}
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _merged(kubeconfig: str) -> Any:
    """A kubeconfig, or several joined like ``KUBECONFIG``, as one. Read once for all its contexts: to parse it takes
    longer than to ask a cluster. Raises what the package kubernetes raises."""
    paths = [Path(path).expanduser() for path in kubeconfig.split(os.pathsep) if path]
    state = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths if path.exists())
    with _READING:
        if kubeconfig not in _READ or _READ[kubeconfig][0] != state:
            _READ[kubeconfig] = (state, KubeConfigMerger(kubeconfig).config)
        found = _READ[kubeconfig][1]
    if found is None:
        raise kubernetes_config.ConfigException(f"there is no kubeconfig {kubeconfig}")
    return found


def _configuration(access: Access) -> Any:
    configuration = kubernetes_client.Configuration()
    try:
        # Nothing is ever written back into the person's kubeconfig: hence no persister.
        loader = KubeConfigLoader(
            _merged(access.kubeconfig),
            active_context=access.context,
            config_base_path=None,
            temp_file_path=_KEY_FOLDERS[-1] if _KEY_FOLDERS else None,
        )
        loader.load_and_set(configuration)
    except _UNREADABLE as problem:
        names = contexts_of(access.kubeconfig)
        if access.context in names:
            raise ContextError(access.context, "read", f"kubeconfig {access.kubeconfig}", str(problem)) from problem
        known = ", ".join(names) or "no context at all"
        raise ContextError(
            access.context,
            "find",
            f"context {access.context!r} in kubeconfig {access.kubeconfig}",
            f"it has {known}",
            hint="Add the context, or set kubeblocks_context or kubeblocks_kubeconfig for this host.",
        ) from problem
    return configuration


def contexts_of(kubeconfig: str) -> list[str]:
    """Names of the contexts in a kubeconfig, or in several joined like ``KUBECONFIG``; empty if none can be read."""
    if not any(Path(path).expanduser().exists() for path in kubeconfig.split(os.pathsep)):
        return []
    try:
        merged = _merged(kubeconfig)
        return sorted(context["name"] for context in merged.safe_get("contexts") or [])
    except _UNREADABLE:
        return []


def cluster_of(kubeconfig: str, context: str) -> tuple[str, str]:
    """Server and CA of a context as a kubeconfig has them, empty where it does not say. Nothing that it names is run
    or opened, so it may be somebody else's."""
    try:
        merged = _merged(kubeconfig)
        names = {entry["name"]: entry["context"]["cluster"] for entry in merged.safe_get("contexts") or []}
        clusters = {entry["name"]: entry["cluster"] for entry in merged.safe_get("clusters") or []}
        found = clusters[names[context]]
        authority = found.safe_get("certificate-authority-data") or found.safe_get("certificate-authority") or ""
        return str(found.safe_get("server") or "").rstrip("/"), str(authority)
    except (*_UNREADABLE, KeyError):
        return "", ""


def describe(path: str) -> str:
    """A path as a person reads it: ``Secret kb-system/kb`` would need the kind, the path has the resource."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:] if parts[0] == "apis" else parts
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        return " ".join([parts[2], "/".join([parts[1], *parts[3:]])])
    return " ".join(parts) or path


def _resource(path: str) -> str:
    parts = path.strip("/").split("/")
    group = "" if parts[0] == "api" else f".{parts[1]}" if len(parts) > 1 else ""
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    where = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        where, rest = f" in namespace {rest[1]}", rest[2:]
    subresource = f"/{rest[2]}" if len(rest) > 2 else ""
    return f"{rest[0]}{subresource}{group}{where}" if rest else path


def _reason(problem: BaseException) -> str:
    """The innermost reason, in words: urllib3 wraps them three deep."""
    refused = isinstance(problem, urllib3.exceptions.NewConnectionError)  # urllib3 counts it among the time-outs
    if isinstance(problem, urllib3.exceptions.TimeoutError) and not refused:
        return "no answer in time"
    inner = getattr(problem, "reason", None) or problem.__cause__ or problem.__context__
    if isinstance(inner, BaseException) and inner is not problem:
        return _reason(inner)
    return getattr(problem, "strerror", None) or str(problem) or type(problem).__name__


def _message(data: bytes, default: str | None) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return default or "no reason given"
