# Private to this collection.
"""The mesh's CA and the certificates that it signs. Keys stay in Secrets: nothing here is for output."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    PROBLEM = ""
except ImportError as problem:  # said by whoever needs it, with the cure
    PROBLEM = str(problem)

AUTHORITY_DAYS = 3650
_SLACK = datetime.timedelta(minutes=5)  # clocks of other clusters may be behind


@dataclass(frozen=True)
class Leaf:
    """One certificate: Secret, common name, names and addresses that it is good for (a server's has some)."""

    secret: str
    common_name: str
    names: Sequence[str] = ()

    @property
    def is_server(self) -> bool:
        return bool(self.names)


def require_cryptography() -> None:
    if PROBLEM:
        raise Failed(
            f"certificates need the Python package cryptography where the task runs: {PROBLEM}. "
            "Install it for that Python, for example: pip install cryptography"
        )


def new_authority(common_name: str, days: int = AUTHORITY_DAYS) -> dict[str, bytes]:
    """A CA of its own: ``ca.crt`` and ``ca.key`` (PEM). RSA, which every version of certgen signs with."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = _builder(name, name, key.public_key(), days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_usage(authority=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return {"ca.crt": _pem(builder.sign(key, hashes.SHA256())), "ca.key": _key_pem(key)}


def judge_authority(certificate: bytes, key: bytes) -> dict[str, Any]:
    """``problem`` (empty if it can sign), ``fingerprint`` (SHA-256) and ``left`` (seconds) of a CA."""
    found = {"problem": "", "fingerprint": "", "left": 0.0}
    try:
        one = x509.load_pem_x509_certificate(certificate)
    except ValueError:
        return {**found, "problem": "it holds no certificate"}
    found["fingerprint"] = one.fingerprint(hashes.SHA256()).hex()
    found["left"] = (one.not_valid_after_utc - _now()).total_seconds()
    return {**found, "problem": _problem(one, key)}


def _problem(certificate: Any, key: bytes) -> str:
    try:
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return "its certificate is none of a CA"
        certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound as missing:
        return f"its certificate has no {missing.oid._name}"
    try:
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError):
        return "it holds no private key that can be read"
    if _public(private.public_key()) != _public(certificate.public_key()):
        return "its key is not that of its certificate"
    return ""


def sign(authority: dict[str, bytes], leaf: Leaf, days: int) -> dict[str, bytes]:
    """``tls.crt``, ``tls.key`` and ``ca.crt`` (PEM)."""
    issuer = x509.load_pem_x509_certificate(authority["ca.crt"])
    signer: Any = serialization.load_pem_private_key(authority["ca.key"], None)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name)])
    builder = _builder(subject, issuer.subject, key.public_key(), days)
    builder = builder.add_extension(_usage(authority=False), critical=True)
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if leaf.is_server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if leaf.is_server:
        names = [_general_name(name) for name in leaf.names]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    own = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    certificate = builder.add_extension(own, critical=False).sign(signer, hashes.SHA256())
    return {"tls.crt": _pem(certificate), "tls.key": _key_pem(key), "ca.crt": authority["ca.crt"]}


def why_new(held: dict[str, bytes], authority: bytes, leaf: Leaf, least: float) -> str:
    """Why a certificate that is there has to be made anew; empty if it is good for ``least`` seconds and more."""
    try:
        certificate = x509.load_pem_x509_certificate(held["tls.crt"])
        key: Any = serialization.load_pem_private_key(held["tls.key"], None)
    except (KeyError, ValueError, TypeError):
        return "it is not there, or cannot be read"
    found = {
        "another CA signed it": not _issued(certificate, authority),
        "it stands beside another CA": held.get("ca.crt", b"").strip() != authority.strip(),
        "its key is another's": _public(key.public_key()) != _public(certificate.public_key()),
        "it is good for other names": (_common_name(certificate), _names(certificate))
        != (leaf.common_name, {*leaf.names}),
        "it ends soon": (certificate.not_valid_after_utc - _now()).total_seconds() < least,
    }
    return next((why for why, is_so in found.items() if is_so), "")


def _issued(certificate: Any, authority: bytes) -> bool:
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def days_left(certificate: bytes) -> float | None:
    """Days until a certificate ends; None where it cannot be read."""
    try:
        return (x509.load_pem_x509_certificate(certificate).not_valid_after_utc - _now()).total_seconds() / 86400
    except (NameError, ValueError):
        return None


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate, empty where it cannot be read."""
    try:
        return x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256()).hex()
    except (NameError, ValueError):
        return ""


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _builder(subject: Any, issuer: Any, key: Any, days: int) -> Any:
    now = _now()
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - _SLACK)
    return builder.not_valid_after(now + datetime.timedelta(days=days))


def _usage(*, authority: bool) -> Any:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(text: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _names(certificate: Any) -> set[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))}


def _common_name(certificate: Any) -> str:
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _public(key: Any) -> bytes:
    kind, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_bytes(kind, form))


def _pem(certificate: Any) -> bytes:
    return bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _key_pem(key: Any) -> bytes:
    form, clear = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    return bytes(key.private_bytes(serialization.Encoding.PEM, form, clear))
