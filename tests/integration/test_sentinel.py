"""The sentinel before a real etcd on this machine: nothing is lost by a fault, and what is lost or altered is found."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from clients import Writer
from lab.cluster import pki
from lab.settings import Lab
from local_etcd import PATIENCE, LocalEtcd, SteadyEtcd, until
from support import BIN, ROOT, environment, module

NAME, DEFAULT_PREFIX = "etcd_sentinel", "kubeblocks.multicluster/sentinel/"
BODIES = ("action", "module")
NOBODY = "127.0.0.1:1"
# Long enough that only a stop file ends it.
USUAL = {"seconds": 300, "pause": 0.02}
# Where each write has to be acknowledged at once, however busy the machine is.
PATIENT = {"request_timeout": 20}


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., LocalEtcd]]:
    with ExitStack() as stack:

        def start(members: int, *options: str, scheme: str = "http", name: str = "etcd") -> LocalEtcd:
            folder = tmp_path / name
            folder.mkdir()
            etcd = LocalEtcd(folder, members, scheme, *options)
            stack.callback(etcd.end)
            etcd.start_members()
            return etcd

        yield start


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEtcd]:
    """Three members that nobody does anything to."""
    etcd = SteadyEtcd(tmp_path_factory.mktemp("etcd"), 3)
    try:
        etcd.start_members()
        yield etcd
    finally:
        etcd.end()


def endpoints(etcd: LocalEtcd, first: int = 0) -> list[str]:
    """All members' addresses, one of them first."""
    ports = etcd.clients[first:] + etcd.clients[:first]
    return [f"{'https://' if etcd.scheme == 'https' else ''}127.0.0.1:{port}" for port in ports]


def keys(etcd: LocalEtcd, prefix: str = DEFAULT_PREFIX) -> list[str]:
    return etcd.ctl(etcd.clients[0], "get", "--prefix", prefix, "--keys-only").stdout.split()


def ran(body: str, check: bool = False, **options: Any) -> dict[str, Any]:
    return module(Lab("x"), NAME, options, body=body, check=check)


class Writing:
    """The module at work in one of its bodies, until ``end``."""

    def __init__(self, pool: ThreadPoolExecutor, folder: Path, body: str, **options: Any) -> None:
        self.stop, self.progress = folder / f"stop-{body}", folder / f"progress-{body}"
        files = {"stop_file": str(self.stop), "progress_file": str(self.progress)}
        self.result = pool.submit(ran, body, **{**USUAL, **files, **options})

    def count(self) -> int:
        assert not self.result.done(), self.result.result()
        return int(self.progress.read_text()) if self.progress.exists() else 0

    def more(self, number: int) -> float:
        """Wait for so many more acknowledged writes."""
        before = self.count()
        return until(lambda: self.count() >= before + number, f"{number} more writes")

    def end(self) -> dict[str, Any]:
        self.stop.touch()
        return self.result.result(2 * PATIENCE)


@contextmanager
def writing(folder: Path, body: str, **options: Any) -> Iterator[Writing]:
    with ThreadPoolExecutor(1) as pool:
        work = Writing(pool, folder, body, **options)
        try:
            yield work
        finally:
            work.stop.touch()  # however it ends, nobody goes on writing


def of_others(result: dict[str, Any]) -> dict[str, Any]:
    """The names in a result, and whatever does not differ from run to run."""
    same = ("changed", "lost", "altered", "doubled", "appeared", "ended_by", "cleaned", "cluster_ids")
    return {key: result[key] if key in same else "" for key in result if key not in ("invocation", "action")}


# All well


def test_all_is_well_in_both_bodies(healthy: LocalEtcd) -> None:
    neighbours = [DEFAULT_PREFIX, f"{DEFAULT_PREFIX}zzz", DEFAULT_PREFIX[:-1], "a", "z"]
    for key in neighbours:
        assert healthy.ctl(healthy.clients[0], "put", key, "x").returncode == 0
    results = [ran(body, endpoints=endpoints(healthy), seconds=10, **PATIENT) for body in BODIES]
    for result in results:
        figures = result["figures"]
        assert not result.get("failed")
        assert (result["changed"], result["ended_by"], result["cleaned"]) == (True, "seconds", True)
        assert [figures[key] for key in ("refused", "unknown", "lost", "altered", "doubled")] == [0] * 5
        assert 5 < figures["acknowledged"] == figures["attempts"] <= 210
        assert 0 < figures["gap_p50"] <= figures["gap_p95"] <= figures["gap_max"] <= figures["longest_gap"]
        assert result["sentence"].startswith(f"{figures['acknowledged']} writes acknowledged, none lost, longest gap ")
    assert of_others(results[0]) == of_others(results[1])
    assert results[0]["prefix"] != results[1]["prefix"]
    assert [key for key in keys(healthy, "") if key in neighbours] == sorted(neighbours)
    assert not [key for key in keys(healthy) if key not in neighbours]
    for key in neighbours:
        assert healthy.ctl(healthy.clients[0], "del", key).stdout.strip() == "1"


