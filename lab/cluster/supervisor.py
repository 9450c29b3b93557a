"""supervisord, one for each node: it keeps the node's processes running and answers what they do."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from lab.cluster import cgroups
from lab.cluster.processes import Process
from lab.settings import LabError, write_atomically

_SUPERVISORD = Path(sys.executable).with_name("supervisord")
# How late a timer may be, in ns, so that several end together. A node's programs wake up hundreds of times a second for
# next to nothing, which is dear on a virtual machine: with 20 ms for the usual 50 µs, four idle API servers took 1.6 s
# of processor time in 30 s for 3.0, and 64 requests to them 0.5 s for 1.0.
_TIMER_SLACK = 20_000_000


class Supervisor:
    """The supervisor of one network namespace, its cgroup and its own view of mounts."""

    def __init__(self, folder: Path, namespace: str, cgroup: str) -> None:
        self.folder = folder
        self.namespace = namespace
        self.cgroup = cgroup
        self.socket = folder / "run" / "supervisor.sock"

    def start(
        self,
        processes: Iterable[Process],
        mounts: Mapping[Path, Path],
        environment: Mapping[str, str],
        prepare: Sequence[str] = (),
    ) -> None:
        """Write the configuration and start, detached, in the node's cgroup, network and mounts.

        ``prepare``: shell lines that run in the node's own view of mounts, after them.
        """
        for name in ("run", "logs", "etc"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / "etc" / "supervisord.conf", _configuration(self.folder, processes))
        write_atomically(self.folder / "etc" / "init.sh", _init(self.folder, mounts, prepare))
        system = f"{self.cgroup}/system"
        cgroups.create(system)
        join = "".join(f"echo $$ > {shlex.quote(str(path))}/cgroup.procs\n" for path in cgroups.folders(system))
        join += f"echo {_TIMER_SLACK} > /proc/$$/timerslack_ns\n"
        enter = f"exec nsenter --net=/run/netns/{self.namespace} unshare --mount sh {self.folder}/etc/init.sh"
        with (self.folder / "logs" / "init.log").open("ab") as log:
            subprocess.Popen(
                ["sh", "-e", "-c", join + enter],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), **environment},
            )

    def wait(self, patience: float = 20.0) -> None:
        deadline = time.monotonic() + patience
        while not self.alive():
            if time.monotonic() > deadline:
                raise LabError(f"supervisord does not answer in {self.folder}: see {self.folder}/logs/init.log")
            time.sleep(0.05)

    def alive(self) -> bool:
        return self.states() is not None

    def states(self) -> dict[str, dict[str, Any]] | None:
        """Process name → supervisord's own record of it, or None if there is no supervisor."""
        try:
            listed: Any = self._call().getAllProcessInfo()
        except (OSError, xmlrpc.client.Error, EOFError):
            return None
        return {record["name"]: record for record in listed}

    def set_running(self, process: str, running: bool) -> None:
        """Start or stop one process; nothing happens if it is so already."""
        call = self._call().startProcess if running else self._call().stopProcess
        with contextlib.suppress(xmlrpc.client.Fault):  # ALREADY_STARTED, NOT_RUNNING
            call(process, True)

    def _call(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def _configuration(folder: Path, processes: Iterable[Process]) -> str:
    text = f"""[unix_http_server]
file={folder}/run/supervisor.sock
[supervisord]
nodaemon=true
silent=true
user=root
logfile={folder}/logs/supervisord.log
logfile_maxbytes=5MB
pidfile={folder}/run/supervisord.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
    for process in processes:
        command = shlex.join(process.command)
        if process.after:
            script = f"until {process.after}; do sleep 0.1; done; exec {command}"
            command = shlex.join(["bash", "-c", script])
        text += f"""[program:{process.name}]
command={command.replace("%", "%%")}
autostart={str(process.always).lower()}
autorestart=true
startsecs=1
startretries=100000
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={folder}/logs/{process.name}.log
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=1
"""
    return text


def _init(folder: Path, mounts: Mapping[Path, Path], prepare: Sequence[str]) -> str:
    """The first script of a node: mounts that nobody else sees and that end with the node's last process."""
    lines = ["set -e", "mount --make-rshared /", "mount -t tmpfs -o mode=0755 netns /run/netns"]
    lines += [f"mount --bind {source} {target}" for target, source in mounts.items()]
    return "\n".join(
        [*lines, *prepare, f"exec {_SUPERVISORD} --nodaemon --configuration {folder}/etc/supervisord.conf", ""]
    )
