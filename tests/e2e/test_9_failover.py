"""The day a cluster dies: verdict, mark, what users see meanwhile, and the way back. Real operator, real etcd."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import PEER_PORT
from balanced import BALANCED, ETCD, PLANES, PODS, client_targets, look_until, until
from clients import Writer
from days import (
    MARKS,
    OPERATOR,
    PLAIN,
    SHORT,
    disabled,
    failing,
    helm_by_hand,
    make_canary,
    make_plain,
    marks,
    phase,
    reads,
    ready,
    released,
    run,
    served,
    sure,
    until_unmarked,
    votes,
)
from kill import kill_tree
from lab import faults
from lab.cluster import machine
from lab.settings import Lab
from support import BIN, Audit, Played, command, environment, kubectl

DEAD, LATER = "k8s-2", "k8s-3"
PARTITION = faults.Fault(DEAD, "partition")
BOTH = ("kubeblocks", "kubeblocks-dataprotection")
BY_PATCH: dict[str, object] = {"failover_engine": "patch", "failover_names": [DEAD]}


@pytest.fixture(scope="module")
def lab(balanced_lab: Lab, balanced_site: Played) -> Lab:
    make_plain(balanced_lab)
    make_canary(balanced_lab)
    return balanced_lab


def told(lab: Lab, *contexts: str) -> bool:
    """Whether both Deployments are told of just these marks."""
    expected = [",".join(contexts)] if contexts else []
    return disabled(lab) == dict.fromkeys(BOTH, expected)


def truth(lab: Lab, away: int) -> bool:
    """Whether KubeBlocks says of both databases what is true."""
    expected = ("Updating", 3 - away) if away else ("Running", 3)
    return all((phase(lab, database), ready(lab, database)) == expected for database in (ETCD, PLAIN))


@contextmanager
def writing(lab: Lab, prefix: str) -> Iterator[Writer]:
    """Writes through a member that stays, from before the fault to the end; none that was acknowledged may be lost."""
    target = client_targets(look_until(lab, lambda found: "etcd-etcd-0" in client_targets(found)))["etcd-etcd-0"]
    with Writer(target, prefix, pause=0.25) as writer:
        until(lambda: len(writer.acknowledged) > 10)
        yield writer
        before = len(writer.acknowledged)
        until(lambda: len(writer.acknowledged) > before + 10)
    assert writer.lost(target) == []


@contextmanager
def nameless(lab: Lab) -> Iterator[None]:
    """Nobody answers for names in the control plane."""
    machine.supervisor(lab.node("control")).set_running("dns", False)
    try:
        yield
    finally:
        machine.supervisor(lab.node("control")).set_running("dns", True)


def back(lab: Lab) -> None:
    """Failback, once the cluster is seen to be alive for long enough; then all is as before."""
    until(lambda: all(reads(lab, DEAD, f"{each['name']}-etcd-1", each["namespace"]) for each in (ETCD, PLAIN)))
    until(lambda: all(reaches(lab, each["context"], each["address"]) for each in marks(lab)[DEAD]["stand_ins"]))
    unmark(lab)
    assert told(lab) and marks(lab) == {} and stand_ins(lab) == ""
    until(lambda: truth(lab, 0))
    look_until(lab, lambda found: {each["context"] for each in found["endpoints"]} == set(PLANES))


def reaches(lab: Lab, context: str, address: str) -> bool:
    """Whether a member reaches the peer port of one that is back, though a stand-in in its cluster has that address."""
    (pod,) = {pod for pod, host in zip(PODS, PLANES, strict=True) if host == context}
    knock = f"exec 3<>/dev/tcp/{address}/{PEER_PORT}"
    words = ("-n", ETCD["namespace"], pod, "-c", "etcd", "--", "timeout", "20", "/bin/bash", "-c", knock)
    try:
        return kubectl(lab, context, "exec", *words) == ""
    except AssertionError:
        return False


def unmark(lab: Lab, **variables: object) -> None:
    until_unmarked(lambda: run(lab, "failback", **variables))


def stand_ins(lab: Lab) -> str:
    label = "kubeblocks.multicluster/stands-in-for"
    return kubectl(lab, "k8s-1", "get", "services", "-A", "-l", label, "-o", "name")


class TestMarked:
    """One dead context, from the first look to the way back, in this order."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def day(cls, lab: Lab) -> Iterator[None]:
        with writing(lab, "mark/"):
            with failing(lab, PARTITION):
                yield
            back(lab)
            again = run(lab, "failback", failover_names=[DEAD])
            assert again.changed == {"control": 0}, again.output

    def test_check_mode_says_what_would_be_and_writes_nothing(self, lab: Lab) -> None:
        audit = Audit(lab)
        checked = sure(lambda: run(lab, "failover", "--check"))
        assert checked.code == 0, checked.output
        assert "etcd/etcd with k8s-2 marked: 2 healthy voters are left of 3" in checked.output
        assert audit.writes() == {node.name: [] for node in lab.nodes}
        assert told(lab)

    def test_the_mark_needs_no_chart_no_image_no_names_and_no_way_there(self, lab: Lab) -> None:
        gone = {"kubeblocks_chart_ref": "/nowhere", "failover_probe_image": "lab.invalid/nowhere:1"}
        with nameless(lab):
            played = sure(lambda: run(lab, "failover", failover_reason="fire", **gone))
        assert played.code == 0, played.output
        assert told(lab, DEAD) and released(lab) == [DEAD]
        until(lambda: truth(lab, 1))
        assert served(lab)

    def test_the_record_says_who_when_why_and_what_was_there(self, lab: Lab) -> None:
        entry = marks(lab)[DEAD]
        assert (entry["state"], entry["verdict"], entry["engine"], entry["why"]) == ("marked", "DEAD", "helm", "fire")
        assert {key: each["pods"] for key, each in entry["databases"].items()} == {
            "etcd/etcd": ["etcd-etcd-1"],
            "plain/plain": ["plain-etcd-1"],
        }
        assert [each["service"] for each in entry["stand_ins"]] == ["etcd/etcd-etcd-1"]
        assert len(entry["evidence"]) == 64 and entry["by"] and entry["previous"] == []

    def test_the_dead_addresses_are_gone(self, lab: Lab) -> None:
        look_until(lab, lambda found: {each["context"] for each in found["endpoints"]} == {"k8s-1", LATER})

    def test_a_second_run_changes_nothing(self, lab: Lab) -> None:
        again = run(lab, "failover", failover_names=[DEAD])
        assert again.changed == {"control": 0}, again.output

    def test_failback_waits_until_it_is_back(self, lab: Lab) -> None:
        early = run(lab, "failback")
        assert early.code != 0 and "[D4.1]" in early.output and told(lab, DEAD)

    def test_site_keeps_the_mark_and_works_for_the_rest(self, lab: Lab) -> None:
        site = run(lab, "site")
        assert site.code == 0 and set(site.changed.values()) == {0}, site.output
        assert "mark.standing" in site.output
        assert told(lab, DEAD)

    def test_a_mark_that_helm_dropped_is_said_and_put_back(self, lab: Lab) -> None:
        helm_by_hand(lab, "")
        assert told(lab)
        for verb in ("status", "preflight"):
            said = run(lab, verb)
            assert said.code == 0 and "mark.dropped" in said.output, said.output
        site = run(lab, "site")
        assert site.code == 0, site.output
        assert told(lab, DEAD)


