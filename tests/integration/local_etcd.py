"""A real etcd of a few members on this machine: child processes on loopback, ended by their own handles."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from lab.build.programs import program

# Far more than it takes, however busy the machine is.
PATIENCE = 300.0


def run(*command: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def until(happens: Callable[[], bool], what: str) -> float:
    """How long it took, in seconds."""
    started = time.monotonic()
    while not happens():
        assert time.monotonic() - started < PATIENCE, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - started


class LocalEtcd:
    """Members of one etcd, and other programs beside them."""

    limit = 2.0  # seconds for an answer to etcdctl

    def __init__(self, folder: Path, members: int, scheme: str = "http", *options: str) -> None:
        self.folder, self.scheme, self.options = folder, scheme, options
        ports = free_ports(2 * members)
        self.clients, self.peers = ports[:members], ports[members:]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str | Path) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)

    def start_member(self, number: int) -> None:
        client = f"{self.scheme}://127.0.0.1:{self.clients[number]}"
        peers = [f"http://127.0.0.1:{port}" for port in self.peers]
        words = ["--name", str(number), "--data-dir", f"data-{number}", "--unsafe-no-fsync", *self.options]
        words += ["--listen-client-urls", client, "--advertise-client-urls", client]
        words += ["--listen-peer-urls", peers[number], "--initial-advertise-peer-urls", peers[number]]
        words += ["--initial-cluster", ",".join(f"{index}={peer}" for index, peer in enumerate(peers))]
        self.start(str(number), program("etcd", "etcd"), *words)

    def start_members(self) -> None:
        for number in range(len(self.clients)):
            self.start_member(number)
        self.leader()

    def ctl(self, port: int, *words: str) -> subprocess.CompletedProcess[str]:
        return run(*self.command(port), f"--command-timeout={self.limit}s", *words)

    def command(self, port: int) -> list[str]:
        secure = ["--insecure-transport=false", "--insecure-skip-tls-verify"] if self.scheme == "https" else []
        return [str(program("etcd", "etcdctl")), f"--endpoints={self.scheme}://127.0.0.1:{port}", *secure]

    def revision(self) -> int:
        """It grows with each write, whatever is written."""
        answer = json.loads(self.ctl(self.clients[0], "get", "none", "-w", "json").stdout)
        return int(answer["header"]["revision"])

    def leader(self) -> int:
        """The number of the member that leads, as soon as there is one."""
        leaders: list[int] = []

        def known() -> bool:
            leaders[:] = [number for number, port in enumerate(self.clients) if self.leads(port)]
            return len(leaders) == 1

        until(known, "a leader")
        return leaders[0]

    def leads(self, port: int) -> bool:
        answers = json.loads(self.ctl(port, "endpoint", "status", "-w", "json").stdout or "null") or []
        return any(one["Status"]["leader"] == one["Status"]["header"]["member_id"] for one in answers)

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()  # a stopped process ends from this too
        for process in self.processes.values():
            process.wait(60)


class SteadyEtcd(LocalEtcd):
    """Nobody does anything to it: what comes late does so as the machine is busy, and elects no other leader."""

    limit = 20.0

    def __init__(self, folder: Path, members: int) -> None:
        super().__init__(folder, members, "http", "--heartbeat-interval=2000", "--election-timeout=30000")
