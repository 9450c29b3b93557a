"""Filter that says whether a chart comes from the repository."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any


def chart_repository(repository: str, chart: str) -> str:
    """The repository's address for a chart that is a bare name in it; empty for a folder, an archive or an address."""
    return repository if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", chart) else ""


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"chart_repository": chart_repository}
