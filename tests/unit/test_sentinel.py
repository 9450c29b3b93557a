"""The sentinel with an etcd of a few lines behind it, which fails when it is told to: what is written, read, said."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _sentinel
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._gateway import Endpoint, Gateway, Unanswered
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.history import (
    ACKNOWLEDGED,
    REFUSED,
    UNKNOWN,
    Found,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call, outcome
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._sentinel import SPEC, Sentinel, own_prefix, run

A, R, U = ACKNOWLEDGED, REFUSED, UNKNOWN
LATE = "written, but not answered"
PREFIX = "p/x/"


class Store(Gateway):
    """An etcd in memory behind the endpoints a, b, c. ``fates``: what becomes of the writes to come, in their order;
    all after these are acknowledged."""

    def __init__(self, fates: list[str], endpoints: str = "abc") -> None:
        super().__init__([Endpoint("http", name, 1) for name in endpoints], 1)
        self.fates = fates
        self.keys: dict[bytes, tuple[bytes, int]] = {}
        self.ranges: list[tuple[bytes, bytes]] = []
        self.silent = False
        self.behind_the_back: Callable[[], None] = lambda: None

    def _exchange(self, endpoint: Endpoint, path: str, text: str) -> tuple[int, bytes]:
        body = json.loads(text)
        key, end = (base64.b64decode(body.get(name, "")) for name in ("key", "range_end"))
        if self.silent:
            raise Unanswered("silence", U)
        if path == "/v3/kv/put":
            answer: dict[str, Any] = self._put(key, base64.b64decode(body["value"]))
        else:
            self.ranges.append((key, end))
            answer = self._range(key, end, body.get("limit", 0), delete=path == "/v3/kv/deleterange")
        return 200, json.dumps({"header": {"cluster_id": "7", "revision": "5"}, **answer}).encode()

    def _put(self, key: bytes, value: bytes) -> dict[str, Any]:
        fate = self.fates.pop(0) if self.fates else A
        if fate in (A, LATE):
            self.keys[key] = (value, self.keys.get(key, (b"", 0))[1] + 1)
        if fate != A:
            raise Unanswered("no" if fate == R else "silence", R if fate == R else U)
        return {}

    def _range(self, key: bytes, end: bytes, limit: int, delete: bool) -> dict[str, Any]:
        if not delete:
            self.behind_the_back()
        found = sorted(each for each in self.keys if key <= each < end)
        if delete:
            self.keys = {each: entry for each, entry in self.keys.items() if each not in found}
            return {"deleted": str(len(found))}
        shown = [(each, *self.keys[each]) for each in found[: limit or None]]
        coded = [
            {name: base64.b64encode(text).decode() for name, text in (("key", each), ("value", value))}
            | {"version": str(version)}
            for each, value, version in shown
        ]
        return {"kvs": coded, "more": True} if len(shown) < len(found) else {"kvs": coded} if coded else {}


def written(store: Store, numbers: int) -> Sentinel:
    """A sentinel that has come to the end of so many numbers."""
    sentinel = Sentinel(store, PREFIX)

    def over() -> str:
        tries = Counter(each.number for each in sentinel.attempts)
        taken = {each.number for each in sentinel.attempts if each.outcome == A}
        return "enough" if sum(1 for number in tries if number in taken or tries[number] == 3) == numbers else ""

    assert sentinel.write(over, 0) == "enough"
    return sentinel


# Name → what becomes of the writes, how many numbers, each attempt as number, endpoint and outcome.
ATTEMPTS: dict[str, tuple[list[str], int, list[tuple[int, str, str]]]] = {
    "all well": ([], 3, [(0, "a:1", A), (1, "a:1", A), (2, "a:1", A)]),
    "one refuses": ([A, R], 3, [(0, "a:1", A), (1, "a:1", R), (1, "b:1", A), (2, "b:1", A)]),
    "one is silent": ([A, U], 3, [(0, "a:1", A), (1, "a:1", U), (1, "b:1", A), (2, "b:1", A)]),
    "two fail, and the round begins anew": (
        [A, U, R, A, R],
        3,
        [(0, "a:1", A), (1, "a:1", U), (1, "b:1", R), (1, "c:1", A), (2, "c:1", R), (2, "a:1", A)],
    ),
    "all fail, and the next number is tried": (
        [R, U, R],
        2,
        [(0, "a:1", R), (0, "b:1", U), (0, "c:1", R), (1, "a:1", A)],
    ),
}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_who_is_asked_for_what(name: str) -> None:
    fates, numbers, expected = ATTEMPTS[name]
    sentinel = written(Store(list(fates)), numbers)
    assert [(each.number, each.endpoint, each.outcome) for each in sentinel.attempts] == expected
    assert [bool(each.why) for each in sentinel.attempts] == [outcome != A for *_who, outcome in expected]
    assert sentinel.acknowledged == [outcome for *_who, outcome in expected].count(A)
    times = [moment for each in sentinel.attempts for moment in (each.began, each.ended)]
    assert times == sorted(times)
    assert times[-1] <= sentinel.ended


def test_a_retry_writes_the_same_and_is_seen_as_doubled() -> None:
    store = Store([A, LATE])
    sentinel = written(store, 2)
    assert store.keys == {b"p/x/000000": (b"0", 1), b"p/x/000001": (b"1", 2)}
    history = sentinel.history(sentinel.read(1))
    assert (history.counts[A], history.retried, history.doubled, history.sound) == (2, 1, [1], True)


def test_a_write_that_is_over_tries_nobody_else() -> None:
    sentinel = Sentinel(Store([R, R, R]), PREFIX)
    assert sentinel.write(lambda: "now" if sentinel.attempts else "", 0) == "now"
    assert len(sentinel.attempts) == 1


def test_a_number_that_nobody_took_is_followed_by_a_rest() -> None:
    sentinel = written(Store([R] * 12), 4)
    assert sentinel.ended >= 4 * 0.05


def test_all_pages_are_read_and_nothing_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sentinel, "_PAGE", 3)
    store = Store([])
    sentinel = written(store, 8)
    strangers = [b"p/x", b"p/x.", b"p/x0", b"p/y/000001", b"p/x/1", b"p/x/00001x", b"p/x/\xff", "p/x/00000٣".encode()]
    store.keys |= dict.fromkeys(strangers, (b"x", 1))
    assert sentinel.read(1) == {number: Found(str(number)) for number in range(8)}
    assert len(store.ranges) == 4
    sentinel.clean(1)
    assert set(store.keys) == {b"p/x", b"p/x.", b"p/x0", b"p/y/000001"}


def test_an_empty_value_is_another_one() -> None:
    store = Store([])
    sentinel = written(store, 1)
    store.keys[b"p/x/000000"] = (b"", 1)
    assert sentinel.history(sentinel.read(1)).altered == [0]


def test_two_runs_never_meet() -> None:
    prefixes = {own_prefix("p/") for _ in range(100)}
    assert len(prefixes) == 100
    assert all(prefix.startswith("p/") and prefix.endswith("/") and prefix.count("/") == 2 for prefix in prefixes)


# The whole module

DEFAULTS = {name: entry.get("default") for name, entry in SPEC.items()}
DEFAULTS |= {"endpoints": ["192.0.2.1:1"], "seconds": 300.0, "pause": 0.0, "most": 5, "check_timeout": 0.0}


def ran(monkeypatch: pytest.MonkeyPatch, store: Store, check: bool = False, **changed: Any) -> dict[str, Any]:
    monkeypatch.setattr(_sentinel, "_gateway_of", lambda _params: store)
    return outcome(run, Call({**DEFAULTS, **changed}, check))


def test_a_run_that_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store([A, U])
    store.keys[b"other"] = (b"x", 1)
    found = ran(monkeypatch, store)
    assert (found["changed"], found["ended_by"], found["cleaned"]) == (True, "most", True)
    assert found["sentence"].startswith("5 writes acknowledged, none lost, longest gap ")
    assert found["figures"]["acknowledged"] == 5
    assert found["endpoints"]["b:1"] == {A: 4, R: 0, U: 0, "why": ""}
    assert found["cluster_ids"] == ["7"]
    assert "failed" not in found
    assert set(store.keys) == {b"other"}


def test_keys_stay_if_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store([])
    found = ran(monkeypatch, store, clean=False, prefix="mine/")
    assert found["cleaned"] is False
    assert sorted(store.keys) == [f"{found['prefix']}{number:06}".encode() for number in range(5)]
    assert found["prefix"].startswith("mine/")


def test_what_is_lost_or_altered_fails_it_and_stays_as_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store([])

    def spoil() -> None:
        if store.keys:  # after the writing
            first, *_middle, last = sorted(store.keys)
            del store.keys[first]
            store.keys[last] = (b"s3cret", 2)
            store.behind_the_back = lambda: None

    store.behind_the_back = spoil
    found = ran(monkeypatch, store)
    assert (found["failed"], found["changed"], found["cleaned"]) == (True, True, False)
    assert (found["lost"], found["altered"], found["doubled"]) == ([0], [4], [4])
    assert found["msg"].startswith(
        f"a:1, b:1, c:1: cannot find what was acknowledged below {found['prefix']} as it was written: 5 writes "
        "acknowledged, 1 lost, 1 altered, 1 doubled, longest gap "
    )
    assert " Numbers lost: 0; altered: 4. The keys stay as evidence: " in found["msg"]
    assert "s3cret" not in str(found)
    assert len(store.keys) == 4


def test_only_the_first_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store([])
    store.behind_the_back = store.keys.clear
    found = ran(monkeypatch, store, most=25)
    assert (found["lost"], found["figures"]["lost"]) == (list(range(20)), 25)
    assert "lost: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 5 more. " in found["msg"]


def test_what_cannot_be_read_back_fails_it_with_the_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = Store([])
    progress = tmp_path / "written"
    monkeypatch.setattr(Store, "_put", fall_silent_after(4))
    found = ran(monkeypatch, store, seconds=2, progress_file=str(progress))
    assert (found["failed"], found["cleaned"], found["lost"], found["figures"]["lost"]) == (True, False, [], None)
    assert progress.read_text() == "4\n"
    assert "cannot read " in found["msg"]
    assert " back within 0 s: a:1: silence; b:1: silence; c:1: silence. 4 writes acknowledged, " in found["msg"]
    assert "not read back, longest gap " in found["msg"]
    assert found["figures"]["longest_gap_to_the_end"] is True


def fall_silent_after(count: int) -> Callable[[Store, bytes, bytes], dict[str, Any]]:
    put = Store._put

    def putting(self: Store, key: bytes, value: bytes) -> dict[str, Any]:
        answer = put(self, key, value)
        self.silent = len(self.keys) >= count
        return answer

    return putting


def test_a_run_without_an_acknowledged_write_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ran(monkeypatch, Store([R, R, R, LATE] + [R] * 1000), seconds=2)
    assert (found["failed"], found["changed"], found["cleaned"]) == (True, True, True)
    assert found["msg"].startswith("a:1, b:1, c:1: cannot write: no write was acknowledged in ")
    assert " s: a:1: no; b:1: no; c:1: no. See " in found["msg"]
    assert ran(monkeypatch, Store([R] * 1000), seconds=0.1)["changed"] is False


def test_where_nobody_answers_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = Store([])
    store.silent = True
    for check in (False, True):
        assert ran(monkeypatch, store, check, progress_file=str(tmp_path / "x")) == {
            "changed": False,
            "failed": True,
            "msg": "a:1, b:1, c:1: cannot read through any endpoint: a:1: silence; b:1: silence; c:1: silence. Nothing "
            "was written. Check the addresses, whether they speak TLS, and that this host reaches them.",
        }
    assert (store.keys, list(tmp_path.iterdir())) == ({}, [])


def test_check_mode_only_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = Store([R])
    found = ran(monkeypatch, store, check=True, progress_file=str(tmp_path / "x"))
    assert (found["changed"], found["prefix"], found["cleaned"], found["lost"]) == (False, "", False, [])
    assert found["sentence"] == "a:1 answers a read through the quorum; nothing was written"
    assert (store.keys, store.fates, len(store.ranges), list(tmp_path.iterdir())) == ({}, [R], 1, [])
    assert "failed" not in found


def test_different_etcds_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store([])
    store.clusters.add("8")
    found = ran(monkeypatch, store)
    assert found["warnings"] == ["a:1, b:1, c:1: these endpoints lead to 2 different etcds."]
    assert found["cluster_ids"] == ["7", "8"]


def test_keys_that_cannot_be_deleted_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def clean(_self: Sentinel, _seconds: float) -> None:
        raise Unanswered("a:1: no", R)

    monkeypatch.setattr(Sentinel, "clean", clean)
    found = ran(monkeypatch, Store([]))
    assert found["cleaned"] is False
    assert found["warnings"] == [
        f"a:1, b:1, c:1: cannot delete the keys below {found['prefix']}: a:1: no. Delete them with etcdctl del "
        f"--prefix {found['prefix']}"
    ]


def test_a_file_ends_the_writing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    store = Store([])
    put = Store._put

    def putting(self: Store, key: bytes, value: bytes) -> dict[str, Any]:
        if len(self.keys) == 2:
            stop.touch()
        return put(self, key, value)

    monkeypatch.setattr(Store, "_put", putting)
    found = ran(monkeypatch, store, stop_file=str(stop))
    assert (found["ended_by"], found["figures"]["acknowledged"]) == ("stop_file", 3)
    assert ran(monkeypatch, store, stop_file=str(stop)) == {
        "changed": False,
        "failed": True,
        "msg": f"stop_file: cannot begin: {stop} is there already, and nothing would be written. Delete it.",
    }


def test_progress_is_kept_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "written"
    path.write_text("99\n")
    seen = []
    store = Store([])
    put = Store._put

    def putting(self: Store, key: bytes, value: bytes) -> dict[str, Any]:
        seen.append(path.read_text())
        return put(self, key, value)

    monkeypatch.setattr(Store, "_put", putting)
    ran(monkeypatch, store, progress_file=str(path))
    assert seen == ["0\n", "1\n", "2\n", "3\n", "4\n"]
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("written", "5\n")]


def test_progress_that_cannot_be_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "none" / "written"
    store = Store([])
    problem = f"progress_file: cannot write {path}: No such file or directory."
    cure = "Nothing was written to etcd. Name a file in a folder that can be written to."
    assert ran(monkeypatch, store, progress_file=str(path))["msg"] == f"{problem} {cure}"
    assert store.keys == {}
    path.parent.mkdir()
    monkeypatch.setattr(Store, "_put", removing(path))
    found = ran(monkeypatch, store, progress_file=str(path))
    assert found["warnings"] == [problem]
    assert found["figures"]["acknowledged"] == 5


def removing(path: Path) -> Callable[[Store, bytes, bytes], dict[str, Any]]:
    put = Store._put

    def putting(self: Store, key: bytes, value: bytes) -> dict[str, Any]:
        if path.exists():
            path.unlink()
            path.parent.rmdir()
        return put(self, key, value)

    return putting


TOO_MUCH: dict[str, dict[str, Any]] = {
    "seconds: cannot work with 0.0: it has to be above 0 and at most 3600.": {"seconds": 0.0},
    "seconds: cannot work with 3601.0: it has to be above 0 and at most 3600.": {"seconds": 3601.0},
    "seconds: cannot work with nan: it has to be above 0 and at most 3600.": {"seconds": float("nan")},
    "pause: cannot work with -1.0: it has to be at least 0 and at most 60.": {"pause": -1.0},
    "pause: cannot work with inf: it has to be at least 0 and at most 60.": {"pause": float("inf")},
    "most: cannot work with 0: it has to be at least 1 and at most 100000.": {"most": 0},
    "most: cannot work with 100001: it has to be at least 1 and at most 100000.": {"most": 100001},
    "request_timeout: cannot work with 0.0: it has to be above 0 and at most 60.": {"request_timeout": 0.0},
    "check_timeout: cannot work with -0.1: it has to be at least 0 and at most 600.": {"check_timeout": -0.1},
    "endpoints: cannot write to none. Name at least one as host:port.": {"endpoints": []},
    "ca_cert: cannot be used: no endpoint speaks TLS. Write https://host:port.": {"ca_cert": "/x"},
    "client_cert: cannot be used: no endpoint speaks TLS. Write https://host:port.": {"client_cert": "/x"},
    "client_key: cannot be used alone. Name the certificate in client_cert.": {
        "client_key": "/x",
        "endpoints": ["https://192.0.2.1:1"],
    },
}


@pytest.mark.parametrize("message", TOO_MUCH)
def test_options_that_make_no_sense(message: str) -> None:
    assert outcome(run, Call({**DEFAULTS, **TOO_MUCH[message]})) == {"changed": False, "failed": True, "msg": message}
