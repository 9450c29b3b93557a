"""Write a key through the first member of an etcd and read it through the last: what the demo shows."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

from lab.build.tools import tools
from lab.settings import Lab, LabError, load


def etcdctl(lab: Lab, ordinal: int, *words: str, namespace: str = "etcd", name: str = "etcd") -> str:
    """Run etcdctl in the member with this ordinal, in the context where it lives."""
    context = lab.nodes[1 + ordinal % lab.data_planes].name
    pod = f"{name}-etcd-{ordinal}"
    command = [str(tools() / "kubectl"), "--kubeconfig", str(lab.kubeconfig), "--context", context]
    command += ["-n", namespace, "exec", pod, "-c", "etcd", "--", "etcdctl", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))
    if done.returncode:
        raise LabError(f"{context}: cannot run etcdctl {' '.join(words)} in {pod}: {done.stderr.strip()}")
    return done.stdout.strip()


def cross(lab: Lab, members: int = 3) -> str:
    """One sentence that says what was written where and read where. Raises LabError if it did not arrive."""
    value = f"written-{time.time_ns()}"
    etcdctl(lab, 0, "put", "demo", value)
    seen = etcdctl(lab, members - 1, "get", "demo", "--print-value-only")
    if seen != value:
        raise LabError(f"{value!r} was written through the first member, and the last one says {seen!r}")
    first, last = lab.nodes[1].name, lab.nodes[1 + (members - 1) % lab.data_planes].name
    return f"a key written through the member in {first} is read through the member in {last}: {json.dumps(value)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="lab")
    options = parser.parse_args()
    lab = load(options.name)
    if lab is None:
        sys.stderr.write(f"there is no lab {options.name!r}: run lab up\n")
        return 1
    try:
        sys.stdout.write(cross(lab) + "\n")
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
