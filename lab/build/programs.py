"""The Go programs of the lab: which module holds them, how they are compiled, where they are afterwards."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lab.build.store import Say, build_once, content_key, stored
from lab.settings import CILIUM, LabError
from lab.system import require_go, run

MODULES = Path(__file__).parent.parent / "go"
KUBERNETES_VERSION = "1.34.4"
KUBEBLOCKS_VERSION = "1.0.2"
ETCD_VERSION = "3.6.5"
METALLB_VERSION = "0.16.1"
CILIUM_VERSION = "1.19.6"

_VERSION_PACKAGE = "k8s.io/component-base/version"


@dataclass(frozen=True)
class Module:
    """A Go module below ``lab/go``: program name → package, flags for the linker, build tags.

    ``network``: built only for labs with this network.
    """

    name: str
    programs: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = field(default=(), repr=False)  # in the key by themselves, where there are any
    network: str = field(default="", repr=False)


ALL = {
    module.name: module
    for module in (
        Module("node", {"node": "."}),
        Module("dns", {"dns": "."}),
        Module("crds", {"controller-gen": "sigs.k8s.io/controller-tools/cmd/controller-gen"}),
        Module("provisioner", {"local-path-provisioner": "github.com/rancher/local-path-provisioner"}),
        Module(
            "etcd",
            {
                "etcd": "go.etcd.io/etcd/server/v3",
                "etcdctl": "go.etcd.io/etcd/etcdctl/v3",
                "etcdutl": "go.etcd.io/etcd/etcdutl/v3",
            },
        ),
        Module(
            "kubeblocks",
            {
                program: f"github.com/apecloud/kubeblocks/cmd/{program}"
                for program in ("manager", "dataprotection", "kbagent")
            },
        ),
        Module("metallb", {program: f"go.universe.tf/metallb/{program}" for program in ("controller", "speaker")}),
        Module(
            "cilium",
            {
                program: f"github.com/cilium/cilium/{package}"
                for program, package in {
                    "cilium-agent": "daemon",
                    "cilium-dbg": "cilium-dbg",
                    "cilium-health": "cilium-health",
                    "cilium-health-responder": "cilium-health/responder",
                    "cilium-cni": "plugins/cilium-cni",
                    "cilium-operator-generic": "operator",
                    "clustermesh-apiserver": "clustermesh-apiserver",
                }.items()
            },
            # Version, commit and date: with fewer fields the programs say that they are of no version.
            {"github.com/cilium/cilium/pkg/version.ciliumVersion": f"{CILIUM_VERSION} lab 1970-01-01T00:00:00+00:00"},
            tags=("osusergo", "ipam_provider_operator"),
            network=CILIUM,
        ),
        Module(
            "kubernetes",
            {"kubernetes": "."},
            {
                f"{_VERSION_PACKAGE}.gitVersion": f"v{KUBERNETES_VERSION}",
                f"{_VERSION_PACKAGE}.gitMajor": KUBERNETES_VERSION.split(".", maxsplit=1)[0],
                f"{_VERSION_PACKAGE}.gitMinor": KUBERNETES_VERSION.split(".")[1],
            },
        ),
    )
}


def program(module: str, name: str | None = None) -> Path:
    """Path of a compiled program. Raises LabError if it was not built yet."""
    path = stored("programs", module, _key(ALL[module])) / (name or module)
    if not path.exists():
        raise LabError(f"{name or module} is not built yet: run lab build")
    return path


def build(module: Module, say: Say) -> Path:
    """Compile all programs of a module, once."""

    def make(folder: Path) -> None:
        require_go()
        download(module)
        flags = " ".join(["-s", "-w", *(f"-X '{name}={value}'" for name, value in module.variables.items())])
        for name, package in module.programs.items():
            command = ["go", "build", "-trimpath", "-tags", ",".join(module.tags), "-ldflags", flags]
            command += ["-o", str(folder / name), package]
            run(command, what=f"compile {name} ({package})", cwd=MODULES / module.name, env=go_environment())

    return build_once("programs", module.name, _key(module), make, say)


def download(module: Module) -> None:
    """Fetch a module's sources first, so that a network fault is named as one."""
    run(
        ["go", "mod", "download"],
        what=f"download the Go modules of {module.name} (is the Go module proxy reachable?)",
        cwd=MODULES / module.name,
        env=go_environment(),
    )


def go_environment() -> dict[str, str]:
    return dict(os.environ, CGO_ENABLED="0", GOFLAGS="-buildvcs=false", GOTOOLCHAIN="local")


@cache
def _go_version() -> str:
    require_go()
    return run(["go", "env", "GOVERSION", "GOARCH"], what="ask go for its version").stdout


@cache
def sources_key(module_name: str) -> str:
    """Key over a module's own files and the compiler; go.sum stands for all that it imports."""
    folder = MODULES / module_name
    files = sorted([*folder.glob("*.go"), folder / "go.mod", folder / "go.sum"])
    return content_key([_go_version(), *files])


def _key(module: Module) -> str:
    return content_key([sources_key(module.name), repr(module), *module.tags])
