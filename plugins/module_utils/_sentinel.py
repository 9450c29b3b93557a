# Private to this collection.
"""A sentinel: writes numbered keys to an etcd for a while, and looks for what was acknowledged afterwards."""

from __future__ import annotations

import base64
import datetime
import itertools
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _gateway
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._gateway import Endpoint, Gateway, Unanswered
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import history as rules
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.history import Attempt, Found, History
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call

SPEC: dict[str, Any] = {
    "endpoints": {"type": "list", "elements": "str", "required": True},
    "seconds": {"type": "float", "default": 60.0},
    "pause": {"type": "float", "default": 0.05},
    "most": {"type": "int", "default": 20000},
    "prefix": {"type": "str", "default": "kubeblocks.multicluster/sentinel/"},
    "request_timeout": {"type": "float", "default": 2.0},
    "check_timeout": {"type": "float", "default": 30.0},
    "stop_file": {"type": "path"},
    "progress_file": {"type": "path"},
    "ca_cert": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},  # where it is, not what it is
    "clean": {"type": "bool", "default": True},
}
# Option → what it has to be above, or may be as well, and at most.
_BOUNDS = {
    "seconds": (0, False, 3600),
    "pause": (0, True, 60),
    "most": (1, True, 100_000),
    "request_timeout": (0, False, 60),
    "check_timeout": (0, True, 600),
}
_PAGE = 1000
_SHOWN = 20
_STEP = 0.1  # seconds after which a rest looks whether it is over
_LEAST_REST = 0.05  # after a number that nobody took: who is refused at once would else ask all the time
Over = Callable[[], str]  # why writing is over, empty while it is not


@dataclass
class Sentinel:
    """Writes and reads below a ``prefix`` of its own. Times of attempts are seconds since it began to write."""

    gateway: Gateway
    prefix: str
    attempts: list[Attempt] = field(default_factory=list)
    acknowledged: int = 0
    ended: float = 0.0

    def write(self, over: Over, pause: float, told: Callable[[int], None] = lambda _count: None) -> str:
        """One number after the other until it is over; says why it is. ``told``: how many, after each acknowledged."""
        began = time.monotonic()
        for number in itertools.count():
            why = over()
            if why:
                break
            if self._write(number, began, over):
                self.acknowledged += 1
                told(self.acknowledged)
                _rest(pause, over)
            else:
                _rest(max(pause, _LEAST_REST), over)
        self.ended = time.monotonic() - began
        return why

    def _write(self, number: int, since: float, over: Over) -> bool:
        """The same number through one endpoint after the other, until one acknowledges it."""
        for place, endpoint in enumerate(self.gateway.ways()):
            if place and over():
                break
            began = time.monotonic() - since
            outcome, why = self._put(endpoint, number)
            self.attempts.append(Attempt(number, str(endpoint), began, time.monotonic() - since, outcome, why))
            if outcome == rules.ACKNOWLEDGED:
                return True
        return False

    def _put(self, endpoint: Endpoint, number: int) -> tuple[str, str]:
        body = {"key": _coded(self._key(number)), "value": _coded(rules.value_of(number).encode())}
        try:
            self.gateway.ask(endpoint, "/v3/kv/put", body)
        except Unanswered as problem:
            return problem.outcome, str(problem)
        return rules.ACKNOWLEDGED, ""

    def read(self, seconds: float) -> dict[int, Found]:
        """All numbers that are there, by reads through the quorum; waits so long for who answers. Raises Unanswered."""
        end, start, found = time.monotonic() + seconds, self.prefix.encode(), dict[int, Found]()
        while True:
            body = {"key": _coded(start), "range_end": _coded(self._range_end), "limit": _PAGE}
            page = self.gateway.insist("/v3/kv/range", body, end)
            entries = {base64.b64decode(entry["key"]): entry for entry in page.get("kvs", [])}
            for key, entry in entries.items():
                name = key.decode(errors="replace").removeprefix(self.prefix)
                if name.isdecimal() and key == self._key(int(name)):
                    value = base64.b64decode(entry.get("value", "")).decode(errors="replace")
                    found[int(name)] = Found(value, int(entry["version"]))
            if not page.get("more"):
                return found
            start = max(entries) + b"\0"

    def clean(self, seconds: float) -> None:
        """Delete what is below the prefix, and nothing else. Raises Unanswered."""
        body = {"key": _coded(self.prefix.encode()), "range_end": _coded(self._range_end)}
        self.gateway.insist("/v3/kv/deleterange", body, time.monotonic() + seconds)

    def history(self, found: Mapping[int, Found] | None) -> History:
        return rules.judge(self.attempts, self.ended, found)

    def _key(self, number: int) -> bytes:
        return f"{self.prefix}{number:06}".encode()

    @property
    def _range_end(self) -> bytes:
        """The first key that no longer begins with the prefix, which ends with a slash."""
        return (self.prefix.removesuffix("/") + chr(ord("/") + 1)).encode()


