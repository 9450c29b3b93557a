"""Which run is which: its name, whether it lives, and how long its Lease holds others off. Real processes only."""

from __future__ import annotations

import base64
import datetime
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access, Client
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._run import (
    LEASE_SECONDS,
    RELEASES,
    RunId,
    _boot,
    _start,
    holder,
    interrupted_releases,
    is_alive,
    living_helm,
    this_run,
)

HERE = socket.gethostname()
NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
ELSEWHERE = RunId("another-host", "0b00t000", 42, "1234")
SLEEP = "import time; time.sleep(60)"

# Text → the run that it names.
PARSED: dict[str, RunId | None] = {
    "host/boot/42/99": RunId("host", "boot", 42, "99"),
    "host/boot/0/abcd": RunId("host", "boot", 0, "abcd"),
    "": None,
    "somebody": None,
    "host/boot/42": None,
    "host/boot/42/99/more": None,
    "host/boot/x/99": None,
    "host/boot/-1/99": None,
    "host/boot//99": None,
}


def run_of(pid: int) -> RunId:
    return RunId(HERE, _boot(), pid, _start(pid))


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process of our own that lives until the test ends it."""
    with subprocess.Popen(["sleep", "60"]) as running:
        yield running
        running.kill()


def lease(name: str, age: float = 0, **changed: Any) -> dict[str, Any]:
    """A Lease that ``name`` renewed ``age`` seconds before NOW."""
    renewed = (NOW - datetime.timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": renewed, **changed}
    return {"metadata": {"annotations": {RELEASES: "kb-addon-etcd,kubeblocks"}}, "spec": spec}


# Name → Lease, who holds it at NOW. These holders are not of this host: only the clock tells.
HOLDERS: dict[str, tuple[dict[str, Any] | None, str]] = {
    "no Lease": (None, ""),
    "no spec": ({"metadata": {}}, ""),
    "given back": (lease(""), ""),
    "given back in another way": (lease("", holderIdentity=None), ""),
    "just renewed": (lease(str(ELSEWHERE)), str(ELSEWHERE)),
    "a second before the end": (lease(str(ELSEWHERE), LEASE_SECONDS - 1), str(ELSEWHERE)),
    "at its end": (lease(str(ELSEWHERE), LEASE_SECONDS), ""),
    "after its end": (lease(str(ELSEWHERE), LEASE_SECONDS + 1), ""),
    "a shorter one": (lease(str(ELSEWHERE), 10, leaseDurationSeconds=9), ""),
    "a longer one": (lease(str(ELSEWHERE), 5000, leaseDurationSeconds=9999), str(ELSEWHERE)),
    "a name of another make": (lease("somebody", 5), "somebody"),
    "a name of another make, run out": (lease("somebody", LEASE_SECONDS), ""),
    "a run without a process": (lease(f"{HERE}/{_boot()}/0/abcd", 5), f"{HERE}/{_boot()}/0/abcd"),
    "this host before it was booted": (
        lease(f"{HERE}/0b00t000/{os.getpid()}/1", 5),
        f"{HERE}/0b00t000/{os.getpid()}/1",
    ),
    "without a time": (lease("somebody", renewTime=None), "somebody"),
    "without fractions of a second": (lease("somebody", renewTime="2026-01-02T03:04:00Z"), "somebody"),
}


@pytest.mark.parametrize("text", PARSED)
def test_reading_the_name_of_a_run(text: str) -> None:
    assert RunId.parse(text) == PARSED[text]


def test_a_runs_name_can_be_read_back() -> None:
    for run in (ELSEWHERE, run_of(os.getpid()), this_run()):
        assert RunId.parse(str(run)) == run


def test_a_living_process_is_alive_and_a_dead_one_is_not(process: subprocess.Popen[bytes]) -> None:
    run = run_of(process.pid)
    assert is_alive(run) is True
    assert is_alive(RunId(run.host, run.boot, run.pid, str(int(run.start) + 1))) is False  # its number was used again
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_alive(run) is False  # ended, and nobody has asked for its exit code
    process.wait()
    assert is_alive(run) is False
    assert is_alive(RunId(run.host, run.boot, run.pid, "")) is False


def test_what_this_host_cannot_know() -> None:
    own = run_of(os.getpid())
    assert is_alive(ELSEWHERE) is None
    assert is_alive(RunId("another-host", own.boot, own.pid, own.start)) is None
    assert is_alive(RunId(own.host, "0b00t000", own.pid, own.start)) is None
    assert is_alive(RunId(own.host, own.boot, 0, "abcd")) is None


@pytest.mark.parametrize("name", HOLDERS)
def test_who_holds_the_lease(name: str) -> None:
    given, expected = HOLDERS[name]
    assert holder(given, NOW) == expected


def test_a_process_of_this_host_holds_it_as_long_as_it_lives(process: subprocess.Popen[bytes]) -> None:
    name = str(run_of(process.pid))
    assert holder(lease(name, 99 * LEASE_SECONDS), NOW) == name
    process.kill()
    process.wait()
    assert holder(lease(name), NOW) == ""


def test_releases_are_interrupted_once_nobody_holds_the_lease(process: subprocess.Popen[bytes]) -> None:
    both, name, mine = {"kubeblocks", "kb-addon-etcd"}, str(run_of(process.pid)), str(this_run())
    assert interrupted_releases(None, NOW, mine) == set()
    assert interrupted_releases(lease(name), NOW, mine) == set()
    assert interrupted_releases(lease(name), NOW, name) == both  # begun earlier in the same run
    assert interrupted_releases(lease(str(ELSEWHERE)), NOW, mine) == set()
    assert interrupted_releases(lease(str(ELSEWHERE), LEASE_SECONDS), NOW, mine) == both
    assert interrupted_releases({"metadata": {}, "spec": {}}, NOW, mine) == set()
    process.kill()
    process.wait()
    assert interrupted_releases(lease(name), NOW, mine) == both


@pytest.mark.parametrize("name", ["ansible-playbook", "ansible"])
def test_a_run_is_the_program_above_it(tmp_path: Path, name: str) -> None:
    """A program of that name, what it starts, and a fork of it say the same."""
    work = f"from {RunId.__module__} import this_run; print(this_run(), flush=True)"
    program = tmp_path / name
    program.write_text(
        "import os, subprocess, sys\n"
        "print(os.getpid(), flush=True)\n"
        f"{work}\n"
        f"subprocess.run([sys.executable, '-c', {work!r}], check=True)\n"
        "if os.fork() == 0:\n"
        "    print(this_run(), flush=True)\n"
        "else:\n"
        "    os.wait()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True, env=environment)
    pid, *runs = done.stdout.split()
    assert len(runs) == 3
    assert len(set(runs)) == 1
    run = RunId.parse(runs[0])
    assert run is not None
    assert (run.host, run.boot, run.pid) == (HERE, _boot(), int(pid))
    assert is_alive(run) is False


def test_without_a_playbook_every_call_is_a_run_of_its_own() -> None:
    one, other = this_run(), this_run()
    assert (one.host, one.boot, one.pid) == (HERE, _boot(), 0)
    assert one != other


def _until_it_has_its_name(pid: int) -> None:
    """For an instant after its start a process has no command line yet."""
    deadline = time.monotonic() + 60
    while not Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def reached(folder: Path, context: str, server: str) -> Client:
    """A client of an API server that nobody asks."""
    kubeconfig = folder / f"{context} {server.partition('://')[2]}"
    authority = base64.b64encode(server.encode()).decode()
    cluster = {"name": "c", "cluster": {"server": server, "certificate-authority-data": authority}}
    entry = {"name": context, "context": {"cluster": "c", "user": "u"}}
    users = [{"name": "u", "user": {"token": "t"}}]
    text = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [entry], "users": users}
    kubeconfig.write_text(json.dumps(text))
    return Client(Access(context, str(kubeconfig)))


def known_by_its_ca(folder: Path, client: Client) -> Client:
    """The same cluster by another address."""
    text = Path(client.access.kubeconfig).read_text().replace("https://here.invalid", "https://way.invalid")
    (folder / "other").write_text(text)
    return Client(Access(client.context, str(folder / "other")))


@pytest.mark.parametrize("readable", [True, False])
def test_a_helm_that_still_works_on_a_release_is_found(tmp_path: Path, readable: bool) -> None:
    """One whose kubeconfig is gone counts for every cluster of that context's name."""
    here, elsewhere = reached(tmp_path, "control", "https://here.invalid"), "https://elsewhere.invalid"
    command = ["helm", "-c", SLEEP, "upgrade", "kubeblocks"]
    given = here.access.kubeconfig if readable else str(tmp_path / "gone")
    environment = {**os.environ, "HELM_KUBECONTEXT": "control", "KUBECONFIG": given}
    with subprocess.Popen(command, executable=sys.executable, env=environment) as helm:
        try:
            _until_it_has_its_name(helm.pid)
            assert helm.pid in living_helm(here, "kubeblocks")
            assert helm.pid not in living_helm(here, "kb-addon-etcd")
            assert helm.pid not in living_helm(reached(tmp_path, "k8s-1", "https://here.invalid"), "kubeblocks")
            assert (helm.pid in living_helm(reached(tmp_path, "control", elsewhere), "kubeblocks")) is not readable
            assert helm.pid in living_helm(known_by_its_ca(tmp_path, here), "kubeblocks")
        finally:
            helm.kill()
    assert helm.pid not in living_helm(here, "kubeblocks")
