"""The lab's own tests run the lab as a person does: by its command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def lab_command() -> Run:
    """Run ``lab WORDS``: its exit code and what it printed."""

    def run(*words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("lab")), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    return run
