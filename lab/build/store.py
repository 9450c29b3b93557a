"""A folder of finished builds: what goes in makes the name, so nothing is built twice and nothing goes stale."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from lab.settings import cache_root

Say = Callable[[str], None]


def content_key(parts: Iterable[str | bytes | Path]) -> str:
    """Sixteen hexadecimal digits over texts, bytes and the contents of files, each with its length."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:16]


def stored(kind: str, name: str, key: str) -> Path:
    return cache_root() / kind / f"{name}-{key}"


def build_once(kind: str, name: str, key: str, make: Callable[[Path], None], say: Say) -> Path:
    """The folder ``kind/name-key``, made by ``make(folder)`` unless it is there. Killed half-way, it starts anew."""
    target = stored(kind, name, key)
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        started = time.monotonic()
        say(f"{name}: building")
        partial = target.with_name(f".{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            make(partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        partial.rename(target)
        say(f"{name}: built in {time.monotonic() - started:.0f} s")
        _forget_older(target, name)
    return target


def _forget_older(target: Path, name: str, keep: int = 3) -> None:
    """Old builds of the same name go, so that the cache does not grow for ever."""
    builds = [path for path in target.parent.glob(f"{name}-*") if len(path.name) == len(target.name)]
    builds.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for old in builds[keep:]:
        with suppress(OSError):
            shutil.rmtree(old)
