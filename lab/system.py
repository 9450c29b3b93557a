"""This machine: the programs and packages the lab stands on, and running them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.settings import CILIUM, ROUTES, LabError

GO_AT_LEAST = (1, 25)

# Debian package → a file that it brings.
PACKAGES = {
    "bash-static": "/bin/bash-static",
    "bind9-utils": "/usr/bin/named-checkzone",
    "busybox-static": "/bin/busybox",
    "conntrack": "/usr/sbin/conntrack",
    "containerd": "/usr/bin/containerd",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "haproxy": "/usr/sbin/haproxy",
    "iproute2": "/sbin/ip",
    "iptables": "/usr/sbin/iptables-restore",
    "iputils-ping": "/bin/ping",
    "mount": "/bin/mount",
    "procps": "/sbin/sysctl",
    "runc": "/usr/sbin/runc",
    "util-linux": "/usr/bin/unshare",
}
# Besides, for a lab with Cilium, whose agent compiles its BPF programs and calls these.
CILIUM_PACKAGES = {"clang-19": "/usr/bin/clang-19", "ipset": "/usr/sbin/ipset", "python3": "/usr/bin/pydoc3"}
# Debian asks this program before it starts the service of a package.
POLICY = Path("/usr/sbin/policy-rc.d")


def run(
    command: Sequence[str],
    *,
    what: str,
    stdin: str | None = None,
    check: bool = True,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; ``what`` is the sentence's object if it fails ("cannot <what>: …")."""
    done = subprocess.run(  # noqa: PLW1510 - checked below, with a better message
        list(command), input=stdin, text=True, capture_output=True, cwd=cwd, env=env
    )
    if check and done.returncode != 0:
        reason = (done.stderr or done.stdout).strip()[-2000:] or f"exit code {done.returncode}"
        raise LabError(f"cannot {what}: {reason} ({' '.join(command[:4])} …)")
    return done


def require_root() -> None:
    if os.geteuid() != 0:
        raise LabError(
            "the lab makes network namespaces, mounts and cgroups, which needs root, and this is user "
            f"{os.geteuid()}. Run it as root, for example with sudo -E"
        )


def raise_limits() -> list[str]:
    """Every kubelet and containerd takes inotify instances, and the kernel's 128 for a user end at about eight nodes.

    Limits that are too low are raised, and stay so: other programs may stand on them by then. What was raised.
    """
    raised = []
    for name, least in (("max_user_instances", 8192), ("max_user_watches", 524288)):
        path = Path("/proc/sys/fs/inotify") / name
        if int(path.read_text()) < least:
            path.write_text(str(least))
            raised.append(f"fs.inotify.{name}={least}")
    return raised


def require_cgroups() -> None:
    if "freezer" not in cgroup_hierarchies():
        raise LabError(
            "the lab needs the cgroup v1 hierarchies (freezer, memory, pids, cpuset …), and no freezer is mounted. "
            "Boot with systemd.unified_cgroup_hierarchy=0"
        )


def cgroup_hierarchies() -> dict[str, Path]:
    """Mounted cgroup hierarchies: name of the folder (``freezer``, ``cpu,cpuacct``, ``unified`` …) → folder."""
    found = {}
    for line in Path("/proc/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind in ("cgroup", "cgroup2") and folder.startswith("/sys/fs/cgroup/"):
            found[Path(folder).name] = Path(folder)
    return found


def missing_packages(network: str) -> list[str]:
    wanted = PACKAGES | (CILIUM_PACKAGES if network == CILIUM else {})
    return [name for name, proof in sorted(wanted.items()) if not Path(proof).exists()]


def install_packages(network: str = ROUTES) -> list[str]:
    """Install what a lab with this network lacks of Debian's packages; the names that were installed."""
    missing = missing_packages(network)
    if not missing:
        return []
    require_root()
    if shutil.which("apt-get") is None:
        raise LabError(f"these programs are missing: {', '.join(missing)}. This is no Debian: install them by hand")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    run(["apt-get", "update"], what="read Debian's package lists", env=env)
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    with no_services_started():
        run(command, what=f"install {', '.join(missing)}", env=dict(env, RUNLEVEL="1"))
    still = missing_packages(network)
    if still:
        raise LabError(f"apt-get ended well, yet these are still missing: {', '.join(still)}")
    return missing


@contextmanager
def no_services_started() -> Iterator[None]:
    """The lab wants programs, and no containerd or HAProxy of the machine; systemd does not look at RUNLEVEL.

    A policy that the machine has already stays. Ours has no force once this process is gone, however it ended.
    """
    if POLICY.exists():
        yield
        return
    POLICY.write_text(f"#!/bin/sh\n# lab build installs packages.\n[ -d /proc/{os.getpid()} ] || exit 0\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def require_go() -> None:
    """Go new enough on the PATH; Debian 12's own (1.19) is not."""
    wanted = ".".join(map(str, GO_AT_LEAST))
    cure = f"Install Go {wanted} or newer and put it on the PATH; Debian 12's own golang package is too old"
    if shutil.which("go") is None:
        raise LabError(f"the lab compiles its programs with Go, and there is no go on the PATH. {cure}")
    version = run(["go", "env", "GOVERSION"], what="ask go for its version").stdout.strip()
    match = re.match(r"go(\d+)\.(\d+)", version)
    if match is None or tuple(map(int, match.groups())) < GO_AT_LEAST:
        raise LabError(f"the go on the PATH is {version or 'of no known version'}, and {wanted} is needed. {cure}")
