"""Killing a run of Ansible as a whole: its workers are in sessions of their own, so a group is not all of it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def kill_tree(pid: int) -> None:
    """Kill a process and all that it began. Each is stopped first, so that none begins another meanwhile."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGSTOP)
        found.append(each)
        waiting += [child for child in _children(each) if child not in found]
    for each in found:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name, in parentheses, may hold anything; the state and the parent come after it.
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found
