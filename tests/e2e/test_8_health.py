"""Verdicts on real clusters: each fault of the lab, told from the others, and nothing written."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _samples
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.parallel import ask_all
from balanced import PLANES, first, look_until, until, zombies
from lab import faults
from lab.build.oci import REGISTRY
from lab.build.store import Say
from lab.cluster import cgroups
from lab.settings import Lab
from support import Audit, Played, answer, places

VICTIM = "k8s-2"
KEY = "etcd/etcd"
# One answer that comes late on a busy machine makes a look unsure. Neither verdict is one on the cluster.
UNSURE = ("UNKNOWN", "OBSERVER_ISOLATED")
OTHERS = {"k8s-1": "ALIVE", "k8s-3": "ALIVE"}
SHORT = {"window": 6.0, "samples": 4}
# Fault → what is said of the context that it breaks.
VERDICTS = {
    "api": "API_DOWN",
    "data": "DATA_DOWN",
    "partition": "DEAD",
    "asymmetric in": "DEAD",
    "asymmetric out": "DEAD",
    "freeze": "DEAD",
    "slow": "ALIVE",
}


@pytest.fixture(scope="module")
def lab(balanced_lab: Lab, balanced_site: Played) -> Lab:
    return balanced_lab


@contextmanager
def failing(lab: Lab, *broken: faults.Fault) -> Iterator[None]:
    for fault in broken:
        faults.fail(lab, fault, print)
    try:
        yield
    finally:
        faults.heal(lab, None, print)
        look_until(lab, lambda found: found["problems"] == [])


def health(lab: Lab, *, check: bool = False, say: Say = print, **changed: Any) -> dict[str, Any]:
    """What the module says, and that it left nothing behind but, for a while, a Pod in the control plane.

    ``say`` hears of each change of the picture while it looks.
    """
    audit = Audit(lab)
    options = {"contexts": places(lab), **SHORT, "probe_image": f"{REGISTRY}/apecloud/kubeblocks-tools:1.0.2"}
    found = answer("context_health_info", options | changed, check=check, say=say)
    written = [line for lines in audit.writes().values() for line in lines]
    assert [line for line in written if check or "/namespaces/kb-system/jobs" not in line] == []
    return found


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {context: entry["verdict"] for context, entry in found["verdicts"].items()}


def told(
    lab: Lab,
    expected: dict[str, str],
    *,
    healthy: set[str] | None = None,
    enough: Callable[[dict[str, Any]], bool] = bool,
    **changed: Any,
) -> dict[str, Any]:
    """The first answer that is sure of everything. One that is not yet sure may come before, a wrong one may not: a
    verdict, or a member that is taken for healthy. ``healthy``: the contexts whose members have to be; ``enough``: what
    else has to be true of it."""

    def is_sure(found: dict[str, Any]) -> bool:
        for context, verdict in verdicts(found).items():
            assert verdict in (expected[context], *UNSURE), found["verdicts"]
        if verdicts(found) != expected:
            return False
        seen = {member["domain"] for member in found["members"].get(KEY, []) if member["healthy"]}
        assert healthy is None or seen <= healthy, found["members"]
        return healthy in (None, seen) and enough(found)

    return first(lambda: health(lab, **changed), is_sure)


def test_all_is_well(lab: Lab) -> None:
    def in_time(found: dict[str, Any]) -> bool:
        """Whether everybody was asked and every member has read, none of them too late."""
        views, members = found["samples"][-1]["views"], found["members"].get(KEY, [])
        asked = set(views) == {"host", "control", *PLANES} and found["not_asked"] == []
        return asked and len(members) == 3 and all(member["healthy"] for member in members)

    found = told(lab, dict.fromkeys(PLANES, "ALIVE"), enough=in_time, window=0.0, samples=1)
    assert all(member["voter"] for member in found["members"][KEY])
    proofs = found["proofs"][KEY]
    assert {proof["verdict"] for context, proof in proofs.items() if context} == {"NO_SPARE"}
    assert proofs[""]["spare_now"] == 1
    assert proofs["k8s-1"]["sentence"] == (
        "2 healthy voters are left of 3, 2 are needed: losing k8s-2 or k8s-3 next would stop writes"
    )


def test_a_look_leaves_no_process_behind_in_a_member(lab: Lab) -> None:
    before = zombies(lab)
    health(lab)
    until(lambda: zombies(lab) <= before)


@pytest.mark.parametrize("fault", VERDICTS)
def test_each_fault_has_its_verdict(lab: Lab, fault: str) -> None:
    how, _, direction = fault.partition(" ")
    with failing(lab, faults.Fault(VICTIM, how, direction)):
        # A member whose API is silent cannot be asked for itself: the worst is taken.
        healthy = set(PLANES) if VERDICTS[fault] == "ALIVE" else set(OTHERS)
        told(lab, OTHERS | {VICTIM: VERDICTS[fault]}, healthy=healthy)


@contextmanager
def hanging(lab: Lab, context: str) -> Iterator[None]:
    """A kubelet that answers nobody; its Pods run on, and so does the API server that would ask it."""
    (kubelet,) = (pid for pid in cgroups.processes(lab.node(context).cgroup) if "kubelet" in words_of(pid))
    os.kill(kubelet, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(kubelet, signal.SIGCONT)
        look_until(lab, lambda found: found["problems"] == [])


def words_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:  # it has ended
        return []


def test_an_api_is_not_silent_where_what_is_asked_through_it_is_late(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no vantage then, and its member is taken for the worst. A sample is shorter here than a command in a Pod
    may take, as it is on a busy machine."""
    monkeypatch.setattr(_samples, "ask_all", lambda asked, ask, _seconds: ask_all(asked, ask, 3.0))
    with hanging(lab, VICTIM):
        found = told(lab, dict.fromkeys(PLANES, "ALIVE"), healthy=set(OTHERS))
    last = found["samples"][-1]
    assert last["views"]["host"][VICTIM]["api"] and VICTIM not in last["views"]
    assert last["problems"][VICTIM] == "its API answers, what is asked through it does not: no answer within 3 s"


