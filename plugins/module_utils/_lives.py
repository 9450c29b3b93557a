# Private to this collection.
"""How long certificates and tokens have left, in seconds. Nothing of them leaves but these numbers."""

from __future__ import annotations

import datetime
import time
from contextlib import suppress
from typing import Any

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._credentials import claims_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Client

with suppress(ImportError):  # ansible-core brings it; on another host the lives of certificates stay unknown
    from cryptography import x509


def of_client(client: Client) -> dict[str, Any]:
    """``authority_left`` and ``credential_left``: seconds, None where they cannot be known."""
    token = of_token(client.bearer)
    return {
        "authority_left": of_certificates(client.certificate_authority),
        "credential_left": token["left"] if token else of_certificates(client.client_certificate),
    }


def of_certificates(pem: bytes) -> float | None:
    """Seconds until the first of these certificates ends."""
    try:
        ends = [certificate.not_valid_after_utc for certificate in x509.load_pem_x509_certificates(pem)]
    except (NameError, AttributeError, ValueError):
        return None
    now = datetime.datetime.now(datetime.UTC)
    return min(((end - now).total_seconds() for end in ends), default=None)


def of_token(token: str) -> dict[str, float] | None:
    """``left`` and ``life`` of a token that says when it ends, in seconds."""
    claims = claims_of(token)
    if not claims.get("exp"):
        return None
    return {"left": claims["exp"] - time.time(), "life": claims["exp"] - claims.get("iat", 0)}
