# Private to this collection.
"""Time: clocks that differ, certificates and tokens that end. Pure: seconds come in, nobody asks a clock."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import FAIL, INFO, WARN, Finding

DAY = 86400
# The Date header counts whole seconds and a request takes its time: less than this may be no difference at all.
_SKEW_SEEN = 5.0
_SKEW_BROKEN = 60.0
_CA_DAYS, _CREDENTIAL_DAYS = 30, 3


def of_clocks(offsets: Mapping[str, float]) -> list[Finding]:
    """``offsets``: name → seconds that the cluster's clock is ahead of this host's. Each is held against the middle."""
    if not offsets:
        return []
    middle = sorted(offsets.values())[len(offsets) // 2]
    return [
        Finding(
            "clock.skew",
            name,
            FAIL if abs(offset - middle) > _SKEW_BROKEN else WARN,
            f"its clock is {abs(offset - middle):.0f} s {'ahead of' if offset > middle else 'behind'} the others",
            "tokens and certificates are taken for not yet or no longer valid, and leases of etcd end at other moments",
            "Let all nodes keep time by NTP",
        )
        for name, offset in offsets.items()
        if abs(offset - middle) > _SKEW_SEEN
    ]


def of_authorities(left: Mapping[str, float]) -> list[Finding]:
    """``left``: name → seconds until the CA of the API server ends."""
    return [
        Finding(
            "certificate.authority",
            name,
            FAIL if seconds <= 0 else WARN,
            f"the CA certificate {_ends(seconds)}",
            "no client trusts the API server after that, the operator among them",
            "Renew the cluster's CA, then run site, which hands the new one to the operator",
        )
        for name, seconds in left.items()
        if seconds < _CA_DAYS * DAY
    ]


def of_credentials(left: Mapping[str, float]) -> list[Finding]:
    """``left``: name → seconds until the credential in the user's kubeconfig ends."""
    return [
        Finding(
            "credential.ends",
            name,
            WARN,
            f"the credential in the kubeconfig {_ends(seconds)}",
            "on the day a cluster dies nobody wants to look for a valid one",
            "Renew it in the kubeconfig",
        )
        for name, seconds in left.items()
        if seconds < _CREDENTIAL_DAYS * DAY
    ]


def of_operator_tokens(left: Mapping[str, float], life: Mapping[str, float]) -> list[Finding]:
    """``left`` and ``life``: context → seconds that the operator's token still has, and had when it was minted."""
    return [
        Finding(
            "token.ends",
            context,
            WARN if seconds <= 0 else INFO,
            f"the operator's token for this context {_ends(seconds)}",
            "the operator does not reach the cluster after that",
            "Run site, which mints a new one",
        )
        for context, seconds in left.items()
        if seconds * 3 < life[context]
    ]


def _ends(seconds: float) -> str:
    if seconds <= 0:
        return f"ended {-seconds / DAY:.1f} days ago"
    return f"ends in {seconds / DAY:.1f} days"
