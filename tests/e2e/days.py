"""The day a cluster dies, on the lab of load balancers: its databases, its playbooks, what the control plane says."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from balanced import BALANCED, PLANES, until
from lab import faults
from lab.build.tools import tools
from lab.cluster.api import Api
from lab.outputs import CHARTS
from lab.settings import Lab
from support import Played, answer, kubectl, module, places, play

# The database of the playbooks has load balancers for peers; this one finds its peers through the lab's mesh.
PLAIN = {"namespace": "plain", "name": "plain"}
# One member in a cluster that stays: what the operator does for it shows whether it works.
CANARY = {"namespace": "plain", "name": "canary"}
SHORT = {"failover_window": 6, "failover_samples": 4}
MARKS, OPERATOR = "kubeblocks-multicluster-marks", "kb-system"


def run(
    lab: Lab, playbook: str, *words: str, inventory: Any = None, home: Path | None = None, **variables: Any
) -> Played:
    """``home``: HOME of the run, where it is to be another than the tests'."""
    given = json.dumps(BALANCED | SHORT | variables)
    extra: dict[str, Any] = {"HOME": str(home)} if home else {}
    return play(lab, f"playbooks/{playbook}.yml", "-e", given, *words, inventory=inventory, **extra)


def get(lab: Lab, kind: str, name: str, namespace: str, context: str = "control") -> dict[str, Any]:
    """An object, by one request of this process: whoever waits asks often. ``kind``: GROUP/VERSION/PLURAL."""
    group, _, plural = kind.rpartition("/")
    root = f"/apis/{group}" if group else "/api/v1"
    api = Api(lab.node(context), timeout=60)
    found: dict[str, Any] | None = api.get(f"{root}/namespaces/{namespace}/{plural}/{name}")
    assert found, f"{context}: there is no {plural} {namespace}/{name}"
    return found


def make_plain(lab: Lab) -> None:
    """A second etcd, whose peers are ClusterIP Services that the mesh spreads."""
    for node in lab.nodes:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLAIN["namespace"]}}
        kubectl(lab, node.name, "apply", "-f", "-", stdin=json.dumps(space))
    options = {"kubeconfig": str(lab.kubeconfig), "context": "control", **PLAIN, "placement": PLANES}
    found = module(lab, "etcd_cluster", options, body="action")
    assert not found.get("failed"), found
    until(lambda: phase(lab, PLAIN) == "Running" and votes(lab, PLAIN))


def make_canary(lab: Lab) -> None:
    options = {"kubeconfig": str(lab.kubeconfig), "context": "control", **CANARY, "placement": ["k8s-1"], "replicas": 1}
    found = module(lab, "etcd_cluster", options, body="action")
    assert not found.get("failed"), found
    until(lambda: phase(lab, CANARY) == "Running")


def served(lab: Lab, patience: float = 600) -> bool:
    """Change the canary, and wait until its Pod has the change. That the operator has observed one shows nothing: its
    controller of Clusters goes on while those that write to data planes wait for their caches."""
    value = str(time.time_ns())
    change = {"op": "add", "path": "/spec/componentSpecs/0/annotations", "value": {"lab.invalid/change": value}}
    words = ("patch", "clusters.apps.kubeblocks.io", "-n", CANARY["namespace"], CANARY["name"], "--type=json", "-p")
    kubectl(lab, "control", *words, json.dumps([change]))

    def there() -> bool:
        found = get(lab, "pods", f"{CANARY['name']}-etcd-0", CANARY["namespace"], "k8s-1")
        return bool(found["metadata"].get("annotations", {}).get("lab.invalid/change") == value)

    until(there, patience)
    return True


def votes(lab: Lab, database: dict[str, str]) -> bool:
    """Whether the members are one etcd, each of them a voter that reads through the quorum."""
    return bool(answer("etcd_members_info", {"contexts": places(lab), **database})["healthy"])


def reads(lab: Lab, context: str, pod: str, namespace: str) -> bool:
    """Whether a member reads through the quorum. After a cut it takes TCP a while to notice that it is mended."""
    words = ("exec", "-n", namespace, pod, "-c", "etcd", "--", "etcdctl", "--command-timeout=10s", "get", "nothing")
    try:
        kubectl(lab, context, *words)
    except AssertionError:
        return False
    return True


