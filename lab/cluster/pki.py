"""Keys and certificates of one cluster: a CA, the API server, and the identities that its programs have."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.settings import Node, write_atomically

_YEARS = 10
# Program → (user, group): what Kubernetes' own authorizers expect.
IDENTITIES = {
    "admin": ("lab-admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
    "dns": ("lab-dns", "system:masters"),
    "provisioner": ("lab-provisioner", "system:masters"),
    "mesh": ("lab-mesh", "system:masters"),
    "lab": ("lab", "system:masters"),
}


def create(node: Node) -> None:
    """Write all files of ``pki/`` and a kubeconfig for each identity; nothing changes if they are there."""
    folder = node.folder / "pki"
    if (folder / "complete").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{node.name} CA")])
    authority = _certificate(name, name, key, key, authority=True)
    _write_pair(folder, "ca", authority, key)
    _issue(node, folder, "apiserver", "kube-apiserver", "", authority, key, server=True)
    _issue(node, folder, "kubelet-client", "lab-apiserver", "system:masters", authority, key)
    accounts = ec.generate_private_key(ec.SECP256R1())
    _write_key(folder / "accounts.key", accounts)
    identities = {**IDENTITIES, "kubelet": (f"system:node:{node.name}", "system:nodes")}
    for program, (user, group) in identities.items():
        _issue(node, folder, program, user, group, authority, key)
        write_atomically(folder / f"{program}.kubeconfig", json.dumps(kubeconfig(node, program), indent=1), 0o600)
    (folder / "complete").touch()


def kubeconfig(node: Node, identity: str) -> dict[str, Any]:
    """A self-contained kubeconfig whose only context is named like the node."""
    folder = node.folder / "pki"
    cluster = {"server": node.server, "certificate-authority-data": _inline(folder / "ca.crt")}
    user = {
        "client-certificate-data": _inline(folder / f"{identity}.crt"),
        "client-key-data": _inline(folder / f"{identity}.key"),
    }
    name = f"{node.name}-{identity}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": node.name,
        "clusters": [{"name": node.name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": node.name, "context": {"cluster": node.name, "user": name}}],
    }


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _issue(
    node: Node,
    folder: Path,
    file_name: str,
    user: str,
    group: str,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    *,
    server: bool = False,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    if group:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    certificate = _certificate(
        x509.Name(attributes), authority.subject, key, authority_key, names=_server_names(node) if server else None
    )
    _write_pair(folder, file_name, certificate, key)


def _server_names(node: Node) -> x509.SubjectAlternativeName:
    hosts = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    addresses = [node.address, node.api_service, "127.0.0.1"]
    return x509.SubjectAlternativeName(
        [x509.DNSName(host) for host in hosts]
        + [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool = False,
    names: x509.SubjectAlternativeName | None = None,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if names:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _write_pair(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    _write_key(folder / f"{name}.key", key)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