@pytest.mark.longer
def test_without_a_stand_in_the_status_lies(lab: Lab) -> None:
    """A mark by hand: the database with load balancers goes on saying Running, the other one tells the truth."""
    with failing(lab, PARTITION):
        helm_by_hand(lab, DEAD)
        until(lambda: (phase(lab, PLAIN), ready(lab, PLAIN)) == ("Updating", 2))
        time.sleep(15)  # it has had its time: the other one said so within seconds
        assert phase(lab, ETCD) == "Running"
        assert "mark.by_hand" in run(lab, "status").output
        marked = sure(lambda: run(lab, "failover", failover_names=[DEAD]))
        assert marked.code == 0, marked.output
        until(lambda: truth(lab, 1))
        assert "mark.by_hand" not in run(lab, "status").output
    back(lab)


# Fault → words that the playbook ends with where nobody named the context, and where somebody did.
NOT_DEAD = {
    "api": ("", "its members are seen by others: they still vote"),
    "data": ("", "[D3.5]"),
}


@pytest.mark.parametrize("how", NOT_DEAD)
def test_what_is_not_dead_is_marked_by_name_only_or_not_at_all(lab: Lab, how: str) -> None:
    with failing(lab, faults.Fault(DEAD, how)):
        unnamed = sure(lambda: run(lab, "failover"))
        assert unnamed.code == 0 and unnamed.changed == {"control": 0}, unnamed.output
        assert told(lab)
        named = sure(lambda: run(lab, "failover", "--check", failover_names=[DEAD]))
        assert NOT_DEAD[how][1] in named.output, named.output
        assert (named.code == 0) is (how == "api")
    until(lambda: votes(lab, ETCD) and votes(lab, PLAIN))


