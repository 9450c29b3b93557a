"""What is done while a fault is in force, and after: one function for each course, each adds to the row."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import days
from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _run
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.verdict import UNKNOWN
from fault_matrix import scene
from fault_matrix.kinds import BY_NAME, OBSERVER, STAYS, VICTIM, Kind
from fault_matrix.rows import Row
from kill import kill_tree
from lab.cluster import cgroups, machine
from lab.cluster.api import Api
from lab.settings import LabError

_FROZEN = 30.0  # seconds in which an operator that works would have done something
_SOON = 90  # seconds until an operator that does not start is given back what was before
_RISKS = {"two dead": ["multiple"]}
_GONE = {"kubeblocks_chart_ref": "/nowhere", "failover_probe_image": "lab.invalid/nowhere:1"}


@dataclass
class Day:
    """One fault from before it to after its end. ``did``: what the playbooks did, in words and in order."""

    kind: Kind
    window: float
    inventory: Path
    did: list[str] = field(default_factory=list)
    row: Row = field(default_factory=dict)

    def failover(self, **variables: Any) -> scene.Told:
        given = {"failover_window": self.window, "failover_accept_risks": _RISKS.get(self.kind.name, [])}
        told = scene.playbook("failover", self.inventory, **given | variables)
        verdicts = told.result.get("verdicts", {})
        if verdicts and "verdicts" not in self.row:
            self.row["verdicts"] = {context: entry["verdict"] for context, entry in verdicts.items()}
            unsure = {context: entry for context, entry in verdicts.items() if entry["verdict"] == UNKNOWN}
            self.row["unsure"] = {context: [each["sentence"], *each["witnesses"]] for context, each in unsure.items()}
        self.row["seconds"] = told.result.get("seconds", self.row.get("seconds", {}))
        self.did.append(in_words(told))
        return told

    def change(self) -> None:
        self.row |= asdict(scene.change(120))


def in_words(told: scene.Told) -> str:
    """What a run of failover did."""
    if told.code:
        rules = ", ".join(told.rules)
        last = next((line for line in reversed(told.said.splitlines()) if line.strip()), "")
        return f"refused by {rules}" if rules else f"failed: {_plain(last)}"
    if not told.result.get("changed"):
        return "marked nothing" if not told.result.get("marked") else "changed nothing"
    behind = f", as {_plain(told.result['why_not_helm'])}" if told.result.get("why_not_helm") else ""
    return f"marked {', '.join(told.result['marked'])} by {told.result['engine']}{behind}"


def _plain(text: str) -> str:
    """Short enough for a table."""
    return re.sub(r"\s+", " ", text)[:160]


# While the fault is in force


def plain(day: Day) -> None:
    told = day.failover()
    if day.kind.verdict == scene_isolated():
        day.row["verdicts"] = scene.health(day.window)
    elif told.result.get("marked"):
        day.change()


def scene_isolated() -> str:
    return BY_NAME[OBSERVER].verdict


def restarted(day: Day) -> None:
    """While a dead context is not marked, an operator that is started anew does nothing; with the mark it works."""
    scene.delete_operator()
    time.sleep(5)  # the old Pods have a second to end
    without = scene.change(_FROZEN)
    day.row["without"] = asdict(without)
    observed, served = ("" if each is not None else "not " for each in (without.observed, without.served))
    day.did.append(f"without the mark, in {_FROZEN:.0f} s, a change was {observed}observed and {served}served")
    day.failover()
    day.change()


def sources_gone(day: Day) -> None:
    """Nothing can be fetched from anywhere, and nobody answers for names; what the nodes hold they hold."""
    control = machine.supervisor(scene.LAB.node("control"))
    control.set_running("dns", False)
    try:
        day.failover(**_GONE)
        day.change()
    finally:
        control.set_running("dns", True)


def image_gone(day: Day) -> None:
    """Every Pod of the operator begins with this image: without it no new one starts, and the old ones stay."""
    scene.tools_image(there=False)
    try:
        day.failover(**_GONE, failover_watch_timeout=_SOON)
    finally:
        scene.tools_image(there=True)
    if not scene.recorded():
        day.did.append("the image is put back")
        day.failover(**_GONE)
    day.change()


def rebuilt(day: Day) -> None:
    plain(day)
    # Whoever is somebody else is refused before the marks are looked at, and by the rule of marks if not.
    _returns(day, "rebuild", {"D4.2", "identity.changed"}, VICTIM)


def wiped(day: Day) -> None:
    plain(day)
    _returns(day, "wipe", {"D4.5", "D4.6"}, f"etcd-etcd-{scene.LAB.node(VICTIM).index - 1}")


def _returns(day: Day, how: str, expected: set[str], named: str) -> None:
    """It comes back, but not as it was: nothing may be given back."""
    scene.heal()
    scene.fail((VICTIM, how, ""))
    deadline = time.monotonic() + 120
    while True:
        told = scene.playbook("failback", day.inventory, failover_window=day.window)
        if not told.code or expected & set(told.rules) or time.monotonic() > deadline:
            break
    saying = f", naming {named}" if named in told.said else f", without naming {named}"
    day.row["returned"] = told.said.strip()
    day.did.append(f"failback: {in_words(told)}{saying}" if told.code else "failback: NOT REFUSED")


def killed(day: Day) -> None:
    """Killed when a step is seen from outside; the next run finishes, and one more changes nothing."""
    step = day.kind.name.partition(": ")[2]
    holders = _holders()
    process = scene.started("failover", day.inventory, failover_window=day.window)
    steps = Steps(process.pid)
    try:
        scene.until(lambda: _decides(process.pid) or process.poll() is not None, 420, 0.05)
        reached = scene.until(
            lambda: steps.reached(lambda: _reached(step, holders)) or process.poll() is not None, 420, 0
        )
        there = [name for name in _SEEN if _reached(name, holders)]
    finally:
        steps.kill()
        process.communicate()
    day.did.append(f"killed with {', '.join(there) or 'nothing'} there" if reached else "was not killed")
    finishing = day.failover()
    recorded = scene.recorded().get(VICTIM, {}).get("state")
    day.did.append(f"it is {recorded}" if recorded == "marked" else f"it is NOT MARKED: {recorded}")
    if finishing.code:
        return
    quiet = scene.playbook("failover", day.inventory, failover_window=day.window, failover_names=[VICTIM])
    day.did.append("then quiet" if not quiet.code and not quiet.changed else f"then NOT QUIET: {in_words(quiet)}")
    day.change()


class Steps:
    """A run that is let go for a moment at a time, so that it does nothing between a look at it and its end."""

    _MOMENT = 0.01  # seconds

    def __init__(self, pid: int) -> None:
        self._pid, self._name = pid, f"kubeblocks-lab/{scene.LAB.name}/steps"
        cgroups.create(self._name)
        for folder in cgroups.folders(self._name):
            (folder / "cgroup.procs").write_text(str(pid))  # all that it begins follows

    def reached(self, condition: Callable[[], bool]) -> bool:
        cgroups.freeze(self._name)
        if condition():
            return True  # it stays as it is until it is killed
        cgroups.thaw(self._name)
        time.sleep(self._MOMENT)
        return False

    def kill(self) -> None:
        kill_tree(self._pid)
        cgroups.end(self._name)


# Steps of marking, as they are seen from outside


def _get(context: str, path: str) -> Any:
    try:
        return Api(scene.LAB.node(context)).get(path)
    except LabError:
        return None


def _decides(pid: int) -> bool:
    """Whether this run has taken the Lease: from here on it writes."""
    found = _get("control", f"/apis/coordination.k8s.io/v1/namespaces/{days.OPERATOR}/leases/{_run.LEASE}")
    return f"/{pid}/" in str((found or {"spec": {}})["spec"].get("holderIdentity"))


def _state() -> str:
    found = _get("control", f"/api/v1/namespaces/{days.OPERATOR}/configmaps/{days.MARKS}")
    return str(json.loads(found["data"]["marks"]).get(VICTIM, {}).get("state", "")) if found else ""


def _stand_ins() -> bool:
    label = "?labelSelector=kubeblocks.multicluster/stands-in-for"
    return bool((_get(STAYS, f"/api/v1/services{label}") or {}).get("items"))


def _told() -> bool:
    listed = (_get("control", f"/apis/apps/v1/namespaces/{days.OPERATOR}/deployments") or {}).get("items", [])
    return bool(listed) and all(any(VICTIM in word for word in days.disabled_in(body)) for body in listed)


def _holders() -> set[str]:
    listed = _get("control", f"/apis/coordination.k8s.io/v1/namespaces/{days.OPERATOR}/leases") or {}
    names = {str(lease["spec"].get("holderIdentity") or "") for lease in listed.get("items", [])}
    return {name for name in names if name.startswith("kubeblocks-")}


_SEEN: dict[str, Callable[[], bool]] = {
    "record": lambda: _state() != "",
    "stand-ins": _stand_ins,
    "told": _told,
    "marked": lambda: _state() == "marked",
}


def _reached(step: str, holders: set[str]) -> bool:
    if step == "leads":
        return _told() and bool(_holders() - holders)
    return _SEEN[step]()


COURSES: dict[str, Callable[[Day], None]] = {
    "plain": plain,
    "restarted": restarted,
    "sources_gone": sources_gone,
    "image_gone": image_gone,
    "rebuilt": rebuilt,
    "wiped": wiped,
    "killed": killed,
}
