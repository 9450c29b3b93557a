"""Findings as the tests compare them."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.findings import Finding

Short = list[tuple[str, str, str]]  # id, context, severity


def short(found: Iterable[Finding]) -> Short:
    """Findings without their words."""
    return [(finding.id, finding.context, finding.severity) for finding in found]