def own_prefix(prefix: str) -> str:
    """A prefix that no other run has: two never meet, and cleaning finds nothing of anybody else."""
    return f"{prefix}{uuid.uuid4().hex}/"


def run(call: Call) -> dict[str, Any]:
    """Write until it is over, read back, judge, clean."""
    params = call.params
    _refuse(params)
    gateway = _gateway_of(params)
    sentinel = Sentinel(gateway, own_prefix(params["prefix"]))
    try:
        sentinel.read(params["check_timeout"])
    except Unanswered as problem:
        raise Failed(
            f"{_who(gateway)}: cannot read through any endpoint: {problem}. Nothing was written. Check the addresses, "
            "whether they speak TLS, and that this host reaches them."
        ) from problem
    if call.check_mode:
        answering = gateway.ways()[0]
        return _result(sentinel, sentinel.history({})) | {
            "prefix": "",
            "sentence": f"{answering} answers a read through the quorum; nothing was written",
        }
    began = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    told = _progress(call)
    why = sentinel.write(_until(params, sentinel), params["pause"], told)
    return _judged(call, sentinel, {"began": began, "ended_by": why})


def _refuse(params: Mapping[str, Any]) -> None:
    """Raises Failed where options make no sense."""
    for name, (least, inclusive, most) in _BOUNDS.items():
        value = params[name]
        if not ((value >= least if inclusive else value > least) and value <= most):
            bound = f"at least {least}" if inclusive else f"above {least}"
            raise Failed(f"{name}: cannot work with {value}: it has to be {bound} and at most {most}.")
    if params["stop_file"] and Path(params["stop_file"]).exists():
        raise Failed(
            f"stop_file: cannot begin: {params['stop_file']} is there already, and nothing would be written. Delete it."
        )


def _gateway_of(params: Mapping[str, Any]) -> Gateway:
    endpoints = list(dict.fromkeys(_gateway.endpoint_of(text) for text in params["endpoints"]))
    if not endpoints:
        raise Failed("endpoints: cannot write to none. Name at least one as host:port.")
    given = [name for name in ("ca_cert", "client_cert", "client_key") if params[name]]
    secure = any(endpoint.scheme == _gateway.HTTPS for endpoint in endpoints)
    if given and not secure:
        raise Failed(f"{given[0]}: cannot be used: no endpoint speaks TLS. Write https://host:port.")
    if params["client_key"] and not params["client_cert"]:
        raise Failed("client_key: cannot be used alone. Name the certificate in client_cert.")
    trusted = _gateway.trust(params["ca_cert"], params["client_cert"], params["client_key"]) if secure else None
    return Gateway(endpoints, params["request_timeout"], trusted)


def _progress(call: Call) -> Callable[[int], None]:
    """A function that keeps a number in a file, which is put in place whole: nobody ever reads half of it."""
    if not call.params["progress_file"]:
        return lambda _count: None
    path = Path(call.params["progress_file"])
    beside = path.with_name(f"{path.name}.new")

    def keep(count: int) -> str:
        try:
            beside.write_text(f"{count}\n")
            beside.replace(path)
        except OSError as problem:
            return f"progress_file: cannot write {path}: {problem.strerror}."
        return ""

    def told(count: int) -> None:
        problem = keep(count)
        if problem:  # what was written so far is worth more than this file
            call.warn(problem)

    problem = keep(0)
    if problem:
        raise Failed(f"{problem} Nothing was written to etcd. Name a file in a folder that can be written to.")
    return told


