"""Lists of peers while some are cut off: nothing of anybody's is lost, and nothing comes back that nobody asked for."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.mesh_peers import cut

MEMBERS = ("one", "two", "two-b")
WHOLE = {"one": "1", "two": "2", "two-b": "b", "two.etcd-client.key": "k"}
Case = tuple[dict[str, str], dict[str, str], tuple[str, ...], dict[str, str], dict[str, str]]
# What is there, what is kept, who is gone → what shall be there, what shall be kept.
CASES: list[Case] = [
    (WHOLE, {}, (), WHOLE, {}),
    (WHOLE, {}, ("one",), {"two": "2", "two-b": "b", "two.etcd-client.key": "k"}, {"one": "1"}),
    # Its files leave with it, and no other one's whose name begins with its own.
    (WHOLE, {}, ("two",), {"one": "1", "two-b": "b"}, {"two": "2", "two.etcd-client.key": "k"}),
    # It is back.
    ({"two": "2"}, {"one": "1"}, (), {"two": "2", "one": "1"}, {}),
    # Killed after it was kept and before it left.
    ({"one": "1"}, {"one": "1"}, ("one",), {}, {"one": "1"}),
    # Helm put a newer one there meanwhile.
    ({"one": "new"}, {"one": "1"}, (), {"one": "new"}, {}),
    ({"one": "new"}, {"one": "1"}, ("one",), {}, {"one": "new"}),
    # One more dies while another is cut off already.
    ({"two": "2"}, {"one": "1"}, ("one", "two"), {}, {"one": "1", "two": "2"}),
    # Nobody's any more.
    ({"one": "1"}, {"left": "x"}, (), {"one": "1"}, {}),
    ({"one": "1"}, {"left": "x"}, ("left",), {"one": "1"}, {}),
    # A peer that the inventory does not know is none of our business.
    ({"other": "x"}, {}, ("one",), {"other": "x"}, {}),
]


@pytest.mark.parametrize("case", CASES)
def test_what_is_there_and_what_is_kept(case: Case) -> None:
    there, kept, gone, expected, away = case
    assert cut(there, kept, gone, MEMBERS) == (expected, away)


def test_cutting_and_joining_again_ends_where_it_began() -> None:
    for size in range(len(MEMBERS) + 1):
        for gone in itertools.combinations(MEMBERS, size):
            there, kept = cut(WHOLE, {}, gone, MEMBERS)
            assert cut(there, kept, gone, MEMBERS) == (there, kept), "a second run changes nothing"
            assert cut(WHOLE, kept, gone, MEMBERS) == (there, kept), "killed before the list was written"
            assert there | kept == WHOLE and not there.keys() & kept.keys()
            assert cut(there, kept, (), MEMBERS) == (WHOLE, {})
