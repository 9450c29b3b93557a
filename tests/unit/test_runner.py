"""The one exit of both bodies: what a task returns, and what never leaves it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.client import Access
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._kube.errors import ContextError, Failed
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import (
    Call,
    access,
    default_kubeconfig,
    outcome,
)

HIDDEN = "*** hidden ***"
# Made here, so that no scanner takes them for real ones.
BEARER = ".".join(["eyJ" + "hbGciOiJSUzI1" * 2, "eyJ" + "pc3MiOiJrdWJl" * 3, "c2lnbmF0-dXJl_w" * 2])


def pem(kind: str) -> str:
    body = "\n".join([base64.b64encode(bytes(range(48))).decode()] * 3)
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----"


KEYS = {kind: pem(kind) for kind in ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY")}
# Name → what a run returned, what leaves it.
SCRUBBED: dict[str, tuple[Any, Any]] = {
    "a token": (BEARER, HIDDEN),
    "a token in a sentence": (
        f"Authorization: Bearer {BEARER}, said k8s-1",
        f"Authorization: Bearer {HIDDEN}, said k8s-1",
    ),
    "two tokens": (f"{BEARER} {BEARER}", f"{HIDDEN} {HIDDEN}"),
    "a token in a list": ([1, BEARER], [1, HIDDEN]),
    "a token in a tuple": ((BEARER,), [HIDDEN]),
    "a token deep down": ({"a": [{"b": {"c": BEARER}}]}, {"a": [{"b": {"c": HIDDEN}}]}),
    **{f"a key ({kind})": (f"a {text} b", f"a {HIDDEN} b") for kind, text in KEYS.items()},
    "two keys and what stands between": (
        f"{pem('PRIVATE KEY')}\nkept\n{pem('RSA PRIVATE KEY')}",
        f"{HIDDEN}\nkept\n{HIDDEN}",
    ),
    "a certificate is no secret": (pem("CERTIFICATE"), pem("CERTIFICATE")),
    "a public key is no secret": (pem("PUBLIC KEY"), pem("PUBLIC KEY")),
    "words": ("k8s-1.eyJ.example.org", "k8s-1.eyJ.example.org"),
    "other things": ({"a": 1, "b": None, "c": True, "d": 2.5}, {"a": 1, "b": None, "c": True, "d": 2.5}),
}


def returning(**result: Any) -> Callable[[Call], dict[str, Any]]:
    return lambda _call: result


def raising(problem: Exception) -> Callable[[Call], dict[str, Any]]:
    def run(_call: Call) -> dict[str, Any]:
        raise problem

    return run


def test_a_result_says_whether_it_changed() -> None:
    assert outcome(returning(a=1), Call({})) == {"changed": False, "a": 1}
    assert outcome(returning(changed=True), Call({})) == {"changed": True}


def test_a_difference_is_returned_only_if_it_was_asked_for() -> None:
    run = returning(diff={"before": "", "after": "x"})
    assert outcome(run, Call({}, diff=True))["diff"] == {"before": "", "after": "x"}
    assert "diff" not in outcome(run, Call({}))


def test_a_failure_keeps_what_was_found_so_far() -> None:
    found = outcome(raising(Failed("no: see there", table=["a"], changed=True)), Call({}))
    assert found == {"changed": True, "failed": True, "msg": "no: see there", "table": ["a"]}
    assert outcome(raising(Failed("no")), Call({})) == {"changed": False, "failed": True, "msg": "no"}
    assert outcome(raising(Failed("no", failed=False, msg="yes")), Call({}))["failed"] is True


def test_a_contexts_error_is_a_failure_with_its_sentence() -> None:
    problem = ContextError("k8s-1", "get", "nodes", "forbidden", status=403, hint="Grant it.")
    assert outcome(raising(problem), Call({})) == {
        "changed": False,
        "failed": True,
        "msg": "k8s-1: cannot get nodes: forbidden (HTTP 403). Grant it.",
    }


def test_a_defect_of_ours_is_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError):
        outcome(raising(ZeroDivisionError()), Call({}))


def test_warnings_come_once_and_with_a_failure_too() -> None:
    def run(call: Call) -> dict[str, Any]:
        for text in ("one", "two", "one"):
            call.warn(text)
        if call.params["fail"]:
            raise Failed("no")
        return {}

    for fail in (False, True):
        assert outcome(run, Call({"fail": fail}))["warnings"] == ["one", "two"]
    assert "warnings" not in outcome(returning(), Call({}))


@pytest.mark.parametrize("name", SCRUBBED)
def test_secrets_do_not_leave(name: str) -> None:
    given, expected = SCRUBBED[name]
    assert outcome(returning(value=given), Call({}))["value"] == expected


def test_secrets_do_not_leave_by_a_failure_or_a_warning() -> None:
    assert outcome(raising(Failed(f"no {BEARER}", body=BEARER)), Call({})) == {
        "changed": False,
        "failed": True,
        "msg": f"no {HIDDEN}",
        "body": HIDDEN,
    }
    problem = ContextError("k8s-1", "get", "nodes", f"bad {KEYS['PRIVATE KEY']}")
    assert outcome(raising(problem), Call({}))["msg"] == f"k8s-1: cannot get nodes: bad {HIDDEN}."

    def run(call: Call) -> dict[str, Any]:
        call.warn(BEARER)
        return {}

    assert outcome(run, Call({}))["warnings"] == [HIDDEN]


def test_a_key_as_a_kubeconfig_holds_it_does_not_leave_either() -> None:
    for text in KEYS.values():
        packed = base64.b64encode(text.encode()).decode()
        left = outcome(returning(value=f"client-key-data: {packed}\nserver: x"), Call({}))["value"]
        assert packed not in left
        assert left.startswith("client-key-data: ")
        assert left.endswith("\nserver: x")


def test_how_a_context_is_reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert default_kubeconfig() == str(tmp_path / ".kube" / "config")
    assert access({"context": "a", "kubeconfig": None}, 2) == Access("a", str(tmp_path / ".kube" / "config"), 2)
    monkeypatch.setenv("KUBECONFIG", "/one:/two")
    assert access({"context": "a"}, 3) == Access("a", "/one:/two", 3)
    assert access({"context": "a", "kubeconfig": "/three"}, 3) == Access("a", "/three", 3)


def test_a_table_for_the_eye_holds_no_secret() -> None:
    shown: list[str] = []
    Call({}, say=shown.append).show(["helm: http://user:s3cretpw@charts.example.net is no repository", "a plain row"])
    assert shown[0] == "helm: http://*** hidden ***@charts.example.net is no repository"
    assert shown[1] == "a plain row"
