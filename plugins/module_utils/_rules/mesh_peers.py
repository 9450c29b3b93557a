# Private to this collection.
"""What a cluster's list of peers shall hold while some are cut off: nothing of theirs is lost. Pure.

Cilium keeps the list as Secrets with an entry for each peer, under its name, and files of it under ``name.what``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

Entries = Mapping[str, str]


def cut(
    there: Entries, kept: Entries, gone: Collection[str], members: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """What the list shall hold, and what shall be kept for later, from what it holds and what is kept.

    An entry that is there again is newer than the one that was kept. One of a peer that is no member any more is not
    put back.
    """
    known = {**{key: value for key, value in kept.items() if _belongs(key, members)}, **there}
    away = {key: value for key, value in known.items() if _belongs(key, gone)}
    return {key: value for key, value in known.items() if key not in away}, away


def _belongs(key: str, peers: Collection[str]) -> bool:
    return key in peers or any(key.startswith(f"{peer}.etcd-client") for peer in peers)
