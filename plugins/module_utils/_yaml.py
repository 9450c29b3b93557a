# Private to this collection.
"""Documents of a YAML text, with the C parser where there is one: CRDs and rendered charts are large."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

with suppress(ImportError):  # the package kubernetes brings it, and the runner says so where that is missing
    import yaml


def documents(text: str) -> list[Any]:
    """Every document that is not empty. Raises ValueError where the text is no YAML."""
    try:
        return [body for body in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if body]
    except yaml.YAMLError as problem:
        raise ValueError(str(problem)) from problem