def test_an_observer_who_is_cut_off_marks_nothing(lab: Lab) -> None:
    with failing(lab, faults.Fault("observer", "observer")):
        played = run(lab, "failover", failover_names=[DEAD])
        assert played.code != 0
    assert told(lab)


def test_a_drill_on_paper_says_what_would_be_and_writes_nothing(lab: Lab) -> None:
    audit = Audit(lab)
    members_only = {"preflight_in_cluster": "never", "failover_in_cluster": "members"}
    played = sure(lambda: run(lab, "drill", failover_names=[DEAD], **members_only))
    assert played.code == 0 and played.changed["control"] == 0, played.output
    assert "it is assumed to be dead" in played.output
    assert "losing k8s-1 or k8s-3 next would stop writes" in played.output
    assert audit.writes() == {node.name: [] for node in lab.nodes}


def real_drill(lab: Lab, **variables: object) -> dict[str, object]:
    """What makes it real: the names once more, and two commands that cut the cluster off and mend it."""
    lab_command = f"{BIN / 'lab'} --name {lab.name}"
    return {
        "failover_names": [DEAD],
        "drill_mode": "real",
        "drill_consent": DEAD,
        "failover_drill_cut": f"{lab_command} fail {DEAD} --how partition",
        "failover_drill_mend": f"{lab_command} heal {DEAD}",
        # For a machine that runs several labs at once.
        "failover_drill_seconds": 900,
        **variables,
    }


def signs() -> set[Path]:
    """The folders of drills that are under way."""
    return set(Path(tempfile.gettempdir()).glob("ansible.*.drill"))


def test_a_real_drill_wants_consent_and_loses_no_write(lab: Lab, tmp_path: Path) -> None:
    """Where HOME is not the folder of the account, too, as under sudo or in a container."""
    before = signs()
    refused = run(lab, "drill", **real_drill(lab, drill_consent="yes"))
    assert refused.code != 0 and "set failover_drill_consent to the names" in refused.output and told(lab)
    played = sure(lambda: run(lab, "drill", home=tmp_path, **real_drill(lab)))
    assert played.code == 0, played.output
    assert "none lost" in played.output
    assert told(lab) and marks(lab) == {} and stand_ins(lab) == "" and signs() == before
    until(lambda: truth(lab, 0))


@pytest.mark.longer
def test_a_real_drill_that_is_killed_is_undone(lab: Lab) -> None:
    before, variables = signs(), BALANCED | SHORT | real_drill(lab, failover_drill_seconds=75)
    kill_when_told(lab, "drill", variables)
    until(lambda: told(lab) and marks(lab) == {})
    assert faults.in_force(lab) == []
    until(lambda: signs() == before)
    until(lambda: truth(lab, 0))


