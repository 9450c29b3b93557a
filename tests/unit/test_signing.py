"""The mesh's CA and what it signs, read back by the library that made it and checked as a peer would."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _signing as signing

AUTHORITY = signing.new_authority("Cilium CA")
OTHER = signing.new_authority("Cilium CA")
SERVER = signing.Leaf("server", "server.example", ("server.example", "*.mesh.cilium.io", "127.0.0.1", "::1"))
CLIENT = signing.Leaf("client", "remote")
HELD = signing.sign(AUTHORITY, SERVER, 100)
DAY = 86400.0


def test_a_new_authority_can_sign() -> None:
    judged = signing.judge_authority(AUTHORITY["ca.crt"], AUTHORITY["ca.key"])
    assert judged["problem"] == ""
    assert judged["fingerprint"] == signing.fingerprint(AUTHORITY["ca.crt"]) != signing.fingerprint(OTHER["ca.crt"])
    assert 3649 * DAY < judged["left"] < 3651 * DAY
    assert isinstance(serialization.load_pem_private_key(AUTHORITY["ca.key"], None), rsa.RSAPrivateKey)
    assert AUTHORITY["ca.key"].startswith(b"-----BEGIN RSA PRIVATE KEY-----")


def test_what_cannot_sign_is_told_apart() -> None:
    problems = {
        "certificate": signing.judge_authority(b"nothing", AUTHORITY["ca.key"])["problem"],
        "key": signing.judge_authority(AUTHORITY["ca.crt"], b"nothing")["problem"],
        "another's key": signing.judge_authority(AUTHORITY["ca.crt"], OTHER["ca.key"])["problem"],
        "no CA": signing.judge_authority(HELD["tls.crt"], HELD["tls.key"])["problem"],
    }
    assert problems == {
        "certificate": "it holds no certificate",
        "key": "it holds no private key that can be read",
        "another's key": "its key is not that of its certificate",
        "no CA": "its certificate has no basicConstraints",
    }


def test_a_server_and_a_client() -> None:
    server = x509.load_pem_x509_certificate(HELD["tls.crt"])
    server.verify_directly_issued_by(x509.load_pem_x509_certificate(AUTHORITY["ca.crt"]))
    assert purposes(server) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert isinstance(serialization.load_pem_private_key(HELD["tls.key"], None), ec.EllipticCurvePrivateKey)
    client = x509.load_pem_x509_certificate(signing.sign(AUTHORITY, CLIENT, 100)["tls.crt"])
    assert purposes(client) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert client.subject.rfc4514_string() == "CN=remote"


def purposes(certificate: x509.Certificate) -> list[object]:
    return list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def test_a_certificate_is_made_anew_only_where_it_has_to_be() -> None:
    def why(held: dict[str, bytes], leaf: signing.Leaf = SERVER, days: float = 60) -> str:
        return signing.why_new(held, AUTHORITY["ca.crt"], leaf, days * DAY)

    assert why(HELD) == ""
    assert why(HELD, days=101) == "it ends soon"
    assert (
        why({})
        == why({**HELD, "tls.crt": b"?"})
        == why({**HELD, "tls.key": b"?"})
        == "it is not there, or cannot be read"
    )
    assert why(signing.sign(OTHER, SERVER, 100)) == "another CA signed it"
    assert why({**HELD, "ca.crt": OTHER["ca.crt"]}) == "it stands beside another CA"
    assert why({**HELD, "tls.key": signing.sign(AUTHORITY, SERVER, 100)["tls.key"]}) == "its key is another's"
    more = signing.Leaf("server", "server.example", (*SERVER.names, "mesh.example.com"))
    assert why(HELD, more) == why(HELD, CLIENT) == "it is good for other names"


def test_how_long_is_left() -> None:
    left = signing.days_left(HELD["tls.crt"])
    assert left is not None
    assert 99 < left < 101
    assert signing.days_left(b"?") is None
    assert signing.fingerprint(b"?") == ""
