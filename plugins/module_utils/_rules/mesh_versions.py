# Private to this collection.
"""What differs between the minors of Cilium that can be joined, as far as the values of its chart are concerned. Pure.

Source: the charts 1.17.18, 1.18.12, 1.19.6 and 1.20.0, rendered.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.versions import line_of


@dataclass(frozen=True)
class Minor:
    """``cache_ttl``: whether backends of a silent cluster can be forgotten after a time. ``leaf_days``: how long
    certgen's certificates live. ``makes_secrets``: whether the chart renders Secrets of its own from values unless it
    is told not to. ``job_is_hook``: whether certgen runs after all is up, so that Helm must not wait for it.
    ``shares_node_port``: whether clusters may have one NodePort where kube-proxy is replaced."""

    cache_ttl: bool
    leaf_days: int
    makes_secrets: bool
    job_is_hook: bool
    shares_node_port: bool


MINORS = {
    (1, 17): Minor(cache_ttl=False, leaf_days=1095, makes_secrets=True, job_is_hook=True, shares_node_port=False),
    (1, 18): Minor(cache_ttl=False, leaf_days=1095, makes_secrets=True, job_is_hook=True, shares_node_port=False),
    (1, 19): Minor(cache_ttl=True, leaf_days=1095, makes_secrets=True, job_is_hook=False, shares_node_port=True),
    (1, 20): Minor(cache_ttl=True, leaf_days=365, makes_secrets=False, job_is_hook=False, shares_node_port=True),
}

DEFAULT_VERSION = "1.19.6"


def minor_of(version: str) -> tuple[int, int]:
    """Major and minor number of a release, as MINORS has them."""
    return line_of(version)