def test_check_mode_asks_through_pods_that_exist_and_says_the_same(lab: Lab) -> None:
    with failing(lab, faults.Fault(VICTIM, "partition")):
        found = told(lab, OTHERS | {VICTIM: "DEAD"}, check=True)
        assert found["not_asked"] == ["control plane: no Pod was asked: check mode makes no Pod"]
        assert "control" not in found["samples"][-1]["views"]


def test_a_death_in_the_middle_of_a_look_is_seen_by_it(lab: Lab) -> None:
    """Each sample takes longer from then on, and as many of them are needed as of any other picture."""

    died: list[str] = []

    def dies(words: str) -> None:
        """After the first sample, if that was in time."""
        if f"{VICTIM} ALIVE" in words and words.endswith(", 0 s"):
            faults.fail(lab, faults.Fault(VICTIM, "partition"), print)
            died.append(words)

    with failing(lab):
        found = first(lambda: health(lab, check=True, say=dies), lambda _found: bool(died))
    assert found["samples"][0]["views"]["host"][VICTIM]["api"]
    # It is looked on for as long as twice, should the picture change once more.
    assert verdicts(found)[VICTIM] == "DEAD" or len(found["samples"]) >= 2 * SHORT["samples"], found["verdicts"]


def test_an_observer_who_is_cut_off_judges_nobody(lab: Lab) -> None:
    with failing(lab, faults.Fault("observer", "observer")):
        found = told(lab, dict.fromkeys(PLANES, "OBSERVER_ISOLATED"))
        assert found["proofs"] == {}


def test_two_clusters_at_once_leave_too_few_to_judge(lab: Lab) -> None:
    with failing(lab, faults.Fault("k8s-2", "partition"), faults.Fault("k8s-3", "partition")):
        isolated = dict.fromkeys(PLANES, "OBSERVER_ISOLATED")
        found = told(lab, isolated, enough=lambda found: KEY in found["proofs"])  # k8s-1 was in time
        assert found["proofs"][KEY]["k8s-2"]["verdict"] == "LOST"
