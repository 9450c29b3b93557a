# Private to this collection.
"""What the Pods of the mesh's test run: one that answers, and questions to others, asked where a database would ask.

The text of this file is what such a Pod is started with, so it needs the standard library of Python 3.10 and nothing
else. IPv4. A question has ``check``, ``target``, ``host``, ``port`` and ``expected``; its answer has ``ok``, ``value``
and ``why``.
"""

from __future__ import annotations

import json
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

LIMIT = 2.0  # seconds for one answer
PORT = 8080
EVERYBODY = "all clusters"  # whom the one Service leads to that has a backend in each of them
OF, ALL = "of-", "all"  # in the names of Services: that of one cluster's Pod, and that of all
PATIENCE = 10.0  # seconds after the start in which what failed is tried again: news of a Pod take their time.
# Each question has half of them to itself, however late it comes, as one try on a busy host is no evidence; all
# questions together have six times as many.
ROUNDS = 20  # round trips that the median is taken of
ASKED = 100  # connections to a global Service at most
STREAM = 1.0  # seconds of one stream
NOT_TRIED = "not tried: nothing answers there"
_HEADERS = 28  # of IPv4 and UDP
_LARGEST = 65507  # that one datagram can hold
_SMALLEST = 548  # that every way has to carry
_CHUNK = bytes(65536)
Question = dict[str, Any]
Outcome = tuple[bool, "float | None", str]  # ok, value, why
# Linux: never fragment; and what the way is taken to carry.
_IP_MTU_DISCOVER, _IP_PMTUDISC_DO, _IP_MTU = 10, 2, 14


class Answering(socketserver.StreamRequestHandler):
    """A line that says what is wanted: ``name``, ``echo`` (every line again), ``sink`` (how many bytes came)."""

    def handle(self) -> None:
        wanted = self.rfile.readline().strip()
        if wanted == b"name":
            self.wfile.write(self.server.name.encode() + b"\n")  # type: ignore[attr-defined]
        elif wanted == b"echo":
            for line in self.rfile:
                self.wfile.write(line)
        elif wanted == b"sink":
            taken = 0
            while True:
                data = self.rfile.read1(len(_CHUNK))
                if not data:
                    break
                taken += len(data)
            self.wfile.write(b"%d\n" % taken)


class Measuring(socketserver.BaseRequestHandler):
    """How long the datagram was."""

    def handle(self) -> None:
        data, own = self.request
        own.sendto(b"%d" % len(data), self.client_address)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    name = ""


class Datagrams(socketserver.UDPServer):
    max_packet_size = _LARGEST


def serve(name: str, host: str = "", port: int = PORT) -> tuple[Server, Datagrams]:
    """Answer until told to stop; the servers, for whoever wants to stop them."""
    streams = Server((host, port), Answering)
    streams.name = name
    datagrams = Datagrams((host, streams.server_address[1]), Measuring)
    for server in (streams, datagrams):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return streams, datagrams


def questions(source: str, peers: dict[str, str], service: str) -> list[Question]:
    """What a cluster asks: those behind it in the alphabet first, so that no two ask the same one at once.

    ``peers``: every cluster's name → its Pod's address; ``service``: a Service's name, with ``{}`` for whose it is.
    """
    names = sorted(peers)
    first = names.index(source)
    found = [
        {"check": check, "target": target, "host": host, "port": PORT, "expected": [target]}
        for target in [*names[first + 1 :], *names[:first]]
        for check, host in (
            ("dns", service.format(OF + target)),
            ("pod", peers[target]),
            ("service", service.format(OF + target)),
            *((check, peers[target]) for check in NEEDS_THE_WAY),
        )
    ]
    host = service.format(ALL)
    return [*found, {"check": "global", "target": EVERYBODY, "host": host, "port": PORT, "expected": names}]


def ask_all(asked: Sequence[Question], patience: float = PATIENCE) -> list[dict[str, Any]]:
    """Answers in the order of the questions. Where the way is not there, what needs it is not tried."""
    began, answers, broken = time.monotonic(), list[dict[str, Any]](), set[str]()
    for question in asked:
        if question["check"] in NEEDS_THE_WAY and question["target"] in broken:
            answers.append({"ok": False, "value": None, "why": NOT_TRIED})
            continue
        own = min(time.monotonic() + patience / 2, began + 6 * patience)
        until, answer = max(began + patience, own), _asked(question)
        while not answer["ok"] and time.monotonic() < until:
            time.sleep(0.5)
            answer = _asked(question)
        if question["check"] == "pod" and not answer["ok"]:
            broken.add(question["target"])
        answers.append(answer)
    return answers