def _until(params: Mapping[str, Any], sentinel: Sentinel) -> Over:
    end = time.monotonic() + params["seconds"]
    stop = Path(params["stop_file"]) if params["stop_file"] else None

    def over() -> str:
        if stop is not None and stop.exists():
            return "stop_file"
        if time.monotonic() >= end:
            return "seconds"
        return "most" if sentinel.acknowledged >= params["most"] else ""

    return over


def _rest(seconds: float, over: Over) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _STEP))
        if left > _STEP and over():
            return


def _judged(call: Call, sentinel: Sentinel, told: Mapping[str, str]) -> dict[str, Any]:
    """What became of it. Raises Failed where something acknowledged is not as it was written, or nobody can tell."""
    seconds, who = call.params["check_timeout"], _who(sentinel.gateway)
    try:
        history = sentinel.history(sentinel.read(seconds))
    except Unanswered as problem:
        history = sentinel.history(None)
        raise Failed(
            f"{who}: cannot read {sentinel.prefix} back within {seconds:g} s: {problem}. {history.sentence}. The keys "
            f"stay; when etcd answers again, see them with etcdctl get --prefix {sentinel.prefix}",
            **_result(sentinel, history, told),
        ) from problem
    call.show([history.sentence])
    result = _result(sentinel, history, told)
    if len(sentinel.gateway.clusters) > 1:
        call.warn(f"{who}: these endpoints lead to {len(sentinel.gateway.clusters)} different etcds.")
    if not history.sound:
        raise Failed(_unsound(sentinel, history), **result)
    if call.params["clean"]:
        result["cleaned"] = _cleaned(call, sentinel)
    if not history.counts[rules.ACKNOWLEDGED]:
        reasons = "; ".join(f"{name}: {entry['why']}" for name, entry in result["endpoints"].items() if entry["why"])
        raise Failed(
            f"{who}: cannot write: no write was acknowledged in {sentinel.ended:.1f} s: {reasons or 'none was tried'}. "
            "See endpoints in the result.",
            **result,
        )
    return result


def _unsound(sentinel: Sentinel, history: History) -> str:
    differences = {"lost": history.lost, "altered": history.altered}
    listed = "; ".join(f"{word}: {_listed(numbers)}" for word, numbers in differences.items() if numbers)
    return (
        f"{_who(sentinel.gateway)}: cannot find what was acknowledged below {sentinel.prefix} as it was written: "
        f"{history.sentence}. Numbers {listed}. The keys stay as evidence: compare the members with etcdctl get "
        f"--consistency=s --prefix {sentinel.prefix}, and find out who else writes there."
    )


def _listed(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return ", ".join(map(str, numbers[:_SHOWN])) + more


def _cleaned(call: Call, sentinel: Sentinel) -> bool:
    try:
        sentinel.clean(call.params["check_timeout"])
    except Unanswered as problem:
        call.warn(
            f"{_who(sentinel.gateway)}: cannot delete the keys below {sentinel.prefix}: {problem}. Delete them with "
            f"etcdctl del --prefix {sentinel.prefix}"
        )
        return False
    return True


def _result(sentinel: Sentinel, history: History, told: Mapping[str, str] | None = None) -> dict[str, Any]:
    names = [str(endpoint) for endpoint in sentinel.gateway.endpoints]
    return {
        **(told or {}),
        "changed": any(attempt.outcome != rules.REFUSED for attempt in sentinel.attempts),
        "prefix": sentinel.prefix,
        "figures": history.figures,
        "lost": list(history.lost[:_SHOWN]),
        "altered": list(history.altered[:_SHOWN]),
        "doubled": list(history.doubled[:_SHOWN]),
        "appeared": list(history.appeared[:_SHOWN]),
        "sentence": history.sentence,
        "endpoints": rules.by_endpoint(sentinel.attempts, names),
        "cluster_ids": sorted(sentinel.gateway.clusters),
        "cleaned": False,
    }


def _who(gateway: Gateway) -> str:
    return ", ".join(map(str, gateway.endpoints))


def _coded(key: bytes) -> str:
    return base64.b64encode(key).decode()
