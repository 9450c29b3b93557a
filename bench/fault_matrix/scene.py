"""The lab of the matrix: its databases, its playbooks, what is there, and bringing it back to "all is well"."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import days
from balanced import BALANCED, ETCD, client_targets, look
from clients import etcdctl
from fault_matrix import ROOT
from fault_matrix.kinds import STAYS
from lab import faults, lifecycle
from lab.build.images import archives
from lab.build.oci import REGISTRY
from lab.build.unpacked import images
from lab.cluster import machine
from lab.cluster.api import Api
from lab.cluster.processes import containerd_socket
from lab.settings import Lab, LabError, load
from lab.system import run
from support import answer, changed_inventory, command, environment, kubectl, module, places

LAB = Lab(os.environ.get("FAULTS_LAB", "tfau"), range=int(os.environ.get("FAULTS_RANGE", "5")), data_planes=4)
MEMBERS = 5
SITE = {**BALANCED, "etcd_replicas": MEMBERS, "failover_samples": 5}
TOOLS = f"{REGISTRY}/apecloud/kubeblocks-tools:1.0.2"
CANARY = days.CANARY
WELL = "all is well"
_PATIENCE = 240.0
_CHANGE = "kubeblocks.multicluster/change"
# It is not back for long enough; its members do not answer yet, and what they said before they got their disk back.
_NOT_YET = {"D4.1", "D4.5", "D4.6"}
_RULE = re.compile(r"\[(D\d[.\d]*|identity\.[a-z_]+)\]")
_TASK = "Mark | Look, judge, write and watch"


def say(text: str) -> None:
    sys.stderr.write(f"[{time.strftime('%H:%M:%S')}] {text}\n")


@dataclass
class Told:
    """How a playbook ended: its code, what the module that marks returned, all that was said of failures."""

    code: int
    result: dict[str, Any] = field(default_factory=dict)
    changed: int = 0
    said: str = ""
    ended: str = ""  # when that module ended

    @property
    def rules(self) -> list[str]:
        """The rules by which it was refused."""
        return sorted(set(_RULE.findall(self.said))) if self.code else []


def playbook(name: str, inventory: Path, **variables: Any) -> Told:
    process = started(name, inventory, **variables)
    output, errors = process.communicate(timeout=900)
    told = _told(process.returncode, output)
    return told if told.said or not told.code else Told(told.code, said=f"{output[-2000:]}{errors[-2000:]}")


def started(name: str, inventory: Path, **variables: Any) -> subprocess.Popen[str]:
    """A run in a process group of its own, so that it can be killed as a whole."""
    return subprocess.Popen(
        command(LAB, f"playbooks/{name}.yml", "-e", json.dumps(SITE | variables), inventory=inventory, patient=False),
        cwd=ROOT,
        env=environment(ANSIBLE_STDOUT_CALLBACK="ansible.builtin.json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _told(code: int, output: str) -> Told:
    begin = re.search(r"^\{$", output, re.M)
    if not begin:
        return Told(code)
    printed = json.JSONDecoder().raw_decode(output[begin.start() :])[0]
    told = Told(code, changed=sum(host["changed"] for host in printed["stats"].values()))
    for task in (task for each in printed["plays"] for task in each["tasks"]):
        for ended in task["hosts"].values():
            if task["task"]["name"].endswith(_TASK):
                told.result, told.ended = ended, task["task"]["duration"]["end"]
            if ended.get("failed"):
                told.said += f"{ended.get('msg', '')}\n"
    return told


def _inventory() -> Path:
    """In the lab's own folder: each data plane with the lab's addresses for its load balancers."""

    def give(hosts: dict[str, Any]) -> None:
        for variables in hosts["data_plane"]["hosts"].values():
            variables["load_balancer_addresses"] = variables["lab_pool"]

    folder = LAB.folder / "balanced"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return changed_inventory(LAB, folder, give)


# Looking


def health(window: float) -> dict[str, str]:
    """Context → verdict of the module that marks nothing."""
    options = {"contexts": places(LAB), "window": window, "samples": 5, "probe_image": TOOLS}
    found = module(LAB, "context_health_info", options, body="action")
    return {context: str(entry["verdict"]) for context, entry in found.get("verdicts", {}).items()}


def target() -> str:
    """The client address of a member in the context that is never broken."""
    until(lambda: "etcd-etcd-0" in client_targets(look(LAB)), 60)
    return client_targets(look(LAB))["etcd-etcd-0"]


def targets() -> list[str]:
    return list(client_targets(look(LAB)).values())


def lead_from(context: str) -> str:
    """Let a member there be the leader: whoever breaks it makes the others choose anew. The member that leads then."""
    pod, led = f"etcd-etcd-{LAB.node(context).index - 1}", ""

    def leads() -> bool:
        nonlocal led
        if led != pod:
            # A member that was just given back its network may not be asked, or not take the lead, for a moment.
            with suppress(AssertionError):
                led = _moved(",".join(targets()), pod)
        return led == pod

    until(leads, 60)
    return led


def _moved(endpoints: str, pod: str) -> str:
    """Ask the leader to hand over to this member; who leads then."""
    words = ("endpoint", "status", "-w", "json")
    ids = {member["name"]: int(member["ID"]) for member in _list(endpoints, "member", "list", "-w", "json")["members"]}
    leaders = {each["Status"]["leader"] for each in _list(endpoints, *words)}
    if leaders != {ids[pod]}:
        etcdctl(endpoints, "move-leader", f"{ids[pod]:x}")
    leaders = {each["Status"]["leader"] for each in _list(endpoints, *words)}
    return ", ".join(name for name, number in ids.items() if number in leaders)


def _list(endpoints: str, *words: str) -> Any:
    return json.loads(etcdctl(endpoints, *words))


def what_is_wrong() -> list[str]:
    """Everything that is not as it was before the first fault; nothing if all is well."""
    wrong = []
    if any(days.disabled(LAB).values()) or recorded():
        wrong.append(f"marked: {days.disabled(LAB)}, recorded: {sorted(recorded())}")
    if (days.phase(LAB, ETCD), days.ready(LAB, ETCD)) != ("Running", MEMBERS):
        wrong.append(f"the Cluster is {days.phase(LAB, ETCD)} with {days.ready(LAB, ETCD)} ready")
    if days.phase(LAB, CANARY) != "Running":
        wrong.append(f"the canary is {days.phase(LAB, CANARY)}")
    if problems := of_members():
        wrong.append(f"the members are not one etcd: {problems}")
    if kubectl(LAB, STAYS, "get", "services", "-A", "-l", "kubeblocks.multicluster/stands-in-for", "-o", "name"):
        wrong.append("there are stand-ins")
    return wrong


def of_members() -> str:
    """What stands between the members and one etcd."""
    options = {"contexts": places(LAB), **ETCD, "replicas": MEMBERS}
    found = answer("etcd_members_info", options)
    return "" if found.get("healthy") else str(found.get("msg") or found.get("problems"))


def recorded() -> dict[str, Any]:
    """The record of marks; there is none before the first."""
    with suppress(AssertionError):
        return days.marks(LAB)
    return {}


def until_well(patience: float = _PATIENCE) -> list[str]:
    """Wait until nothing is wrong; what still is."""
    deadline, shown = time.monotonic() + patience, list[str]()
    while True:
        try:
            wrong = what_is_wrong()
        except (AssertionError, LabError, subprocess.SubprocessError, KeyError) as problem:
            wrong = [f"cannot look: {problem}"]
        if not wrong or time.monotonic() > deadline:
            return wrong
        if wrong != shown:
            say(f"waiting: {'; '.join(wrong)}")
            shown = wrong
        time.sleep(1)


def releases() -> list[dict[str, str]]:
    """What Helm knows of the operator; nothing before the first site.yml."""
    found: list[dict[str, str]] = json.loads(days.helm(LAB, "list", "-a", "-o", "json", "--filter", "^kubeblocks$"))
    return found


def release_is_behind() -> bool:
    """Whether Helm's newest record of the operator is no deployed one, or says something else than the Deployments."""
    (found,) = releases()
    told = {name for lists in days.disabled(LAB).values() for name in ",".join(lists).split(",") if name}
    return found["status"] != "deployed" or set(days.released(LAB)) != told