def test_many_writes_end_at_a_number_and_are_read_back_page_by_page(healthy: LocalEtcd) -> None:
    result = ran(
        "action", endpoints=endpoints(healthy), pause=0, most=2500, seconds=3000, clean=False, prefix="many/", **PATIENT
    )
    assert (result["ended_by"], result["figures"]["acknowledged"], result["lost"]) == ("most", 2500, [])
    assert len(keys(healthy, result["prefix"])) == 2500
    assert result["cleaned"] is False
    assert healthy.ctl(healthy.clients[0], "del", "--prefix", "many/").stdout.strip() == "2500"


def test_in_the_background_until_a_file_appears(healthy: LocalEtcd, tmp_path: Path) -> None:
    """As it stands in the documentation: started, waited for, ended and asked by a playbook."""
    stop, progress = tmp_path / "stop", tmp_path / "written"
    options = {**USUAL, "endpoints": endpoints(healthy), "stop_file": str(stop), "progress_file": str(progress)}
    tasks = [
        {f"kubeblocks.multicluster.{NAME}": options, "async": 600, "poll": 0, "register": "job"},
        {"ansible.builtin.wait_for": {"path": str(progress), "search_regex": "[0-9]{2,}", "timeout": PATIENCE}},
        {"ansible.builtin.file": {"path": str(stop), "state": "touch", "mode": "0600"}},
        {
            "ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"},
            "register": "told",
            "until": "told is finished",
            "retries": 120,
            "delay": 0.5,
        },
        {"ansible.builtin.copy": {"content": "{{ told | to_json }}", "dest": str(tmp_path / "told"), "mode": "0600"}},
    ]
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    # The module's answer is Ansible's to keep: not in a HOME that may be another than the account's.
    given = {"ansible_python_interpreter": sys.executable, "ansible_async_dir": str(tmp_path / "jobs")}
    words = ["-i", "localhost,", "-c", "local", "-e", json.dumps(given)]
    try:
        done = subprocess.run(
            [str(BIN / "ansible-playbook"), *words, str(tmp_path / "play.yml")],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment(),
            timeout=300,
            check=False,
        )
    finally:
        stop.touch()
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "told").read_text())
    assert (told["ended_by"], told["changed"], told["lost"], told["cleaned"]) == ("stop_file", True, [], True)
    assert told["figures"]["acknowledged"] == int(progress.read_text()) >= 10


@pytest.mark.parametrize("body", BODIES)
def test_check_mode_writes_nothing(healthy: LocalEtcd, body: str, tmp_path: Path) -> None:
    before, progress = healthy.revision(), tmp_path / "written"
    options = {"endpoints": [NOBODY, *endpoints(healthy)], "progress_file": str(progress), "seconds": 3000, **PATIENT}
    result = ran(body, check=True, **options)
    assert (result["changed"], result["prefix"], result["figures"]["attempts"]) == (False, "", 0)
    assert result["sentence"] == f"{endpoints(healthy)[0]} answers a read through the quorum; nothing was written"
    assert (healthy.revision(), progress.exists()) == (before, False)


