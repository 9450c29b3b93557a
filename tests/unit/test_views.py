"""What members' Pods say, read and put together."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.services import Database
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.views import (
    members_of,
    seen_from_member,
    view_of,
)

FIVE = Database("etcd", "one", "etcd", ("k8s-1", "k8s-2", "k8s-3"), 5)
TEXT = """\
member 8e9e05c52164694d one-etcd-0 false http://192.0.2.0:2380
member 91bc3c398fb3c146 one-etcd-1 false http://192.0.2.1:2380
member fd422379fda50e48 one-etcd-9 true http://192.0.2.9:2380
api control yes
api k8s-2 no
peer one-etcd-1 no
peer one-etcd-9 yes
read yes
etcd_network_active_peers{Local="8e9e05c52164694d",Remote="91bc3c398fb3c146"} 1
etcd_network_active_peers{Local="8e9e05c52164694d",Remote="0000000000000001"} 1
noise that nobody asked for
api
"""


def test_the_lines_of_the_script() -> None:
    assert view_of(TEXT) == {
        "api": {"control": True, "k8s-2": False},
        "peers": {"one-etcd-1": False, "one-etcd-9": True},
        "active": {"one-etcd-1": True},
        "reads": True,
        "voters": ["one-etcd-0", "one-etcd-1"],
        "learners": ["one-etcd-9"],
        "listed": {
            "one-etcd-0": {"id": "8e9e05c52164694d", "peer_url": "http://192.0.2.0:2380"},
            "one-etcd-1": {"id": "91bc3c398fb3c146", "peer_url": "http://192.0.2.1:2380"},
            "one-etcd-9": {"id": "fd422379fda50e48", "peer_url": "http://192.0.2.9:2380"},
        },
    }
    nothing: dict[str, Any] = {"api": {}, "peers": {}, "active": {}, "reads": False, "voters": [], "learners": []}
    nothing["listed"] = {}
    assert view_of("") == nothing
    assert view_of("read no\n") == nothing


# Members that one sees, whether it reads through a quorum; what that says of the members in k8s-1, k8s-2 and k8s-3.
SEEN: dict[str, tuple[dict[str, bool], bool, list[bool | None]]] = {
    "all": ({"one-etcd-0": True, "one-etcd-1": True, "one-etcd-2": True}, True, [True, True, True]),
    "one of two in a cluster": ({"one-etcd-1": False, "one-etcd-4": True}, True, [None, True, None]),
    "the last of two in a cluster is silent": ({"one-etcd-1": True, "one-etcd-4": False}, False, [None, True, None]),
    "one is gone": ({"one-etcd-0": True, "one-etcd-1": False}, True, [True, False, None]),
    "the only other one is gone": ({"one-etcd-1": False}, True, [None, False, None]),
    "cut off from all": ({"one-etcd-0": False, "one-etcd-1": False}, False, [None, None, None]),
    "a stranger": ({"stray": True}, True, [None, None, None]),
    "no quorum, but somebody": ({"one-etcd-0": True, "one-etcd-1": False}, False, [True, False, None]),
}


@pytest.mark.parametrize("name", SEEN)
def test_what_one_member_says_of_the_others(name: str) -> None:
    peers, reads, expected = SEEN[name]
    view = {"api": {"k8s-2": True}, "peers": peers, "active": dict.fromkeys(peers, True), "reads": reads}
    found = seen_from_member(view, FIVE)
    assert [found.get(context, {}).get("data") for context in FIVE.placement] == expected
    assert found["k8s-2"]["api"] is True
    assert set(found) <= set(FIVE.placement)


def test_who_was_added_and_never_started_counts_as_a_voter() -> None:
    text = TEXT + "member 1122334455667788 unstarted-1122334455667788 false http://192.0.2.7:2380\n"
    found = members_of({"one-etcd-0": view_of(text)}, FIVE)
    unstarted = [member for member in found if member["name"].startswith("unstarted")]
    assert [(one["voter"], one["healthy"], one["domain"]) for one in unstarted] == [(True, False, "")]


def view(*voters: str, reads: bool = True) -> dict[str, Any]:
    listed = {name: {"id": name[-1], "peer_url": f"http://{name}:2380"} for name in (*voters, "one-etcd-2")}
    return {"voters": list(voters), "learners": ["one-etcd-2"], "reads": reads, "listed": listed}


def test_the_members_come_from_the_newest_list_and_are_healthy_only_by_their_own_word() -> None:
    views = {
        "one-etcd-0": view("one-etcd-0", reads=False),
        "one-etcd-1": view("one-etcd-0", "one-etcd-1", "one-etcd-9"),
    }
    found = {
        member["name"]: (member["domain"], member["voter"], member["healthy"]) for member in members_of(views, FIVE)
    }
    assert found == {
        "one-etcd-0": ("k8s-1", True, False),
        "one-etcd-1": ("k8s-2", True, True),
        "one-etcd-9": ("", True, False),
        "one-etcd-2": ("k8s-3", False, False),
    }
    assert members_of(views, FIVE)[0]["peer_url"] == "http://one-etcd-0:2380"
    assert members_of({}, FIVE) == []
