"""What the tests share: running playbooks and modules, reading the audit logs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from lab.build.store import Say
from lab.build.tools import tools
from lab.cluster.processes import audit_log
from lab.settings import Lab

ROOT = Path(__file__).parent.parent
TREE = ROOT / ".cache" / "tree"
BIN = Path(sys.executable).parent
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
USER = "lab-admin"
# For a machine that runs several labs at once: what is late there is neither silent nor gone.
PATIENT = {
    "preflight_request_timeout": 30,
    "preflight_deadline": 120,
    "endpoints_request_timeout": 10,
    "endpoints_deadline": 20,
    "cluster_mesh_wait_timeout": 900,
    "control_plane_wait_timeout": 550,
    "endpoints_wait_timeout": 900,
    "etcd_wait_timeout": 900,
    "load_balancer_wait_timeout": 900,
}


def environment(**extra: str) -> dict[str, str]:
    """The environment of ``make``, with the lab's helm and kubectl on the PATH."""
    import sysconfig

    path = f"{BIN}:{tools()}:{os.environ['PATH']}"
    collections = f"{TREE}:{sysconfig.get_path('purelib')}"
    return {
        **os.environ,
        "PATH": path,
        "ANSIBLE_COLLECTIONS_PATH": collections,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        **extra,
    }


