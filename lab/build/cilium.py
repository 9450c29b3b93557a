"""Images of Cilium: its programs, the BPF sources that its agent compiles, and what the agent calls."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from lab.build.debian import BASH, Files, busybox, with_libraries
from lab.build.oci import NOBODY, Image
from lab.build.programs import ALL, CILIUM_VERSION, MODULES, download, go_environment, program, sources_key
from lab.build.store import Say, build_once, content_key, stored
from lab.system import run

_CLANG = Path("/usr/lib/llvm-19/bin/clang")
_HEADERS = Path("/usr/lib/llvm-19/lib/clang/19/include")
_PLUGINS = Path("/usr/lib/x86_64-linux-gnu/xtables")
_CALLED = tuple(map(Path, ("/usr/sbin/xtables-nft-multi", "/usr/sbin/xtables-legacy-multi", "/usr/sbin/ipset")))
_NETWORK = tuple(map(Path, ("/usr/bin/ip", "/usr/sbin/tc")))
_PROGRAMS = ("cilium-agent", "cilium-dbg", "cilium-health", "cilium-health-responder")
_SECRETS = "/var/lib/cilium/etcd-secrets"
# How clustermesh-apiserver reaches the etcd beside it.
_ETCD = {
    "endpoints": ["https://127.0.0.1:2379"],
    "trusted-ca-file": f"{_SECRETS}/ca.crt",
    "cert-file": f"{_SECRETS}/tls.crt",
    "key-file": f"{_SECRETS}/tls.key",
}
# It keeps things in its home, and the root folder is none.
_PASSWD = f"nobody:x:{NOBODY}::/tmp:/bin/false\n"


def build_sources(say: Say) -> Path:
    """The BPF sources of the Go module, without its tests, and the configuration of clustermesh-apiserver's etcd."""

    def make(folder: Path) -> None:
        module = ALL["cilium"]
        download(module)
        command = ["go", "list", "-m", "-f", "{{.Dir}}", "github.com/cilium/cilium"]
        found = run(command, what="find Cilium's sources", cwd=MODULES / module.name, env=go_environment()).stdout
        leave_out = shutil.ignore_patterns("tests", "complexity-tests")
        shutil.copytree(Path(found.strip()) / "bpf", folder / "bpf", ignore=leave_out, copy_function=shutil.copyfile)
        (folder / "etcd-config.yaml").write_text(json.dumps(_ETCD))
        (folder / "passwd").write_text(_PASSWD)

    return build_once("sources", "cilium", _key(), make, say)


def _sources() -> Path:
    return stored("sources", "cilium", _key())


def _key() -> str:
    return content_key([sources_key("cilium"), repr(_ETCD), _PASSWD])


def _agent() -> Files:
    bpf = _sources() / "bpf"
    variant = Path("/usr/sbin/iptables").resolve().name  # the node's rules are in this one's tables
    names = [f"{family}{what}" for family in ("iptables", "ip6tables") for what in ("", "-save", "-restore")]
    called = dict.fromkeys(names, f"/usr/sbin/{variant}") | {name: f"/usr/sbin/{name}" for name in ("ipset", "tc")}
    return {
        **busybox(),
        "bin/bash": BASH,
        **with_libraries([_CLANG, *_CALLED, *_NETWORK, *sorted(_PLUGINS.glob("*.so"))]),
        **{f"usr/bin/{name}": target for name, target in called.items()},
        "usr/bin/clang": str(_CLANG),
        **{str(header).lstrip("/"): header for header in sorted(_HEADERS.glob("*std*.h"))},
        **{f"usr/bin/{name}": program("cilium", name) for name in _PROGRAMS},
        "usr/bin/cilium": "cilium-dbg",
        "opt/cni/bin/cilium-cni": program("cilium", "cilium-cni"),
        **{f"var/lib/cilium/bpf/{path.relative_to(bpf)}": path for path in sorted(bpf.rglob("*")) if path.is_file()},
        "var/run": "/run",
    }


def _mesh_api() -> Files:
    return {
        "usr/bin/clustermesh-apiserver": program("cilium", "clustermesh-apiserver"),
        "usr/bin/etcd": program("etcd"),
        "var/lib/cilium/etcd-config.yaml": _sources() / "etcd-config.yaml",
        "etc/passwd": _sources() / "passwd",
    }


IMAGES = (
    Image(f"cilium/cilium:v{CILIUM_VERSION}", _agent, folders=("tmp", "etc", "run", "lib/modules")),
    Image(
        f"cilium/operator-generic:v{CILIUM_VERSION}",
        lambda: {"usr/bin/cilium-operator-generic": program("cilium", "cilium-operator-generic")},
    ),
    Image(
        f"cilium/clustermesh-apiserver:v{CILIUM_VERSION}",
        _mesh_api,
        NOBODY,
        folders=("tmp", "etc", "var/run/cilium"),
    ),
)