# Faults


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_writes_outlive_the_leader_and_none_is_lost(
    fault: signal.Signals, started: Callable[..., LocalEtcd], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed, or silent with its connections open. The sentinel had written through the leader itself."""
    etcd = started(3)
    leader = etcd.leader()
    process = etcd.processes[str(leader)]
    with writing(tmp_path, "action", endpoints=endpoints(etcd, first=leader), request_timeout=5) as work:
        work.more(20)
        process.send_signal(fault)
        work.more(40)
        if fault == signal.SIGKILL:
            process.wait(60)
            etcd.start_member(leader)
        else:
            process.send_signal(signal.SIGCONT)
        work.more(20)
        result = work.end()
    figures, at_leader = result["figures"], result["endpoints"][endpoints(etcd)[leader]]
    assert not result.get("failed"), result["msg"]
    assert (figures["lost"], figures["altered"], figures["appeared"]) == (0, 0, 0)
    assert at_leader["acknowledged"] >= 20
    assert at_leader["refused"] + at_leader["unknown"] >= 1
    assert at_leader["why"]
    assert figures["acknowledged"] >= 80
    assert figures["longest_gap"] >= figures["gap_max"] > figures["gap_p50"]
    assert len(result["cluster_ids"]) == 1
    with capsys.disabled():
        print(f"{fault.name} of the leader: {result['sentence']}")


@pytest.mark.parametrize("body", BODIES)
def test_what_is_deleted_or_altered_behind_its_back_is_found(healthy: LocalEtcd, body: str, tmp_path: Path) -> None:
    with writing(tmp_path, body, endpoints=endpoints(healthy), **PATIENT) as work:
        work.more(20)
        (first,) = [key for key in keys(healthy) if key.endswith("/000000")]
        prefix = first.removesuffix("000000")
        assert healthy.ctl(healthy.clients[1], "del", f"{prefix}000003").stdout.strip() == "1"
        assert healthy.ctl(healthy.clients[2], "put", f"{prefix}000007", "other").returncode == 0
        assert healthy.ctl(healthy.clients[2], "put", f"{prefix}000009", "9").returncode == 0
        work.more(5)
        result = work.end()
    assert (result["failed"], result["changed"], result["cleaned"]) == (True, True, False)
    assert (result["lost"], result["altered"], result["doubled"]) == ([3], [7], [7, 9])
    assert (result["figures"]["lost"], result["figures"]["altered"]) == (1, 1)
    assert f"cannot find what was acknowledged below {prefix} as it was written: " in result["msg"]
    assert " Numbers lost: 3; altered: 7. The keys stay as evidence: " in result["msg"]
    assert len(keys(healthy, prefix)) == result["figures"]["acknowledged"] - 1
    assert healthy.ctl(healthy.clients[0], "del", "--prefix", prefix).returncode == 0


def test_an_etcd_that_takes_anothers_place_has_lost_the_writes(
    started: Callable[..., LocalEtcd], tmp_path: Path
) -> None:
    """Two that know nothing of each other behind one list of endpoints: what one acknowledged is not in the other."""
    one, other = started(1, name="one"), started(1, "--initial-cluster-token=other", name="other")
    with writing(tmp_path, "action", endpoints=endpoints(one) + endpoints(other), **PATIENT) as work:
        work.more(15)
        one.end()
        work.more(5)
        result = work.end()
    assert result["failed"]
    assert result["lost"] == list(range(20))[: result["figures"]["lost"]]
    assert 15 <= result["figures"]["lost"] < result["figures"]["acknowledged"]
    assert len(result["cluster_ids"]) == 2
    assert [text for text in result["warnings"] if text.endswith("these endpoints lead to 2 different etcds.")]


def test_without_a_quorum_nothing_can_be_read_back_and_the_gap_lasts_to_the_end(
    started: Callable[..., LocalEtcd], tmp_path: Path
) -> None:
    etcd = started(3)
    with writing(tmp_path, "action", endpoints=endpoints(etcd), check_timeout=10, request_timeout=3) as work:
        work.more(10)
        for number in (1, 2):
            etcd.processes[str(number)].send_signal(signal.SIGSTOP)
        written = work.count()
        time.sleep(15)  # several requests in vain, and longer than any gap before
        result = work.end()
    for number in (1, 2):
        etcd.processes[str(number)].send_signal(signal.SIGCONT)
    figures = result["figures"]
    assert (result["failed"], result["cleaned"], figures["lost"]) == (True, False, None)
    assert figures["acknowledged"] >= written >= 10
    assert figures["unknown"] >= 1
    assert figures["longest_gap_to_the_end"] is True
    assert figures["longest_gap"] > 1
    assert f"cannot read {result['prefix']} back within 10 s: " in result["msg"]
    assert "not read back, longest gap" in result["msg"]
    until(lambda: len(keys(etcd, result["prefix"])) >= figures["acknowledged"], "the keys are there all the same")


@pytest.mark.parametrize("body", BODIES)
def test_where_nobody_answers_it_says_so_at_once(body: str) -> None:
    result = ran(body, endpoints=[NOBODY, "http://127.0.0.1:2"], check_timeout=0)
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"] == (
        "127.0.0.1:1, 127.0.0.1:2: cannot read through any endpoint: 127.0.0.1:1: Connection refused; 127.0.0.1:2: "
        "Connection refused. Nothing was written. Check the addresses, whether they speak TLS, and that this host "
        "reaches them."
    )


def test_a_full_etcd_refuses_every_write_and_that_fails(started: Callable[..., LocalEtcd]) -> None:
    etcd = started(1, "--quota-backend-bytes=65536")

    def full() -> bool:
        return "exceeded" in etcd.ctl(etcd.clients[0], "put", "large", "x" * 100_000).stderr

    until(full, "an alarm")
    result = ran("action", endpoints=endpoints(etcd), seconds=5, **PATIENT)
    figures = result["figures"]
    assert (result["failed"], result["changed"], result["cleaned"]) == (True, False, True)
    assert figures["refused"] == figures["attempts"] > 3
    assert (figures["acknowledged"], figures["unknown"], figures["appeared"]) == (0, 0, 0)
    assert "cannot write: no write was acknowledged in " in result["msg"]
    assert "database space exceeded (HTTP 429)" in result["msg"]


# TLS


def test_an_etcd_that_asks_for_a_certificate(
    started: Callable[..., LocalEtcd], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.settings.STATE_ROOT", tmp_path)
    node = Lab("x").nodes[0]
    pki.create(node)
    folder = node.folder / "pki"
    ca, cert, key = (str(folder / name) for name in ("ca.crt", "admin.crt", "admin.key"))
    words = ["--cert-file", f"{folder / 'apiserver.crt'}", "--key-file", f"{folder / 'apiserver.key'}"]
    words += ["--trusted-ca-file", ca, "--client-cert-auth"]
    monkeypatch.setattr(LocalEtcd, "command", commanding(LocalEtcd.command, f"--cert={cert}", f"--key={key}"))
    etcd = started(1, *words, scheme="https")
    for body in BODIES:
        result = ran(
            body, endpoints=endpoints(etcd), seconds=5, ca_cert=ca, client_cert=cert, client_key=key, **PATIENT
        )
        assert not result.get("failed"), result["msg"]
        assert result["figures"]["acknowledged"] > 3
        assert Path(key).read_text().splitlines()[1] not in str(result)
    for options, said in [
        # Which of these it is depends on how fast the server hangs up.
        ({"ca_cert": ca}, "certificate required|it hung up|reset by peer|Broken pipe"),
        ({"client_cert": cert, "client_key": key}, "its certificate is not trusted: "),
        ({"ca_cert": ca, "endpoints": [endpoints(etcd)[0].removeprefix("https://")]}, "no endpoint speaks TLS"),
        ({"endpoints": [endpoints(etcd)[0].removeprefix("https://")]}, "it hung up|reset by peer|Broken pipe"),
    ]:
        result = ran("action", **{"endpoints": endpoints(etcd), "seconds": 1, "check_timeout": 0, **options})
        assert result["failed"]
        assert re.search(said, result["msg"]), result["msg"]


def commanding(command: Callable[[LocalEtcd, int], list[str]], *more: str) -> Callable[[LocalEtcd, int], list[str]]:
    return lambda etcd, port: [*command(etcd, port), *more]


# The end-to-end tests' own use of it


def test_the_writer_of_the_end_to_end_tests(started: Callable[..., LocalEtcd]) -> None:
    etcd = started(1)
    with Writer(endpoints(etcd)[0], "sentinel/") as writer:
        until(lambda: len(writer.acknowledged) > 20, "twenty writes")
        etcd.processes["0"].send_signal(signal.SIGSTOP)
        until(lambda: writer.refused > 0, "a write in vain")
        etcd.processes["0"].send_signal(signal.SIGCONT)
        before = len(writer.acknowledged)
        until(lambda: len(writer.acknowledged) > before + 20, "twenty more")
        assert writer.gap() > 1
    numbers = [number for number, _ in writer.acknowledged]
    assert numbers == sorted(set(numbers))
    assert writer.lost(endpoints(etcd)[0]) == []
    there = keys(etcd, "sentinel/")
    assert len(there) >= len(numbers)
    assert etcd.ctl(etcd.clients[0], "del", there[5]).stdout.strip() == "1"
    assert writer.lost(endpoints(etcd)[0]) == [5]
