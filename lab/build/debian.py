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
PYTHON = Path("/usr/bin/python3")
# Of Python's library, what nobody needs who asks over a network.
_NOT_NEEDED = {"__pycache__", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter"}

Files = dict[str, Path | str]


def busybox(folder: str = "bin") -> Files:
    listed = run([str(BUSYBOX), "--list"], what="ask busybox for its applets").stdout.split()
    return {f"{folder}/busybox": BUSYBOX, **{f"{folder}/{name}": "busybox" for name in listed if name != "busybox"}}


def python() -> Files:
    """Debian's Python and its library."""
    program = PYTHON.resolve()
    library = Path("/usr/lib") / program.name
    modules = [path for path in sorted(library.rglob("*")) if path.is_file() and not _is_not_needed(path, library)]
    plugins = [path for path in modules if path.suffix == ".so"]
    return {
        **with_libraries([program, *plugins]),
        **{str(path).lstrip("/"): path for path in modules},
        str(PYTHON).lstrip("/"): program.name,
    }


def _is_not_needed(path: Path, library: Path) -> bool:
    parts = path.relative_to(library).parts
    return bool(_NOT_NEEDED.intersection(parts)) or parts[0].startswith("config-")


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
