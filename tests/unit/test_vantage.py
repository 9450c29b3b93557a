"""What is seen from inside the clusters: the rules, and how the Pods' words are read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._connect import times_of
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, INFO, WARN, Finding
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.vantage import (
    needed,
    of_problem,
    of_reach,
    of_round_trips,
    of_vantages,
)
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._vantage import (
    _host_and_port,
    reached_of,
)
from told import Short, short

A, B, C = "k8s-1", "k8s-2", "k8s-3"
WAYS = {A: {"server": "https://10.0.0.1:6443", "ca": ""}, B: {"server": "https://10.0.0.2:6443", "ca": ""}}
PLANES = "data planes"


def trips(*tries: float, silent: bool = False) -> Callable[[], list[Finding]]:
    """A quick pair and one with these milliseconds, and perhaps a third that does not answer."""
    return lambda: of_round_trips({(A, B): [1.0, 1.0], (B, A): tries} | ({(A, C): []} if silent else {}))


# Name → the rule asked, what it finds.
CASES: dict[str, tuple[Callable[[], list[Finding]], Short]] = {
    "reach: all is well": (lambda: of_reach({A: "", B: ""}, WAYS), []),
    "reach: one is not": (lambda: of_reach({A: "", B: "i/o timeout"}, WAYS), [("reach.control_plane", B, FAIL)]),
    "problem: none": (lambda: of_problem(A, None), []),
    "problem: no image": (
        lambda: of_problem(A, {"kind": "image", "image": "x", "message": "?"}),
        [("image.cannot_pull", A, FAIL)],
    ),
    "problem: no Pod": (
        lambda: of_problem(A, {"kind": "silent", "image": "x", "message": "it is Pending"}),
        [("vantage.silent", A, WARN)],
    ),
    "trips: nobody asked": (lambda: of_round_trips({}), []),
    "trips: near": (trips(2.0), [("round_trip.seen", PLANES, INFO)]),
    "trips: one pair is silent": (
        trips(2.0, silent=True),
        [("round_trip.unknown", PLANES, INFO), ("round_trip.seen", PLANES, INFO)],
    ),
    "trips: just a heartbeat": (trips(100.0), [("round_trip.seen", PLANES, INFO)]),
    "trips: more than a heartbeat": (trips(101.0), [("round_trip.slow", PLANES, WARN)]),
    "trips: one try in five is slow": (trips(1.0, 1.0, 1.0, 1.0, 300.0), [("round_trip.seen", PLANES, INFO)]),
    "trips: most tries are slow": (trips(1.0, 150.0, 150.0), [("round_trip.slow", PLANES, WARN)]),
    "trips: one pair is slow": (trips(150.0, 150.0), [("round_trip.slow", PLANES, WARN)]),
    "trips: half an election": (trips(500.0), [("round_trip.slow", PLANES, FAIL)]),
    "all together": (
        lambda: of_vantages(
            {"control": {"context": "control"}, "one": {"context": A}, "two": {"context": B}},
            {
                "control": {"asked": "probe", "reached": {A: "", B: "refused"}},
                "one": {"asked": "member", "round_trips": {B: [1.0]}},
                "two": {"asked": "not_asked", "why": "rights are missing", "denied": ["create jobs.batch"]},
            },
            WAYS,
        ),
        [("reach.control_plane", B, FAIL), ("access.missing", "two", FAIL), ("round_trip.seen", PLANES, INFO)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_found(name: str) -> None:
    rule, expected = CASES[name]
    assert short(rule()) == expected


def test_what_a_finding_says() -> None:
    (reach,) = of_reach({B: "dial tcp 10.0.0.2:6443: i/o timeout"}, WAYS)
    assert reach.seen == (
        "a Pod of the control plane does not reach https://10.0.0.2:6443: dial tcp 10.0.0.2:6443: i/o timeout"
    )
    (slow,) = trips(148.0, 151.0, 153.0)()
    assert slow.seen == "the slowest round trip is 151.0 ms, from k8s-2 to k8s-1 (longest seen: 153.0 ms)"
    assert "a heartbeat of 160 ms and an election time-out of 1600 ms" in slow.cure


# Name → mode, kubeconfig wanted, kubeconfig held, whether to ask.
MODES = {
    "always": ("always", "a", "a", True),
    "never": ("never", "a", "b", False),
    "the same": ("when_changed", "a", "a", False),
    "another": ("when_changed", "a", "b", True),
    "none yet": ("when_changed", "a", "", True),
}


@pytest.mark.parametrize("name", MODES)
def test_when_to_ask_from_inside(name: str) -> None:
    mode, wanted, held, expected = MODES[name]
    assert needed(mode, wanted, held) is expected


def test_how_the_control_planes_pod_is_read() -> None:
    text = "\n".join(
        [
            "k8s-1 0 ",
            "k8s-2 1 error: You must be logged in to the server (Unauthorized) ",
            "k8s-3 1 Unable to connect to the server: dial tcp: i/o timeout ",
            "k8s-4 1 ",
        ]
    )
    assert reached_of(text, ["k8s-1", "k8s-2", "k8s-3", "k8s-4", "k8s-5"]) == {
        "k8s-1": "",
        "k8s-2": "",
        "k8s-3": "Unable to connect to the server: dial tcp: i/o timeout",
        "k8s-4": "kubectl ended with 1",
        "k8s-5": "nothing was said of it",
    }


def test_how_the_data_planes_pods_are_read() -> None:
    text = "k8s-1 1500 900\nk8s-2\nnoise that nobody asked for\n"
    assert times_of(text, ["k8s-1", "k8s-2", "k8s-3"]) == {"k8s-1": [1.5, 0.9], "k8s-2": [], "k8s-3": []}


def test_where_a_server_is() -> None:
    assert _host_and_port("https://[fd00::1]:6443/") == ("fd00::1", "6443")
    assert _host_and_port("https://api.example.net") == ("api.example.net", "443")
