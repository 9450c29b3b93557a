# Private to this collection.
"""From where an etcd's client addresses are reached, and how long it takes: this host, members' Pods, probe Pods."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _connect as connect
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._probe import Probe, Silent
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._probe import ask as ask_probe
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.endpoints import target_of

with suppress(ImportError):  # ansible-core brings it; on another host the end of a certificate stays unknown
    from cryptography import x509

Target = dict[str, Any]  # an address: host, port, scheme
Times = dict[str, "float | None"]  # target → milliseconds, None where it was not reached
_TRIES = 3
_PLAIN, _TLS = "plain", "tls"


def from_here(targets: Sequence[Target], timeout: float, deadline: float) -> tuple[Times, dict[str, str]]:
    """Milliseconds of a TCP connection to each target, and what each speaks: ``plain`` or ``tls, N days left``.

    A name that nobody resolves costs the deadline and no more.
    """
    by_name = {target_of(target): target for target in targets}
    answers, _late = ask_all(
        by_name, lambda name: _knock(by_name[name]["host"], by_name[name]["port"], timeout), deadline
    )
    times = {name: answers[name][0] if name in answers else None for name in by_name}
    return times, {name: answers[name][1] for name in answers if answers[name][1]}


def _knock(host: str, port: int, timeout: float) -> tuple[float | None, str]:
    took: list[float] = []
    try:
        while len(took) < _TRIES:
            began = time.monotonic()
            with socket.create_connection((host, port), timeout):
                took.append((time.monotonic() - began) * 1000)
        return statistics.median(took), _spoken(host, port, timeout)
    except OSError:
        return None, ""


def _spoken(host: str, port: int, timeout: float) -> str:
    """Whether a server answers TLS, and how long its certificate lasts, or plain HTTP. Nothing is trusted or sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout) as raw, context.wrap_socket(raw) as secure:
            return _TLS + _life(secure.getpeercert(binary_form=True) or b"")
    except TimeoutError:  # it says nothing, so nothing is said of it
        return ""
    except ssl.SSLError as problem:
        # A server that asks for our certificate speaks TLS as well.
        return _TLS if "ALERT" in str(problem.reason or "") else _PLAIN
    except OSError:  # it hung up on the greeting of TLS: plain HTTP, as etcd does
        return _PLAIN


def _life(certificate: bytes) -> str:
    try:
        end = x509.load_der_x509_certificate(certificate).not_valid_after_utc
    except (NameError, AttributeError, ValueError):
        return ""
    return f", {(end - datetime.datetime.now(datetime.UTC)).days} days left"


def from_member(client: Client, namespace: str, pod: str, container: str, targets: Sequence[Target]) -> Times:
    """By etcd's own client in a member's Pod: a linearizable read through each target. Raises ContextError."""
    urls = [f"{target['scheme']}://{target_of(target)}" for target in targets]
    command = ["etcdctl", "--dial-timeout=1s", "--command-timeout=1500ms", f"--endpoints={','.join(urls)}"]
    words = [*command, "endpoint", "health", "-w", "json"]
    # It ends with an error where one target does not answer; what it printed of the others counts.
    return health_of(client.execute(namespace, pod, container, words, 4.0)[1], targets)


def health_of(printed: str, targets: Sequence[Target]) -> Times:
    """What ``etcdctl endpoint health -w json`` printed, between its other words."""
    entries: list[dict[str, Any]] = []
    for line in printed.splitlines():
        with suppress(ValueError):
            found = json.loads(line)
            entries = found if isinstance(found, list) else entries
    took = {entry["endpoint"]: _milliseconds(entry["took"]) for entry in entries if _answers(entry)}
    return {target_of(target): took.get(f"{target['scheme']}://{target_of(target)}") for target in targets}


def _answers(entry: Mapping[str, Any]) -> bool:
    """A full database counts: it reads, and to be cured it has to be reached."""
    return bool(entry.get("took")) and (bool(entry.get("health")) or str(entry.get("error", "")).endswith("NOSPACE"))


_UNITS = {"ns": 1e-6, "µs": 1e-3, "us": 1e-3, "ms": 1.0, "s": 1000.0}


def _milliseconds(text: str) -> float:
    """A duration of one unit as Go prints it, below a minute."""
    number = text.rstrip("nµums")
    return float(number) * _UNITS[text[len(number) :]]


def from_probe(client: Client, probe: Probe, targets: Sequence[Target], seconds: float) -> Times:
    """By a short-lived Pod in a cluster that holds no member. Raises Silent or ContextError."""
    numbered = {str(number): target for number, target in enumerate(targets)}
    places = {number: (str(target["host"]), str(target["port"])) for number, target in numbered.items()}
    asked = Probe(
        probe.namespace,
        probe.image,
        ["bash", "-c", connect.TO_TERMINATION_LOG],
        connect.environment(places, tries=_TRIES, limit=1),
        probe.pull_secrets,
    )
    times = connect.times_of(ask_probe(client, asked, seconds), list(numbered))
    return {
        target_of(target): statistics.median(times[number]) if times[number] else None
        for number, target in numbered.items()
    }


def reason_of(problem: Exception) -> str:
    """Why a vantage said nothing."""
    return str(problem) if isinstance(problem, Silent) else getattr(problem, "reason", str(problem))


def spoken_by(targets: Mapping[str, str], target: str, scheme: str) -> str:
    """What an address speaks: as seen from here, else as etcd itself advertises it."""
    return targets.get(target) or (f"{_TLS}, as advertised" if scheme == "https" else f"{_PLAIN}, as advertised")
