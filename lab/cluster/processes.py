"""Every process of a node: command line and configuration files, as plain data computed from the node."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.build.oci import REGISTRY
from lab.build.programs import program
from lab.build.unpacked import STORE
from lab.settings import API_PORT, ROUTES, Node

STORAGE_CLASS = "local-path"
DELAY_QUEUE = 1


@dataclass(frozen=True)
class Process:
    """A supervised program. ``after`` is a shell condition that must hold first; ``always`` off starts it on demand."""

    name: str
    command: tuple[str, ...]
    after: str = ""
    always: bool = True


def processes(node: Node) -> list[Process]:
    """In the order in which they are started."""
    found = [_store(node)] if node.has_store else []
    found.append(_api_server(node))
    if node.profile != "servers":
        found.append(_controllers(node))
    if node.profile == "pods":
        found += [*_runtime(node), _scheduler(node), _proxy(node), _dns(node), _provisioner(node)]
    return [*found, _delay()]


def files(node: Node) -> dict[Path, str]:
    """Configuration files: path → text."""
    etc = node.folder / "etc"
    found = {etc / "audit.yaml": json.dumps(_audit_policy())}
    if node.profile == "pods":
        found |= {
            etc / "containerd.toml": _containerd(node),
            etc / "kubelet.yaml": json.dumps(_kubelet(node), indent=1),
            etc / "kube-proxy.yaml": json.dumps(_proxy_settings(node), indent=1),
            etc / "resolv.conf": "",
            etc / "Corefile": _corefile(node),
            etc / "provisioner.json": json.dumps(_paths(node)),
            etc / "helper-pod.yaml": json.dumps(HELPER_POD),
        }
    if node.profile == "pods" and node.network == ROUTES:
        found[node.cni_configuration / "10-pods.conflist"] = json.dumps(_cni(node), indent=1)
    return found


def api_is_up(node: Node) -> str:
    return f"(exec 3<>/dev/tcp/{node.address}/{API_PORT}) 2>/dev/null"


def _kubernetes(name: str, *flags: str) -> tuple[str, ...]:
    return (str(program("kubernetes")), name, *flags)


def _store(node: Node) -> Process:
    return Process(
        "etcd",
        (
            str(program("etcd")),
            "--name=store",
            f"--data-dir={node.data}/store",
            f"--listen-client-urls={node.store}",
            f"--advertise-client-urls={node.store}",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--initial-advertise-peer-urls=http://127.0.0.1:2380",
            "--initial-cluster=store=http://127.0.0.1:2380",
            "--unsafe-no-fsync",  # a lab's store need not survive a power cut
            "--log-level=warn",
        ),
    )


def _api_server(node: Node) -> Process:
    pki = node.folder / "pki"
    return Process(
        "kube-apiserver",
        _kubernetes(
            "kube-apiserver",
            f"--etcd-servers={node.store}",
            f"--etcd-prefix=/{node.name if node.profile == 'servers' else 'registry'}",
            f"--advertise-address={node.address}",
            f"--secure-port={API_PORT}",
            f"--service-cluster-ip-range={node.service_network}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--client-ca-file={pki}/ca.crt",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--kubelet-client-certificate={pki}/kubelet-client.crt",
            f"--kubelet-client-key={pki}/kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki}/accounts.key",
            f"--service-account-signing-key-file={pki}/accounts.key",
            f"--audit-policy-file={node.folder}/etc/audit.yaml",
            f"--audit-log-path={audit_log(node)}",
            "--audit-log-maxsize=200",
            "--audit-log-maxbackup=2",
            "--profiling=false",
        ),
    )


def audit_log(node: Node) -> Path:
    return node.folder / "logs" / "audit.log"


def _audit_policy() -> dict[str, Any]:
    """Who asked for what, without bodies. The lab's own watchers are left out."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived", "ResponseStarted"],
        "rules": [{"level": "None", "users": ["lab", "lab-mesh", "lab-dns"]}, {"level": "Metadata"}],
    }


def _controllers(node: Node) -> Process:
    pki = node.folder / "pki"
    return Process(
        "kube-controller-manager",
        _kubernetes(
            "kube-controller-manager",
            f"--kubeconfig={pki}/kube-controller-manager.kubeconfig",
            f"--authentication-kubeconfig={pki}/kube-controller-manager.kubeconfig",
            f"--authorization-kubeconfig={pki}/kube-controller-manager.kubeconfig",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={pki}/accounts.key",
            f"--root-ca-file={pki}/ca.crt",
            f"--cluster-signing-cert-file={pki}/ca.crt",
            f"--cluster-signing-key-file={pki}/ca.key",
            "--allocate-node-cidrs=true",
            f"--cluster-cidr={node.pod_network}",
            "--node-cidr-mask-size=16",
            f"--service-cluster-ip-range={node.service_network}",
        ),
        after=api_is_up(node),
    )


