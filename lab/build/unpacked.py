"""All images of a network as a containerd keeps them, unpacked once: what that of each new node begins with."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lab.build.images import archives
from lab.build.store import Say, build_once, content_key, stored
from lab.settings import LabError
from lab.system import run

# In the folder of a node's data, as here: what its containerd keeps, and a mark for each image that it was given.
STORE, MARKS = "containerd", "images"
_PATIENCE = 120.0


def unpack(network: str, say: Say) -> Path:
    return build_once("unpacked", network, _key(network), partial(_unpack, network), say)


def give(network: str, data: Path) -> None:
    """Let a node begin with the images; one that has begun, or that nothing was unpacked for, stays as it is.

    Its folders and databases are its own. The files are shared, as hard links: containerd writes to none of them.
    """
    source, target = stored("unpacked", network, _key(network)), data / STORE
    if target.exists() or not source.is_dir():
        return
    begun = data / ".unpacked"
    shutil.rmtree(begun, ignore_errors=True)
    links = ["--link"] if source.stat().st_dev == data.stat().st_dev else []
    run(["cp", "--archive", *links, str(source), str(begun)], what=f"give {data} its images")
    for database in begun.rglob("*.db"):
        own = database.with_suffix(".own")
        shutil.copy2(database, own)
        own.replace(database)
    (begun / STORE).rename(target)
    (begun / MARKS).rename(data / MARKS)
    begun.rmdir()


def _key(network: str) -> str:
    version = run(["containerd", "--version"], what="ask containerd for its version").stdout
    return content_key([version, *(archive.parent.name for archive in archives(network))])


def _unpack(network: str, folder: Path) -> None:
    (folder / MARKS).mkdir()
    with tempfile.TemporaryDirectory() as state, _containerd(folder / STORE, Path(state)) as socket:
        for archive in archives(network):
            words = [*images(socket), "import", str(archive)]
            run(words, what=f"unpack image {archive.parent.name}")
            (folder / MARKS / archive.parent.name).touch()
    shutil.rmtree(folder / STORE / "io.containerd.grpc.v1.introspection")  # an ID, which each is to make for itself


def images(socket: Path) -> list[str]:
    """The command about the images that a containerd has for a kubelet, but for its verb."""
    return ["ctr", "--address", str(socket), "--namespace", "k8s.io", "images"]


@contextmanager
def _containerd(root: Path, state: Path) -> Iterator[Path]:
    """A containerd that runs no container, and its socket."""
    socket, configuration = state / "containerd.sock", state / "containerd.toml"
    configuration.write_text(
        f'version = 2\nroot = "{root}"\nstate = "{state}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{socket}"\n'
    )
    log = (state / "log").open("w")
    with log, subprocess.Popen(["containerd", "--config", str(configuration)], stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + _PATIENCE
            while run(["ctr", "--address", str(socket), "version"], what="ask containerd", check=False).returncode:
                if process.poll() is not None or time.monotonic() > deadline:
                    said = (state / "log").read_text()[-1000:]
                    raise LabError(f"cannot unpack the images: containerd did not start in time. It said: {said}")
                time.sleep(0.1)
            yield socket
        finally:
            process.terminate()
