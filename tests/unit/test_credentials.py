"""The operator's credentials: what a token says, when it is minted anew, the kubeconfig beside the tokens."""

from __future__ import annotations

import base64
import json
from fractions import Fraction
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._credentials import (
    claims_of,
    kubeconfig_of,
    needs_renewal,
    token_key,
)

YEAR = 365 * 24 * 3600
BEGIN = 1_700_000_000
UID = "5f0c"


def encoded(body: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip("=")


def minted(body: Any) -> str:
    """A token with this payload, as an API server would write it."""
    return f"{encoded({'alg': 'RS256'})}.{encoded(body)}.c2lnbmF0dXJl"


def claims(life: int = 3000, begin: int = BEGIN, uid: str = UID) -> dict[str, Any]:
    return {"iat": begin, "exp": begin + life, "kubernetes.io": {"serviceaccount": {"name": "x", "uid": uid}}}


NONE, OTHER = "there is none", "it belongs to a ServiceAccount that is gone"
GONE, SHORT = "it has run out", "less than a third of its life is left"

# Name → claims, seconds since it was minted, why it is minted anew.
RENEWALS: dict[str, tuple[dict[str, Any], float, str]] = {
    "no token": ({}, 0, NONE),
    "no expiry": ({key: value for key, value in claims().items() if key != "exp"}, 0, NONE),
    "expiry zero": ({**claims(), "exp": 0}, 0, NONE),
    "new": (claims(), 0, ""),
    "half of its life": (claims(), 1500, ""),
    "a second more than a third": (claims(), 1999, ""),
    "exactly a third": (claims(), 2000, ""),
    "a second less than a third": (claims(), 2001, SHORT),
    "a moment less than a third": (claims(), 2000.001, SHORT),
    "the last second": (claims(), 2999, SHORT),
    "run out at this moment": (claims(), 3000, GONE),
    "run out long ago": (claims(), 90000, GONE),
    "another account's": (claims(uid="other"), 0, OTHER),
    "another account's, run out": (claims(uid="other"), 3000, OTHER),
    "no account's": ({key: claims()[key] for key in ("iat", "exp")}, 0, OTHER),
    "begin unknown, so life unknown": ({key: value for key, value in claims().items() if key != "iat"}, 0, SHORT),
}

NO_TOKENS = ["", "x", "a.b", "a.b.c", "a.%%%.c", "....", f"a.{encoded('text')[:-3]}.c", "ä.ö.ü"]
NO_CLAIMS: list[Any] = [[], "text", 7, None]

SERVERS = {
    "k8s-2": {"server": "https://10.0.0.2:6443", "ca": "Q0E="},
    "k8s-1": {"server": "https://10.0.0.1:6443", "ca": "Q0Ex"},
}


@pytest.mark.parametrize("name", RENEWALS)
def test_when_a_token_is_minted_anew(name: str) -> None:
    given, age, expected = RENEWALS[name]
    assert needs_renewal(given, UID, BEGIN + age) == expected


@pytest.mark.parametrize("life", [600, 3600, 86400, YEAR])
def test_every_hundredth_of_a_life(life: int) -> None:
    for hundredth in range(-5, 120):
        now = BEGIN + Fraction(life * hundredth, 100)
        left = 1 - Fraction(hundredth, 100)
        expected = GONE if left <= 0 else SHORT if left < Fraction(1, 3) else ""
        assert needs_renewal(claims(life), UID, float(now)) == expected, hundredth


def test_a_token_says_what_was_put_into_it() -> None:
    for padding in range(4):  # every length modulo four, as base64 without padding has it
        body = claims() | {"filler": "x" * padding}
        assert claims_of(minted(body)) == body


def test_a_token_with_signs_of_the_other_alphabet() -> None:
    body = {"filler": "\u00ff\u00fe?>" * 9, "exp": 1}
    text = base64.urlsafe_b64encode(json.dumps(body, ensure_ascii=False).encode()).decode()
    assert "-" in text or "_" in text
    assert claims_of(f"a.{text}.b") == body


@pytest.mark.parametrize("text", NO_TOKENS)
def test_what_is_no_token_says_nothing(text: str) -> None:
    assert claims_of(text) == {}


def test_what_holds_no_claims_says_nothing() -> None:
    assert [claims_of(minted(body)) for body in NO_CLAIMS] == [{}] * len(NO_CLAIMS)


def test_a_token_that_is_none_is_minted() -> None:
    for text in NO_TOKENS:
        assert needs_renewal(claims_of(text), UID, BEGIN) == NONE


def test_the_kubeconfig_leads_each_context_to_its_own_cluster_and_token() -> None:
    found = json.loads(kubeconfig_of(SERVERS))
    clusters = {entry["name"]: entry["cluster"] for entry in found["clusters"]}
    users = {entry["name"]: entry["user"] for entry in found["users"]}
    assert [entry["name"] for entry in found["contexts"]] == ["k8s-2", "k8s-1"]
    for entry in found["contexts"]:
        name, leads = entry["name"], entry["context"]
        assert clusters[leads["cluster"]] == {
            "server": SERVERS[name]["server"],
            "certificate-authority-data": SERVERS[name]["ca"],
        }
        assert users[leads["user"]] == {"tokenFile": token_key(name)}
    assert len(clusters) == len(users) == len(SERVERS)


def test_the_kubeconfig_is_the_same_text_for_the_same_servers_and_no_other() -> None:
    """Its hash restarts the operator."""
    moved = SERVERS | {"k8s-1": {"server": "https://10.9.9.9:6443", "ca": "Q0Ex"}}
    assert kubeconfig_of(dict(SERVERS)) == kubeconfig_of(SERVERS)
    assert len({kubeconfig_of(SERVERS), kubeconfig_of(moved), kubeconfig_of({})}) == 3
    assert json.loads(kubeconfig_of({}))["contexts"] == []


def test_token_keys_are_valid_and_distinct() -> None:
    assert [token_key(name) for name in ("k8s-1", "k8s-11")] == ["token-k8s-1", "token-k8s-11"]