def _scheduler(node: Node) -> Process:
    kubeconfig = f"{node.folder}/pki/kube-scheduler.kubeconfig"
    return Process(
        "kube-scheduler",
        _kubernetes(
            "kube-scheduler",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
        ),
        after=api_is_up(node),
    )


def containerd_socket(node: Node) -> Path:
    return node.folder / "run" / "containerd.sock"


def _runtime(node: Node) -> list[Process]:
    socket = containerd_socket(node)
    return [
        Process("containerd", ("/usr/bin/containerd", "--config", f"{node.folder}/etc/containerd.toml")),
        Process(
            "kubelet",
            _kubernetes(
                "kubelet",
                f"--config={node.folder}/etc/kubelet.yaml",
                f"--kubeconfig={node.folder}/pki/kubelet.kubeconfig",
                f"--hostname-override={node.name}",
                f"--node-ip={node.address}",
                f"--node-labels=topology.kubernetes.io/zone={node.zone}",
            ),
            after=f"[ -S {socket} ] && {api_is_up(node)}",
        ),
    ]


def _proxy(node: Node) -> Process:
    command = _kubernetes("kube-proxy", f"--config={node.folder}/etc/kube-proxy.yaml")
    return Process("kube-proxy", command, after=api_is_up(node))


def _dns(node: Node) -> Process:
    return Process("dns", (str(program("dns")), "-conf", f"{node.folder}/etc/Corefile"), after=api_is_up(node))


def _provisioner(node: Node) -> Process:
    return Process(
        "provisioner",
        (
            str(program("provisioner", "local-path-provisioner")),
            "start",
            f"--kubeconfig={node.folder}/pki/provisioner.kubeconfig",
            f"--config={node.folder}/etc/provisioner.json",
            f"--helper-pod-file={node.folder}/etc/helper-pod.yaml",
            f"--helper-image={REGISTRY}/lab/busybox:1",
            "--namespace=kube-system",
            "--service-account-name=default",
        ),
        after=api_is_up(node),
    )


def _delay() -> Process:
    command = shlex.join((str(program("node")), "delay", f"-queue={DELAY_QUEUE}", "-base=75ms", "-jitter=50ms"))
    # Its timers are the delay: they are not as late as those of the other programs may be.
    script = f"echo 50000 > /proc/$$/timerslack_ns; exec {command}"
    return Process("delay", ("sh", "-c", script), always=False)


def _containerd(node: Node) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = "{node.data}/{STORE}"
state = "{node.folder}/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
address = "{containerd_socket(node)}"
[{cri}]
sandbox_image = "{REGISTRY}/lab/pause:1"
restrict_oom_score_adj = true
[{cri}.cni]
bin_dir = "{node.cni_programs}"
conf_dir = "{node.cni_configuration}"
[{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[{cri}.containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def _cni(node: Node) -> dict[str, Any]:
    """Point-to-point cables: traffic between two pods of a node passes the node's own rules, as between nodes."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": node.pod_network}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": f"{node.data}/addresses",
    }
    plugins = [
        {"type": "ptp", "ipMasq": False, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": plugins}


def _kubelet(node: Node) -> dict[str, Any]:
    socket = f"unix://{containerd_socket(node)}"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": socket,
        "imageServiceEndpoint": socket,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "imageMinimumGCAge": "24h",
        "clusterDNS": [node.address],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{node.folder}/etc/resolv.conf",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{node.folder}/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "registerNode": True,
        "maxPods": 100,
        "syncFrequency": "10s",
        "volumePluginDir": f"{node.data}/volume-plugins",
        "shutdownGracePeriod": "0s",
    }


def _proxy_settings(node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": node.pod_network,
        "hostnameOverride": node.name,
        "clientConnection": {"kubeconfig": f"{node.folder}/pki/kube-proxy.kubeconfig"},
        "iptables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
        # These limits belong to the machine, not to a network namespace.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def _corefile(node: Node) -> str:
    return f""".:53 {{
    errors
    cache 5
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {node.folder}/pki/dns.kubeconfig {node.name}
        pods insecure
    }}
}}
"""


def _paths(node: Node) -> dict[str, Any]:
    return {"nodePathMap": [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [str(node.volumes)]}]}


HELPER_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "helper-pod"},
    "spec": {"containers": [{"name": "helper-pod", "image": f"{REGISTRY}/lab/busybox:1"}]},
}
