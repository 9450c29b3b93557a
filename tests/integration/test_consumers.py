"""Lists of endpoints, read by the programs that they are written for. No cluster is needed: HAProxy has a real etcd of
three members behind it, all on this machine."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._render import FORMATS, Names
from endpoints import LISTS, endpoint
from lab.system import PACKAGES
from local_etcd import LocalEtcd, free_ports, run, until

NAMES = Names(name="etcd", namespace="demo", zone="etcd.example.org", serial=7)


def debian(package: str) -> str:
    """A program that lab build installs."""
    path = PACKAGES[package]
    if shutil.which(path) is None:
        pytest.fail(f"{path} is missing: run lab build, which installs {package}")
    return path


def written(folder: Path, kind: str, endpoints: list[dict[str, Any]], names: Names = NAMES) -> Path:
    path = folder / kind
    path.write_text(FORMATS[kind](endpoints, names))
    return path


# Each format and its reader


@pytest.mark.parametrize("name", LISTS)
def test_a_shell_hands_the_endpoints_on(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, "env", LISTS[name])
    done = run("bash", "-euc", f". {path}; bash -c 'echo \"$ETCDCTL_ENDPOINTS\"'")
    assert (done.returncode, done.stderr) == (0, "")
    urls = [url for url in done.stdout.strip().split(",") if url]
    assert len(urls) == len(LISTS[name])
    assert all(url.startswith(("http://", "https://")) for url in urls)


# What a distribution's configuration has before our section; a defaults section of another mode among it.
BEFORE = """\
global
    zero-warning
    log /dev/log local0
defaults
    log global
    mode http
    option httplog
    option dontlognull
    option http-server-close
    balance first
    timeout connect 5s
    timeout client 50s
    timeout server 50s
    timeout tunnel 60s
"""


@pytest.mark.parametrize("name", LISTS)
def test_haproxy_takes_it_alone_and_beside_others(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, "haproxy", LISTS[name])
    before = tmp_path / "before.cfg"
    unresolved = any("example" in one["host"] for one in LISTS[name])  # a warning, as it may be resolved later
    before.write_text(BEFORE.replace("    zero-warning\n", "") if unresolved else BEFORE)
    for files in ([path], [before, path]):
        done = run(debian("haproxy"), "-c", *(word for file in files for word in ("-f", file)))
        assert done.returncode == 0, done.stderr
        assert "Configuration file is valid" in done.stdout


@pytest.mark.parametrize("bind", ["[::1]:2379", "*:2379", ":2379"])
def test_haproxy_listens_where_it_is_told(bind: str, tmp_path: Path) -> None:
    path = written(tmp_path, "haproxy", LISTS["three"], Names("etcd", "demo", "z", 1, bind))
    assert run(debian("haproxy"), "-c", "-f", path).returncode == 0


@pytest.mark.parametrize("name", LISTS)
def test_a_name_server_takes_it(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, "dns", LISTS[name])
    # Names elsewhere are not looked up: nothing here depends on the machine's own name server.
    done = run(debian("bind9-utils"), "-i", "local", NAMES.zone, path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines() == [f"zone {NAMES.zone}/IN: loaded serial 7", "OK"]


# A real etcd behind a real HAProxy


class Etcd(LocalEtcd):
    """An etcd, and HAProxy before it."""

    def __init__(self, folder: Path, members: int, scheme: str = "http", *options: str) -> None:
        super().__init__(folder, members, scheme, *options)
        (self.port,) = free_ports(1)

    def start_all(self) -> None:
        self.start_members()
        leader = self.leader()
        listed = [
            endpoint(number + 1, host="127.0.0.1", port=port, scheme=self.scheme, leader=number == leader)
            for number, port in enumerate(self.clients)
        ]
        listed.sort(key=lambda one: not one["leader"])
        names = Names("etcd", "demo", NAMES.zone, 1, f"127.0.0.1:{self.port}")
        self.start("haproxy", debian("haproxy"), "-db", "-f", written(self.folder, "haproxy", listed, names))
        until(lambda: self.put("begin"), "the first write through HAProxy")

    def put(self, key: str, value: str = "x") -> bool:
        return self.ctl(self.port, "put", key, value).returncode == 0

    def watch(self, name: str, prefix: str) -> Callable[[], list[str]]:
        """The keys that a watch through HAProxy has seen. It sends no keepalive packets, so that only HAProxy can end a
        connection to a member that has fallen silent.

        etcd's client ends a watch that comes to a member in the middle of an election: whoever watches begins again.
        """
        command = [*self.command(self.port), "--keepalive-time=1h", "watch", "--prefix", prefix, "--rev=1"]
        log = self.folder / f"{name}.log"
        self.start(name, *command)

        def seen() -> list[str]:
            ended, lines = self.processes[name].poll(), log.read_text().splitlines()
            if ended is not None:
                assert "watch was canceled (etcdserver: no leader)" in lines[-2:], f"{name}: {ended}: {lines[-2:]}"
                self.start(name, *command)
            return [line for line in lines if line.startswith(prefix)]

        return seen


@pytest.fixture
def members(tmp_path: Path) -> Iterator[Callable[..., Etcd]]:
    with ExitStack() as stack:

        def make(*arguments: Any) -> Etcd:
            etcd = Etcd(tmp_path, *arguments)
            stack.callback(etcd.end)
            etcd.start_all()
            return etcd

        yield make


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_writes_and_watches_outlive_the_leader(fault: signal.Signals, members: Callable[..., Etcd]) -> None:
    """Killed, or silent with its connections open, as behind a network that is cut."""
    etcd = members(3)
    watches = [etcd.watch(f"watch-{number}", "key-") for number in range(6)]  # some of them at each member
    keys = [f"key-{number:02}" for number in range(30)]
    until(lambda: all(etcd.put(key) for key in keys[:10]), "ten writes")
    until(lambda: all(set(watch()) == set(keys[:10]) for watch in watches), "all watches see them")

    leader = etcd.leader()
    process = etcd.processes[str(leader)]
    process.send_signal(fault)
    gap = until(lambda: all(etcd.put(key) for key in keys[10:20]), "ten writes in a row without the leader")
    late = until(lambda: all(set(watch()) == set(keys[:20]) for watch in watches), "all watches see them")
    print(f"{fault.name}: ten writes after {gap:.1f} s, seen by all watches after {gap + late:.1f} s")

    if fault == signal.SIGKILL:
        process.wait(60)
        etcd.start_member(leader)
    else:
        process.send_signal(signal.SIGCONT)
    until(lambda: etcd.ctl(etcd.clients[leader], "endpoint", "health").returncode == 0, "the old leader is back")
    until(lambda: all(etcd.put(key) for key in keys[20:]), "ten writes through all")
    until(lambda: all(set(watch()) == set(keys) for watch in watches), "all watches see them")


def test_a_full_etcd_is_reached_and_cured_through_tls(members: Callable[..., Etcd]) -> None:
    """The checks of HAProxy speak TLS with etcd, and take the alarm of a full database for no reason to leave it."""
    etcd = members(1, "https", "--auto-tls", "--quota-backend-bytes=65536")

    def alarmed(port: int) -> bool:
        return "NOSPACE" in etcd.ctl(port, "alarm", "list").stdout

    until(lambda: not etcd.put("large", "x" * 100_000) and alarmed(etcd.clients[0]), "an alarm")
    time.sleep(5)  # several checks
    until(lambda: alarmed(etcd.port), "the alarm is seen through HAProxy")
    assert not etcd.put("small")
    until(lambda: etcd.ctl(etcd.port, "alarm", "disarm").returncode == 0, "the alarm is taken back")
