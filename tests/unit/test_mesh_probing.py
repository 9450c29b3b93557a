"""What the Pods of the mesh's test ask and answer, over loopback; and what is made of the answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _mesh_probing as probing
from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _mesh_test
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules import mesh_checks
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_checks import Result

HERE = "127.0.0.1"
PEERS = {"a": "192.0.2.1", "b": "192.0.2.2", "c": "192.0.2.3"}


@pytest.fixture
def port() -> Iterator[int]:
    servers = probing.serve("a", HERE, 0)
    yield int(servers[0].server_address[1])
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def closed() -> int:
    """A port that nobody listens at."""
    with socket.create_server((HERE, 0)) as own:
        return int(own.getsockname()[1])


def question(check: str, port: int, *expected: str, host: str = HERE, target: str = "a") -> probing.Question:
    return {"check": check, "target": target, "host": host, "port": port, "expected": list(expected or "a")}


def answer(check: str, port: int, *expected: str, host: str = HERE, patience: float = 0) -> dict[str, Any]:
    """``patience``: for what has to come out well, and may not at first where the machine is busy."""
    (found,) = probing.ask_all([question(check, port, *expected, host=host)], patience)
    return found


# Asking and answering


@pytest.mark.parametrize("check", probing.CHECKS)
def test_all_is_well(port: int, check: str) -> None:
    found = answer(check, port, patience=30)
    assert (found["ok"], found["why"]) == (True, "")
    assert (found["value"] is not None) is bool(mesh_checks.CHECKS[check][1])
    assert not found["value"] or found["value"] > 0


@pytest.mark.parametrize("check", ["pod", "service"])
def test_another_one_answers(port: int, check: str) -> None:
    assert answer(check, port, "b") == {"ok": False, "value": None, "why": "a answers, not b"}


def test_somebody_never_answers_or_is_not_expected(port: int) -> None:
    assert answer("global", port, "a", "b")["why"] == "b never answered"
    assert answer("global", port, "b")["why"] == "b never answered; a not expected"


@pytest.mark.parametrize("check", [check for check in probing.CHECKS if check not in ("dns", "packet")])
def test_nobody_listens(closed: int, check: str) -> None:
    assert answer(check, closed) == {"ok": False, "value": None, "why": "Connection refused"}


def test_a_name_that_nobody_knows(port: int) -> None:
    assert not answer("dns", port, host="nobody.invalid")["ok"]


@pytest.mark.parametrize("limit", [0, 600, 1400])
def test_a_large_packet_is_lost(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers small datagrams only stands in for a way that drops large ones."""
    monkeypatch.setattr(probing, "LIMIT", 1.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind((HERE, 0))
        own.settimeout(10)
        threading.Thread(target=_answer_small, args=(own, limit), daemon=True).start()
        found = answer("packet", own.getsockname()[1])
    assert not found["ok"]
    if limit:
        assert found["value"] == limit + 28
        assert found["why"].endswith(f" bytes is lost, one of {limit + 28} comes")
    else:
        assert found["value"] is None
        assert found["why"].endswith(" bytes is lost, and so is one of 576")


def _answer_small(own: socket.socket, limit: int) -> None:
    while True:
        try:
            data, who = own.recvfrom(65535)
            if len(data) <= limit:
                own.sendto(b"%d" % len(data), who)
        except OSError:  # the test is over
            return


def test_what_fails_is_tried_again_for_a_while(closed: int) -> None:
    servers: list[Any] = []
    timer = threading.Timer(0.7, lambda: servers.extend(probing.serve("a", HERE, closed)))
    timer.start()
    (found,) = probing.ask_all([question("pod", closed)], patience=10)
    timer.join()
    for server in servers:
        server.shutdown()
        server.server_close()
    assert found["ok"]


class Clock:
    """Time that goes on by sleeping alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_question_that_comes_late_is_tried_again_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds for the first, five at least for each, and a minute for all."""
    clock, tries = Clock(), Counter[str]()

    def answers_from(asked: probing.Question) -> probing.Outcome:
        """``port``: seconds after which it is answered well."""
        tries[asked["target"]] += 1
        return clock.now >= asked["port"], None, ""

    monkeypatch.setattr(probing, "time", clock)
    monkeypatch.setitem(probing.CHECKS, "service", answers_from)
    never = 10**9
    asked = [question("service", port, target=name) for name, port in (("a", never), ("b", 13), ("c", never))]
    asked += [question("service", never, target=f"d{number}") for number in range(50)]
    found = probing.ask_all(asked, 10)
    assert [each["ok"] for each in found] == [False, True, False] + [False] * 50
    assert (tries["a"], tries["b"], tries["c"], tries["d0"], tries["d49"]) == (21, 7, 11, 11, 1)
    assert clock.now == 60


def test_where_nobody_answers_no_more_is_tried(port: int, closed: int) -> None:
    asked = [question("pod", closed), *(question(check, closed) for check in probing.NEEDS_THE_WAY)]
    asked += [question("throughput", port, target="b")]
    found = probing.ask_all(asked, patience=0)
    assert [each["why"] for each in found[1:4]] == [probing.NOT_TRIED] * 3
    assert found[4]["ok"]


# What is asked


def test_each_asks_every_other_one_and_another_one_first() -> None:
    asked = {name: probing.questions(name, PEERS, "test-{}.space") for name in PEERS}
    assert [asked[name][0]["target"] for name in PEERS] == ["b", "c", "a"]
    for name, questions in asked.items():
        checks = [(each["check"], each["target"]) for each in questions]
        others = [other for other in PEERS if other != name]
        expected = {(check, other) for check in probing.CHECKS if check != "global" for other in others}
        assert set(checks) == expected | {("global", probing.EVERYBODY)}
        assert len(checks) == len(set(checks))
        assert all(each["expected"] == [each["target"]] for each in questions[:-1])
    assert asked["a"][-1]["expected"] == ["a", "b", "c"]
    hosts = {(each["check"], each["host"]) for each in asked["a"] if each["target"] in ("b", probing.EVERYBODY)}
    by_name = {("dns", "test-of-b.space"), ("service", "test-of-b.space"), ("global", "test-all.space")}
    assert hosts == by_name | {(check, PEERS["b"]) for check in ("pod", *probing.NEEDS_THE_WAY)}


def test_every_check_has_a_name() -> None:
    assert set(mesh_checks.CHECKS) == set(probing.CHECKS)


def test_a_pod_runs_the_text_of_this_module() -> None:
    """As the Pod does it: the text in a variable, the question on the command line, nothing but the answers printed."""
    told = {"source": "a", "peers": {"a": HERE}, "service": "localhost"}
    command = [sys.executable, "-I", "-c", _mesh_test.RUN, "ask", json.dumps(told)]
    environment = {**os.environ, "PROGRAM": _mesh_test.program().replace("PATIENCE = 10.0", "PATIENCE = 0.0")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=30)
    assert done.stderr == ""
    (found,) = json.loads(done.stdout)
    assert not found["ok"]


# What the answers mean


def said(*, but: dict[tuple[str, str, str], str] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Questions and good answers, but for those that are named."""
    asked = {name: probing.questions(name, PEERS, "test-{}.space") for name in PEERS}
    answers = {
        name: [
            {"ok": not why, "value": None if why or not mesh_checks.CHECKS[each["check"]][1] else 2.5, "why": why}
            for each in questions
            for why in [(but or {}).get((name, each["target"], each["check"]), "")]
        ]
        for name, questions in asked.items()
    }
    return asked, answers


def test_a_healthy_mesh() -> None:
    found = mesh_checks.results(*said())
    assert all(result.ok for result in found) and len(found) == 3 * 13
    assert mesh_checks.failures(found) == []
    lines = mesh_checks.table(found)
    assert lines[0].split() == ["CONNECTIVITY", "a", "b", "c", "all", "clusters"]
    assert lines[1].split("  ")[-1] == "2.5 clusters"
    assert "2.5 bytes, 2.5 ms, 2.5 Mbit/s" in lines[1]
    assert len(lines) == 4


def test_the_broken_pair_is_named() -> None:
    found = mesh_checks.results(*said(but={("a", "c", "pod"): "no answer", ("a", "c", "packet"): probing.NOT_TRIED}))
    assert mesh_checks.failures(found) == ["a -> c: Pod to Pod: no answer"]
    lines = mesh_checks.table(found)
    assert [line.count("FAILED") for line in lines] == [0, 1, 0, 0, 0]
    assert lines[-1] == "a -> c: Pod to Pod: no answer"


@pytest.mark.parametrize("answers", ["b: the Pod did not start", [], [{"ok": True, "value": None, "why": ""}]])
def test_a_cluster_that_did_not_answer_has_failed(answers: Any) -> None:
    asked, good = said()
    found = mesh_checks.results(asked, {**good, "b": answers})
    why = answers if isinstance(answers, str) else "it did not answer every question"
    assert mesh_checks.failures(found) == [f"b: {why}"]
    assert not any(result.ok for result in found if result.source == "b")
    without = mesh_checks.results(asked, {name: each for name, each in good.items() if name != "b"})
    assert mesh_checks.failures(without) == ["b: it was not asked"]


def test_junit_counts_and_names() -> None:
    report = mesh_checks.junit(mesh_checks.results(*said(but={("a", "c", "pod"): "x < y"})))
    suite = ElementTree.fromstring(report)  # noqa: S314 - it is our own
    assert (suite.tag, suite.get("tests"), suite.get("failures")) == ("testsuite", "39", "1")
    (failed,) = [case for case in suite if case.find("failure") is not None]
    assert (failed.get("classname"), failed.get("name")) == ("a -> c", "Pod to Pod")
    assert failed.find("failure").get("message") == "x < y"  # type: ignore[union-attr]
    assert "2.5 Mbit/s" in [case.findtext("system-out") for case in suite]


def test_one_result_in_words() -> None:
    assert str(Result("a", "b", "throughput", False, None, "no answer")) == "a -> b: throughput: no answer"
