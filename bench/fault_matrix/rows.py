"""The rows of the matrix, one JSON object a line: kept, counted, and dropped where the rules are no longer the same."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fault_matrix import ROOT

ROWS = ROOT / "bench" / "faults.jsonl"
RULES = ("verdict", "quorum", "views", "gate", "returning", "standins", "progress", "release", "services")
FAULT, VERDICT = "fault", "verdict"  # kinds of rows

Row = dict[str, Any]


def digest(folder: Path = ROOT / "plugins" / "module_utils" / "_rules") -> str:
    """What tells one version of the rules from another."""
    found = hashlib.sha256()
    for name in RULES:
        found.update(name.encode() + b"\0" + (folder / f"{name}.py").read_bytes() + b"\0")
    return found.hexdigest()[:12]


def read(path: Path = ROWS) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


def write(rows: Iterable[Row], path: Path = ROWS) -> None:
    """All rows, or none: a reader never sees half of them."""
    temporary = path.with_name(f".{path.name}")
    temporary.write_text("".join(_line(row) for row in rows))
    temporary.replace(path)


def append(row: Row, path: Path = ROWS) -> None:
    with path.open("a") as file:
        file.write(_line(row))


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def of_rules(rows: Iterable[Row], rules: str) -> list[Row]:
    """Those that were measured with these rules."""
    return [row for row in rows if row["rules"] == rules]


def missing(rows: Iterable[Row], wanted: Mapping[tuple[str, float], int], kind: str = FAULT) -> list[tuple[str, float]]:
    """What is still to be measured, as (fault, window): a round of each that lacks one before the next round."""
    there = Counter((row["fault"], row["window"]) for row in rows if row["kind"] == kind)
    rounds = [(number, key) for key, count in wanted.items() for number in range(there[key], count)]
    return [key for _, key in sorted(rounds, key=lambda each: each[0])]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed: one that was measured."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
