"""The container images of the lab: which files are in each."""

from __future__ import annotations

from pathlib import Path

from lab.build import cilium
from lab.build.debian import BASH, busybox, python
from lab.build.oci import NOBODY, Image, archive
from lab.build.programs import ETCD_VERSION, KUBEBLOCKS_VERSION, METALLB_VERSION, program
from lab.build.tools import tools
from lab.settings import CILIUM, ROUTES


def _etcd() -> dict[str, Path | str]:
    return {f"usr/local/bin/{name}": program("etcd", name) for name in ("etcd", "etcdctl", "etcdutl")}


ALL = (
    Image("lab/pause:1", lambda: {"node": program("node")}, NOBODY, ("/node", "pause")),
    Image("lab/busybox:1", busybox),
    Image(f"coreos/etcd:v{ETCD_VERSION}", _etcd),
    Image("apecloud/bash-busybox:1.37.0-musl-curl", lambda: {**busybox(), "bin/bash": BASH}),
    Image(
        f"apecloud/kubeblocks-tools:{KUBEBLOCKS_VERSION}",
        lambda: {
            **busybox(),
            "bin/bash": BASH,
            "bin/kbagent": program("kubeblocks", "kbagent"),
            "bin/kubectl": tools() / "kubectl",
        },
        NOBODY,
    ),
    Image(
        f"apecloud/kubeblocks:{KUBEBLOCKS_VERSION}",
        lambda: {"manager": program("kubeblocks", "manager")},
        NOBODY,
        ("/manager",),
    ),
    Image(
        f"apecloud/kubeblocks-dataprotection:{KUBEBLOCKS_VERSION}",
        lambda: {"dataprotection": program("kubeblocks", "dataprotection")},
        NOBODY,
        ("/dataprotection",),
    ),
    Image(
        f"metallb/controller:v{METALLB_VERSION}",
        lambda: {"controller": program("metallb", "controller")},
        NOBODY,
        ("/controller",),
    ),
    Image(
        f"metallb/speaker:v{METALLB_VERSION}",
        lambda: {"speaker": program("metallb", "speaker")},
        entrypoint=("/speaker",),
    ),
)


# For the mesh's test: Debian's Python under the name of the default image.
PYTHON = Image("library/python:3.13-alpine", python, NOBODY)


def of_network(network: str) -> tuple[Image, ...]:
    """The images that the nodes of a lab with this network hold."""
    return (*ALL, *((*cilium.IMAGES, PYTHON) if network == CILIUM else ()))


def archives(network: str = ROUTES) -> list[Path]:
    """Every image's archive; they are there after ``lab build``."""
    return [archive(image) for image in of_network(network)]