@dataclass(frozen=True)
class Change:
    """Seconds until a change of the canary was ``observed`` (``observedGeneration`` of its Cluster), and until it was
    ``served`` (its Pod has it); None where that did not happen."""

    observed: float | None
    served: float | None


def change(patience: float) -> Change:
    """Change an annotation of the canary's Pod through its Cluster.

    The controller of Clusters watches the control plane alone: it goes on observing while those that work do not.
    """
    control, there = Api(LAB.node("control")), Api(LAB.node(STAYS))
    value, began = str(time.time_ns()), time.monotonic()
    spec = [{"op": "add", "path": "/spec/componentSpecs/0/annotations", "value": {_CHANGE: value}}]
    words = ("patch", "clusters.apps.kubeblocks.io", "-n", CANARY["namespace"], CANARY["name"], "--type=json")
    kubectl(LAB, "control", *words, "-p", json.dumps(spec))
    observed: float | None = None
    while (after := time.monotonic() - began) < patience:
        cluster = control.get(f"/apis/apps.kubeblocks.io/v1/namespaces/{CANARY['namespace']}/clusters/{CANARY['name']}")
        if observed is None and cluster["status"].get("observedGeneration") == cluster["metadata"]["generation"]:
            observed = after
        pod = there.get(f"/api/v1/namespaces/{CANARY['namespace']}/pods/{CANARY['name']}-etcd-0") or {"metadata": {}}
        if observed is not None and pod["metadata"].get("annotations", {}).get(_CHANGE) == value:
            return Change(observed, after)
        time.sleep(0.2)
    return Change(observed, None)


