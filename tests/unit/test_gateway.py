"""Requests to etcd's JSON gateway: addresses, what an answer or none means for a write, whom to ask next."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._gateway import (
    Endpoint,
    Gateway,
    Unanswered,
    endpoint_of,
    trust,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.history import REFUSED, UNKNOWN
from lab.cluster import pki
from lab.settings import Lab

# Addresses

ADDRESSES = {
    "192.0.2.1:2379": Endpoint("http", "192.0.2.1", 2379),
    "etcd.example.org:30001": Endpoint("http", "etcd.example.org", 30001),
    "http://192.0.2.1:2379": Endpoint("http", "192.0.2.1", 2379),
    "http://192.0.2.1:2379/": Endpoint("http", "192.0.2.1", 2379),
    "https://etcd-0.etcd:2379": Endpoint("https", "etcd-0.etcd", 2379),
    "[2001:db8::1]:2379": Endpoint("http", "2001:db8::1", 2379),
    "https://[2001:db8::1]:2379": Endpoint("https", "2001:db8::1", 2379),
}
NO_ADDRESSES = [
    "",
    "192.0.2.1",
    "192.0.2.1:",
    "192.0.2.1:http",
    "192.0.2.1:0",
    "192.0.2.1:65536",
    ":2379",
    "2001:db8::1:2379",
    "[2001:db8::1:2379",
    "ftp://192.0.2.1:2379",
    "192.0.2.1:2379/v3",
    "192.0.2.1:2379?x",
    "192.0.2.1:2379#x",
    "a b:2379",
    "a..b:2379",
    "192.0.2.1:2379,192.0.2.2:2379",
]


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address(text: str) -> None:
    found = endpoint_of(text)
    assert found == ADDRESSES[text]
    assert endpoint_of(str(found)) == found


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_no_address(text: str) -> None:
    with pytest.raises(Failed) as error:
        endpoint_of(text)
    assert str(error.value) == (
        f"endpoints: cannot use {text!r}: it is no address of an etcd. Write host:port or https://host:port."
    )


@pytest.mark.parametrize("text", ["https://me:s3cret@192.0.2.1:2379", "me:s3cret@192.0.2.1:2379", "s3cret@:x"])
def test_a_password_in_an_address_is_not_repeated(text: str) -> None:
    with pytest.raises(Failed, match="one with a user in it") as error:
        endpoint_of(text)
    assert "s3cret" not in str(error.value)


# Answers


def read_request(client: socket.socket) -> None:
    """The whole of it: who closes a connection with something unread in it breaks it."""
    text = b""
    while b"\r\n\r\n{}" not in text and (more := client.recv(65536)):
        text += more


@contextmanager
def serving(*answers: bytes | None) -> Iterator[Endpoint]:
    """A server that reads a request, says these bytes and hangs up, once each; None is silence."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                client = server.accept()[0]
                held.append(client)
                read_request(client)
                if answer is not None:
                    client.sendall(answer)
                    client.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Endpoint("http", "127.0.0.1", server.getsockname()[1])
        thread.join(5)
        for client in held:
            client.close()


def said(status: int, body: Any, cut: int = 0) -> bytes:
    text = body if isinstance(body, str) else json.dumps(body)
    whole = f"HTTP/1.1 {status} x\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
    return whole[: len(whole) - cut]