@dataclass(frozen=True)
class Played:
    """How a playbook ended: exit code, what it printed, and the last line of each host."""

    code: int
    output: str

    @property
    def changed(self) -> dict[str, int]:
        return {host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=.*?changed=(\d+)", self.output, re.M)}


def command(lab: Lab, *words: str, inventory: Path | None = None, patient: bool = True) -> list[str]:
    """``patient``: not where it is measured how long something takes."""
    first = ("-e", json.dumps(PATIENT)) if patient else ()  # the last value of a variable counts
    return [str(BIN / "ansible-playbook"), "-i", str(inventory or lab.inventory), *first, *words]


def play(
    lab: Lab,
    *words: str,
    inventory: Path | None = None,
    patient: bool = True,
    timeout: float = 3600,
    **extra: str,
) -> Played:
    """Run ansible-playbook to its end."""
    done = subprocess.run(
        command(lab, *words, inventory=inventory, patient=patient),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(**extra),
        timeout=timeout,
        check=False,
    )
    return Played(done.returncode, _ANSI.sub("", done.stdout + done.stderr))


def module(lab: Lab, name: str, arguments: dict[str, Any], *, body: str, check: bool = False) -> dict[str, Any]:
    """One module through one of its bodies (``action`` or ``module``): the result of its task."""
    words = ["localhost", "-i", "localhost,", "-c", "local", "-m", f"kubeblocks.multicluster.{name}"]
    words += ["-a", json.dumps(arguments), "-e", f"ansible_python_interpreter={sys.executable}"]
    words += ["-e", json.dumps({"kubeblocks_in_process": body == "action"})]
    words += ["--diff", *(["--check"] if check else [])]
    done = subprocess.run(
        [str(BIN / "ansible"), *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(ANSIBLE_STDOUT_CALLBACK="ansible.builtin.json", ANSIBLE_LOAD_CALLBACK_PLUGINS="1"),
        timeout=600,
        check=False,
    )
    try:
        # What a module shows comes first, and may hold a brace itself.
        begin = re.search(r"^\{$", done.stdout, re.M)
        printed = json.loads(done.stdout[begin.start() :] if begin else "")
    except ValueError as problem:
        raise AssertionError(f"no result: {done.stdout}\n{done.stderr}") from problem
    result: dict[str, Any] = printed["plays"][0]["tasks"][0]["hosts"]["localhost"]
    return result


def answer(name: str, options: dict[str, Any], *, check: bool = False, say: Say = print) -> dict[str, Any]:
    """What a module that only looks returns, asked in this process: starting Ansible takes longer than most looks.

    ``say`` hears what the module says meanwhile.
    That both of its bodies say the same through Ansible is shown in tests/integration/test_bodies.py.
    """
    # Only where the collection is on the path; the lab's own tests do without.
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import Call, outcome

    body = import_module(f"ansible_collections.kubeblocks.multicluster.plugins.action.{name}").ActionModule
    given = ArgumentSpecValidator(body.SPEC).validate(options)
    assert given.error_messages == []
    call = Call(given.validated_parameters, check, True, say)
    found: dict[str, Any] = json.loads(json.dumps(outcome(body.RUN, call)))
    return found


def uid_of_control(lab: Lab) -> str:
    """What a control plane is known by."""
    return kubectl(lab, "control", "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")


def kubectl(lab: Lab, context: str, *words: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        [str(tools() / "kubectl"), "--kubeconfig", str(lab.kubeconfig), "--context", context, *words],
        capture_output=True,
        text=True,
        input=stdin,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
    return done.stdout


class Audit:
    """Requests of the person's credential since this object was made, from every API server's audit log."""

    def __init__(self, lab: Lab, user: str = USER) -> None:
        self.lab = lab
        self.user = user
        self._start = {node.name: self._size(audit_log(node)) for node in lab.nodes}

    @staticmethod
    def _size(path: Path) -> int:
        """Bytes of whole lines: another one may be on its way to the disk."""
        return path.read_bytes().rfind(b"\n") + 1 if path.exists() else 0

    def events(self, context: str) -> list[dict[str, Any]]:
        path = audit_log(self.lab.node(context))
        with path.open("rb") as log:
            log.seek(self._start[context])
            lines = log.read().split(b"\n")[:-1]
        found = [json.loads(line) for line in lines]
        return [event for event in found if event["user"]["username"] == self.user]

    def writes(self) -> dict[str, list[str]]:
        """Context → what was written. Access reviews, dry runs and exec are no writes."""
        return {
            node.name: [
                f"{event['verb']} {event['requestURI']}" for event in self.events(node.name) if _persists(event)
            ]
            for node in self.lab.nodes
        }

    def count(self, context: str) -> Counter[str]:
        return Counter(event["verb"] for event in self.events(context))


def _persists(event: dict[str, Any]) -> bool:
    if event["verb"] not in ("create", "update", "patch", "delete", "deletecollection"):
        return False
    reference = event.get("objectRef", {})
    review = reference.get("resource", "").endswith("accessreviews")
    executes = reference.get("subresource") == "exec"
    return not (review or executes or "dryRun=All" in event["requestURI"])


def changed_inventory(lab: Lab, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of the lab's inventory with something done to it."""
    hosts = yaml.safe_load((lab.inventory / "hosts.yml").read_text())
    change(hosts)
    (folder / "hosts.yml").write_text(yaml.safe_dump(hosts, sort_keys=False))
    (folder / "group_vars").symlink_to(lab.inventory / "group_vars")
    return folder


def places(
    lab: Lab, *, kubeconfigs: dict[str, str] | None = None, servers: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """The lab's contexts as the filter ``contexts`` makes them; some may have a kubeconfig or a server of their own."""
    return [
        {
            "name": node.name,
            "context": node.name,
            "kubeconfig": (kubeconfigs or {}).get(node.name, str(lab.kubeconfig)),
            "plane": "control" if node.index == 0 else "data",
            **({"server": servers[node.name]} if servers and node.name in servers else {}),
        }
        for node in lab.nodes
    ]


def preflight_options(contexts: list[dict[str, Any]], **changed: Any) -> dict[str, Any]:
    """Options of the module preflight_report as its role gives them on a lab without charts of its own."""
    return {
        "contexts": contexts,
        "operator_namespace": "kb-system",
        "databases": [{"namespace": "etcd", "name": "etcd"}],
        "operator_release": "kubeblocks",
        "secret": "kubeblocks-contexts",
        "kubeblocks_version": "1.0.2",
        "experimental": False,
        "operator_values": {},
        "manage_access": True,
        "service_account": "kubeblocks-operator",
        "placement": [],
        "replicas": 3,
        "storage_class": "",
        "helm_binary": str(tools() / "helm"),
        "charts": [],
        "load_balancer_namespace": "metallb-system",
        "load_balancer_class": "",
        "mesh_certificates": "managed",
        "peer_exposure": "mesh",
        "peer_clouds": [],
        "peer_scope": "internal",
        "peer_annotations": {},
        "accept": [],
        "in_cluster": "never",
        "probe_image": "",
        "round_trip_image": "",
        "request_timeout": 30.0,
        "deadline": 120.0,
        **changed,
    }
