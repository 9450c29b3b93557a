"""Files of Debian's packages that go into images."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from lab.system import run

BUSYBOX = Path("/bin/busybox")
BASH = Path("/bin/bash-static")

Files = dict[str, Path | str]


def busybox(folder: str = "bin") -> Files:
    listed = run([str(BUSYBOX), "--list"], what="ask busybox for its applets").stdout.split()
    return {f"{folder}/busybox": BUSYBOX, **{f"{folder}/{name}": "busybox" for name in listed if name != "busybox"}}


def with_libraries(programs: Iterable[Path]) -> Files:
    """Programs and plugins at the places where they are here, with every library that they are linked to."""
    return {
        os.path.normpath(path).lstrip("/"): Path(path)
        for program in programs
        for path in (str(program), *_libraries(program))
    }


@cache
def _libraries(program: Path) -> tuple[str, ...]:
    listed = run(["ldd", str(program)], what=f"ask which libraries {program} needs").stdout
    return tuple(re.findall(r"(?:=> )?(/\S+) \(0x", listed))