def _asked(question: Question) -> dict[str, Any]:
    ok, value, why = False, None, ""
    try:
        ok, value, why = CHECKS[question["check"]](question)
    except TimeoutError:
        why = f"no answer within {LIMIT:g} s"
    except OSError as problem:
        why = problem.strerror or str(problem)
    return {"ok": ok, "value": value, "why": why}


def _connected(question: Question) -> socket.socket:
    return socket.create_connection((question["host"], question["port"]), LIMIT)


def _name(question: Question) -> str:
    with _connected(question) as own:
        own.sendall(b"name\n")
        return own.makefile().readline().strip()


def one(question: Question) -> Outcome:
    """Whether who answers is who was expected."""
    expected, name = question["expected"][0], _name(question)
    return name == expected, None, "" if name == expected else f"{name or 'nobody'} answers, not {expected}"


def all_of(question: Question) -> Outcome:
    """Whether everybody expected answers behind one address, and nobody else; ``value``: how many did."""
    expected, seen = set(question["expected"]), set()
    for _number in range(ASKED):
        seen.add(_name(question))
        if seen == expected:
            break
    parts = [("never answered", expected - seen), ("not expected", seen - expected)]
    why = "; ".join(f"{', '.join(sorted(names))} {what}" for what, names in parts if names)
    return not why, len(seen & expected), why


def resolved(question: Question) -> Outcome:
    """Whether the name has an address."""
    found = socket.getaddrinfo(question["host"], question["port"], type=socket.SOCK_STREAM)
    return bool(found), None, ""


def packet(question: Question) -> Outcome:
    """The largest packet that the way is said to carry, whole; ``value``: bytes of the largest that came."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
        own.connect((question["host"], question["port"]))
        said = own.getsockopt(socket.IPPROTO_IP, _IP_MTU)
        full = min(said - _HEADERS, _LARGEST)
        if _passes(own, full):
            return True, full + _HEADERS, ""
        largest = _largest(own, full)
    lost = f"a packet of {full + _HEADERS} bytes is lost"
    if not largest:
        return False, None, f"{lost}, and so is one of {_SMALLEST + _HEADERS}"
    return False, largest + _HEADERS, f"{lost}, one of {largest + _HEADERS} comes"


def _largest(own: socket.socket, full: int) -> int:
    """The longest datagram that comes, by halving; 0 where even the smallest is lost."""
    low, high = _SMALLEST, full
    if not _passes(own, low):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _passes(own, middle) else (low, middle)
    return low


def _passes(own: socket.socket, size: int) -> bool:
    """Three tries: a datagram may get lost for other reasons."""
    own.settimeout(LIMIT / 4)
    for _try in range(3):
        try:
            own.send(bytes(size))
            while True:
                answer = own.recv(32)
                if answer == b"%d" % size:
                    return True
        except TimeoutError:
            continue
        except OSError:
            return False
    return False


def round_trip(question: Question) -> Outcome:
    """``value``: milliseconds, the median."""
    with _connected(question) as own:
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        own.sendall(b"echo\n")
        stream, taken = own.makefile("rb"), list[float]()
        for number in range(ROUNDS):
            started = time.perf_counter()
            own.sendall(b"%d\n" % number)
            if stream.readline() != b"%d\n" % number:
                return False, None, "the connection was closed"
            taken.append(time.perf_counter() - started)
    return True, round(1000 * sorted(taken)[len(taken) // 2], 3), ""


def throughput(question: Question) -> Outcome:
    """``value``: Mbit/s of one stream, by what the other side took."""
    with _connected(question) as own:
        own.sendall(b"sink\n")
        started = time.perf_counter()
        while time.perf_counter() - started < STREAM:
            own.sendall(_CHUNK)
        own.shutdown(socket.SHUT_WR)
        taken = own.makefile().readline().strip()
        seconds = time.perf_counter() - started
    if not taken.isdigit():
        return False, None, "the connection was closed"
    return True, round(int(taken) * 8 / seconds / 1e6, 1), ""


CHECKS: dict[str, Callable[[Question], Outcome]] = {
    "dns": resolved,
    "pod": one,
    "service": one,
    "global": all_of,
    "packet": packet,
    "round_trip": round_trip,
    "throughput": throughput,
}
NEEDS_THE_WAY = ("packet", "round_trip", "throughput")


def main() -> None:
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
        threading.Event().wait()
    json.dump(ask_all(questions(**json.loads(sys.argv[2]))), sys.stdout)


if __name__ == "__main__":
    main()