WELL = {"header": {"cluster_id": "7", "revision": "12"}}
NO_ETCD = "what answers is no etcd"
HUNG_UP = "it hung up without an answer"
# Name → what a server says to a request, what that means for a write, and the words for it.
ANSWERS: dict[str, tuple[bytes | None, str, str]] = {
    "silence": (None, UNKNOWN, "no answer within 0.3 s"),
    "it hangs up": (b"", UNKNOWN, HUNG_UP),
    "it hangs up in the head": (b"HTTP/1.1 200 OK\r\n", UNKNOWN, NO_ETCD),
    "it hangs up in the body": (said(200, WELL, cut=5), UNKNOWN, NO_ETCD),
    "no HTTP": (b"hello\r\n\r\n", UNKNOWN, "what answers speaks no HTTP"),
    "200 and no JSON": (said(200, "<html>"), UNKNOWN, NO_ETCD),
    "200 and a list": (said(200, [1]), UNKNOWN, NO_ETCD),
    "200 and no header": (said(200, {}), UNKNOWN, NO_ETCD),
    "200 and a strange header": (said(200, {"header": "x"}), UNKNOWN, NO_ETCD),
    "200 and no revision": (said(200, {"header": {"cluster_id": "7"}}), UNKNOWN, NO_ETCD),
    "200 and no number as revision": (said(200, {"header": {"revision": "x"}}), UNKNOWN, NO_ETCD),
    "an error with a revision": (said(503, {**WELL, "message": "m"}), UNKNOWN, "m (HTTP 503)"),
    "another success": (said(202, WELL), UNKNOWN, "no reason given (HTTP 202)"),
    "another place": (said(307, {}), UNKNOWN, "no reason given (HTTP 307)"),
    "a bad request": (said(400, {"message": "no key"}), REFUSED, "no key (HTTP 400)"),
    "an older word for the reason": (said(400, {"error": "no key"}), REFUSED, "no key (HTTP 400)"),
    "not allowed": (said(403, {"message": "no"}), REFUSED, "no (HTTP 403)"),
    "not found": (said(404, "Not Found"), REFUSED, "Not Found (HTTP 404)"),
    "the wrong scheme": (said(400, "Client sent HTTP to HTTPS.\n\n"), REFUSED, "Client sent HTTP to HTTPS. (HTTP 400)"),
    "a long story": (said(400, "x" * 500), REFUSED, f"{'x' * 100} (HTTP 400)"),
    "no space": (said(429, {"message": "space"}), REFUSED, "space (HTTP 429)"),
    # It stands for a request that was given up half way.
    "given up": (said(408, {"message": "canceled"}), UNKNOWN, "canceled (HTTP 408)"),
    "given up, newer": (said(499, {"message": "canceled"}), UNKNOWN, "canceled (HTTP 499)"),
    "a defect": (said(500, {"message": "oh"}), UNKNOWN, "oh (HTTP 500)"),
    "a proxy without a server": (said(502, "<html>"), UNKNOWN, "no reason given (HTTP 502)"),
    "no quorum": (said(503, {"message": "request timed out"}), UNKNOWN, "request timed out (HTTP 503)"),
    "no time left": (said(504, {"message": "deadline"}), UNKNOWN, "deadline (HTTP 504)"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_an_answer_means_for_a_write(name: str) -> None:
    answer, outcome, words = ANSWERS[name]
    with serving(answer) as endpoint:
        gateway = Gateway([endpoint], 0.3 if answer is None else 30)
        with pytest.raises(Unanswered) as error:
            gateway.ask(endpoint, "/v3/kv/put", {})
    assert (error.value.outcome, str(error.value)) == (outcome, words)
    assert gateway.clusters == set()


def free_endpoint() -> Endpoint:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return Endpoint("http", "127.0.0.1", server.getsockname()[1])


# Name → where nobody is, and the words for it: whatever it is, nothing was sent.
NOBODY = {
    "nobody listens": (free_endpoint(), "Connection refused"),
    "no such name": (Endpoint("http", "none-such.invalid", 2379), ""),
    "no TLS": (Endpoint("https", "127.0.0.1", free_endpoint().port), "Connection refused"),
}


@pytest.mark.parametrize("name", NOBODY)
def test_who_is_not_reached_has_written_nothing(name: str) -> None:
    endpoint, words = NOBODY[name]
    with pytest.raises(Unanswered) as error:
        Gateway([endpoint], 2).ask(endpoint, "/v3/kv/put", {})
    assert error.value.outcome == REFUSED
    assert words in str(error.value)


def test_an_answer_is_a_200_with_a_revision() -> None:
    with serving(said(200, WELL)) as endpoint:
        gateway = Gateway([endpoint], 20)
        assert gateway.ask(endpoint, "/v3/kv/put", {}) == WELL
    assert gateway.clusters == {"7"}


# Whom to ask


def test_who_answered_last_is_asked_first_and_the_round_goes_on_from_there() -> None:
    silent = free_endpoint()
    words = said(200, WELL), said(503, {})
    with serving(*words, said(200, WELL)) as good, serving(*words) as other:
        gateway = Gateway([silent, good, other], 20)
        assert gateway.ways() == [silent, good, other]
        assert gateway.ask_any("/v3/kv/range", {}) == WELL
        assert gateway.ways() == [good, other, silent]
        assert gateway.ask_any("/v3/kv/range", {}) == WELL
        assert gateway.ways() == [other, silent, good]
        assert gateway.ask_any("/v3/kv/range", {}) == WELL  # by the good one: the other has nothing more to say
        assert gateway.ways() == [good, other, silent]


def test_where_nobody_answers_everybody_s_reason_is_told() -> None:
    silent = free_endpoint()
    with serving(said(503, {"message": "no leader"})) as endpoint, pytest.raises(Unanswered) as error:
        Gateway([endpoint, silent], 20).ask_any("/v3/kv/range", {})
    assert str(error.value) == f"{endpoint}: no leader (HTTP 503); {silent}: Connection refused"


def test_who_insists_asks_until_somebody_answers_or_the_time_is_over() -> None:
    with serving(said(503, {}), said(503, {}), said(200, WELL)) as endpoint:
        assert Gateway([endpoint], 20).insist("/v3/kv/range", {}, time.monotonic() + 60) == WELL
    with serving(said(503, {}), said(503, {})) as endpoint, pytest.raises(Unanswered):
        Gateway([endpoint], 2).insist("/v3/kv/range", {}, time.monotonic() + 0.3)
    with serving(said(200, WELL)) as endpoint:
        assert Gateway([endpoint], 20).insist("/v3/kv/range", {}, time.monotonic() - 1) == WELL


# TLS


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an authority, a server's certificate for 127.0.0.1 and a client's."""
    monkeypatch.setattr("lab.settings.STATE_ROOT", tmp_path)
    node = Lab("x").nodes[0]
    pki.create(node)
    return node.folder / "pki"


@contextmanager
def serving_tls(keys: Path, name: str, asks: bool = False) -> Iterator[Endpoint]:
    """A server of TLS that answers one request, if it gets so far."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / f"{name}.crt", keys / f"{name}.key")
    if asks:
        context.load_verify_locations(keys / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                with context.wrap_socket(server.accept()[0], server_side=True) as client:
                    read_request(client)
                    client.sendall(said(200, WELL))
            except OSError:
                pass  # the client did not like it, or the other way round

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Endpoint("https", "127.0.0.1", server.getsockname()[1])
        thread.join(5)


def test_tls_with_an_authority_and_a_certificate_of_ones_own(keys: Path) -> None:
    ca, cert, key = (str(keys / name) for name in ("ca.crt", "admin.crt", "admin.key"))
    with serving_tls(keys, "apiserver", asks=True) as endpoint:
        assert Gateway([endpoint], 20, trust(ca, cert, key)).ask(endpoint, "/v3/kv/put", {}) == WELL
    both = keys / "both.pem"
    both.write_text(Path(cert).read_text() + Path(key).read_text())
    with serving_tls(keys, "apiserver", asks=True) as endpoint:
        assert Gateway([endpoint], 20, trust(ca, str(both), None)).ask(endpoint, "/v3/kv/put", {}) == WELL


@pytest.mark.parametrize(
    ("server", "authority", "words"),
    [("apiserver", None, "unable to get local issuer"), ("admin", "ca.crt", "IP address mismatch")],
)
def test_a_server_that_is_not_trusted_is_sent_nothing(
    keys: Path, server: str, authority: str | None, words: str
) -> None:
    trusted = trust(str(keys / authority) if authority else None, None, None)
    with serving_tls(keys, server) as endpoint, pytest.raises(Unanswered, match=words) as error:
        Gateway([endpoint], 20, trusted).ask(endpoint, "/v3/kv/put", {})
    assert error.value.outcome == REFUSED
    assert str(error.value).startswith("its certificate is not trusted: ")


def test_files_of_keys_that_are_of_no_use(keys: Path) -> None:
    ca, cert, key, other = (str(keys / name) for name in ("ca.crt", "admin.crt", "admin.key", "ca.key"))
    locked, none = str(keys / "locked.key"), str(keys / "none")
    encrypted = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    Path(locked).write_bytes(encrypted)
    # Arguments of trust, and the words.
    for arguments, words in [
        ((none, None, None), f"ca_cert: cannot read {none}: No such file or directory. "),
        ((key, None, None), f"ca_cert: cannot read {key}: TLS: "),
        ((ca, none, key), f"client_cert: cannot use {none} with {key}: No such file or directory. "),
        ((ca, cert, other), f"client_cert: cannot use {cert} with {other}: TLS: key values mismatch. "),
        ((ca, cert, None), f"client_cert: cannot use {cert} with its own key: TLS: "),
        ((ca, cert, locked), f"client_cert: cannot use {cert} with {locked}: "),
    ]:
        with pytest.raises(Failed) as error:
            trust(*arguments)
        assert str(error.value).startswith(words)
