"""Taking a guard away from a module's text, in memory, and seeing whether the expectation that names it fails."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

# Mutation of a module's text: what stands there, what comes instead. Expectation: test and case of its table.
Mutation = tuple[str, str, str, str, Any]


def executed(path: str, name: str, old: str = "", new: str = "") -> ModuleType:
    """A module from its text, mutated if ``old`` is given; nothing on disk or in ``sys.modules`` changes."""
    text = Path(path).read_text()
    assert not old or text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
    found = ModuleType(name)
    exec(compile(text.replace(old, new) if old else text, path, "exec"), found.__dict__)  # noqa: S102 - our own text
    return found


def failed(tests: ModuleType, test: str, case: Any) -> bool:
    function = getattr(tests, test)
    try:
        function() if case is None else function(case)
    except (AssertionError, ArithmeticError, LookupError):
        return True
    return False


def named(mutation: Mutation) -> str:
    module, old, new, _, _ = mutation
    return f"{module.rpartition('.')[2]}: {old.strip()} -> {new.strip() or 'nothing'}"


def is_caught(mutation: Mutation, tests_of: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the named expectation holds as things are, and fails for the mutant."""
    module, old, new, test, case = mutation
    tests = str(Path(__file__).parent / "unit" / f"test_{tests_of}.py")
    real = importlib.import_module(module)
    assert not failed(executed(tests, "tests_as_they_are"), test, case)
    monkeypatch.setitem(sys.modules, module, executed(str(real.__file__), module, old, new))
    return failed(executed(tests, "tests_of_the_mutant"), test, case)