def phase(lab: Lab, database: dict[str, str]) -> str:
    """What KubeBlocks says of a database."""
    status = get(lab, "apps.kubeblocks.io/v1/clusters", database["name"], database["namespace"]).get("status", {})
    return str(status.get("phase", ""))


def ready(lab: Lab, database: dict[str, str]) -> int:
    """How many members KubeBlocks counts as ready."""
    name = f"{database['name']}-etcd"
    status = get(lab, "workloads.kubeblocks.io/v1/instancesets", name, database["namespace"]).get("status", {})
    return int(status.get("readyReplicas", 0))


def disabled(lab: Lab) -> dict[str, list[str]]:
    """Deployment → the arguments that disable contexts."""
    listed = Api(lab.node("control"), timeout=60).get(f"/apis/apps/v1/namespaces/{OPERATOR}/deployments")["items"]
    return {body["metadata"]["name"]: disabled_in(body) for body in listed}


def disabled_in(deployment: dict[str, Any]) -> list[str]:
    """The arguments of a Deployment that disable contexts; others name every context."""
    return [word.partition("disabled=")[2] for word in args_of(deployment) if "disabled=" in word]


def args_of(deployment: dict[str, Any]) -> list[str]:
    found: list[str] = deployment["spec"]["template"]["spec"]["containers"][0].get("args", [])
    return found


def marks(lab: Lab) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(get(lab, "configmaps", MARKS, OPERATOR)["data"]["marks"])
    return found


def helm(lab: Lab, *words: str, context: str = "control", namespace: str = OPERATOR) -> str:
    """helm as a person would call it."""
    place = ["--kubeconfig", str(lab.kubeconfig), "--kube-context", context, "-n", namespace]
    command = [str(tools() / "helm"), *place, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def helm_by_hand(lab: Lab, marked: str) -> None:
    """Somebody upgrades the operator, with marks as it suits."""
    words = ("upgrade", "kubeblocks", str(CHARTS / "kubeblocks"), "--reuse-values", "--no-hooks")
    helm(lab, *words, "--set-string", f"multiCluster.contextsDisabled={marked}")


def released(lab: Lab) -> list[str]:
    """What the operator's release says of marks."""
    values = json.loads(helm(lab, "get", "values", "kubeblocks", "-o", "json"))
    return [name for name in values["multiCluster"].get("contextsDisabled", "").split(",") if name]


def is_doubt(played: Played) -> bool:
    """Whether a look was not sure, as an answer came late: of a context, or of how many voters it has counted. What
    went well counts by the last look."""
    rows = re.findall(r"^(\S+) +([A-Z_]+)  ", played.output, re.M)
    judged = {verdict for _context, verdict in (rows if played.code else dict(rows).items())}
    refused = set(re.findall(r"\[(D\d\.\d+)\]", played.output))
    late = re.search(r"\[(reach|vantage)\.", played.output) or refused == {"D3.6"}
    return bool(judged & {"UNKNOWN", "OBSERVER_ISOLATED"} or (played.code and late))


def sure(playing: Callable[[], Played], patience: float = 900) -> Played:
    """What a playbook says that was sure of what it saw. Doubt is no verdict: whoever gets it looks again."""
    deadline = time.monotonic() + patience
    while is_doubt(played := playing()):
        assert time.monotonic() < deadline, played.output
    return played


def until_unmarked(failback: Callable[[], Played], patience: float = 900) -> None:
    """Failback, again where it has not yet seen the cluster alive for long enough, a member not read yet, or somebody
    not answering in time."""
    deadline = time.monotonic() + patience
    while (played := failback()).code != 0 and time.monotonic() < deadline:
        refused = set(re.findall(r"\[(D4\.\d)\]", played.output))
        late = re.search("no answer|does not answer", played.output)
        assert late or (refused and refused <= {"D4.1", "D4.5"}), played.output
    assert played.code == 0, played.output


@contextmanager
def failing(lab: Lab, *broken: faults.Fault) -> Iterator[None]:
    for fault in broken:
        faults.fail(lab, fault, print)
    try:
        yield
    finally:
        faults.heal(lab, None, print)
