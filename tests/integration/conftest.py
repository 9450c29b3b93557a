"""Labs as the integration tests want them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab.settings import Lab
from provoking import PLANES
from support import kubectl


@pytest.fixture(scope="module")
def stocked_lab(api_lab: Lab) -> Iterator[Lab]:
    """A class of storage everywhere, so that nothing is found before something is provoked."""
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard"},
        "provisioner": "lab.invalid/local",
    }
    for context in PLANES:
        kubectl(api_lab, context, "apply", "-f", "-", stdin=json.dumps(storage))
    yield api_lab
    for context in PLANES:
        kubectl(api_lab, context, "delete", "storageclass", "standard")
