"""Filter that gives the rules of the operator's identity on a data plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.kubeblocks.multicluster.plugins.module_utils import _access
from ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules.versions import is_release, line_of


def operator_rules(version: str) -> list[dict[str, Any]]:
    """Rules of the ClusterRole for a version of KubeBlocks; AnsibleFilterError where the table is not known."""
    if line_of(version) != (1, 0) or not is_release(version):
        raise AnsibleFilterError(
            f"the rights that KubeBlocks {version} needs on a data plane are not known to this collection: "
            "set kubeblocks_version to a release of the 1.0 line, or supply the identity yourself "
            "with data_plane_manage_access: false"
        )
    return _access.operator_rules()


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"operator_rules": operator_rules}