def kill_when_told(lab: Lab, playbook: str, variables: dict[str, object]) -> None:
    """Run a playbook, and kill it once the operator is told of the mark. One whose look was not sure marks nothing, and
    is run again."""
    words = command(lab, f"playbooks/{playbook}.yml", "-e", json.dumps(variables))

    def is_killed() -> bool:
        with subprocess.Popen(
            words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            until(lambda: told(lab, DEAD) or process.poll() is not None, pause=0.1)
            kill_tree(process.pid)
        return told(lab, DEAD)

    until(is_killed)


class TestTrouble:
    """One dead context, a run that goes wrong, one by patch that is killed, and a database that is deleted meanwhile;
    the last ones here, as that database is gone then."""

    DELETE = ("delete", "clusters.apps.kubeblocks.io", "-n", PLAIN["namespace"], PLAIN["name"])

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def day(cls, lab: Lab) -> Iterator[None]:
        with failing(lab, PARTITION):
            yield

    def test_an_operator_that_does_not_work_in_time_is_given_back_what_was_before(self, lab: Lab) -> None:
        played = sure(lambda: run(lab, "failover", failover_watch_timeout=2))
        assert played.code != 0 and "The mark was taken back" in played.output, played.output
        assert told(lab) and marks(lab) == {} and stand_ins(lab) == ""

    def test_a_run_that_was_killed_is_finished_by_the_next(self, lab: Lab) -> None:
        kill_when_told(lab, "failover", BALANCED | SHORT | BY_PATCH)
        assert marks(lab)[DEAD]["state"] == "marking"
        played = sure(lambda: run(lab, "failover", **BY_PATCH))
        assert played.code == 0, played.output
        assert marks(lab)[DEAD]["state"] == "marked"
        until(lambda: truth(lab, 1))
        assert served(lab)

    def test_a_mark_by_patch_leaves_the_release_behind_until_helm_runs(self, lab: Lab) -> None:
        assert marks(lab)[DEAD]["behind"] == "it was asked for"
        assert told(lab, DEAD) and released(lab) == []
        site = run(lab, "site")
        assert site.code == 0, site.output
        assert told(lab, DEAD) and released(lab) == [DEAD]

    def test_users_are_kept_from_deleting_what_is_out_of_sight(self, lab: Lab) -> None:
        with pytest.raises(AssertionError, match=DEAD):
            kubectl(lab, "control", *self.DELETE, "--wait=false")
        allowed = "kubeblocks.multicluster/allow-while-marked=true"
        kubectl(lab, "control", "annotate", *self.DELETE[1:], allowed)
        kubectl(lab, "control", *self.DELETE, "--timeout=280s")

    def test_what_is_left_there_is_named_and_removed_on_request(self, lab: Lab) -> None:
        faults.heal(lab, None, print)
        until(lambda: reads(lab, DEAD, "etcd-etcd-1", "etcd"))
        named = run(lab, "failback")
        assert named.code != 0 and "[D4.4]" in named.output and "Pod plain/plain-etcd-1" in named.output, named.output
        assert "plain/plain was deleted while k8s-2 was marked" in named.output
        kept = run(lab, "failback", failover_leftovers="delete")
        assert kept.code != 0 and "plain/data-plain-etcd-1" in kept.output and told(lab, DEAD), kept.output
        unmark(lab, failover_leftovers="delete", failover_delete_claims=["plain/data-plain-etcd-1"])
        there = ("get", "pods,services,pvc", "-n", PLAIN["namespace"], "-o", "name")
        until(lambda: "plain-etcd" not in kubectl(lab, DEAD, *there))
        until(lambda: (phase(lab, ETCD), ready(lab, ETCD)) == ("Running", 3))
        assert marks(lab) == {} and MARKS in kubectl(lab, "control", "get", "configmaps", "-n", OPERATOR, "-o", "name")