def until(condition: Callable[[], bool], patience: float, pause: float = 0.5) -> bool:
    deadline = time.monotonic() + patience
    while not (true := condition()) and time.monotonic() < deadline:
        time.sleep(pause)
    return true


# Breaking, mending, making


def fail(*breaks: tuple[str, str, str]) -> None:
    for context, how, direction in breaks:
        faults.fail(LAB, faults.Fault(context, how, direction), say)


def heal(context: str | None = None) -> None:
    faults.heal(LAB, context, say)


def tools_image(*, there: bool) -> None:
    """Take the tools image out of the control plane's containerd, or put it back."""
    control = LAB.node("control")
    words = images(containerd_socket(control))
    if not there:
        run([*words, "rm", "--sync", TOOLS], what="remove the tools image")
        return
    (archive,) = [path for path in archives() if "kubeblocks-tools" in str(path)]
    run([*words, "import", "--no-unpack", str(archive)], what="put the tools image back")


def delete_operator() -> None:
    words = ("delete", "pods", "-n", days.OPERATOR, "-l", "app.kubernetes.io/instance=kubeblocks")
    kubectl(LAB, "control", *words, "--grace-period=1", "--wait=false")


def failback(inventory: Path, window: float, refused: list[str] | None = None, patience: float = 240.0) -> Told:
    """Failback, again for as long as a context that is back is not alive for long enough; ``refused`` gets by what."""
    deadline = time.monotonic() + patience
    while True:
        told = playbook("failback", inventory, failover_window=window)
        if not told.code or not set(told.rules) <= _NOT_YET or time.monotonic() > deadline:
            return told
        if refused is not None:
            refused.append(", ".join(told.rules))


def repair(inventory: Path) -> list[str]:
    """What a run that was killed left is put right; what is still wrong."""
    heal()
    machine.supervisor(LAB.node("control")).set_running("dns", True)
    tools_image(there=True)
    if recorded() or any(days.disabled(LAB).values()):
        say("marks were left: failback")
        say(f"failback: {failback(inventory, 10).said or 'done'}")
    if release_is_behind():
        say("the release was left behind: site")
        playbook("site", inventory)
    return until_well()


def ready() -> Path:
    """The lab with all that the matrix needs; made anew where it cannot be mended. Returns its inventory."""
    if load(LAB.name):
        heal()
    lifecycle.up(LAB, say)
    if not releases():
        return _made()
    inventory = _inventory()
    try:
        wrong = repair(inventory)
    except AssertionError as problem:
        wrong = [str(problem).strip()]
    if wrong:
        say(f"a fresh lab is made, as {'; '.join(wrong)}")
        lifecycle.down(LAB.name, say)
        lifecycle.up(LAB, say)
        return _made()
    return inventory


def _made() -> Path:
    inventory = _inventory()
    made = playbook("site", inventory)
    if made.code:
        sys.exit(f"bench: site.yml failed:\n{made.said}")
    for node in LAB.nodes:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": CANARY["namespace"]}}
        kubectl(LAB, node.name, "apply", "-f", "-", stdin=json.dumps(space))
    days.make_canary(LAB)
    wrong = until_well()
    if wrong:
        sys.exit(f"bench: the fresh lab is not well: {'; '.join(wrong)}")
    return inventory
